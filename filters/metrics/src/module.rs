//! The shell: this filter as a module of its own.

kit::module!(crate::Metrics);
