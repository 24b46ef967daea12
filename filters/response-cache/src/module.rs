//! The crate as a module of its own.

kit::module!(crate::ResponseCache);
