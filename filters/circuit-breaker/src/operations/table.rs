//! What can be asked for and what the answers hold: the index and the OpenAPI document are made of it.

use kit::operations::openapi::shape::{Member, Shape, has, may_have};
use kit::operations::openapi::{Gives, Operation, Parameter, Refused, Schema};

/// Which breakers are meant.
const BREAKERS: &[Parameter] = &[
    Parameter::new("rule", Schema::Text("payments"), "those of this rule"),
    Parameter::new(
        "scope",
        Schema::Text("upstream"),
        "with rule: the one for this cluster, route or virtual host",
    ),
    Parameter::new("id", Schema::Text("3f2a9c04b7d15e68"), "the one with this id"),
];

/// How many are listed.
const LIMIT: &[Parameter] =
    &[Parameter::new("limit", Schema::Number, "lists no more than so many")];

/// Those of a rule.
const RULE: &[Parameter] =
    &[Parameter::new("rule", Schema::Text("payments"), "leaves the other rules out")];

/// All that there are.
const ALL: &[Parameter] = &[Parameter::new("all", Schema::Flag, "every breaker that was met")];

/// In which state.
const STATE: &[Parameter] =
    &[Parameter::new("state", Schema::OneOf(STATES), "those in this state")];

/// What they do in the operator's hand, and for how long.
const HAND: &[Parameter] = &[
    Parameter::new("mode", Schema::OneOf(CONTROLS), "what they do instead of what they would")
        .required(),
    Parameter::new("for", Schema::Duration, "lets go after this; never if absent"),
];

/// What stands below the path of operations.
pub(crate) const OPERATIONS: [Operation; 7] = [
    Operation::get("/rules", "the rules", Gives::Json(&RULES)),
    Operation::get("/rules/NAME", "one of them", Gives::Json(&RULES)).refuses(&[Refused::Unknown]),
    Operation::get(
        "/breakers",
        "the breakers that were met, with state, window and last failures",
        Gives::Json(&LISTED),
    )
    .asks(&[BREAKERS, STATE, LIMIT])
    .refuses(&[Refused::Unknown]),
    Operation::get(
        "/events",
        "the last changes of state and acts of operators",
        Gives::Json(&EVENTS),
    )
    .asks(&[RULE, LIMIT])
    .refuses(&[Refused::Unknown]),
    Operation::act("PUT", "/control", "takes breakers in hand", &DONE)
        .asks(&[HAND, BREAKERS, ALL])
        .refuses(ALL_REASONS),
    Operation::act("DELETE", "/control", "lets go of them", &DONE)
        .asks(&[BREAKERS, ALL])
        .refuses(ALL_REASONS),
    Operation::act("POST", "/reset", "has breakers forget what they saw: they are closed", &DONE)
        .asks(&[BREAKERS, ALL])
        .refuses(ALL_REASONS),
];

const ALL_REASONS: &[Refused] = &[Refused::Unknown, Refused::Conflict, Refused::Failed];

const STATES: &[&str] = &["closed", "recovering", "shedding", "half_open", "open"];
const CONTROLS: &[&str] = &["force_open", "force_closed", "disable", "metrics_only"];
const PERS: &[&str] = &["cluster", "route", "virtual_host", "rule", "key"];

/// Of a rule that is switched off, name and mode are all.
const RULES: Shape = Shape::Object(&[&[has(
    "rules",
    Shape::List(&Shape::Object(&[&[
        has("name", Shape::Text),
        has("mode", Shape::OneOf(&["enforce", "shadow", "off"])),
        may_have("match", Shape::Text),
        may_have("per", Shape::OneOf(PERS)),
        may_have("key", Shape::Text),
        may_have("shows_keys", Shape::Flag),
        may_have("terms", Shape::Text),
    ]])),
)]]);

/// Which breaker it is; no scope if it is for the whole rule, or the key is not to be seen.
const IDENTITY: &[Member] =
    &[has("id", Shape::Text), has("rule", Shape::Text), may_have("scope", Shape::Text)];

const PER: &[Member] = &[has("per", Shape::OneOf(PERS))];

const HELD: &[Member] = &[may_have(
    "held",
    Shape::Object(&[&[
        has("control", Shape::OneOf(CONTROLS)),
        may_have("rest_seconds", Shape::Number),
    ]]),
)];

const LISTED: Shape = Shape::Object(&[&[
    has("total", Shape::Count),
    has("breakers", Shape::List(&Shape::Object(&[IDENTITY, PER, HELD, BREAKER]))),
]]);

const BREAKER: &[Member] = &[
    has("state", Shape::OneOf(STATES)),
    has("since_seconds", Shape::Number),
    has(
        "window",
        Shape::Object(&[&[
            has("ended", Shape::Count),
            has("failed", Shape::Count),
            has("slow", Shape::Count),
            has("shed", Shape::Count),
            may_have("failure_share", Shape::Share),
        ]]),
    ),
    has("consecutive_failures", Shape::Count),
    has("openings", Shape::Count),
    may_have("open_for_seconds", Shape::Number),
    may_have("next_probe_seconds", Shape::Number),
    may_have(
        "probes",
        Shape::Object(&[&[
            has("out", Shape::Count),
            has("succeeded", Shape::Count),
            has("failed", Shape::Count),
        ]]),
    ),
    may_have("share_passing", Shape::Share),
    has("last_failures", Shape::List(&FAILURE)),
];

const FAILURE: Shape = Shape::Object(&[&[
    has("at", Shape::Instant),
    has("failed", Shape::Flag),
    has("slow", Shape::Flag),
    may_have("status", Shape::Count),
    may_have("grpc_status", Shape::Count),
    may_have("flags", Shape::Text),
    has("duration_seconds", Shape::Number),
    may_have("route", Shape::Text),
    may_have("reason", Shape::Text),
]]);

const EVENTS: Shape = Shape::Object(&[&[
    has("total", Shape::Count),
    has("events", Shape::List(&Shape::Object(&[IDENTITY, PER, CHANGE, CAUSE]))),
]]);

const CHANGE: &[Member] = &[
    has("at", Shape::Instant),
    has("from", Shape::OneOf(STATES)),
    has("to", Shape::OneOf(STATES)),
    may_have("by", Shape::Text),
];

/// Why, in the words and numbers of the log.
const CAUSE: &[Member] = &[
    has("cause", Shape::Text),
    may_have("failures", Shape::Text),
    may_have("threshold", Shape::Text),
    may_have("slow", Shape::Text),
    may_have("than", Shape::Text),
    may_have("openings", Shape::Text),
    may_have("open_for", Shape::Text),
    may_have("successes", Shape::Text),
    may_have("share", Shape::Text),
    may_have("control", Shape::Text),
    may_have("retry_in", Shape::Text),
    may_have("for", Shape::Text),
];

const DONE: Shape = Shape::Object(&[&[
    has("total", Shape::Count),
    has(
        "breakers",
        Shape::List(&Shape::Object(&[
            IDENTITY,
            HELD,
            &[
                may_have("met", Shape::Flag),
                has("from", Shape::OneOf(STATES)),
                has("to", Shape::OneOf(STATES)),
            ],
        ])),
    ),
]]);
