//! Requests that the cache makes by itself, through Envoy, to this very filter.
