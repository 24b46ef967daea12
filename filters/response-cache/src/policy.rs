//! What is decided about requests and responses. Pure: no clock, no store, no host.
//!
//! [`storing`] says what is kept and for how long, on the [`terms`] of a rule; [`assume`] what a rule lets be assumed;
//! [`fields`] what a field of a request may do to the answer;
//! [`reuse`] which request a kept response answers.

pub mod assume;
pub mod fields;
pub mod reuse;
pub mod storing;
pub mod terms;
