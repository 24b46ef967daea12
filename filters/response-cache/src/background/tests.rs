use kit::fake::FakeHost;

use super::*;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const T0: Nanos = Nanos::from_secs(100);

fn start(host: &FakeHost, job: &Job<'_>, max_concurrent: u32) -> Background<u8> {
    host.set_now(T0);
    let settings =
        Settings { cluster: "back".to_owned(), timeout: Nanos::from_secs(5), max_concurrent };
    let background = Background::new(host, "response-cache", settings);
    assert_eq!(background.start(host, job, 7), Ok(()));
    background
}

fn sent(host: &FakeHost) -> Headers {
    let mut calls = host.take_calls();
    Headers::new(&calls.remove(0).headers)
}

fn job() -> Job<'static> {
    let headers = Headers::new(&[
        (":method", "GET"),
        ("accept-encoding", "br"),
        ("authorization", "Bearer x"),
        ("if-none-match", "\"a\""),
        ("range", "bytes=0-1"),
        ("cache-control", "no-cache"),
        ("connection", "close"),
        ("x-forwarded-for", "192.0.2.1"),
        (MARKER, "forged"),
    ]);
    Job {
        scheme: b"https",
        authority: b"example.com",
        path: b"/a?b=c",
        rule: Some("all"),
        parts: b"\x00alice",
        headers,
        kept: ["accept-encoding", "x-forwarded-for", "x-forwarded-host", "range", "host"]
            .map(str::to_owned)
            .to_vec(),
    }
}

#[test]
fn the_filter_knows_its_own_requests_and_nobody_elses() {
    let host = FakeHost::default();
    let _background = start(&host, &job(), 1);
    let request = sent(&host);
    let secret = Secret::of_process(&host);
    let said = Errand {
        scheme: b"https".to_vec(),
        rule: Some("all".to_owned()),
        parts: b"\x00alice".to_vec(),
        restored: Restored {
            names: vec!["x-forwarded-for".to_owned(), "x-forwarded-host".to_owned()],
            values: Headers::new(&[("x-forwarded-for", "192.0.2.1")]),
        },
    };
    assert_eq!(errand(&secret, &request, T0), Some(said));
    let others = [
        ("for another path", request.with(":path", Some(b"/b")), T0),
        ("for another host", request.with(":authority", Some(b"evil.example")), T0),
        ("a minute later", request.clone(), Nanos::from_secs(161)),
        ("twice", request.with_added(MARKER, b"x"), T0),
        ("none", request.with(MARKER, None), T0),
        ("nonsense", request.with(MARKER, Some(b"x y z")), T0),
    ];
    for (why, other, now) in others {
        assert_eq!(errand(&secret, &other, now), None, "{why}");
    }
    assert_eq!(errand(&Secret::new([9; 16]), &request, T0), None, "another process");
    let marker = request.text(MARKER).unwrap();
    for (from, to) in [("https", "http"), ("all", "any"), ("alice", "bobby")] {
        let forged = marker.replace(&hex(from.as_bytes()), &hex(to.as_bytes())).replace(from, to);
        let forged = request.with(MARKER, Some(forged.as_bytes()));
        assert_eq!(errand(&secret, &forged, T0), None, "{to}");
    }
}

#[test]
fn the_request_is_the_occasion_without_its_conditions_and_its_connection() {
    let host = FakeHost::default();
    let _background = start(&host, &job(), 1);
    let request = sent(&host);
    let mut names: Vec<String> =
        request.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
    names.sort();
    assert_eq!(
        names,
        [":authority", ":method", ":path", "accept-encoding", "authorization", MARKER]
    );
}

#[test]
fn a_call_whose_end_nobody_tells_makes_room_again() {
    let host = FakeHost::default();
    let background = start(&host, &job(), 1);
    let id = host.take_calls().remove(0).id;
    assert_eq!(background.overdue(T0 + Nanos::from_millis(5_999)), Vec::<u8>::new());
    assert!(!background.has_room());
    assert_eq!(background.overdue(T0 + Nanos::from_secs(6)), [7]);
    assert!(background.has_room());
    assert_eq!(background.ended(id, &Answer::Failed, T0), None, "too late");
    assert_eq!(background.overdue(T0 + Nanos::MINUTE), Vec::<u8>::new(), "once");
}

#[test]
fn no_more_than_the_configured_number_are_under_way() {
    let host = FakeHost::default();
    let background = start(&host, &job(), 1);
    assert_eq!(background.start(&host, &job(), 8), Err(8));
    let id = host.take_calls().remove(0).id;
    let headers = Headers::new(&[(":status", "304"), ("cache-status", "weir; fwd=stale; stored")]);
    let answer = Answer::Response { headers, body: Vec::new() };
    assert_eq!(
        background.ended(id, &answer, T0),
        Some((7, Ended::Answered { status: 304, is_stored: true }))
    );
    assert_eq!(background.ended(id, &Answer::Failed, T0), None);
    assert_eq!(background.start(&host, &job(), 8), Ok(()));
    let id = host.take_calls().remove(0).id;
    assert_eq!(background.ended(id, &Answer::Failed, T0), Some((8, Ended::Failed)));
}

/// What the marker does not carry comes by itself, and what it carries is what else would not come as it was.
#[test]
fn the_marker_carries_only_what_does_not_come_through_by_itself() {
    let rows: [(&[u8], &[u8], bool); 7] = [
        (b"x-country", b"de", false),
        (b"x-country", b"\xff", true),
        (b"x-forwarded-host", b"a.example", true),
        (b"x-envoy-original-path", b"/a", true),
        (b"via", b"1.1 x", true),
        (b"if-none-match", b"\"a\"", false),
        (b"transfer-encoding", b"chunked", false),
    ];
    for (name, value, carried) in rows {
        let kept = [String::from_utf8_lossy(name).into_owned()];
        let restored = Restored::of(&Headers::new(&[(name, value)]), &kept);
        assert_eq!(restored.values.iter().next().is_some(), carried, "{kept:?}");
        let absent = Restored::of(&Headers::default(), &kept);
        let is_absent = carried && value != b"\xff";
        assert_eq!(absent.names, if is_absent { kept.to_vec() } else { Vec::new() });
        assert!(absent.values.is_empty());
    }
}

/// Only what has come to this filter says something of the request; what has not is no fault of the origin.
#[test]
fn an_answer_from_elsewhere_is_none_and_a_missing_cluster_is_left_alone_for_a_while() {
    let host = FakeHost::default();
    let background = start(&host, &job(), 8);
    let ended = |answer: Answer| {
        background.start(&host, &job(), 8).unwrap();
        let id = host.take_calls().pop().unwrap().id;
        background.ended(id, &answer, T0).unwrap().1
    };
    let response = |fields: &[(&str, &str)]| Answer::Response {
        headers: Headers::new(fields),
        body: Vec::new(),
    };
    assert_eq!(ended(response(&[(":status", "503")])), Ended::Unreached);
    assert_eq!(
        ended(response(&[(":status", "200"), ("cache-status", "x; stored")])),
        Ended::Unreached
    );
    assert_eq!(ended(response(&[(":status", "504")])), Ended::Failed);
    let failed = response(&[(":status", "503"), ("cache-status", "weir; fwd=request")]);
    assert_eq!(ended(failed), Ended::Answered { status: 503, is_stored: false });
    assert_eq!(ended(Answer::Failed), Ended::Failed);
    assert!(background.has_cluster(T0));
    assert_eq!(ended(Answer::NoCluster), Ended::Unreached);
    assert!(!background.has_cluster(T0) && background.has_cluster(T0 + RETRY_CLUSTER));
}
