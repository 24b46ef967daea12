//! What a click does, and what is said of it.

use harness::browser::{ENTER, TAB};
use harness::gateway::PATIENCE;
use serde_json::json;
use weir_testbed::wait;

use super::stage::{Stage, TOKEN, configuration};

#[test]
fn the_form_purges_after_it_has_asked() {
    let stage = Stage::with(&configuration());
    let browser = &stage.browser;
    // Clients name this host, whatever address they connect to.
    let url = "http://example.com/stored/1";
    assert_eq!(stage.send(3, "/stored/1", "a"), 200);
    assert_eq!(stage.origin.hits_of("/stored/1"), 1);
    stage.sign_in();
    browser.await_text("#entries", |text| text.starts_with("1 of "));

    browser.write("#purge-what", url);
    browser.click("#purge-go");
    browser.await_text("#ask-title", |text| text == format!("Purge by URL: {url}?"));
    browser.click("#ask-no");
    browser.await_true("return !ask.open");
    stage.send(1, "/stored/1", "a");
    assert_eq!(stage.origin.hits_of("/stored/1"), 1, "nothing was purged");

    browser.click("#purge-go");
    browser.click("#ask-yes");
    browser.await_text("#purged", |text| text.starts_with("Purged") && text.ends_with(url));
    browser.await_text("#says", |text| text.starts_with("Purged"));
    stage.send(1, "/stored/1", "a");
    assert_eq!(stage.origin.hits_of("/stored/1"), 2);

    browser.run("const by = document.querySelector('#purge-by'); by.value = 'pattern'; by.dispatchEvent(new Event('change'))");
    assert_eq!(browser.text("#purge-hint").as_deref(), Some("Pattern"));
    browser.write("#purge-what", "http://example.com/stored/**");
    browser.click("#purge-go");
    browser.click("#ask-yes");
    browser.await_text("#purges", |text| text.contains("/stored/**"));
    stage.send(1, "/stored/1", "a");
    assert_eq!(stage.origin.hits_of("/stored/1"), 3);
    assert_eq!(browser.console(), [""; 0]);

    // What the gateway refuses is told in its own words.
    browser.write("#purge-what", "no pattern");
    browser.click("#purge-go");
    browser.click("#ask-yes");
    browser.await_text("#says .bad", |text| text.contains("pattern"));
}

#[test]
fn a_click_on_reset_closes_a_breaker_and_one_on_trip_opens_it() {
    let stage = Stage::with(&configuration());
    let browser = &stage.browser;
    let (state, window) =
        ("#breaker-rows td[data-head=State]", "#breaker-rows td[data-head=Window]");
    let press = |verb: &str| {
        browser.click(&format!("#breaker-rows button[aria-label^='{verb}']"));
    };
    stage.sign_in();
    browser.await_text("#e-breakers", |text| text.starts_with("No breaker has been met yet"));
    assert_eq!(stage.send(1, "/weak", "a"), 500);
    browser.await_text(state, |text| text.starts_with("Closed"));
    browser.await_text(window, |text| text == "1 of 1 failed");
    assert_eq!(stage.send(2, "/weak", "a"), 503);
    assert_eq!(stage.origin.hits_of("/weak"), 2);
    browser.await_text(state, |text| text.starts_with("Open") && text.contains("next probe in"));
    browser.await_text("#open", |text| text == "1open");
    // An opening empties the window; why it opened is in the events.
    browser.await_text(window, |text| text == "empty since it opened");
    browser.await_text("#events li", |text| {
        text.contains("Closed → Open") && text.contains("failures 2")
    });
    browser.await_text("#breaker-rows summary", |text| text.contains("status 500"));
    assert_eq!(
        browser.run("return document.querySelector('[aria-label^=Release]').disabled"),
        true
    );

    press("Reset");
    browser.await_text(state, |text| text.starts_with("Closed"));
    browser.await_text("#says", |text| text.ends_with("is reset."));
    assert_eq!(stage.send(1, "/weak", "a"), 500);
    assert_eq!(stage.origin.hits_of("/weak"), 3);

    press("Trip");
    browser.await_text("#ask-title", |text| text.starts_with("Trip weak"));
    browser.run("document.querySelector('#ask-choice').value = '10m'");
    browser.click("#ask-yes");
    browser.await_text(state, |text| text.starts_with("Open") && text.contains("held open, "));
    assert_eq!(stage.send(1, "/weak", "a"), 503);
    press("Release");
    browser.await_text(state, |text| !text.contains("held"));
    press("Hold closed");
    browser.click("#ask-yes");
    browser.await_text(state, |text| text.starts_with("Closed") && text.contains("held closed"));
    assert_eq!(stage.send(4, "/weak", "a"), 500, "it stays closed, whatever comes");
    browser.await_text("#events li", |text| text.contains("weak") && text.contains("by 127.0.0.1"));
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn a_reset_of_the_statistics_forgets_them() {
    let stage = Stage::with(&configuration());
    let browser = &stage.browser;
    stage.send(4, "/", "a");
    stage.sign_in();
    browser.await_text("#rate-of", |text| text == "4 requests");
    browser.click("#reset");
    browser.click("#ask-yes");
    browser.await_text("#says", |text| text.contains("4 requests forgotten"));
    browser.await_text("#rate-of", |text| text == "0 requests");
    let is_told = |line: &String| line.contains("metrics: operations reset requests=4");
    let told = wait::until(PATIENCE, || stage.gateway.messages().iter().any(is_told).then_some(()));
    assert!(told.is_some(), "{:#?}", stage.gateway.messages());
}

#[test]
fn keys_are_enough_and_the_focus_stays_where_it_is() {
    let stage = Stage::with(&configuration());
    let browser = &stage.browser;
    stage.send(1, "/", "a");
    browser.open(&stage.url());
    browser.press(TOKEN);
    browser.press(ENTER);
    browser.await_text("#link", |text| text == "Live");
    browser.await_text("#routes", |text| text.contains("all\t1"));
    // From the content on, the next stop is the choice of the period; arrows change it.
    browser.press(TAB);
    browser.await_true("return document.activeElement.name === 'period'");
    browser.press("\u{e012}");
    browser.await_text("#flow-of", |text| text == "1 request in the last minute");
    let outline = "return getComputedStyle(document.querySelector('#period input:checked + span')).outlineStyle";
    assert_eq!(browser.run(outline), "solid");
    // Refreshing changes what has changed, and nothing else.
    browser.run("window.row = document.querySelector('#routes tr'); document.querySelector('#purge-what').focus()");
    browser.press("half a wo");
    stage.send(1, "/", "a");
    browser.await_text("#routes", |text| text.contains("all\t2"));
    assert_eq!(browser.run("return window.row === document.querySelector('#routes tr')"), true);
    assert_eq!(browser.run("return document.activeElement.value"), "half a wo");
}

#[test]
fn what_does_not_answer_is_told_and_the_rest_goes_on() {
    let mut configuration = configuration();
    configuration["metrics"]["console"]["breakers"] = json!("/nobody");
    configuration["circuit_breaker"]["operations"]["path"] = json!("/elsewhere");
    let stage = Stage::with(&configuration);
    stage.sign_in();
    let browser = &stage.browser;
    browser.await_text("#breakers .note", |text| text.starts_with("/nobody/breakers: Status 200"));
    // What is at no endpoint goes to the origin, as this page's own look at the breakers does here: a request that is
    // counted, of another route than the one that is waited for.
    stage.send(1, "/stored/1", "a");
    browser.await_text("#routes", |text| text.contains("stored\t1"));

    let Stage { browser, gateway, .. } = stage;
    drop(gateway);
    browser.await_text("#link", |text| text.starts_with("No answer, next try in"));
    let note = browser.await_text("#s-flow .note", |text| !text.is_empty());
    assert!(note.ends_with("The gateway cannot be reached."), "{note}");
    let shown = browser.text("#routes").unwrap();
    assert!(shown.contains("stored\t1"), "what was known is still shown: {shown}");
}
