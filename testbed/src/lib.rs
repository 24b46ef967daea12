//! The programs around the modules.
