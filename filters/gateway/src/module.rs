//! The shell: this crate as a module of its own.

kit::module!(crate::Gateway);
