//! The page on a small screen and in the dark.

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
    scheme("light");
    stage.sign_in();
    browser.await_text("#error-rows", |text| text.contains("500"));
    browser.await_text("#rules", |text| text.contains("somebody"));
    let width = browser.run("return [innerWidth, document.documentElement.scrollWidth]");
    assert_eq!(width, json!([360, 360]), "nothing sticks out");

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
