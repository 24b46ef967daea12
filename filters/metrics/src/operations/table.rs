//! What can be asked for and what the answers hold: the index and the OpenAPI document are made of it.

use kit::operations::openapi::shape::{Member, Shape, has, may_have};
use kit::operations::openapi::{Gives, Operation, Parameter, Refused, Schema};

/// How many routes are listed.
const ROUTES: &[Parameter] =
    &[Parameter::new("routes", Schema::Number, "lists no more than so many routes")];

/// How many failures or consumers are listed.
const LIMIT: &[Parameter] =
    &[Parameter::new("limit", Schema::Number, "lists no more than so many")];

/// What stands below the path of operations.
pub(super) const OPERATIONS: [Operation; 4] = [
    Operation::get(
        "/stats",
        "what was counted since the last reset, and the routes with most requests",
        Gives::Json(&STATS),
    )
    .asks(&[ROUTES]),
    Operation::get(
        "/performance",
        "throughput, latency and errors of the last one and five minutes, and the slowest routes",
        Gives::Json(&PERFORMANCE),
    )
    .asks(&[ROUTES]),
    Operation::get("/errors", "the latest failures", Gives::Json(&ERRORS)).asks(&[LIMIT]),
    Operation::act("POST", "/reset", "forgets what was counted", &RESET)
        .refuses(&[Refused::Failed]),
];

/// What stands there besides where consumers are told apart.
pub(super) const CONSUMERS: [Operation; 1] = [Operation::get(
    "/consumers",
    "the busiest consumers of the last minutes",
    Gives::Json(&BUSIEST),
)
.asks(&[LIMIT])];

const LIVE: Operation =
    Operation::get("/live", "200 as long as this filter answers", Gives::Json(&LIVES));
const READY: Operation =
    Operation::get("/ready", "200 if this gateway can serve, else 503", Gives::Health(&READINESS));
const STATUS: Operation = Operation::get(
    "/status",
    "uptime, versions, memory, and what the filters are at",
    Gives::Health(&SUMMARY),
);
const DETAILED: Operation = Operation::get(
    "/detailed",
    "the same, each cluster with its hosts, and when they were asked about",
    Gives::Health(&DETAILS),
);

/// What stands below the path of health.
pub(super) const HEALTH: [Operation; 4] = [LIVE, READY, STATUS, DETAILED];
/// The same where health is open.
pub(super) const OPEN_HEALTH: [Operation; 4] = [LIVE.open(), READY.open(), STATUS, DETAILED];

/// What every answer about numbers begins with.
const HEADER: &[Member] = &[
    has("uptime_seconds", Shape::Number),
    has("since_reset_seconds", Shape::Number),
    has("quantile_error", Shape::Share),
];

/// What is told of every sum.
const TALLY: &[Member] = &[
    has("requests", Shape::Count),
    has("errors", Shape::Count),
    has("error_ratio", Shape::Maybe(&Shape::Share)),
    has("latency_seconds", LATENCY),
    has("flow", FLOW),
];

const LATENCY: Shape = Shape::Object(&[&[
    has("count", Shape::Count),
    has("average", Shape::Maybe(&Shape::Number)),
    has("min", Shape::Maybe(&Shape::Number)),
    has("max", Shape::Maybe(&Shape::Number)),
    has("p50", Shape::Maybe(&Shape::Number)),
    has("p95", Shape::Maybe(&Shape::Number)),
    has("p99", Shape::Maybe(&Shape::Number)),
]]);

const FLOW: Shape = Shape::Object(&[&[
    has("limited", Shape::Count),
    has("hit", Shape::Count),
    has("stale", Shape::Count),
    has("refused", Shape::Count),
    has("upstream", Shape::Count),
    has("local", Shape::Count),
    has("aborted", Shape::Count),
]]);

/// What is told of a span too.
const RATE: &[Member] = &[has("requests_per_second", Shape::Maybe(&Shape::Number))];
const CLASSES: &[Member] = &[has("by_class", Shape::Named(&Shape::Count))];

const ROUTE: Shape = Shape::Object(&[&[has("route", Shape::Text)], TALLY]);

const STATS: Shape = Shape::Object(&[
    HEADER,
    TALLY,
    CLASSES,
    &[
        has("in_flight", Shape::Count),
        has("operations", Shape::Count),
        has("excluded", Shape::Count),
        has("by_method", Shape::Named(&Shape::Count)),
        has("by_status", Shape::Named(&Shape::Count)),
        has("decisions", Shape::Named(&Shape::Named(&Shape::Count))),
        has("limits", Shape::Object(&[&[has("limited", Shape::Count)]])),
        has("cache", Shape::Object(&[CACHE, HITS])),
        has("breakers", Shape::Object(&[BREAKERS, &[has("refused", Shape::Count)]])),
        has("routes", Shape::List(&ROUTE)),
        has("routes_known", Shape::Count),
        has("requests_of_other_routes", Shape::Count),
    ],
]);

/// What the cache holds now.
const CACHE: &[Member] = &[has("entries", Shape::Count), has("bytes", Shape::Count)];

/// The hits are the flow's, stale ones among them; their share is that of what the cache or the upstream answered.
const HITS: &[Member] = &[has("hits", Shape::Count), has("hit_ratio", Shape::Maybe(&Shape::Share))];

const BREAKERS: &[Member] = &[has("not_closed", Shape::Count)];

const WINDOW: Shape = Shape::Object(&[
    &[has("window_seconds", Shape::Count), has("span_seconds", Shape::Number)],
    TALLY,
    RATE,
    CLASSES,
]);

const PERFORMANCE: Shape = Shape::Object(&[
    HEADER,
    &[
        has("windows", Shape::List(&WINDOW)),
        has("since_reset", Shape::Object(&[TALLY, RATE, CLASSES])),
        has("slowest_routes", Shape::List(&ROUTE)),
        has("slice_seconds", Shape::Count),
        has(
            "history",
            Shape::List(&Shape::Object(&[&[
                has("began_seconds_ago", Shape::Number),
                has("requests", Shape::Count),
                has("errors", Shape::Count),
                has("latency_seconds", LATENCY),
            ]])),
        ),
    ],
]);

const BUSIEST: Shape = Shape::Object(&[&[
    has("span_seconds", Shape::Number),
    has("requests", Shape::Count),
    has("max", Shape::Count),
    has("with_series", Shape::Count),
    has(
        "consumers",
        Shape::List(&Shape::Object(&[&[
            has("consumer", Shape::Text),
            has("has_series", Shape::Flag),
            has("at_least", Shape::Count),
            has("at_most", Shape::Count),
        ]])),
    ),
]]);

const ERRORS: Shape = Shape::Object(&[&[
    has("failures", Shape::Count),
    has("max", Shape::Count),
    has(
        "latest",
        Shape::List(&Shape::Object(&[&[
            has("time", Shape::Instant),
            has("method", Shape::Text),
            has("route", Shape::Text),
            has("status", Shape::Count),
            has("duration_seconds", Shape::Maybe(&Shape::Number)),
            has("details", Shape::Text),
            has("flags", Shape::List(&Shape::Text)),
            may_have("address", Shape::Text),
            may_have("user_agent", Shape::Text),
        ]])),
    ),
]]);

const RESET: Shape =
    Shape::Object(&[&[has("reset", Shape::Object(&[&[has("requests", Shape::Count)]]))]]);

const LIVES: Shape = Shape::Object(&[&[has("status", Shape::OneOf(&["live"]))]]);

/// The reasons are for who proved himself.
const READINESS: Shape =
    Shape::Object(&[&[may_have("reasons", Shape::List(&Shape::Text)), WARNINGS], STANDING]);

/// Clusters that filters are configured to call and that Envoy does not have.
const WARNINGS: Member = may_have("warnings", Shape::List(&Shape::Text));

const STANDING: &[Member] = &[has("status", Shape::OneOf(&["ready", "not_ready"]))];

const STATE: &[Member] = &[
    has("reasons", Shape::List(&Shape::Text)),
    WARNINGS,
    has("uptime_seconds", Shape::Number),
    has("version", Shape::Text),
    may_have("envoy", Shape::Object(&[&[has("version", Shape::Text), has("state", Shape::Text)]])),
    may_have(
        "memory",
        Shape::Object(&[&[
            has("allocated_bytes", Shape::Count),
            has("heap_bytes", Shape::Count),
            has("physical_bytes", Shape::Count),
        ]]),
    ),
    has(
        "statistics",
        Shape::Object(&[
            &[
                has("since_reset_seconds", Shape::Number),
                has("last_minute", Shape::Object(&[TALLY, RATE])),
            ],
            TALLY,
        ]),
    ),
    has("cache", Shape::Object(&[CACHE])),
    has("breakers", Shape::Object(&[BREAKERS])),
];

const SUMMARY: Shape = Shape::Object(&[STANDING, STATE]);

const DETAILS: Shape = Shape::Object(&[
    STANDING,
    STATE,
    &[may_have("clusters", Shape::List(&CLUSTER)), may_have("checks", CHECKS)],
]);

const CLUSTER: Shape = Shape::Object(&[&[
    has("cluster", Shape::Text),
    has("ready", Shape::Flag),
    has("known", Shape::Flag),
    may_have("hosts_total", Shape::Count),
    may_have("hosts_healthy", Shape::Count),
    may_have(
        "hosts",
        Shape::List(&Shape::Object(&[&[
            has("address", Shape::Text),
            has("healthy", Shape::Flag),
            has("troubles", Shape::List(&Shape::Text)),
        ]])),
    ),
]]);

const CHECKS: Shape = Shape::Object(&[&[
    has("rounds", Shape::Count),
    has("clusters_age_seconds", Shape::Maybe(&Shape::Number)),
    has("server_age_seconds", Shape::Maybe(&Shape::Number)),
    has("memory_age_seconds", Shape::Maybe(&Shape::Number)),
    has("failures", Shape::Count),
    has("last_failure_age_seconds", Shape::Maybe(&Shape::Number)),
    may_have("last_failure", Shape::Text),
]]);
