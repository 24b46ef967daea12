//! Names under which an origin lets responses be purged.
