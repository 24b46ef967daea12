//! What the request of each number is. Pure: the same numbers give the same traffic.

use super::phase::Phase;

/// The kinds of requests; what is told of them at the end goes by these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Any method on routes without a rule.
    Plain,
    /// What the cache may keep, or may not.
    Cached,
    /// What is limited.
    Limited,
    /// What the breaker guards.
    Fragile,
    /// What takes long.
    Slow,
    /// A client that does not wait for the answer.
    Impatient,
}

/// One request as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its kind.
    pub kind: Kind,
    /// Method, one that [`METHODS`] has.
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    /// The client's name, for the limit.
    pub client: Option<String>,
}

/// The methods of plain requests.
pub const METHODS: [&str; 6] = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"];

/// Pages that are asked for again and again, the first ones most.
const N_PAGES: u64 = 40;
/// `max-age=1, stale-while-revalidate=0, stale-if-error=60`, as the value of a query parameter.
const PRICE: &str = "max-age%3D1%2Cstale-while-revalidate%3D0%2Cstale-if-error%3D60";
/// A patient client sends so few requests that it is never refused: the limit is five a minute.
const PATIENCE: u64 = 4;

/// The request of this number, in this phase, of the run with this name.
///
/// In a hundred: 30 plain, 36 that the cache looks at, 14 limited, 14 to the breaker, 3 slow, 3 given up.
#[must_use]
pub fn request(number: u64, phase: Phase, run: &str) -> Request {
    // Two draws that are independent of each other and of the rate.
    let (kind_of, dice) = (scatter(number) % 100, scatter(number ^ (1 << 63)));
    let get = |kind, target: String| Request { kind, method: "GET", target, client: None };
    match kind_of {
        0..30 => plain(dice),
        30..50 => get(Kind::Cached, format!("/cached/page-{}?max-age=20", popular(dice))),
        // Stale after a second: served at once, refreshed behind it.
        50..55 => get(Kind::Cached, format!("/cached/news-{}?max-age=1", dice % 3)),
        // As before, and the refresh is answered with 304.
        55..58 => get(Kind::Cached, format!("/cached/feed-{}?max-age=1&etag=v1", dice % 3)),
        // Stale after a second, and then served only while the service fails.
        58..62 => get(Kind::Cached, format!("/cached/price-{}?cache_control={PRICE}", dice % 2)),
        62..65 => get(Kind::Cached, format!("/cached/account-{}?cache_control=no-store", dice % 9)),
        // Removes the page from the cache.
        65 => {
            Request { method: "POST", ..get(Kind::Cached, "/cached/page-1?max-age=20".to_owned()) }
        }
        66..80 => limited(number, dice, run),
        80..84 if phase == Phase::Failing => {
            get(Kind::Fragile, "/fragile/offers/status/503".to_owned())
        }
        80..84 => get(Kind::Fragile, "/fragile/offers".to_owned()),
        84..94 if phase == Phase::Failing => get(Kind::Fragile, "/fragile/status/503".to_owned()),
        84..94 => get(Kind::Fragile, "/fragile/pay".to_owned()),
        94..97 => get(Kind::Slow, format!("/report/delay/{}ms", 100 + dice % 400)),
        _ => get(Kind::Impatient, "/report/delay/2s".to_owned()),
    }
}

fn plain(dice: u64) -> Request {
    // Half of them GET, and now and then something that is not there.
    let method = usize::try_from(dice % 12).ok().and_then(|idx| METHODS.get(idx)).unwrap_or(&"GET");
    let target = match dice % 25 {
        0 => "/shop/status/404".to_owned(),
        1 => "/shop/bytes/65536".to_owned(),
        _ => format!("/shop/{}", dice % 20),
    };
    Request { kind: Kind::Plain, method, target, client: None }
}

/// Half of them from one client that hammers, half from patient ones that come and go.
fn limited(number: u64, dice: u64, run: &str) -> Request {
    // Fourteen in a hundred numbers are limited, half of these from patient clients.
    let patient = number / (PATIENCE * 100 / 14);
    let client =
        if dice.is_multiple_of(2) { format!("{run}-greedy") } else { format!("{run}-{patient}") };
    let target = "/limited".to_owned();
    Request { kind: Kind::Limited, method: "GET", target, client: Some(client) }
}

/// A page: the n-th is asked for about as often as 1/n.
fn popular(dice: u64) -> u64 {
    let spread = dice % (N_PAGES * N_PAGES);
    spread.isqrt().saturating_sub(dice % 7).min(N_PAGES)
}

/// `SplitMix64`: neighbours become strangers.
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn every_kind_and_method_comes_and_none_too_often() {
        let (mut kinds, mut methods) = (BTreeMap::new(), BTreeMap::new());
        for number in 0..10_000 {
            let request = request(number, Phase::Calm, "run");
            *kinds.entry(request.kind).or_insert(0) += 1;
            *methods.entry(request.method).or_insert(0) += 1;
        }
        let shares: Vec<i32> = kinds.values().map(|n| (n + 50) / 100).collect();
        for (share, expected) in shares.iter().zip([30, 36, 14, 14, 3, 3]) {
            assert!((share - expected).abs() <= 1, "{kinds:?}");
        }
        assert!(METHODS.iter().all(|method| methods[method] >= 100), "{methods:?}");
    }

    #[test]
    fn patient_clients_stay_below_the_limit() {
        let mut clients: BTreeMap<String, u64> = BTreeMap::new();
        for number in 0..10_000 {
            let client = request(number, Phase::Calm, "run").client;
            *clients.entry(client.unwrap_or_default()).or_default() += 1;
        }
        let greedy = clients.remove("run-greedy").unwrap();
        assert!(greedy > 500, "{greedy}");
        clients.remove("");
        let within = clients.values().filter(|n| **n <= 5).count();
        assert!(within * 10 > clients.len() * 9, "{within} of {}", clients.len());
    }

    #[test]
    fn what_the_breaker_guards_fails_only_while_the_service_does() {
        let fragile = |phase| -> BTreeSet<String> {
            let requests = (0..1_000).map(|number| request(number, phase, "run"));
            let fragile = requests.filter(|request| request.kind == Kind::Fragile);
            fragile.map(|request| request.target).collect()
        };
        let targets = |targets: [&str; 2]| BTreeSet::from(targets.map(str::to_owned));
        assert_eq!(
            fragile(Phase::Failing),
            targets(["/fragile/offers/status/503", "/fragile/status/503"])
        );
        assert_eq!(fragile(Phase::Recovering), targets(["/fragile/offers", "/fragile/pay"]));
    }
}
