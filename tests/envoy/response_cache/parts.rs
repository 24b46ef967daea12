//! What a stored response is served as: its head, its parts, a 304; and what is said about it.

use harness::client::Request;
use harness::gateway::{Gateway, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin};
use serde_json::{Value, json};

use super::{as_told, rounded, status_of};

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const EARLIER: &str = "Sat, 05 Nov 1994 08:49:37 GMT";
const LATER: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

fn start(configuration: &Value, origin: &Origin) -> Gateway {
    Setup::new("response-cache", configuration, origin.address()).workers(2).way_back().start()
}

/// Ten digits, five hundred times, with both validators.
fn digits(fields: &[(&str, &str)]) -> Act {
    let own = [
        ("etag", "\"v1\""),
        ("last-modified", DATE),
        ("date", LATER),
        ("content-type", "text/digits"),
        ("content-language", "en"),
    ];
    Act::response(200, &[&own, fields].concat(), "0123456789".repeat(500))
}

fn fresh(_: &Message) -> Act {
    // The date is long ago: what counts as age is told.
    digits(&[("cache-control", "max-age=99999999999")])
}

fn with(target: &str, fields: &[(&str, &str)]) -> Request {
    let request = Request::get(target);
    fields.iter().fold(request, |request, (name, value)| request.field(name, value))
}

#[test]
fn a_head_is_answered_from_a_stored_get() {
    let origin = Origin::start(fresh);
    let gateway = start(&json!({}), &origin);
    let first = Request::new("HEAD", "/").ask(gateway.address());
    assert_eq!(status_of(&first), "weir; fwd=uri-miss", "what has no body is no whole");
    let got = gateway.get("/");
    assert_eq!(status_of(&got), "weir; fwd=uri-miss; stored");
    for request in
        [Request::new("HEAD", "/"), Request::new("HEAD", "/").field("range", "bytes=0-4")]
    {
        let head = request.ask(gateway.address());
        assert_eq!((head.status(), head.field("content-length")), (200, Some("5000")), "{head:?}");
        assert_eq!(
            (head.field("etag"), head.field("content-type")),
            (Some("\"v1\""), Some("text/digits"))
        );
        assert!(status_of(&head).contains("hit") && head.field("age").is_some(), "{head:?}");
    }
    let not_modified = Request::new("HEAD", "/").field("if-none-match", "\"v1\"");
    assert_eq!(not_modified.ask(gateway.address()).status(), 304);
    assert_eq!(origin.hits(), 2);
}

#[test]
fn parts_are_cut_from_the_stored_whole() {
    let origin = Origin::start(fresh);
    let gateway = start(&json!({}), &origin);
    gateway.get("/");
    let whole = "0123456789".repeat(500);
    for (range, status, content_range, body) in [
        ("bytes=0-4", 206, Some("bytes 0-4/5000"), "01234"),
        ("BYTES=5-9", 206, Some("bytes 5-9/5000"), "56789"),
        ("bytes=4998-", 206, Some("bytes 4998-4999/5000"), "89"),
        ("bytes=4998-9999", 206, Some("bytes 4998-4999/5000"), "89"),
        ("bytes=-3", 206, Some("bytes 4997-4999/5000"), "789"),
        ("bytes=-9999", 206, Some("bytes 0-4999/5000"), &whole),
        ("bytes=0-4,5-9", 206, Some("bytes 0-9/5000"), "0123456789"),
        ("bytes=0-4,9999-", 206, Some("bytes 0-4/5000"), "01234"),
        ("bytes=5000-", 416, Some("bytes */5000"), ""),
        ("bytes=-0", 416, Some("bytes */5000"), ""),
        ("bytes=9-5", 200, None, &whole),
        ("bytes=x", 200, None, &whole),
        ("lines=0-4", 200, None, &whole),
    ] {
        let answer = with("/", &[("range", range)]).ask(gateway.address());
        let got = (answer.status(), answer.field("content-range"), answer.text());
        assert_eq!(got, (status, content_range, body.to_owned()), "{range}");
        let length = body.len().to_string();
        assert_eq!(answer.field("content-length"), Some(length.as_str()), "{range}");
        assert!(status_of(&answer).contains("hit"), "{range}: {answer:?}");
        let expected = (status != 416).then_some("text/digits");
        assert_eq!(answer.field("content-type"), expected, "{range}");
        assert_eq!(answer.field("etag"), (status != 416).then_some("\"v1\""), "{range}");
    }
    let several = with("/", &[("range", "bytes=0-4, 4000-4002, -1")]).ask(gateway.address());
    let content_type = several.field("content-type").unwrap_or_default();
    let boundary =
        content_type.strip_prefix("multipart/byteranges; boundary=").expect("several parts");
    let part = |range: &str, body: &str| {
        format!(
            "\r\n--{boundary}\r\nContent-Type: text/digits\r\nContent-Range: bytes {range}/5000\r\n\r\n{body}"
        )
    };
    let parts = [part("0-4", "01234"), part("4000-4002", "012"), part("4999-4999", "9")].concat();
    assert_eq!((several.status(), several.text()), (206, format!("{parts}\r\n--{boundary}--\r\n")));
    assert_eq!(several.field("content-range"), None, "each part has its own");
    assert_eq!(origin.hits(), 1);
}

#[test]
fn conditions_are_answered_from_the_store() {
    let origin = Origin::start(fresh);
    let gateway = start(&json!({}), &origin);
    gateway.get("/");
    let range = ("range", "bytes=0-4");
    for (fields, status) in [
        (&[("if-none-match", "\"v1\"")][..], 304),
        (&[("if-none-match", "W/\"v1\"")], 304),
        (&[("if-none-match", "\"v0\", \"v1\"")], 304),
        (&[("if-none-match", "\"v0\""), ("if-none-match", "\"v1\"")], 304),
        (&[("if-none-match", "*")], 304),
        (&[("if-none-match", "\"v0\"")], 200),
        (&[("if-none-match", "v1")], 200),
        (&[("if-modified-since", DATE)], 304),
        (&[("if-modified-since", LATER)], 304),
        (&[("if-modified-since", EARLIER)], 200),
        (&[("if-modified-since", "yesterday")], 200),
        (&[("if-none-match", "\"v0\""), ("if-modified-since", DATE)], 200),
        (&[("if-none-match", "\"v1\""), ("if-modified-since", EARLIER)], 304),
        (&[range, ("if-none-match", "\"v1\"")], 304),
        (&[range, ("if-none-match", "\"v0\"")], 206),
        (&[range, ("if-range", "\"v1\"")], 206),
        (&[range, ("if-range", "W/\"v1\"")], 200),
        (&[range, ("if-range", "\"v0\"")], 200),
        (&[range, ("if-range", DATE)], 206),
        (&[range, ("if-range", LATER)], 200),
        (&[("range", "bytes=9999-"), ("if-range", "\"v0\"")], 200),
        (&[("if-range", "\"v0\"")], 200),
    ] {
        let answer = with("/", fields).ask(gateway.address());
        assert_eq!(answer.status(), status, "{fields:?}: {answer:?}");
        assert!(status_of(&answer).contains("hit"), "{fields:?}: {answer:?}");
        assert_eq!((answer.field("etag"), answer.field("date")), (Some("\"v1\""), Some(LATER)));
        let is_304 = status == 304;
        assert_eq!(answer.field("content-language").is_none(), is_304, "{fields:?}: {answer:?}");
        assert_eq!(answer.field("content-type").is_none(), is_304, "{fields:?}: {answer:?}");
    }
    assert_eq!(origin.hits(), 1);
    for condition in [("if-match", "\"v1\""), ("if-unmodified-since", DATE)] {
        let answer = with("/", &[condition]).ask(gateway.address());
        assert_eq!(
            status_of(&answer),
            "weir; fwd=bypass",
            "only the origin may judge: {condition:?}"
        );
    }
}

#[test]
fn parts_of_what_was_just_validated_are_cut_as_well() {
    let origin = Origin::start(|request| {
        let stale = [("cache-control", "max-age=60"), ("age", "100"), ("date", DATE)];
        // Neither the range nor its condition reach the origin: they are about what is stored.
        let own = ["range", "if-range"].iter().any(|name| request.field(name).is_some());
        match request.field("if-none-match") {
            Some("\"v1\"") if !own => Act::response(304, &[("etag", "\"v1\""), ("age", "100")], ""),
            None if !own => digits(&stale),
            Some(_) | None => Act::response(500, &[], "seen"),
        }
    });
    let gateway = start(&json!({}), &origin);
    gateway.get("/");
    for (n, (fields, status, body)) in [
        (&[("range", "bytes=0-4")][..], 206, "01234"),
        (&[("range", "bytes=-2")], 206, "89"),
        (&[("range", "bytes=0-4"), ("if-range", "\"v1\"")], 206, "01234"),
        (&[("range", "bytes=5000-")], 416, ""),
        (&[("if-none-match", "\"v1\"")], 304, ""),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = with("/", fields).ask(gateway.address());
        assert_eq!((answer.status(), answer.text().as_str()), (status, body), "{n}: {answer:?}");
        assert_eq!(origin.hits(), 2 + u64::try_from(n).expect("few rows"));
    }
}

#[test]
fn a_part_is_never_stored_as_a_whole_and_has_the_whole_fetched() {
    let origin = Origin::start(|request| match request.field("range") {
        Some(_) => {
            let fields = [("cache-control", "max-age=600"), ("content-range", "bytes 0-4/5000")];
            Act::response(206, &fields, "01234")
        }
        None => digits(&[("cache-control", "max-age=99999999999")]),
    });
    let part = |gateway: &Gateway| with("/", &[("range", "bytes=0-4")]).ask(gateway.address());
    let alone = Setup::new("response-cache", &json!({}), origin.address()).start();
    for _ in 0..2 {
        let answer = part(&alone);
        assert_eq!(status_of(&answer), "weir; fwd=uri-miss; detail=partial", "{answer:?}");
    }
    assert_eq!(alone.get("/").text().len(), 5000);
    let gateway = start(&json!({"background": {"cluster": "background"}}), &origin);
    assert_eq!(part(&gateway).text(), "01234");
    gateway.await_metric("weir_response_cache_refreshes_total;result=answered", 1);
    let cut = part(&gateway);
    assert!(status_of(&cut).contains("hit") && cut.text() == "01234", "{cut:?}");
}

#[test]
fn what_the_cache_says_of_itself() {
    let origin = Origin::start(as_told);
    // What could end a text is escaped in it, and once more in a structured field.
    let key = "http://example.com/a?b=\\\"c";
    let shown = json!({"cache_status": {"key": true}, "x_cache": true, "x_cache_key": true, "rules": [
        {"name": "user", "match": {"path": {"prefix": "/user"}}, "key": {"user": "header:x-user", "headers": ["accept"]}, "stale_if_error": "10m"},
        {"name": "off", "match": {"path": {"prefix": "/off"}}, "action": "bypass"},
        {"name": "all", "stale_if_error": "10m"},
    ]});
    let gateway = start(&shown, &origin);
    const FRESH: &str = "200 | cache-control: max-age=60";
    const STALE: &str = "200 | cache-control: max-age=60 | age: 100 | etag: \"a\"";
    let escaped = |key: &str| key.replace('\\', "\\\\").replace('"', "\\\"");
    let user =
        "http://example.com/user, header accept \"text/html\", user header x-user (not shown)";
    let of_user = [("x-user", "secret-ann"), ("accept", "text/html")];
    let plain = |target: &str| format!("http://example.com{target}");
    for (target, answer, fields, x_cache, said, key) in [
        ("/a?b=\"c", FRESH, &[][..], "MISS", "fwd=uri-miss; stored", key.to_owned()),
        ("/a?b=\"c", FRESH, &[], "HIT", "hit; ttl=60", key.to_owned()),
        (
            "/a?b=\"c",
            FRESH,
            &[("cache-control", "no-cache")],
            "MISS",
            "fwd=request; stored",
            key.to_owned(),
        ),
        (
            "/private",
            "200 | cache-control: private",
            &[],
            "MISS",
            "fwd=uri-miss; detail=private",
            plain("/private"),
        ),
        (
            "/vary",
            "200 | cache-control: max-age=60 | vary: x-a",
            &[],
            "MISS",
            "fwd=uri-miss; stored",
            plain("/vary"),
        ),
        (
            "/vary",
            "200 | cache-control: max-age=60 | vary: x-a",
            &[("x-a", "1")],
            "MISS",
            "fwd=vary-miss; stored",
            plain("/vary"),
        ),
        ("/stale", STALE, &[], "MISS", "fwd=uri-miss; stored", plain("/stale")),
        (
            "/stale",
            "503",
            &[],
            "STALE",
            "fwd=stale; fwd-status=503; ttl=-40; detail=stale_if_error",
            plain("/stale"),
        ),
        (
            "/stale",
            "304 | etag: \"a\" | cache-control: max-age=60",
            &[],
            "REVALIDATED",
            "fwd=stale; fwd-status=304; ttl=60",
            plain("/stale"),
        ),
        ("/user", FRESH, &of_user, "MISS", "fwd=uri-miss; stored", user.to_owned()),
        ("/user", FRESH, &of_user, "HIT", "hit; ttl=60", user.to_owned()),
        ("/off", FRESH, &[], "BYPASS", "fwd=bypass", String::new()),
        (
            "/none",
            FRESH,
            &[("cache-control", "only-if-cached")],
            "MISS",
            "detail=only_if_cached",
            String::new(),
        ),
    ] {
        let request = Request::get(target).field("x-answer", answer);
        let request =
            fields.iter().fold(request, |request, (name, value)| request.field(name, value));
        let got = request.ask(gateway.address());
        let row = format!("{target} {answer} {fields:?}");
        let shown = format!("; key=\"{}\"", escaped(&key));
        let with_key = if key.is_empty() { String::new() } else { shown };
        assert_eq!(rounded(&got), format!("weir; {said}{with_key}"), "{row}");
        assert_eq!(got.field("x-cache"), Some(x_cache), "{row}");
        let key = Some(key.as_str()).filter(|key| !key.is_empty());
        assert_eq!(got.field("x-cache-key"), key, "{row}");
    }
    let post = Request::new("POST", "/a").ask(gateway.address());
    assert_eq!((status_of(&post), post.field("x-cache")), ("weir; fwd=method", Some("BYPASS")));
    // Another cache's word stays in front of ours (RFC 9211, 2).
    let told = "200 | cache-control: max-age=60 | cache-status: origin; hit";
    let behind = Request::get("/behind").field("x-answer", told).ask(gateway.address());
    let key = plain("/behind");
    let ours = format!("weir; fwd=uri-miss; stored; key=\"{key}\"");
    assert_eq!(behind.fields.all("cache-status"), ["origin; hit".to_owned(), ours]);
    assert!(gateway.update(&json!({"cache_status": false})), "the configuration is sound");
    let silent = gateway.get("/behind");
    assert_eq!(silent.fields.all("cache-status"), ["origin; hit"]);
    assert_eq!((silent.field("x-cache"), silent.field("x-cache-key")), (None, None));
    assert!(silent.field("age").is_some(), "a hit: the store is the same");
}
