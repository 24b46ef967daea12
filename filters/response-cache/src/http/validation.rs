//! Asking the origin whether a stored response is still good, and what its answer changes.
