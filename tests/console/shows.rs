//! The page shows the numbers that were sent, as they are, and text as text.

use harness::origin::Act;
use serde_json::json;

use super::stage::{HOSTILE, Stage, TOKEN, configuration};

#[test]
fn it_loads_clean_and_shows_what_was_sent() {
    let stage = Stage::with(&configuration());
    let browser = &stage.browser;
    browser.open(&stage.url());
    assert_eq!(browser.run("return document.title.startsWith('Weir console')"), true);
    // In sight there is the way in, and nothing else.
    assert_eq!(browser.text("#door h2").as_deref(), Some("Weir console"));
    assert_eq!(browser.text("#room").as_deref(), Some(""));
    stage.sign_in();
    browser.await_text("#e-status", |text| text.starts_with("No request has ended yet"));
    browser.await_text("#e-rules", str::is_empty);

    assert_eq!(stage.send(12, "/", "a"), 200);
    assert_eq!(stage.send(5, "/ill", "a"), 500);
    assert_eq!(stage.send(8, "/stored/1", "a"), 200);
    assert_eq!(stage.send(6, "/few", "alice"), 429);

    browser.await_text("#rate-of", |text| text == "31 requests");
    assert_eq!(browser.await_text("#limited", |text| text == "4"), "4");
    browser.await_text("#ratio-of", |text| text == "5 of 31");
    browser.await_text("#cached-of", |text| text == "7 of 31");
    let picture =
        browser.run("return document.querySelector('#river svg').getAttribute('aria-label')");
    assert_eq!(picture, "Of 31 requests: Limited 4, Cache hit 7, Upstream 20");
    browser.await_text("#flow-of", |text| text == "31 requests in the last five minutes");
    let list = browser.await_text("#class-list", |text| text.contains("5xx"));
    for part in ["2xx successful\n22", "4xx the client’s fault\n4", "5xx failed\n5"] {
        assert!(list.contains(part), "{list}");
    }
    browser.await_text("#codes", |text| text.contains("200 · 22") && text.contains("429 · 4"));
    // The page's own requests come by the same listener and pass the limiter too; the statistics leave them out.
    browser.await_text("#decisions", |text| text.contains("rate-limit\nadmit 27, limit 4\n"));
    browser.await_text("#routes", |text| text.contains("all\t23\t5 · 21.7 %"));
    browser.await_text("#rules .key", |text| text.contains("alice") && text.ends_with('4'));
    browser.await_text("#limits-of", |text| text.starts_with("4 refusals"));
    browser.await_text("#cache-of", |text| text == "7 hits, 1 miss");
    browser.await_text("#hits", |text| text == "87.5 %");
    browser.await_text("#errors-of", |text| text.starts_with("5 failures"));
    browser.await_text("#error-rows tr:nth-child(5)", |text| text.contains("GET all\t500"));
    // A slice of five seconds is drawn when it is over.
    browser.await_true(
        "return document.querySelector('#c-rate path.upstream').getAttribute('d').length > 20",
    );
    // What a gateway does not tell is not shown, and no gap stands in its place.
    let in_flight = |n: &str| {
        let script = "return document.querySelector('#in-flight').innerText";
        browser.run(&format!("showStats({{ ...latest.stats, in_flight: {n} }}); {script}"))
    };
    assert_eq!([in_flight("3"), in_flight("undefined")], [" · 3 in flight", ""]);
    // What has no path is not there.
    assert_eq!(browser.run("return health.hidden && !breakers.hidden"), true);

    let from_elsewhere = "return performance.getEntriesByType('resource').filter((one) => new URL(one.name).origin !== location.origin).length";
    assert_eq!(browser.run(from_elsewhere), 0);
    assert_eq!(browser.console(), [""; 0], "no error, no violation of the policy");
}

#[test]
fn a_wrong_token_is_told_and_a_right_one_is_kept_only_if_asked() {
    let stage = Stage::with(&configuration());
    let browser = &stage.browser;
    browser.open(&stage.url());
    browser.write("#token", "open, sesam\u{e007}");
    browser.await_text("#refused", |text| text == "The gateway does not accept this token.");
    assert_eq!(browser.text("#room").as_deref(), Some(""));
    browser.run("document.querySelector('#token').value = 'Ünlautbar€'");
    browser.click("#enter");
    browser.await_text("#refused", |text| text.starts_with("A token has letters"));
    browser.run("document.querySelector('#token').value = ''");

    browser.write("#token", TOKEN);
    browser.click("#enter");
    browser.await_text("#link", |text| text == "Live");
    assert_eq!(browser.run("return sessionStorage.length + document.cookie.length"), 0);
    browser.reload();
    browser.await_text("#door h2", |text| !text.is_empty());

    browser.click("#keep");
    browser.write("#token", TOKEN);
    browser.click("#enter");
    browser.await_text("#link", |text| text == "Live");
    browser.await_true("return sessionStorage.length === 1");
    browser.reload();
    browser.await_text("#link", |text| text == "Live");

    // A token that is no good any more ends the visit, and says why.
    let mut changed = configuration();
    changed["metrics"]["operations"]["token_sha256"] = json!("0".repeat(64));
    assert!(stage.gateway.update(&changed), "{}", stage.gateway.envoy.log_tail());
    browser.await_text("#refused", |text| text.ends_with("this token any more."));
    browser.click("#enter");
    assert_eq!(browser.text("#room").as_deref(), Some(""));
}

#[test]
fn an_upstream_that_is_down_is_seen_and_the_page_lives_on() {
    let stage = Stage::with(&configuration());
    let browser = &stage.browser;
    // It takes the connection and closes it without a word, as a service that dies does.
    stage.origin.play(|_| Act::Cut(Vec::new()));
    assert_eq!(stage.send(4, "/", "a"), 503);
    stage.sign_in();
    browser.await_text("#ratio", |text| text == "100%");
    browser.await_text("#ratio-of", |text| text == "4 of 4");
    browser.await_text("#class-list", |text| text.contains("5xx failed\n4 · 100 %"));
    let row = browser.await_text("#error-rows tr", |text| text.contains("503"));
    for part in ["GET all", "connection_termination", "UC"] {
        assert!(row.contains(part), "{row}");
    }
    assert_eq!(browser.text("#link").as_deref(), Some("Live"));
    let notes = "return [...document.querySelectorAll('.note')].every((note) => note.hidden)";
    assert_eq!(browser.run(notes), true, "nothing is amiss with the gateway itself");
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn what_comes_from_outside_stays_text() {
    let mut configuration = configuration();
    configuration["rate_limit"]["rules"][0]["limits"][0]["quota"] = json!(1);
    let stage = Stage::with(&configuration);
    let browser = &stage.browser;
    stage.origin.play(|_| Act::response(503, &[], ""));
    assert_eq!(stage.send(3, "/hostile", HOSTILE), 503);
    assert_eq!(stage.send(3, "/few", HOSTILE), 429);
    stage.sign_in();
    browser.await_text("#routes", |text| text.contains(HOSTILE));
    browser.await_text("#error-rows", |text| text.contains(HOSTILE));
    let agent = browser.await_text("#error-rows tr p", |text| !text.is_empty());
    assert!(agent.ends_with(HOSTILE), "{agent}");
    browser.await_text("#rules .key code", |text| text.contains("<img src=x"));
    browser.write("#purge-what", &format!("http://example.com/{HOSTILE}"));
    browser.click("#purge-go");
    browser.await_text("#ask-title", |text| text.contains(HOSTILE));
    browser.click("#ask-yes");
    browser.await_text("#says", |text| !text.is_empty());
    assert_eq!(browser.run("return document.querySelectorAll('main img').length"), 0);
    let title = browser.run("return document.title");
    assert!(title.as_str().unwrap().starts_with("Weir console"), "{title}");
}
