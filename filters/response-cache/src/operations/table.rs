//! What can be asked for and what the answers hold: the index and the OpenAPI document are made of it.

use kit::described::PARAMETERS;
use kit::operations::openapi::shape::{Member, REQUEST, Shape, has, may_have};
use kit::operations::openapi::{Gives, Operation, Parameter, Refused, Schema};

/// What is purged.
const TARGETS: &[Parameter] = &[
    Parameter::new(
        "url",
        Schema::Texts("https://example.com/news"),
        "purges this URL, with all of its variants",
    ),
    Parameter::new("tag", Schema::Texts("news"), "purges what has this tag"),
    Parameter::new(
        "prefix",
        Schema::Texts("https://example.com/news/"),
        "purges URLs that begin like this",
    ),
    Parameter::new(
        "pattern",
        Schema::Texts("https://example.com/*/draft"),
        "purges URLs that match this pattern",
    ),
    Parameter::new(
        "resource",
        Schema::Texts("articles"),
        "purges URLs of the patterns that the configuration groups under this name",
    ),
    Parameter::new("everything", Schema::Flag, "purges all there is"),
    Parameter::new("soft", Schema::Flag, "has entries become stale only"),
];

/// What is warmed.
const URLS: &[Parameter] =
    &[Parameter::new("url", Schema::Texts("https://example.com/news"), "a URL of this gateway")
        .required()];

/// What stands below the path of operations.
pub(crate) const OPERATIONS: [Operation; 9] = [
    Operation::get("/stats", "what has been counted, over all workers", Gives::Json(&STATS)),
    Operation::get("/rules", "the rules", Gives::Json(&RULES)),
    Operation::get("/rules/NAME", "one of them", Gives::Json(&RULES)).refuses(&[Refused::Unknown]),
    Operation::get(
        "/explain",
        "what the cache would do with such a request, which has this one's headers, and why",
        Gives::Json(&EXPLANATION),
    )
    .asks(&[PARAMETERS]),
    Operation::act("DELETE", "/entries", "purges", &PURGED)
        .asks(&[TARGETS])
        .refuses(&[Refused::Failed]),
    Operation::get("/purges", "the purges in force that are kept one by one", Gives::Json(&PURGES)),
    Operation::get("/warm", "how warming goes", Gives::Json(&WARMING)),
    Operation::act("PUT", "/warm", "puts URLs on the list to be warmed", &ADDED)
        .asks(&[URLS])
        .refuses(&[Refused::Conflict, Refused::Failed]),
    Operation::act("DELETE", "/warm", "forgets the URLs that still wait to be warmed", &STOPPED)
        .refuses(&[Refused::Conflict, Refused::Failed]),
];

const RULES: Shape = Shape::Object(&[&[has(
    "rules",
    Shape::List(&Shape::Object(&[&[
        has("name", Shape::Text),
        has("action", ACTION),
        has("match", Shape::Text),
        has("key", Shape::Text),
        has("terms", Shape::List(&Shape::Text)),
    ]])),
)]]);

const ACTION: Shape = Shape::OneOf(&["cache", "bypass", "off"]);

/// Counts by a word, without the zeros.
const COUNTS: Shape = Shape::Named(&Shape::Count);

const SHARE: &[Member] = &[
    has("requests", Shape::Count),
    has("hits", Shape::Count),
    has("misses", Shape::Count),
    has("hit_ratio", Shape::Maybe(&Shape::Share)),
    has("bytes_served", Shape::Count),
];

const STATS: Shape = Shape::Object(&[
    SHARE,
    &[
        has(
            "store",
            Shape::Object(&[&[
                has("entries", Shape::Count),
                has("max_entries", Shape::Count),
                has("bytes", Shape::Count),
                has("max_bytes", Shape::Count),
            ]]),
        ),
        has("stored", Shape::Count),
        has("not_stored", COUNTS),
        has("evictions", COUNTS),
        has("invalidations", Shape::Count),
        has("validations", COUNTS),
        has("stale_served", COUNTS),
        has("refreshes", COUNTS),
        has("collapsed", COUNTS),
        has("purges", COUNTS),
        has(
            "rules",
            Shape::List(&Shape::Object(&[
                &[has("rule", Shape::Text)],
                SHARE,
                &[has("decisions", COUNTS)],
            ])),
        ),
    ],
]);

const EXPLANATION: Shape = Shape::Object(&[&[
    has("request", Shape::Object(&[REQUEST])),
    has("decision", Shape::Text),
    has("because", Shape::Text),
    may_have("rule", Shape::Object(&[&[has("name", Shape::Text), has("action", ACTION)]])),
    may_have("key", Shape::Text),
    may_have("cluster", Shape::Text),
    has("is_stored", Shape::Flag),
    has("entries", Shape::List(&ENTRY)),
    may_have(
        "flight",
        Shape::Object(&[&[
            has("state", Shape::OneOf(&["underway", "uncacheable"])),
            may_have("waiting", Shape::Count),
            may_have("reason", Shape::Text),
            may_have("because", Shape::Text),
            has("left_seconds", Shape::Number),
        ]]),
    ),
]]);

const ENTRY: Shape = Shape::Object(&[&[
    has("is_selected", Shape::Flag),
    has("url", Shape::Text),
    has("status", Shape::Count),
    has("rule", Shape::Text),
    has("body_bytes", Shape::Count),
    has("varies_on", Shape::List(&Shape::Text)),
    has("tags", Shape::List(&Shape::Text)),
    has("purged", Shape::OneOf(&["no", "soft", "hard"])),
    has("for_authorized", Shape::Flag),
    has(
        "freshness",
        Shape::Object(&[&[
            has("basis", Shape::OneOf(&["stated", "given", "assumed"])),
            has("age_seconds", Shape::Number),
            has("lifetime_seconds", Shape::Number),
            has("left_seconds", Shape::Number),
            has("stale_while_revalidate_seconds", Shape::Number),
            has("stale_if_error_seconds", Shape::Number),
            has("keep_seconds", Shape::Number),
            has("validate", Shape::Flag),
            has("strict", Shape::Flag),
            has("arithmetic", Shape::List(&Shape::Text)),
        ]]),
    ),
]]);

const MODE: &[Member] = &[has("mode", Shape::OneOf(&["hard", "soft"]))];

const PURGED: Shape = Shape::Object(&[
    MODE,
    &[has(
        "purged",
        Shape::List(&Shape::Object(&[&[
            may_have("url", Shape::Text),
            may_have("tag", Shape::Text),
            may_have("prefix", Shape::Text),
            may_have("pattern", Shape::Text),
            may_have("resource", Shape::Text),
            may_have("everything", Shape::Text),
            may_have("entries", Shape::Count),
        ]])),
    )],
]);

const PURGES: Shape = Shape::Object(&[&[has(
    "purges",
    Shape::List(&Shape::Object(&[
        MODE,
        &[has("what", Shape::Text), has("ago_seconds", Shape::Number)],
    ])),
)]]);

/// Where warming is off, that is all.
const WARMING: Shape = Shape::Object(&[&[
    has("state", Shape::OneOf(&["off", "running", "done"])),
    may_have("waiting", Shape::Count),
    may_have("running", Shape::Count),
    may_have("done", COUNTS),
    may_have("stored", Shape::Count),
    may_have("retries", Shape::Count),
    may_have("lost", Shape::Count),
    may_have(
        "not_stored",
        Shape::List(&Shape::Object(&[&[
            has("url", Shape::Text),
            has("status", Shape::Maybe(&Shape::Count)),
        ]])),
    ),
]]);

const ADDED: Shape =
    Shape::Object(&[&[has("added", Shape::Count), has("waiting_already", Shape::Count)]]);

const STOPPED: Shape = Shape::Object(&[&[has("stopped", Shape::Count)]]);
