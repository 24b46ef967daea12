//! Cache-Control for some caches only (RFC 9213), read as structured fields.
