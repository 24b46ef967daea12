//! Laws of the limiter over random configurations and traffic, against models that are slow and obviously right.
//!
//! `each` holds every algorithm to what its module promises, `limits` several of them in one account,
//! `table` the accounts of many keys in bounded memory that several workers share.
#![cfg(all(test, not(target_arch = "wasm32")))]

mod each;
mod limits;
mod models;
mod table;
mod traffic;
