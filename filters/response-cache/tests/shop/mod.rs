//! What the tables on storing share: a request, its answer, and what is decided about it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use kit::Nanos;
use kit::headers::Headers;
use kit::status::Statuses;
use weir_response_cache::http::freshness::Arrival;
use weir_response_cache::http::request::Request;
use weir_response_cache::http::response::Response;
use weir_response_cache::policy::storing::{Leave, judge};
use weir_response_cache::policy::terms::Terms;
use weir_response_cache::signals::Refusal;

pub const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
pub const TAG: (&str, &str) = ("etag", "\"a\"");
pub const ARRIVAL: Arrival = Arrival { asked: Nanos(0), received: Nanos(0), wall: 784_111_777 };

pub type Pairs<'a> = &'a [(&'a str, &'a str)];

pub fn request(fields: Pairs<'_>) -> Request {
    let mut all = vec![(":method", "GET")];
    all.extend_from_slice(fields);
    Request::read(&Headers::new(&all))
}

pub fn answer(status: &str, fields: Pairs<'_>) -> Headers {
    let mut all = vec![(":status", status)];
    all.extend_from_slice(fields);
    Headers::new(&all)
}

pub fn store(
    asked: Pairs<'_>,
    status: &str,
    fields: Pairs<'_>,
    terms: &Terms,
) -> Result<Leave, Refusal> {
    let targeted = ["weir-cache-control".to_owned(), "cdn-cache-control".to_owned()];
    let response = Response::read(&answer(status, fields), &targeted);
    judge(&request(asked), &Headers::new(asked), &response, terms, ARRIVAL)
}

pub fn seconds(leave: Result<Leave, Refusal>) -> Result<u64, Refusal> {
    leave.map(|leave| leave.freshness.left(Nanos::ZERO).as_secs())
}

pub fn plain(fields: Pairs<'_>) -> Result<u64, Refusal> {
    seconds(store(&[], "200", fields, &Terms::default()))
}

pub fn statuses(range: std::ops::RangeInclusive<u16>) -> Statuses {
    [range].into_iter().collect()
}

pub fn keeping() -> Terms {
    Terms { keep: Nanos::HOUR, ..Terms::default() }
}
