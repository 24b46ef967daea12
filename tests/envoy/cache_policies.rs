//! The policies of `envoy/response-cache.yaml` and `envoy/response-cache-origin.yaml` as they stand, each to its end.
//!
//! Only what belongs to the machine is put in place of what the files say: ports and the service.
//! Nothing waits for time to pass: the service says how old its answers are.

use harness::client::Request;
use harness::gateway::PATIENCE;
use harness::http::Message;
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::envoy::{Envoy, Options};
use weir_testbed::{root, wait, yaml};

use crate::response_cache::status_of;
use crate::shipped::placed;

/// A running file before a service that answers as the request's path and its field `x-answer` say.
struct Site {
    envoy: Envoy,
    origin: Origin,
}

/// Answers with what the path and the credentials are, and with the fields of `x-answer`: `name=value|name=value`,
/// `:status` among them.
fn obedient(request: &Message) -> Act {
    let said = request.field("x-answer").unwrap_or_default().to_owned();
    let mut fields: Vec<(&str, &str)> =
        said.split('|').filter_map(|field| field.split_once('=')).collect();
    let status = fields.iter().find(|(name, _)| *name == ":status");
    let status = status.map_or(200, |(_, status)| status.parse().unwrap());
    fields.retain(|(name, _)| *name != ":status");
    let who = request.field("authorization").unwrap_or("nobody");
    let body = if status == 204 { String::new() } else { format!("{} {who}", request.target()) };
    Act::response(status, &fields, body)
}

impl Site {
    fn start(name: &str) -> Self {
        Self::with(name, |_| ())
    }

    fn with(name: &str, change: impl Fn(&mut Value)) -> Self {
        let origin = Origin::start(obedient);
        let file = root::root().join("envoy").join(name);
        let mut bootstrap = placed(yaml::read(&file).unwrap(), origin.address());
        change(&mut bootstrap["static_resources"]["listeners"]);
        let options = Options { workers: 2, ..Options::default() };
        let envoy = Envoy::start(&bootstrap, options).unwrap_or_else(|error| panic!("{error}"));
        Self { envoy, origin }
    }

    fn ask(&self, request: &Request) -> Message {
        request.ask(self.envoy.listener("gateway").unwrap())
    }

    /// A GET whose answer is to have these fields.
    fn get(&self, target: &str, answer: &str) -> Message {
        self.ask(&asking(target, answer))
    }

    /// For how many seconds the answer to this request is kept; `None` if the second one goes to the service too.
    fn lifetime(&self, request: &Request) -> Option<i64> {
        let before = self.origin.hits();
        self.ask(request);
        assert_eq!(self.origin.hits(), before + 1, "{request:?} was there already");
        let second = self.ask(request);
        let ttl = ttl(&second);
        assert_eq!(ttl.is_some(), self.origin.hits() == before + 1, "{second:?}");
        ttl
    }

    /// The first answer to this request comes from the service and the second from the store, good for this long.
    fn assert_kept(&self, request: &Request, seconds: i64) {
        let lifetime = self.lifetime(request);
        // Dates have whole seconds, so that an answer may be a little older than it is.
        let is_so = lifetime.is_some_and(|lifetime| (seconds - 3..=seconds).contains(&lifetime));
        assert!(is_so, "{request:?}: {lifetime:?} and not {seconds}");
    }

    fn assert_never_kept(&self, request: &Request) {
        assert_eq!(self.lifetime(request), None, "{request:?}");
    }

    /// Fetches what is stale when it comes; from then on it is served, and refreshed once and in the background.
    fn assert_refreshed_behind_the_clients_back(&self, target: &str, stale: &str) {
        let old = self.get(target, stale);
        let before = self.origin.hits();
        self.origin.play(|_| Act::response(200, &[("cache-control", "max-age=60")], "new"));
        let answer = self.get(target, stale);
        assert_eq!(answer.text(), old.text(), "{answer:?}");
        assert!(ttl(&answer).is_some_and(i64::is_negative), "{answer:?}");
        let new = wait::until(PATIENCE, || {
            Some(self.get(target, stale)).filter(|answer| answer.text() == "new")
        });
        assert!(new.as_ref().and_then(ttl).is_some_and(i64::is_positive), "{new:?}");
        assert_eq!(self.origin.hits(), before + 1, "one refresh");
        self.origin.play(obedient);
    }

    /// Fetches what is stale when it comes, and says what a client gets while the service is down.
    fn while_down(&self, request: &Request) -> Message {
        self.ask(request);
        self.origin.play(|_| Act::Cut(Vec::new()));
        let answer = self.ask(request);
        self.origin.play(obedient);
        answer
    }

    fn assert_served_while_down(&self, request: &Request) {
        let answer = self.while_down(request);
        assert_eq!(answer.status(), 200, "{answer:?}");
        assert!(status_of(&answer).contains("detail=stale_if_error"), "{answer:?}");
    }

    fn metric(&self, name: &str) -> u64 {
        let stats = self.envoy.stats("^wasmcustom").unwrap();
        stats.get(&format!("wasmcustom.{name}")).copied().unwrap_or(0)
    }
}

fn asking(target: &str, answer: &str) -> Request {
    Request::get(target).field("x-answer", answer)
}

fn bearing(request: Request, user: &str) -> Request {
    request.field("authorization", format!("Bearer {user}"))
}

/// How long a hit is good for; negative if it is stale.
fn ttl(answer: &Message) -> Option<i64> {
    let (_, ttl) = status_of(answer).split_once("hit; ttl=")?;
    Some(ttl.split(';').next()?.parse().unwrap())
}

fn policies() -> Site {
    Site::start("response-cache.yaml")
}

/// Ages of answers, each in a class that keeps them for 60 s, 5 minutes, 10 minutes or an hour.
const OF_ALL_STALE_CLASSES: [(&str, u64); 4] =
    [("/api/status", 60), ("/page", 300), ("/api/services/1", 600), ("/assets/logo", 3600)];

#[test]
fn only_get_is_answered_from_the_store_and_what_changes_something_is_heard() {
    let site = policies();
    for method in ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] {
        let target = format!("/page/{method}");
        for n in 1..=2 {
            site.ask(&Request::new(method, &target).body(""));
            assert_eq!(site.origin.hits_of(&target), n, "{method}");
        }
    }
    site.assert_kept(&Request::get("/page"), 300);
    site.ask(&Request::new("HEAD", "/page"));
    assert_eq!(site.origin.hits_of("/page"), 2, "HEAD asks the service");
    assert!(ttl(&site.ask(&Request::get("/page"))).is_some());
    site.ask(&Request::new("POST", "/page").body(""));
    assert_eq!(ttl(&site.ask(&Request::get("/page"))), None, "POST has changed it");
}

#[test]
fn only_2xx_is_kept_whatever_the_service_states() {
    let site = policies();
    for status in [200, 203, 204, 300, 301, 304, 308, 400, 404, 410, 451, 500, 501, 503] {
        for stated in ["", "|cache-control=max-age=120"] {
            for folder in ["/page", "/api/services", "/api/status", "/assets"] {
                let target = format!("{folder}/{status}{}", stated.len());
                let kept =
                    site.lifetime(&asking(&target, &format!(":status={status}{stated}"))).is_some();
                assert_eq!(kept, (200..300).contains(&status), "{target} {status} {stated}");
            }
        }
    }
}

#[test]
fn lifetimes_go_by_path_and_by_what_the_service_states_within_bounds() {
    let site = policies();
    let kept = [
        ("/page", "", Some(300)),
        ("/page/short", "cache-control=max-age=5", Some(60)),
        ("/page/own", "cache-control=max-age=120", Some(120)),
        ("/page/long", "cache-control=max-age=86400", Some(3600)),
        ("/page/secret", "cache-control=private", None),
        ("/page/once", "cache-control=no-store", None),
        ("/page/cookie", "set-cookie=id=1", None),
        ("/api/services", "", Some(600)),
        ("/api/services/1", "", Some(600)),
        ("/api/servicesx", "", Some(300)),
        ("/api/status", "", Some(60)),
        ("/api/prices/eur", "", Some(60)),
        ("/api/prices/usd", "cache-control=max-age=15", Some(15)),
        ("/api/prices/gbp", "cache-control=max-age=86400", Some(3600)),
        ("/assets/app.js", "", Some(3600)),
        ("/api/countries", "", Some(3600)),
        ("/assets/app.css", "cache-control=max-age=86400", Some(3600)),
    ];
    for (target, answer, expected) in kept {
        match expected {
            Some(seconds) => site.assert_kept(&asking(target, answer), seconds),
            None => site.assert_never_kept(&asking(target, answer)),
        }
    }
}

#[test]
fn cookies_keep_an_answer_out_unless_it_is_the_same_for_everybody() {
    let site = policies();
    let with_cookie = |target| Request::get(target).field("cookie", "session=1");
    for target in ["/page", "/api/services", "/api/status"] {
        site.assert_never_kept(&with_cookie(target));
    }
    site.assert_kept(&with_cookie("/assets/logo"), 3600);
    let stated = with_cookie("/page/stated").field("x-answer", "cache-control=max-age=120");
    site.assert_kept(&stated, 120);
}

#[test]
fn private_areas_and_authorised_requests_are_never_kept() {
    let site = policies();
    let public = "cache-control=public, max-age=600";
    for target in ["/api/admin", "/api/admin/users", "/api/auth", "/api/auth/token?a=b"] {
        site.assert_never_kept(&asking(target, public));
        site.assert_never_kept(&bearing(asking(target, public), "alice"));
    }
    for target in ["/page", "/api/services", "/api/status", "/assets/logo"] {
        site.assert_never_kept(&bearing(asking(target, public), "alice"));
        assert!(site.lifetime(&asking(target, public)).is_some());
        let answer = site.ask(&bearing(asking(target, public), "alice"));
        assert_eq!(answer.text(), format!("{target} Bearer alice"), "not what others got");
    }
}

#[test]
fn user_data_is_kept_for_its_user_alone() {
    let site = policies();
    for target in ["/api/me", "/api/me/orders?page=2"] {
        site.assert_never_kept(&Request::get(target));
        site.assert_kept(&bearing(Request::get(target), "alice"), 60);
        site.assert_kept(&bearing(Request::get(target), "bob"), 60);
        for user in ["alice", "bob"] {
            let answer = site.ask(&bearing(Request::get(target), user));
            assert_eq!(answer.text(), format!("{target} Bearer {user}"));
        }
    }
    // Stale for 40 s: nobody gets it while the service is there, its user does while it is not.
    let stale = bearing(asking("/api/me/stale", "cache-control=max-age=60|age=100"), "alice");
    site.assert_never_kept(&stale);
    site.assert_served_while_down(&stale);
    site.origin.play(|_| Act::Cut(Vec::new()));
    assert_eq!(site.ask(&bearing(Request::get("/api/me/stale"), "bob")).status(), 503);
}

#[test]
fn what_is_stale_is_served_for_ten_minutes_while_it_is_refreshed() {
    let site = policies();
    for (target, lifetime) in OF_ALL_STALE_CLASSES {
        let stated = format!("cache-control=max-age={lifetime}");
        let of = |seconds: u64| format!("{stated}|age={}", lifetime + seconds);
        site.assert_refreshed_behind_the_clients_back(target, &of(500));
        let too_old = format!("{target}?too-old");
        site.assert_never_kept(&asking(&too_old, &of(601)));
    }
    let refreshed = "weir_response_cache_refreshes_total;result=answered";
    let n = wait::until(PATIENCE, || (site.metric(refreshed) == 4).then_some(()));
    assert!(n.is_some(), "{} refreshes were answered", site.metric(refreshed));
}

#[test]
fn what_is_stale_is_served_for_ten_minutes_while_the_service_fails() {
    let site = policies();
    for (target, lifetime) in OF_ALL_STALE_CLASSES {
        // Kept for its errors alone: a refresh in the background would answer first.
        let stated = format!("cache-control=max-age={lifetime}, stale-while-revalidate=0");
        let of = |seconds: u64| format!("{stated}|age={}", lifetime + seconds);
        site.assert_served_while_down(&asking(target, &of(500)));
        let too_old = site.while_down(&asking(&format!("{target}?too-old"), &of(601)));
        assert_eq!(too_old.status(), 503, "{target}: {too_old:?}");
        let strict = asking(
            &format!("{target}?strict"),
            &format!("etag=\"1\"|cache-control=must-revalidate, max-age={lifetime}|age={lifetime}"),
        );
        let strict = site.while_down(&strict);
        assert_eq!(strict.status(), 503, "{target}: {strict:?}");
    }
}

#[test]
fn operators_purge_a_resource_by_its_name_from_this_machine_alone() {
    let site = policies();
    let (services, page) = (Request::get("/api/services/1"), Request::get("/page"));
    for purge in ["resource=services", "tag=services"] {
        site.ask(&services);
        site.ask(&page);
        let purged = site.ask(&Request::new("DELETE", &format!("/weir/entries?{purge}")));
        assert_eq!(purged.status(), 200, "{purged:?}");
        assert!(ttl(&site.ask(&page)).is_some(), "{purge}");
        assert_eq!(ttl(&site.ask(&services)), None, "{purge}");
    }
    let stats = site.ask(&Request::get("/weir/stats"));
    assert!(serde_json::from_str::<Value>(&stats.text()).unwrap().is_object(), "{stats:?}");
    let behind_a_proxy = Site::with("response-cache.yaml", |listeners| {
        listeners[0]["filter_chains"][0]["filters"][0]["typed_config"]["xff_num_trusted_hops"] =
            json!(1);
    });
    let stranger = Request::get("/weir/stats").field("x-forwarded-for", "192.0.2.1");
    assert_eq!(behind_a_proxy.ask(&stranger).status(), 403);
}

fn origin_alone() -> Site {
    Site::start("response-cache-origin.yaml")
}

#[test]
fn with_the_services_word_alone_nothing_is_kept_unless_it_says_so() {
    let site = origin_alone();
    let kept = [
        ("/silent", "", None),
        ("/dated", "last-modified=Sun, 06 Nov 1994 08:49:37 GMT", None),
        ("/private", "cache-control=private, max-age=60", None),
        ("/no-store", "cache-control=no-store", None),
        ("/no-cache", "cache-control=no-cache, max-age=60", None),
        ("/over", "cache-control=max-age=0", None),
        ("/stated", "cache-control=max-age=15", Some(15)),
        ("/long", "cache-control=max-age=864000", Some(864_000)),
        ("/shared", "cache-control=max-age=5, s-maxage=50", Some(50)),
        ("/404", ":status=404|cache-control=max-age=50", Some(50)),
        ("/targeted", "cache-control=no-store|cdn-cache-control=max-age=50", Some(50)),
        ("/not-here", "cache-control=max-age=50|cdn-cache-control=no-store", None),
        ("/api/admin", "cache-control=max-age=50", Some(50)),
    ];
    for (target, answer, expected) in kept {
        match expected {
            Some(seconds) => site.assert_kept(&asking(target, answer), seconds),
            None => site.assert_never_kept(&asking(target, answer)),
        }
    }
    let authorised = |target, answer| bearing(asking(target, answer), "alice");
    site.assert_never_kept(&authorised("/authorised", "cache-control=max-age=50"));
    let public = authorised("/authorised/public", "cache-control=public, max-age=50");
    site.assert_kept(&public, 50);
}

#[test]
fn with_the_services_word_alone_what_is_stale_is_served_as_long_as_it_says() {
    let site = origin_alone();
    let graced = "cache-control=max-age=60, stale-while-revalidate=100|age=100";
    site.assert_refreshed_behind_the_clients_back("/graced", graced);
    site.assert_never_kept(&asking("/plain", "cache-control=max-age=60|age=100"));
    let forgiving = "cache-control=max-age=60, stale-if-error=100|age=100";
    site.assert_served_while_down(&asking("/forgiving", forgiving));
    let plain = site.while_down(&asking("/plain", "etag=\"1\"|cache-control=max-age=60|age=100"));
    assert_eq!(plain.status(), 503, "{plain:?}");
    site.assert_kept(&asking("/changed", "cache-control=max-age=60"), 60);
    site.ask(&Request::new("POST", "/changed").body(""));
    site.assert_never_kept(&asking("/changed", "cache-control=no-store"));
}
