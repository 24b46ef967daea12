//! Weir response-cache.
