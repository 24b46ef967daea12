//! The programs around the modules.

pub mod pack;
