//! From the object `plans` to [`Plans`].

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use kit::config::{Fields, Value, quoted};
use kit::key::Source;
use kit::place::Place;

use super::{Known, PlanSource, Plans, Table};

/// Plans of one filter: each may be a table of every rule.
const PLANS: RangeInclusive<usize> = 1..=16;
/// Sources that a request may have to be asked for.
const SOURCES: RangeInclusive<usize> = 1..=4;
/// Known keys of one source: about a mebibyte of configuration.
const KEYS: RangeInclusive<usize> = 1..=10_000;
/// The longest object in `upgrade` as JSON text, in bytes: it is part of every refusal.
const MAX_UPGRADE: usize = 2_048;
/// All of them together.
const MAX_UPGRADES: usize = 64 * 1024;

/// Headers that belong to the connection or to the framing of a message (RFC 9110, 7.6.1; RFC 9112, 6).
const NOT_OURS: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers of this filter's answers that say something else.
const OTHERS: [&str; 14] = [
    "cache-control",
    "content-encoding",
    "content-type",
    "grpc-message",
    "grpc-status",
    "ratelimit",
    "ratelimit-limit",
    "ratelimit-policy",
    "ratelimit-remaining",
    "ratelimit-reset",
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];

/// The names that a plan may be given by, and their places.
type Choices<'a> = [(&'a str, usize)];

impl Plans {
    /// Reads the fields of the object `plans`.
    ///
    /// Problems are recorded in `fields`; what comes back then is never used.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let names = fields.names("names", PLANS);
        let choices: Vec<(&str, usize)> =
            names.iter().enumerate().map(|(idx, name)| (name.as_str(), idx)).collect();
        let absent = plan(fields, "absent", &choices);
        let unknown = if fields.has("unknown") {
            plan(fields, "unknown", &choices)
        } else {
            fields.know(&["unknown"]);
            absent
        };
        let sources = fields.objects("sources", SOURCES, |fields| source(fields, &choices));
        let header = fields.optional_parsed(
            "header",
            "the name of a response header, such as \"x-ratelimit-plan\"",
            parse_header,
        );
        let upgrades = upgrades(fields, &names);
        let sources = sources.into_iter().flatten().collect();
        Self { absent, unknown, sources, header, upgrades, names }
    }
}

/// A plan by its name. Without any names nothing is one, and the line about `names` is enough.
fn plan(fields: &mut Fields<'_>, field: &'static str, choices: &Choices<'_>) -> usize {
    if choices.is_empty() {
        fields.know(&[field]);
        if !fields.has(field) {
            fields.problem(field, "nothing", "one of plans.names", "add this field");
        }
        return 0;
    }
    fields.choice(field, choices)
}

fn source(fields: &mut Fields<'_>, choices: &Choices<'_>) -> Option<PlanSource> {
    let value = Source::read(fields, "value");
    // Where each hash stands, to name the first of two.
    let mut places = BTreeMap::new();
    let entries = fields.optional_objects("keys", KEYS, |fields| {
        let hash = fields.sha256("sha256", "key");
        let plan = plan(fields, "plan", choices);
        let name = fields.optional_name("name").map(String::into_boxed_str);
        let hash = hash?;
        if let Some(first) = places.insert(hash, fields.own_path().to_owned()) {
            fields.problem(
                "sha256",
                format_args!("the hash of {first} a second time"),
                "each hash once",
                "remove one of them",
            );
        }
        Some(Known { hash, plan, name })
    });
    let table = entries.map(|entries| Table::new(entries.into_iter().flatten().collect()));
    Some(PlanSource { value: value?, table })
}

/// The objects of `upgrade`, by the places of their plans.
fn upgrades(fields: &mut Fields<'_>, names: &[String]) -> Vec<Option<Value>> {
    let mut upgrades = vec![None; names.len()];
    for (name, upgrade) in fields.optional_json_object("upgrade", MAX_UPGRADES).unwrap_or_default()
    {
        let place = names.iter().position(|plan| *plan == name);
        let problem = match place.and_then(|idx| upgrades.get_mut(idx)) {
            Some(place) => {
                let problem = check_upgrade(&upgrade);
                *place = Some(upgrade);
                problem
            }
            None if names.is_empty() => None,
            None => Some("an object for an unknown plan"),
        };
        if let Some(found) = problem {
            fields.problem(
                "upgrade",
                format_args!("{found} {}", quoted(&name)),
                format_args!(
                    "an object of at most {MAX_UPGRADE} bytes for each of {}",
                    list(names)
                ),
                "write what clients of a plan are to be told, such as \
                 { \"free\": { \"plan\": \"premium\" } }",
            );
        }
    }
    upgrades
}

fn check_upgrade(upgrade: &Value) -> Option<&'static str> {
    if !upgrade.is_object() {
        Some("no object for the plan")
    } else if upgrade.to_string().len() > MAX_UPGRADE {
        Some("an object that is too long for the plan")
    } else {
        None
    }
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// A header name in lower case, or how to mend it.
fn parse_header(text: &str) -> Result<String, String> {
    if text.starts_with(':') {
        return Err("leave the colon out".to_owned());
    }
    if NOT_OURS.iter().any(|name| name.eq_ignore_ascii_case(text)) {
        return Err("choose another name, this one belongs to the connection".to_owned());
    }
    let is_weirs = text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("x-weir-"));
    if is_weirs || OTHERS.iter().any(|name| name.eq_ignore_ascii_case(text)) {
        return Err("choose another name, this one says something else in answers".to_owned());
    }
    Place::Header.parse_name(text).map(String::from).map_err(|error| error.to_string())
}
