//! The page on a small screen and in the dark.

use harness::browser::Browser;
use serde_json::json;

use super::stage::{Stage, configuration};

#[test]
fn it_fits_a_phone_and_follows_the_system_and_the_switch() {
    let stage = Stage::of_size(&configuration(), 800, 700);
    let browser = &stage.browser;
    let phone = json!({"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true});
    browser.devtools("Emulation.setDeviceMetricsOverride", &phone);
    let scheme = |value: &str| {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        browser.devtools("Emulation.setEmulatedMedia", &features);
    };
    stage.send(5, "/ill", "a");
    stage.send(5, "/few", "somebody-with-a-very-long-name-that-does-not-fit-anywhere-at-all");
    stage.send(2, "/weak", "a");
    scheme("light");
    browser.open(&stage.url());
    assert_fits(browser, "the door");
    stage.sign_in();
    browser.await_text("#error-rows", |text| text.contains("500"));
    browser.await_text("#rules", |text| text.contains("somebody"));
    browser.await_text("#breaker-rows", |text| text.contains("Open"));
    assert_fits(browser, "the room");
    browser.click("#breaker-rows summary");
    browser.click("#breaker-rows button[aria-label^=Trip]");
    browser.await_text("#ask-title", |text| text.starts_with("Trip"));
    assert_fits(browser, "the question");
    browser.click("#ask-no");

    let ground = || browser.run("return getComputedStyle(document.body).backgroundColor");
    let light = ground();
    scheme("dark");
    let dark = ground();
    assert_ne!(light, dark);
    for (theme, expected) in [("light", &light), ("dark", &dark), ("auto", &dark)] {
        browser.click("#theme");
        let label =
            browser.run("return document.querySelector('#theme').getAttribute('aria-label')");
        assert_eq!(label, format!("Theme: {theme}"));
        assert_eq!(&ground(), expected, "{theme}");
    }
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn an_empty_gateway_is_shown_as_one_and_fits_a_phone_too() {
    let stage = Stage::of_size(&configuration(), 500, 700);
    let browser = &stage.browser;
    let phone = json!({"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true});
    browser.devtools("Emulation.setDeviceMetricsOverride", &phone);
    stage.sign_in();
    for empty in ["#e-status", "#e-routes", "#e-breakers", "#e-errors"] {
        browser.await_text(empty, |text| !text.is_empty());
    }
    browser.await_text("#rate-of", |text| text == "0 requests");
    browser.await_text("#cache-of", |text| text == "not asked yet");
    browser.await_text("#rules", |text| text.contains("nobody refused"));
    assert_fits(browser, "the empty room");
    // No table stands there with a head alone, and no number is one that cannot be told.
    let shown = browser.text("#room").unwrap();
    for odd in ["NaN", "undefined", "null", "Infinity", "Last failures", "Reason"] {
        assert!(!shown.contains(odd), "{odd} in {shown}");
    }
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn a_look_without_news_changes_no_element() {
    let stage = Stage::with(&configuration());
    let browser = &stage.browser;
    stage.send(3, "/few", "a");
    stage.send(2, "/weak", "a");
    stage.send(2, "/stored/1", "a");
    stage.sign_in();
    browser.await_text("#error-rows", |text| text.contains("500"));
    browser.await_text("#rules .key", |text| text.contains('a'));
    browser.await_text("#events", |text| text.contains("Open"));
    browser.await_text("#cache-of", |text| text == "1 hit, 1 miss");
    browser.await_text("#routes", |text| text.contains("stored\t2"));
    browser.run(
        "performance.setResourceTimingBufferSize(4000); window.moved = []; window.since = performance.now();
         new MutationObserver((changes) => changes.forEach(({ addedNodes, removedNodes }) => {
           for (const node of [...addedNodes, ...removedNodes]) if (node.nodeType === 1) moved.push(node.outerHTML);
         })).observe(document.querySelector('#room'), { childList: true, subtree: true })",
    );
    // Each source that is asked every two seconds has answered four times more.
    browser.await_true(
        "const looks = performance.getEntriesByType('resource').filter((one) => one.startTime > since);
         const times = (path) => looks.filter((one) => one.name.includes(path)).length;
         return ['/performance', '/errors', '/limits/top', '/cache/stats', '/breakers/events'].every((path) => times(path) >= 4)",
    );
    assert_eq!(browser.run("return moved"), json!([]), "nothing flickers");
}

/// Nothing makes the page wider than the phone of these tests; what scrolls by itself may be.
fn assert_fits(browser: &Browser, what: &str) {
    let width = browser.run("return [innerWidth, document.documentElement.scrollWidth]");
    assert_eq!(width, json!([360, 360]), "{what}");
    let outside = "return [...document.querySelectorAll('body *')].filter((one) => {
      const box = one.getBoundingClientRect();
      return box.width && (box.right > 360.5 || box.left < -0.5) && one.checkVisibility() && !one.closest('.scroll, nav, .skip, .hide, .fold thead');
    }).map((one) => one.outerHTML.slice(0, 100))";
    assert_eq!(browser.run(outside), json!([]), "{what}: nothing sticks out");
}
