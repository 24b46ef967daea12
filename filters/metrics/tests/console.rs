//! The console's page on a host in memory: who gets it, what it may do, how large it is, and whether it can be read.
#![cfg(test)]

use kit::exchange::Attribute;
use kit::fake::{FakeExchange, FakeHost};
use kit::{Filter, Flow, Reply, config};
use serde_json::{Value, json};
use weir_metrics::{Config, Metrics};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// What a page may add to a module, with some KiB left for the code that sends it.
const MAX_PAGE: usize = 60 * 1024;
/// The SHA-256 of `open sesame`.
const HASH: &str = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb";

fn worker(host: &FakeHost, configuration: &Value) -> Metrics {
    match config::load("metrics", configuration.to_string().as_bytes(), Metrics::read) {
        Ok(config) => Metrics::new(config, host),
        Err(problems) => panic!("{problems}"),
    }
}

fn guarded() -> Value {
    json!({
        "operations": {"path": "/weir", "token_sha256": HASH},
        "console": {"limits": "/weir/limits", "cache": "/weir/cache", "breakers": "/elsewhere"},
    })
}

/// What becomes of a request: the answer, or none if it passes.
fn ask(configuration: &Value, method: &str, path: &str, token: Option<&str>) -> Option<Reply> {
    let host = FakeHost::default();
    let mut headers = vec![(":method", method), (":path", path), (":authority", "example.com")];
    headers.extend(token.map(|token| ("x-weir-token", token)));
    let x = FakeExchange::new(&host, &headers)
        .with_attribute(Attribute::SourceAddress, b"192.0.2.1:4711");
    match worker(&host, configuration).on_request_headers(&mut Default::default(), &x, true) {
        Flow::Reply(reply) => Some(*reply),
        Flow::Continue => None,
        Flow::Pause => panic!("nothing is waited for"),
    }
}

fn header<'a>(reply: &'a Reply, name: &str) -> &'a str {
    let found = reply.headers.iter().find(|(found, _)| found == name);
    found.map_or("", |(_, value)| std::str::from_utf8(value).unwrap())
}

fn page(configuration: &Value) -> Reply {
    ask(configuration, "GET", "/weir/console", None).unwrap()
}

fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}

#[test]
fn the_page_is_for_everybody_from_a_right_address_and_its_data_are_not() {
    let mut by_address = guarded();
    by_address["operations"]["source"] = json!("198.51.100.0/24");
    let mut both = guarded();
    both["operations"]["source"] = json!("192.0.2.0/24");
    for (configuration, path, token, status) in [
        (guarded(), "/weir/console", None, 200),
        (guarded(), "/weir/console/", Some("wrong"), 200),
        (guarded(), "/weir/console/settings", None, 401),
        (guarded(), "/weir/console/settings", Some("open sesame"), 200),
        (guarded(), "/weir/console/nothing", None, 401),
        (guarded(), "/weir/console/nothing", Some("open sesame"), 404),
        (guarded(), "/weir/console?x=1", Some("open sesame"), 400),
        (both, "/weir/console", None, 200),
        (by_address.clone(), "/weir/console", Some("open sesame"), 403),
        (by_address, "/weir/console/settings", Some("open sesame"), 403),
    ] {
        let reply = ask(&configuration, "GET", path, token).unwrap();
        assert_eq!(reply.status, status, "{path} {token:?}");
        assert_eq!(header(&reply, "cache-control"), "no-store");
    }
    assert_eq!(ask(&guarded(), "POST", "/weir/console", None).unwrap().status, 401);
    let posted = ask(&guarded(), "POST", "/weir/console", Some("open sesame"));
    assert_eq!(posted.unwrap().status, 405);
    let off = json!({"operations": {"path": "/weir", "token_sha256": HASH}});
    let reply = ask(&off, "GET", "/weir/console", None).unwrap();
    assert_eq!(reply.status, 401);
    let reply = ask(&off, "GET", "/weir/console", Some("open sesame")).unwrap();
    assert_eq!(reply.status, 404);
}

#[test]
fn the_page_knows_whether_a_token_is_needed() {
    assert!(text(&page(&guarded())).contains("<body data-token>"));
    let open = json!({"operations": {"path": "/weir", "source": "192.0.2.1"}, "console": {}});
    assert!(text(&page(&open)).contains("<body>"));
}

#[test]
fn the_settings_say_where_everything_is() {
    let told = |configuration: &Value| -> Value {
        let reply = ask(configuration, "GET", "/weir/console/settings", Some("open sesame"));
        serde_json::from_slice(&reply.unwrap().body).unwrap()
    };
    let version = env!("CARGO_PKG_VERSION");
    let paths = json!({"version": version, "limits": "/weir/limits", "cache": "/weir/cache", "breakers": "/elsewhere"});
    assert_eq!(told(&guarded()), paths);
    let mut with_health = guarded();
    with_health["console"] = json!({});
    with_health["health"] = json!({"open": true});
    assert_eq!(told(&with_health), json!({"version": version, "health": "/weir/health"}));
    with_health["health"] = json!({"path": "/health", "open": true});
    assert_eq!(told(&with_health), json!({"version": version, "health": "/health"}));
}

#[test]
fn what_is_for_the_filters_behind_passes_and_nothing_else() {
    for (path, passes) in [
        ("/weir/limits", true),
        ("/weir/limits/top", true),
        ("/weir/cache/entries?url=x", true),
        ("/weir/cachex", false),
        ("/weir/breakers", false),
        ("/weir", false),
        ("/elsewhere/breakers", true),
        ("/", true),
    ] {
        for token in [None, Some("open sesame")] {
            assert_eq!(ask(&guarded(), "GET", path, token).is_none(), passes, "{path} {token:?}");
        }
    }
}

#[test]
fn its_headers_allow_it_nothing_but_itself() {
    let reply = page(&guarded());
    for (name, value) in [
        ("cache-control", "no-store"),
        ("content-type", "text/html; charset=utf-8"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(header(&reply, name), value);
    }
    let policy = header(&reply, "content-security-policy");
    for part in [
        "default-src 'none'; ",
        "connect-src 'self'; ",
        "base-uri 'none'; ",
        "form-action 'none'; ",
        "frame-ancestors 'none'; ",
        "require-trusted-types-for 'script'; ",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(policy.matches("'sha256-").count(), 2);
}

#[test]
fn it_needs_nothing_from_elsewhere_and_makes_markup_of_nothing() {
    let reply = page(&guarded());
    let page = text(&reply);
    for word in [
        "src=",
        "@import",
        "url(",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        " style=",
        " onclick=",
        "srcdoc",
        "DOMParser",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    // An address is the namespace of a picture, or an example in a field.
    for (at, _) in page.match_indices("http") {
        let address = page.get(at..).unwrap();
        let known = ["http://www.w3.org/2000/svg", "https://example.com/"];
        let is_address = address.starts_with("http://") || address.starts_with("https://");
        assert!(
            !is_address || known.iter().any(|known| address.starts_with(known)),
            "{address:.60}"
        );
    }
}

#[test]
fn it_is_small() {
    let size = page(&guarded()).body.len();
    println!("{size} bytes");
    assert!(size <= MAX_PAGE, "{size} bytes, at most {MAX_PAGE}");
}

/// The colours of the style, light and dark.
fn colours(page: &str) -> Vec<(String, [u32; 2])> {
    let style = page.split("<style>").nth(1).unwrap().split("}").next().unwrap();
    let mut found = Vec::new();
    for line in style.split([';', '{']).filter_map(|line| line.strip_prefix("--")) {
        let (name, value) = line.split_once(":light-dark(").unwrap();
        let (light, dark) = value.trim_end_matches(')').split_once(',').unwrap();
        let read = |text: &str| u32::from_str_radix(text.trim_start_matches('#'), 16).unwrap();
        found.push((name.to_owned(), [read(light), read(dark)]));
    }
    found
}

/// Relative luminance: WCAG 2.2.
fn luminance(colour: u32) -> f64 {
    let part = |shift: u32| {
        let part = f64::from((colour >> shift) & 0xff) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(16) + 0.7152 * part(8) + 0.0722 * part(0)
}

#[test]
fn texts_have_a_contrast_of_four_and_a_half_and_pictures_of_three() {
    let reply = page(&guarded());
    let colours = colours(text(&reply));
    let of = |name: &str, theme: usize| {
        let found = colours.iter().find(|(found, _)| found == name);
        luminance(found.unwrap_or_else(|| panic!("no colour {name}")).1[theme])
    };
    let texts = ["ink", "soft", "accent", "good", "warn", "bad"];
    let pictures = ["upstream", "hit", "stale", "limited", "refused", "local", "aborted"];
    let on = |ground, least| move |name| (name, ground, least);
    let rows =
        texts.iter().flat_map(|name| ["card", "bg", "well"].map(|ground| on(ground, 4.5)(*name)));
    let rows = rows.chain(pictures.map(on("card", 3.0))).chain([("on-accent", "accent", 4.5)]);
    for (name, ground, least) in rows {
        for theme in [0, 1] {
            let (a, b) = (of(name, theme), of(ground, theme));
            let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(
                contrast >= least,
                "{name} on {ground} ({theme}): {contrast:.2}, least {least}"
            );
        }
    }
}

#[test]
fn every_mistake_is_told() {
    let refused = |configuration: &Value| -> Vec<String> {
        match config::load("metrics", configuration.to_string().as_bytes(), Config::read) {
            Ok(config) => panic!("accepted: {config}"),
            Err(problems) => problems.to_string().lines().map(str::to_owned).collect(),
        }
    };
    let with = |console: Value| {
        let mut configuration = guarded();
        configuration["console"] = console;
        configuration
    };
    let alone = json!({"console": {}});
    for (configuration, line) in [
        (
            alone,
            "metrics: console: found it, and no operations, allowed only with operations; add operations: the page stands below their path",
        ),
        (
            with(json!({"limits": "/a", "cache": "/a"})),
            "metrics: console.cache: found the path of limits again, allowed a path of its own; write the path of that filter's operations",
        ),
        (
            with(json!({"limits": "/weir"})),
            "metrics: console.limits: found \"/weir\", allowed no path of this filter's own endpoints; write the path of that filter's operations",
        ),
        (
            with(json!({"cache": "/weir/stats"})),
            "metrics: console.cache: found \"/weir/stats\", allowed no path of this filter's own endpoints; write the path of that filter's operations",
        ),
        (
            with(json!({"limit": "/a"})),
            "metrics: console.limit: unknown field; did you mean \"limits\"?",
        ),
    ] {
        assert_eq!(refused(&configuration)[0], line);
    }
}

#[test]
fn what_is_in_force_is_told() {
    let load = |configuration: &Value| {
        config::load("metrics", configuration.to_string().as_bytes(), Config::read).unwrap()
    };
    let told = load(&guarded()).describe();
    let line = "console at /console below the path of operations, with limits at /weir/limits, cache at /weir/cache, breakers at /elsewhere";
    assert_eq!(told.last().map(String::as_str), Some(line));
}
