//! Laws over all inputs.
#![cfg(test)]
#![cfg(not(target_arch = "wasm32"))]

use kit::Nanos;
use kit::fake::FakeHost;
use kit::hash::Secret;
use kit::headers::Headers;
use kit::units::Ratio;
use proptest::prelude::*;
use weir_response_cache::http::directives::{
    Delta, Directives, RequestDirectives, ResponseDirectives, Scope,
};
use weir_response_cache::http::freshness::{Arrival, Dated, Freshness};
use weir_response_cache::http::reference::resolve;
use weir_response_cache::http::request::{Method, Request};
use weir_response_cache::http::response::Response;
use weir_response_cache::http::vary::{names_bytes, read_names, variant_bytes};
use weir_response_cache::key::normal::Normal;
use weir_response_cache::key::{primary, split};
use weir_response_cache::policy::assume::{Assumptions, Heuristic};
use weir_response_cache::policy::storing::judge;
use weir_response_cache::policy::terms::{Basis, Terms};
use weir_response_cache::store::index::{BUCKET_SIZE, Bucket, Limits, WAYS, Way, mark_use};
use weir_response_cache::store::stored::Stored;
use weir_response_cache::store::{Found, Geometry, Store};

fn way() -> impl Strategy<Value = Way> {
    (1..12_u8, 0..3_u64, any::<u64>(), 0..1_000_u64, 0..1_000_u64, 1..600_u32).prop_map(
        |(primary, variant, generation, expires_at, received, size)| Way {
            primary: [primary; 16],
            names: u64::from(variant > 0),
            variant,
            generation,
            expires_at: Nanos(expires_at),
            until: Nanos(expires_at.saturating_add(size.into())),
            received: Nanos(received),
            size,
        },
    )
}

fn stored() -> impl Strategy<Value = Stored> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    (
        bytes(),
        bytes(),
        bytes(),
        bytes(),
        bytes(),
        any::<[u64; 4]>(),
        any::<u16>(),
        any::<[bool; 2]>(),
    )
        .prop_map(
            |(
                key,
                names,
                variant,
                fields,
                body,
                [generation, received, initial_age, lifetime],
                status,
                [for_authorized, validate],
            )| Stored {
                generation,
                key,
                names,
                variant,
                received,
                initial_age,
                lifetime,
                for_authorized,
                validate,
                status,
                fields,
                body,
                ..Stored::default()
            },
        )
}

/// A directive, printed in one of the forms that the grammar allows.
fn directive() -> impl Strategy<Value = (String, Option<String>, String)> {
    let argument = prop_oneof![
        Just((None, String::new())),
        "[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,8}"
            .prop_map(|token| (Some(token.clone()), format!("={token}"))),
        "[ -~]{0,8}".prop_map(|text| {
            let quoted: String = text
                .chars()
                .flat_map(|c| {
                    let escape = if c == '"' || c == '\\' { Some('\\') } else { None };
                    escape.into_iter().chain([c])
                })
                .collect();
            (Some(text), format!("=\"{quoted}\""))
        }),
    ];
    ("[a-zA-Z0-9-]{1,10}", argument, "[ \t]{0,2},[ \t,]{0,3}").prop_map(
        |(name, (argument, printed), end)| {
            (name.clone(), argument, format!("{name}{printed}{end}"))
        },
    )
}

proptest! {
    #[test]
    fn printed_directives_read_back(directives in prop::collection::vec(directive(), 0..8)) {
        let line: String = directives.iter().map(|(_, _, printed)| printed.as_str()).collect();
        let read: Vec<_> = Directives::of(line.as_bytes())
            .map(|read| read.map(|read| (read.name.to_vec(), read.argument.map(std::borrow::Cow::into_owned))))
            .collect();
        let expected: Vec<_> = directives
            .into_iter()
            .map(|(name, argument, _)| Ok((name.into_bytes(), argument.map(String::into_bytes))))
            .collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn any_field_values_read_without_a_panic(lines: Vec<Vec<u8>>) {
        for name in ["cache-control", "vary", "expires", "date", "age", "content-length", "connection", "pragma", "last-modified", ":status"] {
            let pairs: Vec<_> = lines.iter().map(|line| (name, line)).collect();
            let headers = Headers::new(&pairs);
            let _ = Response::read(&headers, &["cache-control".to_owned()]);
            let _ = Request::read(&headers);
        }
    }

    /// What restricts can not be undone by anything that stands around it.
    #[test]
    fn a_restriction_survives_its_neighbours(before in prop::collection::vec(directive(), 0..4), word in 0..3_usize, after: Vec<u8>) {
        let word = ["private", "no-store", "no-cache"][word];
        let mut line: Vec<u8> = before.iter().flat_map(|(_, _, printed)| printed.bytes()).collect();
        line.extend_from_slice(word.as_bytes());
        line.push(b',');
        line.extend(after);
        let mut read = ResponseDirectives::default();
        read.read(&line);
        prop_assert!(read.private != Scope::Absent || read.no_store || read.no_cache != Scope::Absent);
        let mut read = RequestDirectives::default();
        read.read(b"max-age=5");
        read.read(&line);
        prop_assert!(word == "private" || read.refuses_stored());
        prop_assert!(read.malformed || read.max_age != Delta::Absent);
    }

    /// No assumed lifetime is longer than what the rule sets, whatever the origin's clock says.
    #[test]
    fn an_assumed_lifetime_keeps_its_bounds(
        modified: Option<u64>, date: Option<u64>, wall: u64, percent in 1..=100_u32, max: u64, ttl: Option<u64>,
    ) {
        let heuristic = Heuristic { fraction: Ratio::from_percent(percent), max: Nanos(max) };
        let assumptions = Assumptions { heuristic: Some(heuristic), default_ttl: ttl.map(Nanos), with_query: false };
        let dated = |at: Option<u64>| at.map_or(Dated::Absent, Dated::At);
        let lifetime = assumptions.lifetime(dated(modified), dated(date), wall);
        let unchanged = modified.and_then(|modified| date.unwrap_or(wall).checked_sub(modified));
        match unchanged {
            Some(unchanged) => prop_assert!(lifetime.unwrap() <= Nanos(max).min(Nanos::from_secs(unchanged))),
            None => prop_assert_eq!(lifetime, ttl.map(Nanos)),
        }
    }

    /// What an origin states or forbids is never overruled by what a rule lets be assumed.
    #[test]
    fn nothing_is_assumed_where_something_is_stated(
        (name, value) in prop_oneof![
            ("(s-maxage|max-age|MAX-AGE)(=[0-9x\"]{0,3})?(, public)?").prop_map(|line| ("cache-control", line)),
            ("(no-store|private|no-cache|Private=\"x\")(,[a-z ]{0,4})?").prop_map(|line| ("cache-control", line)),
            "[ -~]{0,30}".prop_map(|line| ("expires", line)),
            "[ -~]{0,30}".prop_map(|line| ("set-cookie", line)),
        ],
    ) {
        let response = [(":status", "200"), ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"), (name, &value)];
        let response = Response::read(&Headers::new(&response), &[]);
        let heuristic = Heuristic { fraction: Ratio::ONE, max: Nanos::DAY };
        let assumptions = Assumptions { heuristic: Some(heuristic), default_ttl: Some(Nanos::DAY), with_query: true };
        let arrival = Arrival { asked: Nanos::ZERO, received: Nanos::ZERO, wall: 800_000_000 };
        let request = Request { method: Method::Get, ..Request::default() };
        let terms = Terms { assumptions, ..Terms::default() };
        let leave = judge(&request, &Headers::default(), &response, &terms, arrival);
        prop_assert!(leave.is_err() || leave.is_ok_and(|leave| leave.basis == Basis::Stated));
    }

    /// Whatever a response names, no other origin's entries go; and a URI that is sent as it is means itself.
    #[test]
    fn a_reference_never_leaves_its_origin(
        path in "/[a-z/?.]{0,12}", reference in "[a-z:/?.#@]{0,20}", bytes: Vec<u8>, segment in "[a-z0-9]{1,8}",
    ) {
        let base = primary(b"https", b"example.com", path.as_bytes()).unwrap();
        let (origin, _) = split(&base).unwrap();
        for reference in [reference.as_bytes(), &bytes] {
            if let Some(found) = resolve(&base, reference) {
                prop_assert_eq!(split(&found).unwrap().0, origin);
                prop_assert!(split(&found).unwrap().1.starts_with(b"/"));
            }
        }
        let absolute = format!("https://example.com/{segment}?{segment}");
        let itself = primary(b"https", b"example.com", format!("/{segment}?{segment}").as_bytes());
        prop_assert_eq!(resolve(&base, absolute.as_bytes()), itself);
    }

    /// Age and expiry agree at every instant, whatever the numbers.
    #[test]
    fn fresh_means_younger_than_its_lifetime(received: u64, initial_age: u64, lifetime: u64, now: u64) {
        let fresh = Freshness { received: Nanos(received), initial_age: Nanos(initial_age), lifetime: Nanos(lifetime) };
        let now = Nanos(now);
        prop_assert_eq!(fresh.left(now).is_zero(), fresh.age(now) >= fresh.lifetime);
        if now >= fresh.received && now >= fresh.expires_at() {
            prop_assert!(fresh.left(now).is_zero() || fresh.expires_at() == Nanos::MAX);
        }
    }

    /// A response is never served once its age has reached its lifetime, whatever happened to the clock before.
    #[test]
    fn stale_is_never_served(initial_age in 0..200_u64, lifetime in 1..200_u64, at in 0..400_u64) {
        let host = FakeHost::default();
        let (store, _) = Store::open(&host, "p", Geometry { n_buckets: 2, bucket_bytes: 4_096, max_variants: 4, local_bytes: 0 });
        let response = Stored {
            key: b"k".to_vec(), received: Nanos::from_secs(100).0,
            initial_age: Nanos::from_secs(initial_age).0, lifetime: Nanos::from_secs(lifetime).0,
            status: 200, ..Stored::default()
        };
        store.put(&host, response, Nanos(1), Nanos::from_secs(100)).unwrap();
        let found = store.find(&host, b"k", b"", &Headers::default(), &Normal::default(), Nanos::from_secs(at));
        let age = initial_age + at.saturating_sub(100);
        prop_assert_eq!(matches!(found, Found::Entry(entry) if !entry.stored.freshness().left(Nanos::from_secs(at)).is_zero()), age < lifetime);
    }

    /// Two URIs share a key only if they differ in case of scheme and host, or in a default port.
    #[test]
    fn other_uris_have_other_keys(a in ("https?", "[a-z.:0-9]{1,6}", "/[a-z/?&=%]{0,6}"), b in ("https?", "[a-z.:0-9]{1,6}", "/[a-z/?&=%]{0,6}")) {
        let key = |(scheme, host, path): &(String, String, String)| primary(scheme.as_bytes(), host.as_bytes(), path.as_bytes());
        let plain = |(scheme, host, _): &(String, String, String)| {
            let port = if scheme == "https" { ":443" } else { ":80" };
            let bare = host.strip_suffix(port).or_else(|| host.strip_suffix(':')).filter(|bare| !bare.contains(':'));
            (scheme.clone(), bare.unwrap_or(host).to_owned())
        };
        if let (Some(key_a), Some(key_b)) = (key(&a), key(&b)) {
            prop_assert_eq!(key_a == key_b, plain(&a) == plain(&b) && a.2 == b.2);
        }
    }

    #[test]
    fn keys_of_any_bytes_take_no_other_place(host: Vec<u8>, path: Vec<u8>, cut in 0..8_usize) {
        let path = [b"/", &path[..]].concat();
        let moved = [&host[..], &path[..cut.min(path.len())]].concat();
        let rest = path[cut.min(path.len())..].to_vec();
        if let (Some(a), Some(b)) = (primary(b"http", &host, &path), primary(b"http", &moved, &rest)) && cut > 0 {
            prop_assert_ne!(a, b);
        }
    }

    #[test]
    fn names_read_back_and_values_are_told_apart(names in prop::collection::vec("[a-z]{1,3}", 0..4), a in "[a-z,]{0,3}", b in "[a-z,]{0,3}") {
        prop_assert_eq!(read_names(&names_bytes(&names)).map(|read| read.to_vec()), Some(names.clone()));
        if let Some(name) = names.first() {
            let of = |value: &str| variant_bytes(b"", &names, &Headers::new(&[(name.as_str(), value)]), &Normal::default());
            prop_assert_eq!(of(&a) == of(&b), a == b);
        }
    }

    #[test]
    fn records_read_back(stored in stored()) {
        prop_assert_eq!(Stored::decode(&stored.encode()), Some(stored));
    }

    #[test]
    fn any_bytes_are_a_record_or_nothing(bytes: Vec<u8>) {
        let _ = Stored::decode(&bytes);
        let _ = Bucket::read(&bytes);
        let _ = read_names(&bytes);
    }

    /// Whatever is put: the bounds hold, the books are right, and a bucket reads back as it was written.
    #[test]
    fn a_bucket_keeps_its_bounds(ways in prop::collection::vec(way(), 1..120), budget in 100..4_000_u64, variants in 1..4_usize) {
        let mut bucket = Bucket::read(b"");
        let (mut bytes, mut entries) = (0_i64, 0_i64);
        for (now, way) in ways.into_iter().enumerate() {
            let changed = bucket.put(way, Limits { bytes: budget, variants }, Nanos(now as u64));
            bytes += changed.bytes;
            entries += changed.entries;
            prop_assert_eq!(changed.filled.is_some(), u64::from(way.size) <= budget);
            prop_assert_eq!(bytes, i64::try_from(bucket.bytes()).unwrap());
            prop_assert_eq!(entries, i64::try_from(bucket.iter().count()).unwrap());
            prop_assert!(bucket.bytes() <= budget && bucket.iter().count() <= WAYS);
            let of_key = bucket.iter().filter(|(_, found)| found.primary == way.primary).count();
            prop_assert!(of_key <= variants);
            if let Some(idx) = changed.filled {
                prop_assert!(bucket.iter().any(|found| found == (idx, way)));
            }
            // A use that is noted in the bytes is the same as one that is noted in the bucket.
            let mut written = bucket.write();
            let used = usize::try_from(way.generation % 40).unwrap();
            let is_there = bucket.iter().any(|(idx, _)| idx == used);
            if is_there {
                prop_assert_eq!(mark_use(&mut written, used), bucket.mark_use(used));
            }
            prop_assert_eq!(written.len(), BUCKET_SIZE);
            prop_assert_eq!(&written, &bucket.write());
            prop_assert_eq!(Bucket::read(&written), bucket.clone());
        }
    }

    /// Whatever is stored, the values in shared data stay within the configured bytes and the index.
    #[test]
    fn the_store_keeps_its_bounds(puts in prop::collection::vec((0..30_u8, 0..3_000_usize, 1..100_u64), 1..60)) {
        let host = FakeHost::default();
        let geometry = Geometry { n_buckets: 2, bucket_bytes: 8_000, max_variants: 4, local_bytes: 4_000 };
        let (store, _) = Store::open(&host, "p", geometry);
        for (key, size, lifetime) in puts {
            let response = Stored {
                key: vec![key], received: 5, lifetime: Nanos::from_secs(lifetime).0, status: 200,
                body: vec![0; size], ..Stored::default()
            };
            store.put(&host, response, Nanos(1), Nanos(5)).unwrap();
            prop_assert!(host.shared_bytes() <= 2 * (8_000 + BUCKET_SIZE) + 16 + 4);
            prop_assert!(matches!(store.find(&host, &[key], b"", &Headers::default(), &Normal::default(), Nanos(5)), Found::Entry(found) if found.stored.key == [key]));
        }
    }

    #[test]
    fn tags_pick_buckets_that_exist(bytes: Vec<u8>, n in 1..100_000_u32) {
        prop_assert!(Secret::new([3; 16]).tag(&bytes).bucket(n) < n);
    }
}
