use std::cell::RefCell;
use std::rc::Rc;

use kit::exchange::{Attribute, Map};
use kit::fake::{FakeExchange, FakeHost};
use kit::headers::Headers;
use kit::shared::UpdateError;
use kit::{Host, Nanos, config};
use serde_json::{Value, json};

use super::*;
use crate::signals::{Decision, Eviction, Refusal as Reason};
use crate::store::stored::Stored;
use crate::warming::{Added, Failure, Progress};

mod answers;
mod changes;

/// A cache of two rules that writes down what it was told to do.
#[derive(Default)]
struct Stub {
    did: RefCell<Vec<String>>,
    /// What every purge comes to.
    failure: Option<UpdateError>,
    /// Warming is off, or full.
    no_warming: Option<WarmError>,
    entries: Vec<Entry>,
    flight: Option<Flight>,
}

impl Stub {
    fn did(&self, what: String) {
        self.did.borrow_mut().push(what);
    }
}

impl Cache for Stub {
    fn names(&self) -> Vec<&str> {
        vec!["news", "rest"]
    }

    fn rules(&self) -> Vec<RuleInfo> {
        let rule = |name: &str, action| RuleInfo {
            name: name.to_owned(),
            action,
            matches: "every request".to_owned(),
            key: "the whole URL".to_owned(),
            terms: vec!["lifetime 5m where the origin states none".to_owned()],
        };
        vec![rule("news", "cache"), rule("rest", "bypass")]
    }

    fn resources(&self) -> Vec<&str> {
        vec!["articles"]
    }

    fn statistics(&self, _host: &dyn Host) -> Statistics {
        let rule = |rule: &str, decisions| RuleCounts {
            rule: rule.to_owned(),
            decisions,
            bytes_served: 100,
        };
        Statistics {
            entries: 2,
            max_entries: 64,
            bytes: 900,
            max_bytes: 1_000,
            rules: vec![
                rule("news", vec![(Decision::Hit, 2), (Decision::Miss, 1), (Decision::Bypass, 5)]),
                rule("none", vec![(Decision::Method, 1)]),
            ],
            stored: 1,
            refused: vec![(Reason::Private, 4), (Reason::Vary, 0)],
            evictions: vec![(Eviction::Space, 3)],
            invalidations: 6,
            others: vec![("refreshes", vec![("stored", 7)])],
        }
    }

    fn explain(&self, x: &dyn Exchange, _operator: &dyn Exchange) -> Explanation {
        let is_bypassed = x.request().get(":path") == Some(b"/admin");
        Explanation {
            decision: if is_bypassed { Decision::Bypass } else { Decision::Hit },
            why: is_bypassed.then(|| "no rule matches".to_owned()),
            rule: (!is_bypassed).then(|| ("news".to_owned(), "cache")),
            key: (!is_bypassed).then(|| "https://example.com/a".to_owned()),
            cluster: (!is_bypassed).then(|| "articles".to_owned()),
            entries: self.entries.clone(),
            flight: self.flight,
        }
    }

    fn tags_of(&self, request: &Headers) -> Result<Vec<Vec<u8>>, String> {
        let Some(value) = request.get("surrogate-key") else { return Ok(Vec::new()) };
        let tags: Vec<Vec<u8>> = value.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect();
        if value.is_empty() { Err("found no tag, name one".to_owned()) } else { Ok(tags) }
    }

    fn check(&self, target: &Target) -> Result<(), String> {
        if *target == Target::Pattern("[".to_owned()) {
            Err("no pattern".to_owned())
        } else {
            Ok(())
        }
    }

    fn purge(&self, _host: &dyn Host, target: &Target, mode: Mode) -> Result<Receipt, UpdateError> {
        self.did(format!("{} {target}", mode.word()));
        let entries = matches!(target, Target::Url(_)).then_some(2);
        self.failure.map_or(Ok(Receipt { entries }), Err)
    }

    fn purges(&self, _host: &dyn Host) -> Vec<PurgeInfo> {
        let what = "pattern https://example.com/**".to_owned();
        vec![PurgeInfo { what, mode: Mode::Soft, ago: Nanos::from_millis(1_500) }]
    }

    fn warm(&self, _host: &dyn Host, urls: &[String]) -> Result<Added, WarmError> {
        self.did(format!("warm {}", urls.join(" ")));
        self.no_warming.map_or(Ok(Added { added: 2, waiting_already: 1 }), Err)
    }

    fn stop_warming(&self, _host: &dyn Host) -> Result<u32, WarmError> {
        self.did("stop".to_owned());
        self.no_warming.map_or(Ok(3), Err)
    }

    fn warming(&self, _host: &dyn Host) -> Option<Progress> {
        self.no_warming.is_none().then(|| Progress {
            waiting: 1,
            ended: [1, 0, 2, 0, 0, 0],
            stored: 2,
            failures: vec![Failure { url: "https://a/".to_owned(), status: None }],
            ..Progress::default()
        })
    }
}

/// Whoever comes from 192.0.2.0/24 with the token `open sesame`.
fn access() -> Access {
    let object = json!({
        "path": "/weir/cache",
        "source": "192.0.2.0/24",
        "token_sha256": "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb",
    });
    config::read("test", &object, Access::read).unwrap()
}

fn exchange(method: &str, path: &str, headers: &[(&str, &str)]) -> FakeExchange {
    let x = FakeExchange::get(&FakeHost::default(), path, headers);
    x.set_header(Map::Request, ":method", method.as_bytes());
    x
}

const TOKEN: (&str, &str) = ("x-weir-token", "open sesame");

/// What this request below the prefix is answered.
fn ask_of(stub: &Stub, method: &str, endpoint: &str) -> Answer {
    let x = exchange(method, &format!("/weir/cache{endpoint}"), &[TOKEN]);
    answer(&access(), stub, &x, true).unwrap()
}

fn ask(method: &str, endpoint: &str) -> Value {
    body(&ask_of(&Stub::default(), method, endpoint))
}

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.reply.body).unwrap()
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let found = answer.reply.headers.iter().find(|(found, _)| found == name);
    found.map(|(_, value)| std::str::from_utf8(value).unwrap())
}
