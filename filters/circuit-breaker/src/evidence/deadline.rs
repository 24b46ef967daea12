//! Deadlines that a client chooses by fields of its request.
//!
//! They end an exchange early however well the upstream is, so what they end is no failure of it.

use kit::{Exchange, Nanos};

/// Envoy's router takes these in the place of the route's own timeouts.
///
/// **Source**: Envoy, router filter, "HTTP headers (consumed from downstreams)".
const IN_MILLIS: [&str; 2] =
    ["x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms"];

/// The service heeds it, and Envoy where its route says so.
///
/// **Source**: gRPC over HTTP2, "Timeout".
const GRPC: &str = "grpc-timeout";

/// By how much a timer may be early by another clock.
const SLACK: Nanos = Nanos::from_millis(5);

/// The earliest deadline that the client chose, from the beginning of its request; none if it chose none.
///
/// Ask in the request phase: Envoy's router removes the fields that it takes.
///
/// **Cost**: three headers, which mostly are not there.
pub fn chosen(x: &dyn Exchange) -> Option<Nanos> {
    let millis = IN_MILLIS.iter().filter_map(|name| in_millis(&x.request_header(name)?));
    let grpc = x.request_header(GRPC).and_then(|value| in_grpc(&value));
    millis.chain(grpc).min()
}

/// Whether a deadline has passed for a request that came so long ago.
pub fn is_past(deadline: Option<Nanos>, elapsed: Nanos) -> bool {
    deadline.is_some_and(|deadline| elapsed.saturating_add(SLACK) >= deadline)
}

/// Milliseconds; zero is none.
fn in_millis(value: &[u8]) -> Option<Nanos> {
    let millis = std::str::from_utf8(value).ok()?.parse().ok()?;
    (millis > 0).then_some(Nanos::from_millis(millis))
}

/// At most eight digits and a unit.
fn in_grpc(value: &[u8]) -> Option<Nanos> {
    let (unit, digits) = value.split_last()?;
    let is_number = (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let number: u64 = std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()?;
    let nanos_per_unit = match unit {
        b'H' => 3_600_000_000_000,
        b'M' => 60_000_000_000,
        b'S' => 1_000_000_000,
        b'm' => 1_000_000,
        b'u' => 1_000,
        b'n' => 1,
        _ => return None,
    };
    Some(Nanos(number.saturating_mul(nanos_per_unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_timeout_of_grpc_is_digits_and_a_unit() {
        for (text, expected) in [
            ("1H", Some(Nanos::HOUR)),
            ("2M", Some(Nanos::from_mins(2))),
            ("99999999S", Some(Nanos::from_secs(99_999_999))),
            ("250m", Some(Nanos::from_millis(250))),
            ("1000u", Some(Nanos::MILLISECOND)),
            ("7n", Some(Nanos(7))),
            ("999999999S", None),
            ("S", None),
            ("1", None),
            ("-1S", None),
            ("1 S", None),
            ("", None),
            ("1s", None),
        ] {
            assert_eq!(in_grpc(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn milliseconds_of_zero_are_no_deadline() {
        for (text, expected) in
            [("25", Some(Nanos::from_millis(25))), ("0", None), ("-5", None), ("1.5", None)]
        {
            assert_eq!(in_millis(text.as_bytes()), expected, "{text}");
        }
    }
}
