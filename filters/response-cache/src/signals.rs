//! Every word that an operator may see: decisions, reasons, metric and header names, reply details.
//!
//! They are a stable interface: added freely, never renamed.

mod decision;
mod outcomes;
mod refusal;

pub use decision::Decision;
pub use outcomes::{Eviction, Purged, Refresh, Staleness, Validation, Wait};
pub use refusal::Refusal;

/// The counter of requests, by rule and decision.
pub const REQUESTS: &str = "weir_response_cache_requests_total";
/// The counter of responses stored.
pub const STORED: &str = "weir_response_cache_stored_total";
/// The counter of responses that could have been stored and were not, by reason.
pub const REFUSED: &str = "weir_response_cache_refused_total";
/// The counter of entries that gave way to another, by reason.
pub const EVICTIONS: &str = "weir_response_cache_evictions_total";
/// The counter of unsafe requests that removed what was stored for their URI.
pub const INVALIDATIONS: &str = "weir_response_cache_invalidations_total";
/// The counter of validations by what the origin answered.
pub const VALIDATIONS: &str = "weir_response_cache_validations_total";
/// The counter of stale responses served, by reason.
pub const STALE_SERVED: &str = "weir_response_cache_stale_served_total";
/// The counter of background requests by what came of them.
pub const REFRESHES: &str = "weir_response_cache_refreshes_total";
/// The counter of requests that waited for another one's response, by what came of it.
pub const COLLAPSED: &str = "weir_response_cache_collapsed_total";
/// The counter of purges by what was named.
pub const PURGES: &str = "weir_response_cache_purges_total";
/// The counter of body bytes that clients got from the store.
pub const SERVED_BYTES: &str = "weir_response_cache_served_bytes_total";
/// The gauge of entries stored now, fresh or not.
pub const ENTRIES: &str = "weir_response_cache_entries";
/// The gauge of bytes stored now.
pub const BYTES: &str = "weir_response_cache_bytes";
/// The gauge that moves with each purge; workers look at it, and its value means nothing.
pub const PURGE_SEQUENCE: &str = "weir_response_cache_purge_sequence";
/// The gauge that moves with each invalidation under keys with parts; likewise.
pub const INVALIDATION_SEQUENCE: &str = "weir_response_cache_invalidation_sequence";

/// The name under which this cache writes `Cache-Status` (RFC 9211).
pub const CACHE_NAME: &str = "weir";
/// Response-code details of an answer from the store.
pub const DETAILS_HIT: &str = "weir_cache_hit";
/// Response-code details of a stale answer that is being refreshed.
pub const DETAILS_STALE: &str = "weir_cache_stale";
/// Response-code details of a stale answer in place of an error.
pub const DETAILS_STALE_IF_ERROR: &str = "weir_cache_stale_if_error";
/// Response-code details of an answer from the store that the origin has just confirmed.
pub const DETAILS_REVALIDATED: &str = "weir_cache_revalidated";
/// Response-code details of an answer from the store that another request has just brought.
pub const DETAILS_COLLAPSED: &str = "weir_cache_collapsed";
/// Response-code details of a stored error of the service.
pub const DETAILS_ERROR: &str = "weir_cache_error";
/// Response-code details of an answer from the store about which the origin's 304 was not: it is not updated.
pub const DETAILS_CONTRADICTED: &str = "weir_cache_contradicted";
/// Response-code details of the 409 to a background request that has not the key of its occasion.
pub const DETAILS_KEY_MISMATCH: &str = "weir_cache_key_mismatch";
/// Response-code details of an answer to an operator.
pub const DETAILS_OPERATIONS: &str = "weir_operations";
/// Response-code details of the 304 that a stored response justifies.
pub const DETAILS_NOT_MODIFIED: &str = "weir_cache_not_modified";
/// Response-code details of the 504 that `only-if-cached` asks for.
pub const DETAILS_ONLY_IF_CACHED: &str = "weir_cache_only_if_cached";
/// The `rule` label of a request that no rule matched, or that was decided before the rules.
pub const NO_RULE: &str = "none";
