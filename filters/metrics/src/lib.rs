//! Weir metrics.
