//! Any sequence of requests against a model: an origin whose every answer says for whom it is.
#![cfg(test)]
#![cfg(not(target_arch = "wasm32"))]

mod play;

use kit::exchange::Map;
use kit::fake::{FakeExchange, FakeHost};
use kit::headers::Headers;
use kit::{Flow, Nanos};
use play::{Run, worker};
use proptest::prelude::*;
use weir_response_cache::ResponseCache;

const CONFIG: &str =
    r#"{"max_entries": 32, "max_bytes": "1MiB", "max_object": "1KiB", "max_variants": 2}"#;

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    Get { worker: usize, host: usize, path: usize, accept: usize, user: usize },
    Change { worker: usize, host: usize, path: usize },
    Wait { seconds: u64 },
}

const HOSTS: [&str; 4] = ["a.example", "A.example:443", "b.example", "a.example:80"];
const PATHS: [&str; 5] = ["/plain", "/vary", "/user", "/plain?a=/vary", "/short"];
const ACCEPTS: [&str; 4] = ["", "x", "y", "x, y"];
const USERS: [&str; 3] = ["", "ann", "bob"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..2_usize, 0..4_usize, 0..5_usize, 0..4_usize, 0..3_usize)
            .prop_map(|(worker, host, path, accept, user)| Step::Get { worker, host, path, accept, user }),
        1 => (0..2_usize, 0..4_usize, 0..5_usize).prop_map(|(worker, host, path)| Step::Change { worker, host, path }),
        1 => (1..40_u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// What the origin says for a path: its headers, and whether it looks at who asks and what they accept.
fn origin(path: &str) -> (Vec<(&'static str, &'static str)>, bool, bool) {
    match path {
        "/vary" => (vec![("cache-control", "max-age=60, public"), ("vary", "Accept")], true, false),
        "/user" => (vec![("cache-control", "max-age=60")], false, true),
        "/short" => (vec![("cache-control", "max-age=5, s-maxage=10")], false, false),
        _ => (vec![("cache-control", "max-age=60")], false, false),
    }
}

fn canonical(host: &str) -> String {
    host.to_ascii_lowercase().trim_end_matches(":443").to_owned()
}

struct World {
    host: FakeHost,
    workers: [ResponseCache; 2],
    /// How often each resource was changed.
    changes: std::collections::BTreeMap<(String, usize), u32>,
    n_hits: u32,
}

impl World {
    fn new() -> Self {
        let host = FakeHost::default();
        host.set_now(Nanos::from_secs(100));
        let workers = [worker(&host, CONFIG), worker(&host, CONFIG)];
        Self { host, workers, changes: std::collections::BTreeMap::new(), n_hits: 0 }
    }

    /// The only body that is right for this request now, whoever answers.
    fn body(&self, host: usize, path: usize, accept: usize, user: usize) -> Vec<u8> {
        let (_, by_accept, by_user) = origin(PATHS[path]);
        let n_changes = self.changes.get(&(canonical(HOSTS[host]), path)).copied().unwrap_or(0);
        let accept = if by_accept { ACCEPTS[accept] } else { "" };
        let user = if by_user { USERS[user] } else { "" };
        format!("{} {} [{accept}] [{user}] {n_changes}", canonical(HOSTS[host]), PATHS[path])
            .into_bytes()
    }

    fn get(
        &mut self,
        worker: usize,
        host: usize,
        path: usize,
        accept: usize,
        user: usize,
    ) -> Result<(), TestCaseError> {
        let mut headers = vec![
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", HOSTS[host]),
            (":path", PATHS[path]),
        ];
        if accept > 0 {
            headers.push(("accept", ACCEPTS[accept]));
        }
        if user > 0 {
            headers.push(("authorization", USERS[user]));
        }
        let expected = self.body(host, path, accept, user);
        let run = Run::request(&self.workers[worker], FakeExchange::new(&self.host, &headers));
        match &run.flow {
            Flow::Reply(reply) => {
                prop_assert_eq!(
                    String::from_utf8_lossy(&reply.body),
                    String::from_utf8_lossy(&expected)
                );
                self.n_hits += 1;
            }
            Flow::Continue | Flow::Pause => {
                // The origin marks what it made for one user, as RFC 9111 asks of it.
                let (mut fields, _, by_user) = origin(PATHS[path]);
                if by_user && user > 0 {
                    fields.push(("cache-control", "private"));
                }
                run.answer("200", &fields, &expected);
            }
        }
        self.host.advance(Nanos::MILLISECOND);
        Ok(())
    }

    fn change(&mut self, worker: usize, host: usize, path: usize) {
        let headers = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", HOSTS[host]),
            (":path", PATHS[path]),
        ];
        let mut run = Run::request(&self.workers[worker], FakeExchange::new(&self.host, &headers));
        *self.changes.entry((canonical(HOSTS[host]), path)).or_insert(0) += 1;
        run.headers("204", &[], "via_upstream", true);
        self.host.advance(Nanos::MILLISECOND);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever was asked before, by whom and of which worker: an answer from the store is the one the origin
    /// would give to this very request now.
    #[test]
    fn an_answer_from_the_store_is_never_another_requests(steps in prop::collection::vec(step(), 1..150)) {
        let mut world = World::new();
        for step in steps {
            match step {
                Step::Get { worker, host, path, accept, user } => world.get(worker, host, path, accept, user)?,
                Step::Change { worker, host, path } => world.change(worker, host, path),
                Step::Wait { seconds } => world.host.advance(Nanos::from_secs(seconds)),
            }
        }
    }
}

/// The model is no proof if nothing is ever served from the store.
#[test]
fn the_model_sees_hits() {
    let mut world = World::new();
    for _ in 0..2 {
        for path in 0..PATHS.len() {
            for accept in 0..2 {
                world.get(0, 0, path, accept, 0).unwrap();
                world.get(1, 1, path, accept, 0).unwrap();
            }
        }
    }
    assert!(world.n_hits > 20, "{}", world.n_hits);
    let x = FakeExchange::get(&world.host, "/", &[]);
    x.set_map(Map::Request, Headers::default());
    assert_eq!(
        Run::request(&world.workers[0], x).flow,
        Flow::Continue,
        "a request without any header"
    );
}
