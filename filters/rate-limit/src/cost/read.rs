//! From the field `cost` to a [`Cost`].

use std::ops::RangeInclusive;

use kit::Nanos;
use kit::config::{Fields, quoted};
use kit::place::Place;
use kit::units::Bytes;

use super::{ByStatus, Cost, MAX, MAX_FIXED, Measure, Number};

/// How many statuses and classes may have a cost of their own.
const STATUSES: RangeInclusive<usize> = 1..=64;

/// How much of a body may be one unit.
const BYTES: RangeInclusive<Bytes> = Bytes(1)..=Bytes::GIB;
const DEFAULT_BYTES: Bytes = Bytes::KIB;

/// How much time may be one unit. Below a millisecond the machine's own jitter would be charged.
const TIMES: RangeInclusive<Nanos> = Nanos::MILLISECOND..=Nanos::HOUR;
const DEFAULT_TIME: Nanos = Nanos::from_millis(100);

#[derive(Clone, Copy)]
enum From {
    Request(Place),
    RequestBody,
    ResponseHeader,
    ResponseBody,
    Duration,
    Status,
}

const FROM: [(&str, Option<From>); 7] = [
    ("request_header", Some(From::Request(Place::Header))),
    ("request_query", Some(From::Request(Place::Query))),
    ("request_body", Some(From::RequestBody)),
    ("response_header", Some(From::ResponseHeader)),
    ("response_body", Some(From::ResponseBody)),
    ("duration", Some(From::Duration)),
    ("status", Some(From::Status)),
];

impl Cost {
    /// Reads the field `cost` of the object that `fields` stands on; `None` if it is absent, or wrong.
    ///
    /// A number is the cost of every request; an object says where it is taken `from`, and has besides
    /// the fields that belong to that and no others:
    ///
    /// | `from` | fields |
    /// | --- | --- |
    /// | `request_header`, `request_query` | `name`, `default`, `min`, `max` |
    /// | `request_body` | `per`, `min`, `max`, `reserve` (if no length is announced) |
    /// | `response_header` | `name`, `default`, `min`, `max`, `reserve` |
    /// | `response_body`, `duration` | `per`, `min`, `max`, `reserve` |
    /// | `status` | `values`, `default`, `reserve` |
    ///
    /// `min` is 1 for what a client sends, else 0; `default` and `reserve` are 1 where the bounds allow it.
    pub fn read(fields: &mut Fields<'_>) -> Option<Self> {
        if fields.is_object("cost") {
            fields.optional_object("cost", measured).flatten()
        } else {
            fields.optional_integer("cost", 1..=MAX_FIXED).map(Self::fixed)
        }
    }
}

fn measured(fields: &mut Fields<'_>) -> Option<Cost> {
    let Some(from) = fields.choice("from", &FROM) else {
        fields.know(&["name", "per", "default", "min", "max", "reserve", "values"]);
        return None;
    };
    match from {
        From::Request(place) => {
            let name = name(fields, place);
            let (min, max) = bounds(fields, 1);
            let default = default(fields, min, max);
            let measure = Measure::Request(Number { place, name: name?, default });
            Some(Cost { measure, min, max, reserve: default })
        }
        From::ResponseHeader => {
            let name = name(fields, Place::Header);
            let (min, max) = bounds(fields, 0);
            let default = default(fields, min, max);
            let reserve = reserve(fields, min, max);
            let number = Number { place: Place::Header, name: name?, default };
            Some(Cost { measure: Measure::Response(number), min, max, reserve })
        }
        From::RequestBody => {
            let per = fields.optional_bytes("per", BYTES).unwrap_or(DEFAULT_BYTES).0;
            Some(in_parts(fields, Measure::RequestBody { per }, 1))
        }
        From::ResponseBody => {
            let per = fields.optional_bytes("per", BYTES).unwrap_or(DEFAULT_BYTES).0;
            Some(in_parts(fields, Measure::ResponseBody { per }, 0))
        }
        From::Duration => {
            let per = fields.optional_duration("per", TIMES).unwrap_or(DEFAULT_TIME);
            Some(in_parts(fields, Measure::Duration { per }, 0))
        }
        From::Status => {
            let (exact, classes) = values(fields);
            let default = default(fields, 0, MAX);
            let reserve = reserve(fields, 0, MAX);
            let measure = Measure::Status(ByStatus { exact, classes, default });
            Some(Cost { measure, min: 0, max: MAX, reserve })
        }
    }
}

fn in_parts(fields: &mut Fields<'_>, measure: Measure, least: u64) -> Cost {
    let (min, max) = bounds(fields, least);
    Cost { measure, min, max, reserve: reserve(fields, min, max) }
}

fn name(fields: &mut Fields<'_>, place: Place) -> Option<Box<str>> {
    let allowed = match place {
        Place::Query => "the name of a query parameter, such as \"cost\"",
        Place::Header | Place::Cookie => "a header name such as \"x-cost\"",
    };
    fields.parsed("name", allowed, |text| place.parse_name(text))
}

/// `min` and `max`; the first is `least` if absent.
fn bounds(fields: &mut Fields<'_>, least: u64) -> (u64, u64) {
    let max = fields.optional_integer("max", 1..=MAX).unwrap_or(MAX);
    let min = fields.optional_integer("min", 0..=max).unwrap_or(least);
    (min, max)
}

fn default(fields: &mut Fields<'_>, min: u64, max: u64) -> u64 {
    fields.optional_integer("default", min..=max).unwrap_or_else(|| min.max(1))
}

/// Never zero: on a reserve of nothing any number of requests could be under way at one time.
fn reserve(fields: &mut Fields<'_>, min: u64, max: u64) -> u64 {
    fields.optional_integer("reserve", 1..=max).unwrap_or_else(|| min.max(1))
}

type Costs = Vec<(u16, u64)>;

/// Costs by status, and by the hundreds of a status.
fn values(fields: &mut Fields<'_>) -> (Costs, Costs) {
    let (mut exact, mut classes) = (Costs::new(), Costs::new());
    if !fields.has("values") {
        fields.problem(
            "values",
            "nothing",
            "costs by status, such as { \"2xx\": 1, \"404\": 5 }",
            "add this field",
        );
    }
    let written = fields.optional_map_of_integers("values", STATUSES, 0..=MAX).unwrap_or_default();
    for (key, cost) in written {
        match parse_status(&key) {
            Some(Key::Exact(status)) => exact.push((status, cost)),
            Some(Key::Class(class)) => classes.push((class, cost)),
            None => fields.problem(
                "values",
                format_args!("the name {}", quoted(&key)),
                "statuses such as \"404\" and classes such as \"4xx\"",
                "write one from \"100\" to \"599\", or \"1xx\" to \"5xx\"",
            ),
        }
    }
    (exact, classes)
}

enum Key {
    Exact(u16),
    /// The hundreds.
    Class(u16),
}

fn parse_status(text: &str) -> Option<Key> {
    match text.as_bytes() {
        [hundreds @ b'1'..=b'5', b'x', b'x'] => Some(Key::Class(u16::from(hundreds - b'0'))),
        [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'] => text.parse().ok().map(Key::Exact),
        _ => None,
    }
}
