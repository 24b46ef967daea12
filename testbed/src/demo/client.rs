//! The story's HTTP client: several connections, and a memory of what went through the gateway.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

use crate::stack::state::State;

/// So many connections take turns, so that more than one worker of Envoy has its share.
const CONNECTIONS: usize = 6;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// One answer.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, as text.
    pub body: String,
}

impl Seen {
    /// The value of a header, empty when it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The instance that answered; empty when none did.
    #[must_use]
    pub fn instance(&self) -> &str {
        self.header("x-upstream")
    }

    /// Status and the headers that matter to the story, in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = self.status.to_string();
        for name in [
            "x-upstream",
            "retry-after",
            "age",
            "cache-status",
            "x-weir-rate-limit",
            "x-weir-breaker",
        ] {
            if !self.header(name).is_empty() {
                line.push_str(&format!(", {name}: {}", self.header(name)));
            }
        }
        line
    }

    /// Says what is wrong if the status is another.
    ///
    /// # Errors
    /// It is.
    pub fn expect(&self, status: u16) -> Result<(), String> {
        let body = self.body.lines().next().unwrap_or_default();
        if self.status == status {
            Ok(())
        } else {
            Err(format!("expected {status}, got {} ({body})", self.line()))
        }
    }
}

/// One request that went through the gateway, as the counters see it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sent {
    /// The first segment of its path.
    pub route: String,
    /// The status of its answer.
    pub status: u16,
    /// Whether the cache answered from its store.
    pub is_hit: bool,
    /// Whether the breaker answered.
    pub is_rejected: bool,
}

/// Speaks to the gateway and to the instances behind it.
#[derive(Debug)]
pub struct Client {
    /// Where everything is.
    pub state: State,
    /// A word that no other run has: part of keys and URLs.
    pub run: String,
    connections: Vec<Agent>,
    turn: Cell<usize>,
    sent: RefCell<BTreeMap<Sent, u64>>,
}

impl Client {
    /// A client for a running stack.
    #[must_use]
    pub fn new(state: &State) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            state: state.clone(),
            run: format!("run-{:x}-{:x}", since.as_millis(), std::process::id()),
            connections: (0..CONNECTIONS).map(|_| agent()).collect(),
            turn: Cell::new(0),
            sent: RefCell::default(),
        }
    }

    /// GETs a path through the gateway.
    ///
    /// # Errors
    /// There is no answer.
    pub fn get(&self, path: &str) -> Result<Seen, String> {
        self.get_with(path, &[])
    }

    /// GETs a path through the gateway with these headers.
    ///
    /// # Errors
    /// There is no answer.
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Result<Seen, String> {
        let turn = self.turn.replace(self.turn.get().wrapping_add(1));
        let agent = self.connections.get(turn % CONNECTIONS).ok_or("no connection")?;
        let mut request = agent.get(format!("http://{}{path}", self.state.gateway));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let seen = seen(request.call()).map_err(|why| format!("GET {path}: {why}"))?;
        let sent = Sent {
            route: path.split(['/', '?']).nth(1).unwrap_or_default().to_owned(),
            status: seen.status,
            is_hit: seen.header("cache-status").contains("hit"),
            is_rejected: !seen.header("x-weir-breaker").is_empty(),
        };
        *self.sent.borrow_mut().entry(sent).or_default() += 1;
        Ok(seen)
    }

    /// How many requests went through the gateway, of those that `counts` picks.
    pub fn n_sent(&self, counts: impl Fn(&Sent) -> bool) -> u64 {
        let sent = self.sent.borrow();
        sent.iter().filter(|(sent, _)| counts(sent)).map(|(_, n)| n).sum()
    }

    /// Switches the behaviour of an instance, counted from 1.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub fn switch(&self, instance: usize, change: &Value) -> Result<(), String> {
        let url = format!("http://{}/_control", self.instance(instance)?);
        seen(agent().post(url).send(change.to_string()))?.expect(200)
    }

    /// How many requests to this path the instances have seen, all together.
    ///
    /// # Errors
    /// One does not answer.
    pub fn n_arrived(&self, path: &str) -> Result<u64, String> {
        let mut n_arrived = 0;
        for address in &self.state.upstreams {
            let counts: Value = json(*address, "/_control/counts")?;
            n_arrived += counts
                .get("paths")
                .and_then(|paths| paths.get(path))
                .and_then(Value::as_u64)
                .unwrap_or(0);
        }
        Ok(n_arrived)
    }

    fn instance(&self, number: usize) -> Result<SocketAddr, String> {
        let address = number.checked_sub(1).and_then(|idx| self.state.upstreams.get(idx));
        address.copied().ok_or_else(|| format!("there is no instance {number}"))
    }
}

/// What a GET of this path answers, read as JSON.
///
/// # Errors
/// There is no answer, it is not 200, or no JSON.
pub fn json(address: SocketAddr, path: &str) -> Result<Value, String> {
    let text = text(address, path)?;
    serde_json::from_str(&text).map_err(|e| format!("http://{address}{path}: {e}"))
}

/// What a GET of this path answers.
///
/// # Errors
/// There is no answer, or it is not 200.
pub fn text(address: SocketAddr, path: &str) -> Result<String, String> {
    let url = format!("http://{address}{path}");
    let seen = seen(agent().get(&url).call()).map_err(|why| format!("{url}: {why}"))?;
    seen.expect(200).map_err(|why| format!("{url}: {why}"))?;
    Ok(seen.body)
}

fn agent() -> Agent {
    // No proxy: the environment's is not for loopback.
    let config = Agent::config_builder().http_status_as_error(false).proxy(None);
    config.timeout_global(Some(PATIENCE)).build().into()
}

fn seen(response: Result<Response<Body>, ureq::Error>) -> Result<Seen, String> {
    let mut response = response.map_err(|e| e.to_string())?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    // Prometheus' text of a large Envoy passes the library's 10 MB.
    let body = response
        .body_mut()
        .with_config()
        .limit(64 << 20)
        .read_to_string()
        .map_err(|e| e.to_string())?;
    Ok(Seen { status, headers, body })
}
