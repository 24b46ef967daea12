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
/// Histogram per place: from the first byte that the upstream got to the last one that it sent, in milliseconds.
pub const UPSTREAM_TIME: &str = "weir_metrics_upstream_time_milliseconds";
/// Histogram per place: what is left of an upstream's answer's duration, in milliseconds.
pub const OVERHEAD: &str = "weir_metrics_overhead_milliseconds";
/// Counter per place and outcome: what became of the exchanges; adds up to [`REQUESTS`].
pub const FLOW: &str = "weir_metrics_flow_total";
/// Counter per place and flag: exchanges for which Envoy set a response flag.
pub const FAILURES: &str = "weir_metrics_failures_total";
/// Counter per place and status: gRPC calls that ended.
pub const GRPC: &str = "weir_metrics_grpc_requests_total";
/// Gauge per route: exchanges under way.
pub const IN_FLIGHT: &str = "weir_metrics_requests_in_flight";
/// Counter per consumer and class: exchanges that ended; adds up to [`REQUESTS`].
pub const CONSUMER_REQUESTS: &str = "weir_metrics_consumer_requests_total";
/// Counter per reason and class: requests that are no client's, and in no other family.
pub const EXCLUDED: &str = "weir_metrics_excluded_requests_total";
/// Counter per filter and word: what the other filters of the gateway decided.
pub const DECISIONS: &str = "weir_metrics_decisions_total";
/// Counter per family: exchanges that were counted under [`OTHER`], since the family's series ran out.
pub const OVERFLOW: &str = "weir_metrics_series_overflow_total";

/// The labels of [`DECISIONS`].
pub const DECISION_LABELS: &[&str] = &["filter", "decision"];

/// The label of [`IN_FLIGHT`].
pub const IN_FLIGHT_LABELS: &[&str] = &["route"];

/// The labels of [`FAILURES`], without and with clusters told apart.
pub const FAILURE_LABELS: [&[&str]; 2] = [&["route", "flag"], &["route", "cluster", "flag"]];
/// The labels of [`GRPC`], likewise.
pub const GRPC_LABELS: [&[&str]; 2] =
    [&["route", "grpc_status"], &["route", "cluster", "grpc_status"]];
/// The labels of [`CONSUMER_REQUESTS`].
pub const CONSUMER_LABELS: &[&str] = &["consumer", "class"];
/// The labels of [`EXCLUDED`].
pub const EXCLUDED_LABELS: &[&str] = &["reason", "class"];
/// The label of [`OVERFLOW`].
pub const FAMILY: &str = "family";

/// The route of an exchange that has one without a name.
pub const UNNAMED_ROUTE: &str = "_unnamed";
/// The route of an exchange that has none, and the cluster of one whose route leads to none.
pub const NO_ROUTE: &str = "_none";
/// The consumer of an exchange that lacks the key.
pub const NO_CONSUMER: &str = "_none";
/// The route, the cluster and the status of an exchange beyond the bound on series; the consumer of all who have none
/// of their own.
pub const OTHER: &str = "_other";

/// How every `details` word of a reply by Weir begins.
pub const OWN_DETAILS: &[u8] = b"weir_";

/// How every name of Weir's begins: of metrics here, of `details` in [`OWN_DETAILS`].
pub const PREFIX: &str = "weir_";
/// Behind [`PREFIX`], a gauge of the process: entries in the cache.
pub const CACHE_ENTRIES: &str = "response_cache_entries";
/// Behind [`PREFIX`], a gauge of the process: bytes in the cache.
pub const CACHE_BYTES: &str = "response_cache_bytes";
/// Behind [`PREFIX`], a gauge of the process: breakers that are open or probing.
pub const BREAKERS_NOT_CLOSED: &str = "circuit_breaker_not_closed";
