//! The policies of `envoy/rate-limit.yaml` as they stand: each admits what it says, and refuses the next by its name.
//!
//! Only what belongs to the machine is put in place of what the file says: ports, the services, and for tokens
//! that tests can sign their own identity provider. Clients have addresses of their own behind one trusted proxy.

use std::time::{Duration, Instant};

use harness::client::{Connection, Request};
use harness::http::Message;
use harness::origin::{Act, Origin};
use harness::token;
use serde_json::{Value, json};
use weir_testbed::envoy::{Envoy, Options};
use weir_testbed::{root, wait, yaml};

use crate::shipped::placed;

const MINUTE: Duration = Duration::from_secs(60);

/// The running file, before a service that takes one password.
struct Site {
    envoy: Envoy,
    _origin: Origin,
}

impl Site {
    fn start() -> Self {
        Self::with(|bootstrap| {
            let provider = token::filter();
            *http_filters(bootstrap).get_mut(0).unwrap() = provider;
        })
    }

    /// The file, changed in this way too.
    fn with(change: impl Fn(&mut Value)) -> Self {
        let origin = Origin::start(|request| match request.field("x-password") {
            Some("right") | None => Act::response(200, &[], "in"),
            Some("expired") => Act::response(403, &[], "no"),
            Some(_) => Act::response(401, &[], "no"),
        });
        let file = root::root().join("envoy/rate-limit.yaml");
        let mut bootstrap = placed(yaml::read(&file).unwrap(), origin.address());
        change(&mut bootstrap);
        bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
            ["xff_num_trusted_hops"] = json!(1);
        let options = Options { workers: 2, ..Options::default() };
        let envoy = Envoy::start(&bootstrap, options).unwrap_or_else(|error| panic!("{error}"));
        Self { envoy, _origin: origin }
    }

    fn client(&self) -> Connection {
        Connection::open(self.envoy.listener("gateway").unwrap())
    }

    fn ask(&self, request: &Request) -> Message {
        self.client().ask(request).unwrap()
    }

    /// Asks until it is refused: how many were admitted, in what time, and the refusal.
    #[allow(clippy::disallowed_methods, reason = "a steady rate brings back what time it took")]
    fn spend(&self, request: &Request) -> (u32, Duration, Message) {
        let (mut client, start) = (self.client(), Instant::now());
        for n_admitted in 0..20_000 {
            let answer = client.ask(request).unwrap();
            if answer.status() == 429 {
                return (n_admitted, start.elapsed(), answer);
            }
        }
        panic!("never refused");
    }

    /// Exactly `quota` requests are admitted, and then this policy refuses.
    fn assert_exact(&self, request: &Request, quota: u32, policy: &str) {
        let (n_admitted, _, refused) = self.spend(request);
        assert_eq!((n_admitted, refused.field("x-weir-rate-limit")), (quota, Some(policy)));
    }

    /// As [`Site::assert_exact`], with what a steady rate brings back in the time that it takes.
    fn assert_steady(&self, request: &Request, quota: u32, window: Duration, policy: &str) {
        let (n_admitted, took, refused) = self.spend(request);
        let back = u32::try_from(took.as_nanos() / (window / quota).as_nanos()).unwrap();
        let range = quota..=quota + back + 1;
        assert!(range.contains(&n_admitted), "{policy}: {n_admitted} in {took:?}");
        assert_eq!(refused.field("x-weir-rate-limit"), Some(policy));
    }
}

fn http_filters(bootstrap: &mut Value) -> &mut Vec<Value> {
    bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        ["http_filters"]
        .as_array_mut()
        .unwrap()
}

/// A GET from this address.
fn get(target: &str, address: &str) -> Request {
    Request::get(target).field("x-forwarded-for", address)
}

fn sign_in(password: &str, address: &str) -> Request {
    let request = Request::new("POST", "/login").body("");
    request.field("x-forwarded-for", address).field("x-password", password)
}

fn bearing(request: Request, claims: &Value) -> Request {
    request.field("authorization", token::bearer(claims))
}

const KEYS: [(&str, &str, u32); 3] = [
    ("example-free-5307dbae357c1696", "free", 100),
    ("example-standard-d711d1b2789797af", "standard", 1_000),
    ("example-premium-44cdd864f8990d6a", "premium", 10_000),
];

#[test]
fn everybody_may_ask_a_thousand_times_in_a_quarter_of_an_hour() {
    let site = Site::start();
    site.assert_steady(&get("/", "192.0.2.1"), 1_000, 15 * MINUTE, "general");
    assert_eq!(site.ask(&get("/", "192.0.2.2")).status(), 200, "another address");
}

#[test]
fn paths_have_their_own_quotas() {
    let site = Site::start();
    site.assert_steady(&get("/oauth/token", "192.0.2.1"), 60, MINUTE, "oauth");
    site.assert_steady(&get("/graphql", "192.0.2.1"), 100, MINUTE, "graphql");
    site.assert_steady(&get("/webhooks/payments", "192.0.2.1"), 30, MINUTE, "webhooks");
    assert_eq!(site.ask(&get("/webhook", "192.0.2.1")).status(), 200, "another path");
}

#[test]
fn services_have_their_own_quotas() {
    let site = Site::start();
    site.assert_steady(&get("/users/1", "192.0.2.1"), 100, MINUTE, "service-users");
    site.assert_steady(&get("/orders", "192.0.2.1"), 300, MINUTE, "service-orders");
    site.assert_steady(&get("/search?q=a", "192.0.2.2"), 500, MINUTE, "service-search");
}

#[test]
fn crawlers_get_ten_in_a_quarter_of_an_hour() {
    let site = Site::start();
    let crawler = get("/", "192.0.2.1").field(
        "user-agent",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    );
    site.assert_exact(&crawler, 10, "crawlers");
    let reader = get("/", "192.0.2.1").field("user-agent", "Mozilla/5.0 (X11; Linux x86_64)");
    assert_eq!(site.ask(&reader).status(), 200, "a reader at the same address");
}

#[test]
fn ten_sign_ins_pass_and_five_failures() {
    let site = Site::start();
    site.assert_exact(&sign_in("right", "192.0.2.1"), 10, "sign-in");
    site.assert_exact(&sign_in("guessed", "192.0.2.2"), 5, "failed-sign-in");
    site.assert_exact(&sign_in("expired", "192.0.2.3"), 5, "failed-sign-in");
    let locked_out = site.ask(&sign_in("right", "192.0.2.2"));
    assert_eq!(locked_out.status(), 429, "the right password after five wrong ones");
    // Five that succeed leave all five failures; ten sign-ins in all.
    let mut client = site.client();
    let asked = ["right", "right", "right", "right", "right", "a", "b", "c", "d", "e", "f"];
    let statuses =
        asked.map(|password| client.ask(&sign_in(password, "192.0.2.4")).unwrap().status());
    assert_eq!(statuses, [200, 200, 200, 200, 200, 401, 401, 401, 401, 401, 429]);
}

#[test]
fn api_keys_buy_requests_per_hour() {
    let site = Site::start();
    for (key, plan, quota) in KEYS {
        let request = get("/", "192.0.2.1").field("x-api-key", key);
        let first = site.ask(&request);
        assert_eq!(first.field("x-ratelimit-plan"), Some(plan));
        let policy = format!(r#""api-keys";q={quota};w=3600"#);
        assert_eq!(first.field("ratelimit-policy"), Some(policy.as_str()));
        let left = format!(r#""api-keys";r={};t=3600"#, quota - 1);
        assert_eq!(first.field("ratelimit"), Some(left.as_str()));
        if quota <= 1_000 {
            site.assert_exact(&request, quota - 1, "api-keys");
            let elsewhere = site.ask(&get("/", "192.0.2.2").field("x-api-key", key));
            assert_eq!(
                elsewhere.status(),
                429,
                "{plan}: a key has its quota at all addresses together"
            );
        }
    }
    let nobodys = site.ask(&get("/", "192.0.2.3").field("x-api-key", "guessed"));
    assert_eq!(nobodys.field("x-ratelimit-plan"), Some("anonymous"));
    assert_eq!(nobodys.field("ratelimit-policy"), Some(r#""general";q=1000;w=900"#));
}

#[test]
fn subscriptions_buy_requests_per_minute() {
    let site = Site::start();
    for (plan, quota) in [("free", 20), ("pro", 100), ("enterprise", 500)] {
        let request = bearing(get("/", "192.0.2.1"), &json!({"sub": "alice", "plan": plan}));
        site.assert_steady(&request, quota, MINUTE, "subscriptions");
        let other = bearing(get("/", "192.0.2.1"), &json!({"sub": "bob", "plan": plan}));
        let answer = site.ask(&other);
        assert_eq!((answer.status(), answer.field("x-ratelimit-plan")), (200, Some(plan)));
    }
}

#[test]
fn the_expensive_path_has_a_quota_per_hour_as_well() {
    let site = Site::start();
    for (plan, quota) in [("free", 10), ("pro", 100), ("enterprise", 1_000)] {
        let request =
            bearing(get("/analysis", "192.0.2.1"), &json!({"sub": "alice", "plan": plan}));
        let told = site.ask(&request).field("ratelimit").unwrap().to_owned();
        assert!(told.contains(&format!(r#""analysis";r={};t=3600"#, quota - 1)), "{told}");
        if quota <= 100 {
            let (n_admitted, _, refused) = site.spend(&request);
            let problem: Value = serde_json::from_str(&refused.text()).unwrap();
            let violated = problem["violated-policies"].as_array().unwrap();
            assert!(violated.contains(&json!("analysis")), "{violated:?}");
            assert_eq!(n_admitted, quota - 1, "{plan}");
        }
    }
}

#[test]
fn a_key_does_not_add_to_a_subscription() {
    let site = Site::start();
    let (key, ..) = KEYS[2];
    let request = bearing(get("/", "192.0.2.1"), &json!({"sub": "carol", "plan": "free"}));
    let answer = site.ask(&request.field("x-api-key", key));
    assert_eq!(answer.field("x-ratelimit-plan"), Some("free"));
    assert_eq!(answer.field("ratelimit-policy"), Some(r#""subscriptions";q=20;w=60"#));
}

#[test]
fn administrators_are_not_limited() {
    let site = Site::start();
    let mut client = site.client();
    let admin = bearing(sign_in("right", "192.0.2.1"), &json!({"roles": ["user", "admin"]}));
    for _ in 0..50 {
        let answer = client.ask(&admin).unwrap();
        assert_eq!((answer.status(), answer.field("ratelimit")), (200, None));
    }
    let user = bearing(sign_in("right", "192.0.2.1"), &json!({"roles": ["user"]}));
    site.assert_exact(&user.field("roles", "admin").field("x-roles", "admin"), 10, "sign-in");
}

#[test]
fn a_refused_client_is_told_what_to_do() {
    let site = Site::start();
    let (key, ..) = KEYS[0];
    let (_, _, refused) = site.spend(&get("/", "192.0.2.1").field("x-api-key", key));
    let seconds: u32 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&seconds), "{seconds}");
    assert_eq!(
        serde_json::from_str::<Value>(&refused.text()).unwrap(),
        json!({
            "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
            "title": "Quota exceeded",
            "status": 429,
            "detail": format!("The quota of \"api-keys\" is spent; come back in {seconds} s."),
            "violated-policies": ["api-keys"],
            "plan": "free",
            "upgrade": {"plans": ["standard", "pro"], "url": "https://example.com/plans"},
        })
    );
    assert_eq!(refused.field("x-ratelimit-limit"), Some("100"));
    assert_eq!(refused.field("x-ratelimit-remaining"), Some("0"));
}

/// A line of the file's comment, behind what stands before it.
fn comment(before: &str) -> String {
    let text = std::fs::read_to_string(root::root().join("envoy/rate-limit.yaml")).unwrap();
    let found = text.lines().find_map(|line| {
        line.trim_start_matches(['#', ' ']).strip_prefix(before).map(str::to_owned)
    });
    found.unwrap().trim().to_owned()
}

#[test]
fn the_examples_in_its_comments_work() {
    let site = Site::with(|_| ());
    let token = format!("eyJ{}", comment("eyJ"));
    let answer = site.ask(&get("/", "192.0.2.1").field("authorization", format!("Bearer {token}")));
    assert_eq!((answer.status(), answer.field("x-ratelimit-plan")), (200, Some("pro")));
    let keys = comment("API keys");
    for (key, ..) in KEYS {
        assert!(keys.contains(key), "{keys}");
    }
    let operations = site.envoy.listener("operations").unwrap();
    let state = Request::get("/weir/rate-limit/state?rule=subscriptions")
        .field("x-weir-token", comment("operations"))
        .field("authorization", format!("Bearer {token}"));
    assert_eq!(state.ask(operations).status(), 200);
}

#[test]
fn operators_see_on_a_listener_of_their_own_what_clients_spent() {
    let site = Site::start();
    let operations = site.envoy.listener("operations").unwrap();
    let with_token = |request: Request| request.field("x-weir-token", comment("operations"));
    let state =
        "/weir/rate-limit/state?method=POST&path=%2Flogin&address=192.0.2.1&rule=failed-sign-in";
    let remaining = || {
        let answer = with_token(Request::get(state)).ask(operations);
        let state: Value = serde_json::from_str(&answer.text()).unwrap();
        state["rules"][0]["limits"][0]["remaining"].as_u64()
    };
    assert_eq!(remaining(), Some(5));
    site.assert_exact(&sign_in("guessed", "192.0.2.1"), 5, "failed-sign-in");
    assert_eq!(remaining(), Some(0));
    let refused = "/weir/rate-limit/top?rule=failed-sign-in";
    let ranked = wait::until(MINUTE, || {
        let answer = with_token(Request::get(refused)).ask(operations);
        let top: Value = serde_json::from_str(&answer.text()).unwrap();
        (top["rules"][0]["refusals"] == 1).then_some(())
    });
    assert!(ranked.is_some(), "a refusal is ranked within a second");
    assert_eq!(Request::new("DELETE", state).ask(operations).status(), 401, "without the token");
    assert_eq!(with_token(Request::new("DELETE", state)).ask(operations).status(), 200);
    assert_eq!(
        site.ask(&sign_in("right", "192.0.2.1")).status(),
        200,
        "one address is let in again"
    );
    let answer = with_token(Request::get("/weir/rate-limit/rules"))
        .ask(site.envoy.listener("gateway").unwrap());
    assert_eq!(
        (answer.status(), answer.text().as_str()),
        (200, "in"),
        "the service's, not operations"
    );
    let metrics = site.envoy.prometheus("weir_rate_limit_requests_total").unwrap();
    let line = r#"weir_rate_limit_requests_total{rule="failed-sign-in",decision="limit"} 1"#;
    assert!(metrics.contains(line), "{metrics}");
}
