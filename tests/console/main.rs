//! The console in a real browser, before a real Envoy: what a person sees, and what a click does.
#![cfg(test)]

mod acts;
mod looks;
mod shows;
mod stage;
