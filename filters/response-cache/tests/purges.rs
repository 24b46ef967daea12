//! What is purged, and what is not.
#![cfg(test)]

mod purging;

use kit::Nanos;
use kit::fake::FakeHost;
use kit::shared::SharedData;
use weir_response_cache::store::purges::ledger::MAX_PATTERNS;
use weir_response_cache::store::purges::marks::{MAX_MARKS, Marks, N_SETS, Times};
use weir_response_cache::store::purges::pattern::Pattern;
use weir_response_cache::store::purges::{Mode, Purge, Purges, Standing};

use purging::{Object, Odd, pattern, tags, uri};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const T: fn(u64) -> Nanos = Nanos::from_secs;

/// Each kind of purge against one object that it means and one that it does not.
#[test]
fn a_purge_means_what_was_asked_for_before_it() {
    let object = Object::at("https://a.example/users/7?x=1").tagged(&["user", "7"]);
    let other = Object::at("https://a.example/orders").tagged(&["order"]);
    let purges = [
        (tags(&["7"]), false),
        (tags(&["none", "user"]), false),
        (uri("https://a.example/users/7?x=1"), false),
        (pattern("/users/*"), false),
        (Purge::Patterns(vec![Pattern::prefix("a.example/users").unwrap()]), false),
        (Purge::Everything, true),
    ];
    for (what, means_the_other) in purges {
        for (mode, purged) in [(Mode::Hard, Standing::Gone), (Mode::Soft, Standing::Soft)] {
            let host = FakeHost::default();
            let here = Purges::open(&host, "t");
            let there = Purges::open(&host, "t");
            assert_eq!(object.standing(&there, &host, T(5)), Standing::Valid);
            let receipt = here.purge(&host, &what, mode, T(10)).unwrap();
            assert_eq!((receipt.at, receipt.mode, receipt.merged), (T(10), mode, false));
            for worker in [&here, &there, &Purges::open(&host, "t")] {
                let standing = |asked| object.standing(worker, &host, asked);
                assert_eq!(standing(T(5)), purged, "{what} {mode:?}");
                assert_eq!(standing(T(10)), purged, "asked for at that instant: {what}");
                assert_eq!(standing(Nanos(T(10).0 + 1)), Standing::Valid, "{what} {mode:?}");
                let of_other = if means_the_other { purged } else { Standing::Valid };
                assert_eq!(other.standing(worker, &host, T(5)), of_other, "{what} {mode:?}");
            }
            assert_eq!(
                object.standing(&Purges::open(&host, "another"), &host, T(5)),
                Standing::Valid,
                "another store's purges are its own"
            );
        }
    }
}

#[test]
fn hard_and_soft_are_kept_apart_and_the_worse_counts() {
    let object = Object::at("https://a.example/").tagged(&["a"]);
    for what in [tags(&["a"]), uri("https://a.example/"), pattern("/**"), Purge::Everything] {
        let host = FakeHost::default();
        let purges = Purges::open(&host, "t");
        purges.purge(&host, &what, Mode::Hard, T(10)).unwrap();
        purges.purge(&host, &what, Mode::Soft, T(20)).unwrap();
        // Somebody's clock reading was earlier and his writing later: nothing is taken back.
        purges.purge(&host, &what, Mode::Hard, T(3)).unwrap();
        let standings = [(5, Standing::Gone), (15, Standing::Soft), (25, Standing::Valid)];
        for (asked, standing) in standings {
            assert_eq!(object.standing(&purges, &host, T(asked)), standing, "{what}, {asked}");
        }
    }
}

/// A tag, a URI and a tag that reads like a URI's key are three things.
#[test]
fn a_tag_is_no_uri() {
    let host = FakeHost::default();
    let purges = Purges::open(&host, "t");
    let text = "https://a.example/";
    let by_uri = Object::at(text);
    let by_tag = Object::at("https://b.example/").tagged(&[text]);
    purges.purge(&host, &tags(&[text]), Mode::Hard, T(10)).unwrap();
    assert_eq!(by_uri.standing(&purges, &host, T(5)), Standing::Valid);
    assert_eq!(by_tag.standing(&purges, &host, T(5)), Standing::Gone);
    purges.purge(&host, &uri("https://b.example/x"), Mode::Hard, T(10)).unwrap();
    let named_so = Object::at("https://c.example/").tagged(&["https://b.example/x"]);
    assert_eq!(named_so.standing(&purges, &host, T(5)), Standing::Valid);
}

/// RFC 9111, 4.4: an unsafe request of one user invalidates what all users have under the URI.
#[test]
fn a_forgotten_uri_is_gone_for_every_key_with_parts_and_only_for_these() {
    let host = FakeHost::default();
    let (here, there) = (Purges::open(&host, "t"), Purges::open(&host, "t"));
    let keyed = Object::at("https://a.example/me").keyed();
    let plain = Object::at("https://a.example/me");
    assert_eq!(keyed.standing(&there, &host, T(5)), Standing::Valid);
    here.forget_uri(&host, b"https://a.example/me", T(10)).unwrap();
    assert_eq!(keyed.standing(&there, &host, T(5)), Standing::Gone);
    assert_eq!(keyed.standing(&there, &host, T(11)), Standing::Valid);
    assert_eq!(plain.standing(&there, &host, T(5)), Standing::Valid);
    let elsewhere = Object::at("https://a.example/you").keyed();
    assert_eq!(elsewhere.standing(&there, &host, T(5)), Standing::Valid);
}

/// A purge by URL means every key under it: those of users too.
#[test]
fn a_purge_by_uri_means_keys_with_parts_too() {
    let host = FakeHost::default();
    let purges = Purges::open(&host, "t");
    purges.purge(&host, &uri("https://a.example/me"), Mode::Hard, T(10)).unwrap();
    let keyed = Object::at("https://a.example/me").keyed();
    assert_eq!(keyed.standing(&purges, &host, T(5)), Standing::Gone);
}

/// What clients cause fills up its own table: nothing of anybody else's is purged by it.
#[test]
fn a_flood_of_unsafe_requests_purges_only_keys_with_parts_and_stays_in_bounds() {
    let host = FakeHost::default();
    let purges = Purges::open(&host, "t");
    for n in 0..10_000_u32 {
        purges.forget_uri(&host, format!("https://a.example/{n}").as_bytes(), T(10)).unwrap();
    }
    let object = Object::at("https://b.example/").tagged(&["a"]);
    assert_eq!(object.standing(&purges, &host, T(5)), Standing::Valid);
    assert_eq!(object.keyed().standing(&purges, &host, T(5)), Standing::Gone, "on the safe side");
    assert!(host.shared_bytes() < 110_000, "{}", host.shared_bytes());
}

/// More tags than a table remembers: what was purged stays so, and what is younger than the oldest is not harmed.
#[test]
fn a_full_table_purges_too_much_of_the_old_and_nothing_of_the_new() {
    let host = FakeHost::default();
    let purges = Purges::open(&host, "t");
    let n_tags = 3 * MAX_MARKS * N_SETS;
    let name = |n: usize| format!("tag{n}");
    for n in 0..n_tags {
        purges.purge(&host, &tags(&[&name(n)]), Mode::Hard, T(100 + n as u64)).unwrap();
    }
    assert!(host.shared_bytes() < 110_000, "{}", host.shared_bytes());
    for n in (0..n_tags).step_by(97) {
        let object = Object::at("https://a.example/").tagged(&[&name(n)]);
        let at = 100 + n as u64;
        assert_eq!(object.standing(&purges, &host, T(at)), Standing::Gone, "{n}");
        assert_eq!(object.standing(&purges, &host, T(n_tags as u64 + 101)), Standing::Valid);
    }
    let untouched = Object::at("https://a.example/").tagged(&["never purged"]);
    // The last half of what fits is remembered exactly: what was asked for since is not touched.
    let recent = (100 + n_tags - N_SETS * MAX_MARKS / 2) as u64;
    assert_eq!(untouched.standing(&purges, &host, T(recent)), Standing::Valid);
}

#[test]
fn a_full_list_of_patterns_purges_all_that_is_older_than_its_oldest() {
    let host = FakeHost::default();
    let purges = Purges::open(&host, "t");
    let n_patterns = MAX_PATTERNS as u64;
    for n in 0..n_patterns {
        let receipt = purges.purge(&host, &pattern(&format!("/{n}/**")), Mode::Hard, T(100 + n));
        assert!(!receipt.unwrap().merged);
    }
    let untouched = Object::at("https://a.example/x");
    assert_eq!(untouched.standing(&purges, &host, T(50)), Standing::Valid);
    // The same once more takes no further place.
    assert!(!purges.purge(&host, &pattern("/5/**"), Mode::Hard, T(300)).unwrap().merged);
    assert_eq!(purges.list(&host).patterns.len(), MAX_PATTERNS);
    let receipt = purges.purge(&host, &pattern("/new/**"), Mode::Soft, T(301)).unwrap();
    assert!(receipt.merged, "the operator is told");
    assert_eq!(purges.list(&host).merged, Times { hard: T(100).0, soft: 0 });
    assert_eq!(untouched.standing(&purges, &host, T(100)), Standing::Gone);
    assert_eq!(untouched.standing(&purges, &host, T(101)), Standing::Valid);
    assert_eq!(Object::at("https://a.example/0/").standing(&purges, &host, T(100)), Standing::Gone);
    let new = Object::at("https://a.example/new/");
    assert_eq!(new.standing(&purges, &host, T(300)), Standing::Soft);
}

/// Costs of a hit: no shared data while nothing is purged; then each thing once.
#[test]
fn a_verdict_reads_shared_data_only_after_a_purge() {
    let host = FakeHost::default();
    let purges = Purges::open(&host, "t");
    let object = Object::at("https://a.example/x").tagged(&["a"]).keyed();
    let gets = |times: usize| {
        let before = host.shared_ops().0;
        for _ in 0..times {
            object.standing(&purges, &host, T(50));
        }
        host.shared_ops().0 - before
    };
    assert_eq!(gets(1), 2, "the head, and a set of what was forgotten");
    assert_eq!(gets(10), 0);
    purges.purge(&host, &tags(&["b"]), Mode::Hard, T(60)).unwrap();
    assert_eq!(gets(10), 2, "the head and the object's set");
    purges.purge(&host, &pattern("/y"), Mode::Hard, T(60)).unwrap();
    assert_eq!(gets(10), 3, "the list as well");
    purges.forget_uri(&host, b"https://b.example/", T(60)).unwrap();
    assert_eq!(gets(10), 1);
}

/// An operator whose `stats_matcher` rejects the gauges has slower hits, and purges that work.
#[test]
fn without_gauges_every_verdict_reads_shared_data() {
    let host = FakeHost::default();
    let deaf = Odd::deaf(&host);
    let (here, there) = (Purges::open(&deaf, "t"), Purges::open(&deaf, "t"));
    let object = Object::at("https://a.example/x").tagged(&["a"]).keyed();
    assert_eq!(object.standing(&there, &deaf, T(5)), Standing::Valid);
    here.purge(&deaf, &tags(&["a"]), Mode::Soft, T(10)).unwrap();
    assert_eq!(object.standing(&there, &deaf, T(5)), Standing::Soft);
    here.forget_uri(&deaf, b"https://a.example/x", T(10)).unwrap();
    assert_eq!(object.standing(&there, &deaf, T(5)), Standing::Gone);
}

/// Records of another release, or damaged ones: nothing is served that they may have purged.
#[test]
fn what_can_not_be_read_purges_everything_until_it_is_written_anew() {
    let object = Object::at("https://a.example/x").tagged(&["a"]);
    for record in ["head", "list", "marks"] {
        let host = FakeHost::default();
        let purges = Purges::open(&host, "t");
        purges.purge(&host, &tags(&["a"]), Mode::Soft, T(1)).unwrap();
        purges.purge(&host, &pattern("/none"), Mode::Soft, T(1)).unwrap();
        assert_eq!(object.standing(&purges, &host, T(5)), Standing::Valid);
        for key in host.shared_keys() {
            if key.starts_with(&format!("weir/response-cache/t/purges/{record}")) {
                host.shared_set(&key, b"\xffanother release", None).unwrap();
            }
        }
        let other = Purges::open(&host, "t");
        assert_eq!(object.standing(&other, &host, T(5)), Standing::Gone, "{record}");
        other.purge(&host, &tags(&["a"]), Mode::Hard, T(10)).unwrap();
        other.purge(&host, &pattern("/none"), Mode::Hard, T(10)).unwrap();
        assert_eq!(object.standing(&other, &host, T(5)), Standing::Gone, "{record}");
        assert_eq!(object.standing(&other, &host, T(11)), Standing::Valid, "{record}");
    }
}

#[test]
fn an_instant_of_zero_is_an_instant() {
    let mut marks = Marks::default();
    assert_eq!(marks.standing(7, Nanos::ZERO), Standing::Valid);
    marks.raise(7, Mode::Hard, Nanos::ZERO);
    assert_eq!(marks.standing(7, Nanos::ZERO), Standing::Gone);
    assert_eq!(marks.standing(8, Nanos::ZERO), Standing::Valid);
}

#[test]
fn operators_see_what_is_in_force_and_what_was_done() {
    let host = FakeHost::default();
    let purges = Purges::open(&host, "t");
    assert_eq!(purges.list(&host).sweep_due, None);
    purges.purge(&host, &tags(&["a", "b\n"]), Mode::Hard, T(1)).unwrap();
    purges.purge(&host, &pattern("/x/**"), Mode::Soft, T(2)).unwrap();
    purges.purge(&host, &Purge::Everything, Mode::Soft, T(3)).unwrap();
    purges.purge(&host, &uri(&"ü".repeat(200)), Mode::Hard, T(4)).unwrap();
    let listing = purges.list(&host);
    assert_eq!(listing.everything, Times { hard: 0, soft: T(3).0 });
    let entry = &listing.patterns[0];
    assert_eq!((entry.text.as_str(), entry.mode, entry.at), ("/x/**", Mode::Soft, T(2).0));
    let lines: Vec<&str> = listing.log.iter().map(|logged| logged.what.as_str()).collect();
    assert_eq!(lines[..3], ["tag a, tag b\\n", "pattern /x/**", "everything"]);
    assert!(lines[3].starts_with("url ü") && lines[3].ends_with('…') && lines[3].len() <= 256);
    assert_eq!(listing.sweep_due, Some(T(6)));
    for n in 0..100 {
        purges.purge(&host, &Purge::Everything, Mode::Soft, T(n)).unwrap();
    }
    assert_eq!(purges.list(&host).log.len(), 32);
}
