//! The policies of `envoy/circuit-breaker.yaml` as they stand, each to its end.

use harness::client::Request;
use harness::gateway::PATIENCE;
use harness::http::Message;
use harness::origin::{Act, Origin};
use weir_testbed::envoy::{Envoy, Options};
use weir_testbed::{root, wait, yaml};

use crate::shipped::placed;

struct Site {
    envoy: Envoy,
    origin: Origin,
}

impl Site {
    /// The file before a service that fails below the paths that contain `ill`.
    fn start() -> Self {
        let origin = Origin::start(|request| {
            let is_ill = request.target().contains("ill");
            Act::response(if is_ill { 500 } else { 200 }, &[], request.target())
        });
        let file = root::root().join("envoy/circuit-breaker.yaml");
        let bootstrap = placed(yaml::read(&file).unwrap(), origin.address());
        let options = Options { workers: 2, ..Options::default() };
        let envoy = Envoy::start(&bootstrap, options).unwrap_or_else(|error| panic!("{error}"));
        Self { envoy, origin }
    }

    fn get(&self, target: &str) -> Message {
        Request::get(target).ask(self.envoy.listener("gateway").unwrap())
    }

    /// Fails as often as this; what the next request gets.
    fn after_failures(&self, n: u64, service: &str) -> Message {
        let target = format!("{service}ill");
        for n in 1..=n {
            let answer = self.get(&target);
            assert_eq!(answer.status(), 500, "{n}: {answer:?}");
        }
        assert_eq!(self.origin.hits_of(&target), n);
        // The log phase comes after the answer.
        let rejected = wait::until(PATIENCE, || {
            Some(self.get(&target)).filter(|answer| answer.field("x-weir-breaker").is_some())
        });
        rejected.unwrap_or_else(|| panic!("{service} stays closed"))
    }
}

#[test]
fn the_database_opens_after_five_failures_and_says_so() {
    let site = Site::start();
    let answer = site.after_failures(5, "/database/");
    assert_eq!(answer.status(), 503);
    assert!(answer.field("x-weir-breaker").unwrap().starts_with("database; reason=open"));
    let wait: u64 = answer.field("retry-after").unwrap().parse().unwrap();
    assert!((25..=33).contains(&wait), "{wait}");
    assert!(answer.text().contains("nothing was changed"), "{answer:?}");
    assert_eq!(site.get("/cache/a").status(), 200, "the others go on");
}

#[test]
fn the_cache_opens_after_ten_failures_and_is_then_empty() {
    let site = Site::start();
    let answer = site.after_failures(10, "/cache/");
    assert_eq!((answer.status(), answer.text().as_str()), (204, ""));
    assert_eq!(site.get("/database/a").status(), 200);
}

#[test]
fn the_crawler_opens_after_five_failures() {
    let site = Site::start();
    let answer = site.after_failures(5, "/crawler/");
    assert!(answer.field("x-weir-breaker").unwrap().starts_with("crawler; reason=open"));
    assert_eq!(site.get("/cache/a").status(), 200);
}

#[test]
fn every_other_cluster_has_the_defaults() {
    let site = Site::start();
    let answer = site.after_failures(5, "/");
    assert!(answer.field("x-weir-breaker").unwrap().starts_with("default; reason=open"));
    let wait: u64 = answer.field("retry-after").unwrap().parse().unwrap();
    assert!((55..=66).contains(&wait), "{wait}");
}
