//! Laws of the limiter over random configurations and traffic, against models that are slow and obviously right.
//!
//! `each` holds every algorithm to what its module promises, `limits` several of them in one account,
//! `table` the accounts of many keys in bounded memory that several workers share.
#![cfg(not(target_arch = "wasm32"))]

#[cfg(test)]
mod each;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod models;
#[cfg(test)]
mod table;
#[cfg(test)]
mod traffic;
