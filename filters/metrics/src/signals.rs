//! Every word of this filter that an operator sees. A stable interface: add freely, never rename.

/// The name of the filter.
pub const NAME: &str = "metrics";

/// Counter per label set: exchanges that ended.
pub const REQUESTS: &str = "weir_metrics_requests_total";
/// Histogram per label set: from the request's first byte to the response's last, in milliseconds.
pub const DURATION: &str = "weir_metrics_request_duration_milliseconds";
/// Counter per label set: bytes that came from clients, headers and bodies.
pub const REQUEST_BYTES: &str = "weir_metrics_request_bytes_total";
/// Counter per label set: bytes that went to clients, headers and bodies.
pub const RESPONSE_BYTES: &str = "weir_metrics_response_bytes_total";
/// Counter per filter and word: what the other filters of the gateway decided.
pub const DECISIONS: &str = "weir_metrics_decisions_total";
/// Counter: exchanges that were counted without their route and method, since the series ran out.
pub const OVERFLOW: &str = "weir_metrics_series_overflow_total";

/// The labels of [`DECISIONS`].
pub const DECISION_LABELS: &[&str] = &["filter", "decision"];

/// The route of an exchange that has one without a name.
pub const UNNAMED_ROUTE: &str = "_unnamed";
/// The route of an exchange that has none.
pub const NO_ROUTE: &str = "_none";
/// The route, and the status, of an exchange beyond the bound on series.
pub const OTHER: &str = "_other";

/// How every `details` word of a reply by Weir begins.
pub const OWN_DETAILS: &[u8] = b"weir_";
