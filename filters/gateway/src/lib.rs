//! Weir gateway.
