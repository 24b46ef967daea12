//! Weir circuit-breaker.
