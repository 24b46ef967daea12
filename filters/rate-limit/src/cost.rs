//! What one request takes from a quota: one, unless the operator says otherwise.
//!
//! Some costs are known when the request's headers arrive: a number in the configuration, in a header or in the
//! query, the announced length of a body. Others are known only at the end: how long it took, how much was sent,
//! which status it got. For these an amount is reserved first and settled in the log phase, so that requests
//! which are under way at one time cannot all be admitted on the same last unit.
//!
//! **Nothing that a client sends makes a request free**, unless the operator writes `min: 0`: a value that is
//! absent, no number or too small counts as the default, at least the minimum. Where a name comes several times
//! the largest value counts, so that a value of the client's own cannot hide one that is added later.
//! A client that goes away before the answer, or asks for what times out, pays what was reserved, or what it used if that is more.
//!
//! Numbers are decimal digits and nothing else: no sign, no fraction; what 64 bits cannot hold is the largest.
//!
//! Deliberately not done here: whether a response counts at all ([`crate::settlement`]).

mod read;

use std::fmt;

use kit::exchange::Attribute;
use kit::place::Place;
use kit::units::Bytes;
use kit::{Exchange, Nanos};

/// The largest cost that can be written as one number for every request.
pub const MAX_FIXED: u64 = 1_000_000;
/// The largest cost of any request: the largest quota. A byte can be a unit of cost, so it is more than
/// [`MAX_FIXED`].
pub const MAX: u64 = 1_000_000_000;

/// How much a request costs; the default is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    measure: Measure,
    /// What it costs at the least, if it has an answer; at most `max`.
    min: u64,
    /// What it costs at the most, whatever was measured.
    max: u64,
    /// What is charged until it is known; at most `max`.
    reserve: u64,
}

/// What the units of a quota are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Requests, one each.
    Requests,
    /// Bytes of request or response bodies.
    ContentBytes,
    /// Something of the operator's own.
    Other,
}

/// Where the cost comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Measure {
    /// The same for every request.
    Fixed,
    /// A number in a request header or query parameter.
    Request(Number),
    /// Begun parts of this many bytes, at least one, of the request's body.
    RequestBody { per: u64 },
    /// A number in a response header.
    Response(Number),
    /// Begun parts of this many bytes, at least one, of the response's body.
    ResponseBody { per: u64 },
    /// Begun parts of this time, from the request's first byte to the response's last.
    Duration { per: Nanos },
    /// By the status that was sent.
    Status(ByStatus),
}

/// A number that somebody writes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Number {
    place: Place,
    name: Box<str>,
    /// Stands for none, and for what is no number.
    default: u64,
}

/// Costs by status.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ByStatus {
    /// Single statuses, which count before their class.
    exact: Vec<(u16, u64)>,
    /// The hundreds of a status and its cost.
    classes: Vec<(u16, u64)>,
    /// Every other status.
    default: u64,
}

impl Cost {
    /// The same for every request.
    pub const fn fixed(amount: u64) -> Self {
        Self { measure: Measure::Fixed, min: amount, max: amount, reserve: amount }
    }

    /// The cost of every request, if it is always the same.
    pub fn always(&self) -> Option<u64> {
        (self.measure == Measure::Fixed).then_some(self.max)
    }

    /// What a request of which nothing is known costs, or any at the least if that is more.
    pub const fn usual(&self) -> u64 {
        if self.reserve > self.min { self.reserve } else { self.min }
    }

    /// What to charge when the request's headers arrive.
    ///
    /// **Cost**: none for a fixed one or one to be settled without the request's headers; else these.
    pub fn estimate(&self, x: &dyn Exchange) -> u64 {
        match &self.measure {
            Measure::Fixed => self.max,
            Measure::Request(number) => self.cut(number.largest(&x.request())),
            Measure::RequestBody { per } => {
                let announced = x.request().get("content-length").and_then(decimal);
                announced.map_or(self.reserve, |bytes| self.parts(bytes, *per))
            }
            Measure::Response(_)
            | Measure::ResponseBody { .. }
            | Measure::Duration { .. }
            | Measure::Status(_) => self.reserve,
        }
    }

    /// Whether [`Cost::actual`] may differ from the estimate.
    pub const fn settles(&self) -> bool {
        !matches!(self.measure, Measure::Fixed | Measure::Request(_))
    }

    /// What the request cost, told in the log phase; the estimate where that cannot be known.
    ///
    /// An exchange that ended without a response, or with one of Envoy's in the place of the upstream's, costs at least
    /// what was estimated: neither going away early nor asking for what times out must be a way around the quota.
    /// Only the request's body is what came, and a status costs what it is said to, in any case.
    ///
    /// **Cost**: one host call for the status and one for what is measured, none if it was known before;
    /// two for a request's body.
    pub fn actual(&self, x: &dyn Exchange, estimate: u64) -> u64 {
        let parts =
            |attribute, per| x.number(attribute).map_or(estimate, |amount| self.parts(amount, per));
        let measured = match &self.measure {
            Measure::Fixed | Measure::Request(_) => return estimate,
            Measure::RequestBody { per } => {
                return request_body(x).map_or(estimate, |bytes| self.parts(bytes, *per));
            }
            Measure::Response(number) => match status(x) {
                Some(_) => self.cut(number.largest(&x.response())),
                None => return estimate,
            },
            Measure::Status(costs) => {
                return status(x).map_or(estimate, |status| self.cut(costs.of(status)));
            }
            Measure::ResponseBody { per } => parts(Attribute::ResponseBodyBytes, *per),
            Measure::Duration { per } => parts(Attribute::Duration, per.0),
        };
        if status(x).is_some() && !is_given_up(x) { measured } else { measured.max(estimate) }
    }

    /// What the quota's units are, for clients that are told.
    pub const fn unit(&self) -> Unit {
        match self.measure {
            Measure::Fixed if self.max == 1 => Unit::Requests,
            Measure::RequestBody { per: 1 } | Measure::ResponseBody { per: 1 } => {
                Unit::ContentBytes
            }
            Measure::Fixed
            | Measure::Request(_)
            | Measure::RequestBody { .. }
            | Measure::Response(_)
            | Measure::ResponseBody { .. }
            | Measure::Duration { .. }
            | Measure::Status(_) => Unit::Other,
        }
    }

    fn parts(&self, amount: u64, per: u64) -> u64 {
        self.cut(amount.div_ceil(per.max(1)))
    }

    fn cut(&self, amount: u64) -> u64 {
        amount.max(self.min).min(self.max)
    }
}

impl Default for Cost {
    fn default() -> Self {
        Self::fixed(1)
    }
}

impl Number {
    /// The largest of the values of its name; each that is no number counts as the default.
    fn largest(&self, headers: &kit::headers::Headers) -> u64 {
        let mut largest = None;
        self.place.any(headers, &self.name, |value| {
            largest = largest.max(Some(decimal(value).unwrap_or(self.default)));
            false
        });
        largest.unwrap_or(self.default)
    }
}

impl ByStatus {
    fn of(&self, status: u16) -> u64 {
        let find = |costs: &[(u16, u64)], key: u16| {
            costs.iter().find(|(found, _)| *found == key).map(|(_, cost)| *cost)
        };
        find(&self.exact, status)
            .or_else(|| find(&self.classes, status / 100))
            .unwrap_or(self.default)
    }
}

/// Whether Envoy answered in the place of an upstream that may have done what was asked: a timeout, a reset.
///
/// **Cost**: one host call for the details, and one for the upstream if it did not answer.
pub(crate) fn is_given_up(x: &dyn Exchange) -> bool {
    let details = x.attribute(Attribute::ResponseDetails);
    details.as_deref() != Some(b"via_upstream") && x.attribute(Attribute::UpstreamAddress).is_some()
}

/// The status that was sent, in the log phase; `None` if the exchange ended without a response.
pub(crate) fn status(x: &dyn Exchange) -> Option<u16> {
    let code = x.number(Attribute::ResponseCode)?;
    u16::try_from(code).ok().filter(|code| *code >= 100)
}

/// Bytes of the request's body that came.
///
/// Envoy repeats what `content-length` announced, but a client may go away before it has sent all of that.
/// The total is what came with the headers and no less than the body, so the smaller of the two is right
/// for a whole body, and too much by the headers at most for one that was cut off.
fn request_body(x: &dyn Exchange) -> Option<u64> {
    let announced = x.number(Attribute::RequestBodyBytes);
    announced.into_iter().chain(x.number(Attribute::RequestBytes)).min()
}

/// A number of decimal digits, at most [`u64::MAX`].
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        Some(number.saturating_mul(10).saturating_add(u64::from(digit)))
    })
}

/// In an operator's words: `1 per begun 1KiB of the response body, 0 to 1000, 1 until it is known`.
impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.measure {
            Measure::Fixed => return write!(f, "{}", self.max),
            Measure::Request(Number { place, name, default }) => {
                write!(f, "what the {} {name} says, else {default}", place.word())?;
            }
            Measure::Response(Number { name, default, .. }) => {
                write!(f, "what the response header {name} says, else {default}")?;
            }
            Measure::RequestBody { per } => {
                write!(f, "1 per begun {} of the request body", Bytes(*per))?;
            }
            Measure::ResponseBody { per } => {
                write!(f, "1 per begun {} of the response body", Bytes(*per))?;
            }
            Measure::Duration { per } => write!(f, "1 per begun {per} of time")?,
            Measure::Status(ByStatus { exact, classes, default }) => {
                let exact = exact.iter().map(|(status, cost)| format!("{cost} for {status}"));
                let classes = classes.iter().map(|(class, cost)| format!("{cost} for {class}xx"));
                let all: Vec<String> = exact.chain(classes).collect();
                write!(f, "{}, else {default}", all.join(", "))?;
            }
        }
        match (self.min, self.max) {
            (0, MAX) => {}
            (min, MAX) => write!(f, ", at least {min}")?,
            (min, max) => write!(f, ", {min} to {max}")?,
        }
        if self.settles() {
            write!(f, ", {} until it is known", self.reserve)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
