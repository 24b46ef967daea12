//! A real Chromium without a window, driven by the WebDriver protocol (W3C) over plain HTTP.
//!
//! Chromium and its driver are Debian's packages; `make setup-chromium` brings them.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use weir_testbed::process::{Running, Settings};
use weir_testbed::wait;

/// How long the driver and a page may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The key that ends a line, as WebDriver writes it.
pub const ENTER: &str = "\u{e007}";
/// The key that goes to the next element.
pub const TAB: &str = "\u{e004}";

/// What the protocol calls an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one page; it ends when dropped.
pub struct Browser {
    agent: ureq::Agent,
    session: String,
    // Behind the session, which ends the browser; the driver then has none.
    _driver: Running,
}

impl Browser {
    /// Starts a browser with a window of this size.
    pub fn start(width: u32, height: u32) -> Self {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0");
        let driver = Running::start("chromedriver", command, Settings::default());
        let driver = driver.unwrap_or_else(|error| {
            panic!("chromedriver does not start ({error}); run `make setup-chromium`")
        });
        let is_port = |line: &str| line.contains("started successfully on port");
        let line = driver.log().wait_for(PATIENCE, is_port);
        let line = line.unwrap_or_else(|| panic!("no port:\n{}", driver.log().text()));
        let port: String = line.chars().filter(char::is_ascii_digit).collect();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        let agent = ureq::Agent::new_with_config(config);
        let size = format!("--window-size={width},{height}");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            // A page that scrolls smoothly is still on its way when the driver has measured where to click.
            "--force-prefers-reduced-motion",
            &size,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments},
        }}});
        let base = format!("http://127.0.0.1:{port}/session");
        let made = said(agent.post(&base).send(wanted.to_string()));
        let id = made["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {made}"));
        let session = format!("{base}/{id}");
        Self { agent, session, _driver: driver }
    }

    /// Goes to a page and waits until it is loaded.
    pub fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    /// Loads the page anew.
    pub fn reload(&self) {
        self.post("/refresh", &json!({}));
    }

    /// What a script returns.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// A command of Chromium's own protocol for its tools.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// The text that a person sees in an element: nothing if it is hidden; none if there is no such element.
    pub fn text(&self, selector: &str) -> Option<String> {
        // What is not rendered at all tells its whole text by `innerText` (HTML, "the innerText getter", step 1).
        let script = format!(
            "const found = document.querySelector({});
             if (!found) return null;
             return found.checkVisibility({{ visibilityProperty: true }}) ? found.innerText : ''",
            json!(selector)
        );
        self.run(&script).as_str().map(str::to_owned)
    }

    /// Waits until the text of an element is what is wanted, and tells it.
    pub fn await_text(&self, selector: &str, is_wanted: impl Fn(&str) -> bool) -> String {
        let found = wait::until(PATIENCE, || self.text(selector).filter(|text| is_wanted(text)));
        found.unwrap_or_else(|| {
            let log = self.console().join("\n");
            panic!("{selector} stays {:?}\nconsole: {log}", self.text(selector))
        })
    }

    /// Waits until a script returns true.
    pub fn await_true(&self, script: &str) {
        let found = wait::until(PATIENCE, || (self.run(script) == true).then_some(()));
        assert!(found.is_some(), "never true: {script}\n{}", self.console().join("\n"));
    }

    /// Clicks on an element, as a person would: it has to be in sight, and nothing before it.
    pub fn click(&self, selector: &str) {
        self.post(&format!("/element/{}/click", self.element(selector)), &json!({}));
    }

    /// Types into an element.
    pub fn write(&self, selector: &str, text: &str) {
        self.post(&format!("/element/{}/value", self.element(selector)), &json!({"text": text}));
    }

    /// Types into whatever has the focus.
    pub fn press(&self, text: &str) {
        let active = said(self.agent.get(format!("{}/element/active", self.session)).call());
        let id = active[ELEMENT].as_str().unwrap_or_else(|| panic!("no focus: {active}"));
        self.post(&format!("/element/{id}/value"), &json!({"text": text}));
    }

    /// What the page wrote to the console since the last look, and what the browser complained of.
    pub fn console(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({"type": "browser"}));
        let lines = log.as_array().into_iter().flatten();
        lines.map(|line| format!("{}: {}", line["level"], line["message"])).collect()
    }

    fn element(&self, selector: &str) -> String {
        let wanted = json!({"using": "css selector", "value": selector});
        let found = self.post("/element", &wanted);
        let id = found[ELEMENT].as_str().unwrap_or_else(|| panic!("no {selector}: {found}"));
        id.to_owned()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        said(self.agent.post(format!("{}{path}", self.session)).send(body.to_string()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.agent.delete(&self.session).call();
    }
}

/// The value of an answer; an error of the protocol ends the test.
fn said(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Value {
    let mut answer = answer.expect("the driver answers");
    let text = answer.body_mut().read_to_string().expect("the driver answers with text");
    let mut body: Value = serde_json::from_str(&text).expect("the driver answers with JSON");
    assert!(
        answer.status().is_success(),
        "{}: {}",
        body["value"]["error"],
        body["value"]["message"]
    );
    body["value"].take()
}
