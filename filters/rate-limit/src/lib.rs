//! Weir rate-limit.
