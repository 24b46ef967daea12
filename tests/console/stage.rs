//! A gateway with a console, and a browser before it.

use harness::browser::Browser;
use harness::client::Request;
use harness::gateway::{Gateway, Setup};
use harness::origin::{Act, Origin};
use harness::token::sha256;
use serde_json::{Value, json};

/// What operators show in these tests.
pub(super) const TOKEN: &str = "open sesame";

/// A name that would do harm if it became part of a page.
pub(super) const HOSTILE: &str = "<img src=x onerror=document.title='owned'>&amp;\"'";

/// A gateway, its origin, and a browser.
pub(super) struct Stage {
    pub(super) browser: Browser,
    pub(super) gateway: Gateway,
    pub(super) origin: Origin,
}

/// The gateway's configuration: every filter, each with its endpoints, and the console.
///
/// Operators come by the same listener here, so the limiter is told to leave them alone.
pub(super) fn configuration() -> Value {
    let operations = |path: &str| json!({"path": path, "token_sha256": sha256(TOKEN)});
    json!({
        "metrics": {
            "operations": operations("/weir"),
            "errors": {"user_agent": true},
            "console": {"limits": "/weir/limits", "cache": "/weir/cache", "breakers": "/weir/breakers"},
        },
        "rate_limit": {
            "operations": operations("/weir/limits"),
            "exempt": [{"path": {"prefix": "/weir"}}],
            "rules": [{
                "name": "few", "match": {"path": {"prefix": "/few"}}, "key": ["header:x-user"],
                "show_keys": true, "limits": [{"quota": 2, "window": "1h"}],
            }],
        },
        "response_cache": {
            "operations": operations("/weir/cache"),
            "rules": [{"name": "stored", "match": {"path": {"prefix": "/stored"}}}],
        },
        "circuit_breaker": {
            "operations": operations("/weir/breakers"),
            "rules": [{
                "name": "weak", "match": {"path": {"prefix": "/weak"}},
                "consecutive": {"failures": 2}, "open": {"time": "1h", "max_time": "1h"},
            }],
        },
    })
}

impl Stage {
    /// With this configuration, and a window as wide as a desk's.
    pub(super) fn with(configuration: &Value) -> Self {
        Self::of_size(configuration, 1280, 900)
    }

    pub(super) fn of_size(configuration: &Value, width: u32, height: u32) -> Self {
        let origin = Origin::start(|request| match request.target() {
            "/ill" | "/weak" => Act::response(500, &[], ""),
            target if target.starts_with("/stored") => {
                Act::response(200, &[("cache-control", "max-age=600")], target)
            }
            target => Act::response(200, &[], target),
        });
        let to = |name: &str, prefix: &str| json!({"name": name, "match": {"prefix": prefix}, "route": {"cluster": "upstream"}});
        let routes = json!([to("stored", "/stored"), to(HOSTILE, "/hostile"), to("all", "/")]);
        let setup = Setup::new("gateway", configuration, origin.address());
        let gateway = setup.routes(routes).workers(2).start();
        Self { browser: Browser::start(width, height), gateway, origin }
    }

    /// Opens the page and signs in.
    pub(super) fn sign_in(&self) {
        self.browser.open(&self.url());
        self.browser.write("#token", TOKEN);
        self.browser.click("#enter");
        self.browser.await_text("#link", |text| text == "Live");
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/weir/console", self.gateway.address())
    }

    /// Sends `n` requests; tells the status of the last answer.
    pub(super) fn send(&self, n: usize, target: &str, user: &str) -> u16 {
        let request = || Request::get(target).field("x-user", user).field("user-agent", HOSTILE);
        (0..n).map(|_| request().ask(self.gateway.address()).status()).last().unwrap()
    }
}
