//! What can be asked for and what the answers hold: the index and the OpenAPI document are made of it.

use kit::described::PARAMETERS;
use kit::operations::openapi::shape::{Member, REQUEST, Shape, has, may_have};
use kit::operations::openapi::{Gives, Operation, Parameter, Refused, Schema};

/// A rule by its name.
const RULE: &[Parameter] =
    &[Parameter::new("rule", Schema::Text("general"), "leaves the other rules out")];

/// What stands below the path of operations.
pub(crate) const OPERATIONS: [Operation; 7] = [
    Operation::get("/rules", "the rules in force", Gives::Json(&RULES)),
    Operation::get("/rules/NAME", "one of them", Gives::Json(&RULES)).refuses(&[Refused::Unknown]),
    Operation::get(
        "/state",
        "what each rule says of such a request, which has this one's headers and is charged nowhere",
        Gives::Json(&STATE),
    )
    .asks(&[PARAMETERS, RULE])
    .refuses(&[Refused::Unknown]),
    Operation::get("/top", "the keys refused most in the last minutes", Gives::Json(&TOP))
        .asks(&[RULE])
        .refuses(&[Refused::Unknown]),
    Operation::act("DELETE", "/state", "forgets the counts of the keys of such a request", &RESET)
        .asks(&[PARAMETERS, RULE])
        .refuses(&[Refused::Unknown, Refused::Failed]),
    Operation::act("DELETE", "/rules/NAME", "forgets all counts of a rule", &RESET)
        .refuses(&[Refused::Unknown, Refused::Failed]),
    Operation::act("DELETE", "/rules", "forgets all counts", &RESET).refuses(&[Refused::Failed]),
];

const RULES: Shape = Shape::Object(&[&[has(
    "rules",
    Shape::List(&Shape::Object(&[&[
        has("name", Shape::Text),
        has("mode", Shape::OneOf(&["enforce", "shadow", "off"])),
        may_have("share", Shape::Text),
        has("match", Shape::Text),
        has("key", Shape::Text),
        has(
            "quotas",
            Shape::List(&Shape::Object(&[
                PLAN,
                &[has("limits", Shape::List(&Shape::Text)), has("max_keys", Shape::Count)],
            ])),
        ),
        may_have("cost", Shape::Text),
        may_have("settlement", Shape::Text),
        has("shows_keys", Shape::Flag),
    ]])),
)]]);

/// Where the limits of the rule depend on it.
const PLAN: &[Member] = &[may_have("plan", Shape::Text)];

const KEY: Shape = Shape::Object(&[&[has("hash", Shape::Text), may_have("text", Shape::Text)]]);

const STATE: Shape = Shape::Object(&[&[
    has("request", Shape::Object(&[REQUEST, PLAN, &[may_have("consumer", Shape::Text)]])),
    has("admits", Shape::Flag),
    has(
        "rules",
        Shape::List(&Shape::Object(&[
            PLAN,
            &[
                has("rule", Shape::Text),
                has("mode", Shape::OneOf(&["enforce", "shadow"])),
                has("standing", Shape::OneOf(STANDINGS)),
                may_have("key", KEY),
                may_have("enforced", Shape::Flag),
                may_have("admits", Shape::Flag),
                may_have("limits", Shape::List(&LIMIT)),
            ],
        ])),
    ),
]]);

const STANDINGS: &[&str] =
    &["not_matching", "exempt", "other_plan", "skipped", "keyless", "counted"];

const LIMIT: Shape = Shape::Object(&[&[
    has("name", Shape::Text),
    has("algorithm", Shape::OneOf(&["gcra", "fixed_window", "sliding_window", "concurrency"])),
    has("quota", Shape::Count),
    has("window_seconds", Shape::Number),
    has("remaining", Shape::Count),
    has("next_seconds", Shape::Number),
    has("reset_seconds", Shape::Number),
]]);

const RESET: Shape = Shape::Object(&[&[has(
    "reset",
    Shape::List(&Shape::Object(&[
        PLAN,
        &[
            has("rule", Shape::Text),
            may_have("key", KEY),
            may_have("keys", Shape::Count),
            may_have("max_keys", Shape::Count),
        ],
    ])),
)]]);

const TOP: Shape = Shape::Object(&[&[has(
    "rules",
    Shape::List(&Shape::Object(&[&[
        has("rule", Shape::Text),
        has("span_seconds", Shape::Number),
        has("refusals", Shape::Count),
        has(
            "keys",
            Shape::List(&Shape::Object(&[&[
                has("key", KEY),
                has("at_least", Shape::Count),
                has("at_most", Shape::Count),
            ]])),
        ),
    ]])),
)]]);
