//! The filter: gathers what the policy needs, asks it, does what it says.

use std::rc::Rc;

use kit::callbacks::{Callback, Callbacks};
use kit::config::Fields;
use kit::exchange::{Attribute, Map};
use kit::headers::Headers;
use kit::{Exchange, Filter, Flow, Host, Nanos};

use crate::config::{self, Action, Config};
use crate::fill::{Budget, Fill};
use crate::http::freshness::Arrival;
use crate::http::reference;
use crate::http::request::{Method, Request, Treatment};
use crate::http::response::Response;
use crate::http::vary::{self, Vary};
use crate::meters::Meters;
use crate::policy::assume::{Assumptions, COMPARED};
use crate::policy::terms::Basis;
use crate::policy::{self, Leave, Verdict};
use crate::reply::{self, Mend};
use crate::signals::{Decision, Refusal};
use crate::store::index::Changed;
use crate::store::stored::Stored;
use crate::store::{Opened, Store};

/// The response cache of one worker.
#[derive(Debug)]
pub struct ResponseCache {
    config: Config,
    store: Store,
    budget: Budget,
    meters: Meters,
}

/// What the filter remembers of one exchange.
#[derive(Debug, Default)]
pub enum Stream {
    /// Not its business: never seen, another protocol, answered by itself, or finished with.
    #[default]
    Untouched,
    /// Answered from the store, with a field that Envoy is going to change.
    Answered(Mend),
    /// The request went on; its response is awaited.
    Forwarded(Box<Forwarded>),
    /// The response passes and is copied.
    Filling(Box<Fill>),
}

/// What is remembered of a request that went on.
#[derive(Debug)]
pub struct Forwarded {
    decision: Decision,
    /// The rule that let it be looked up.
    rule: Option<usize>,
    request: Request,
    headers: Rc<Headers>,
    asked: Nanos,
    /// Its response may be stored as far as the request is concerned.
    may_store: bool,
}

impl Filter for ResponseCache {
    const NAME: &'static str = "response-cache";

    const CALLBACKS: Callbacks = Callbacks::of(&[
        Callback::RequestHeaders,
        Callback::ResponseHeaders,
        Callback::ResponseBody,
        Callback::ResponseTrailers,
    ]);

    type Config = Config;
    type Stream = Stream;

    fn read(fields: &mut Fields<'_>) -> Config {
        config::read(fields)
    }

    fn new(config: Config, host: &dyn Host) -> Self {
        let meters = Meters::new(host, &config.rules);
        let (store, opened) = Store::open(host, &config.name, config.geometry());
        if opened == Opened::Empty {
            meters.reset(host);
        }
        Self { budget: Budget::new(config.fill_memory.0), store, meters, config }
    }

    fn summary(&self) -> Vec<String> {
        self.config.describe()
    }

    fn on_request_headers(&self, stream: &mut Stream, x: &dyn Exchange, end: bool) -> Flow {
        let headers = x.request();
        let request = Request::read(&headers);
        let (rule, verdict) = match request.treatment(end) {
            Treatment::Untouched => return Flow::Continue,
            Treatment::Forward(decision) => (None, Verdict::Forward(decision)),
            Treatment::LookUp => self.look_up(x, &request, &headers),
        };
        let (decision, flow) = match verdict {
            Verdict::Serve(stored) => {
                let reply =
                    reply::hit(&stored, &headers, x.now(), self.config.cache_status.is_on());
                if let Some(mend) = reply::mend(&reply) {
                    *stream = Stream::Answered(mend);
                }
                (Decision::Hit, reply.into_flow())
            }
            Verdict::Refuse => {
                let reply = reply::only_if_cached(self.config.cache_status.is_on());
                (Decision::OnlyIfCached, reply.into_flow())
            }
            Verdict::Forward(decision) => {
                let looked_up = !matches!(decision, Decision::Bypass | Decision::Method);
                let may_store = looked_up && request.method == Method::Get;
                let asked = if may_store { x.now() } else { Nanos::ZERO };
                *stream = Stream::Forwarded(Box::new(Forwarded {
                    decision,
                    rule,
                    request,
                    headers,
                    asked,
                    may_store,
                }));
                (decision, Flow::Continue)
            }
        };
        self.meters.decided(x.host(), rule, decision);
        x.note(Self::NAME, decision.as_str());
        flow
    }

    fn on_response_headers(&self, stream: &mut Stream, x: &dyn Exchange, end: bool) -> Flow {
        let forwarded = match std::mem::take(stream) {
            Stream::Forwarded(forwarded) => forwarded,
            Stream::Answered(mend) => {
                apply(&mend, x);
                return Flow::Continue;
            }
            Stream::Untouched | Stream::Filling(_) => return Flow::Continue,
        };
        if forwarded.request.method == Method::Unsafe {
            self.invalidate(x, &forwarded);
        }
        let storing = forwarded.may_store.then(|| self.begin(x, &forwarded));
        if self.config.cache_status.is_on() {
            let outcome =
                storing.as_ref().map(|begun| begun.as_ref().map(|_| ()).map_err(|why| *why));
            let value = reply::passing(forwarded.decision, outcome);
            x.add_header(Map::Response, "cache-status", value.as_bytes());
        }
        match storing {
            None => {}
            Some(Err(refusal)) => self.meters.refused(x.host(), refusal),
            Some(Ok(fill)) if end => self.finish(x, fill),
            Some(Ok(fill)) => *stream = Stream::Filling(Box::new(fill)),
        }
        Flow::Continue
    }

    fn on_response_body(
        &self,
        stream: &mut Stream,
        x: &dyn Exchange,
        size: usize,
        end: bool,
    ) -> Flow {
        let Stream::Filling(fill) = stream else { return Flow::Continue };
        if size > 0
            && let Err(refusal) = fill.make_room(size).and_then(|()| fill.push(&x.body(size), size))
        {
            *stream = Stream::Untouched;
            self.meters.refused(x.host(), refusal);
            return Flow::Continue;
        }
        if end && let Stream::Filling(fill) = std::mem::take(stream) {
            self.finish(x, *fill);
        }
        Flow::Continue
    }

    fn on_response_trailers(&self, stream: &mut Stream, x: &dyn Exchange) -> Flow {
        if let Stream::Filling(fill) = std::mem::take(stream) {
            self.finish(x, *fill);
        }
        Flow::Continue
    }
}

impl ResponseCache {
    /// Asks the rules, then the store.
    fn look_up(
        &self,
        x: &dyn Exchange,
        request: &Request,
        headers: &Headers,
    ) -> (Option<usize>, Verdict) {
        let matching = self.config.rules.iter().position(|rule| rule.matcher.matches(x));
        let rule = matching.and_then(|idx| self.config.rules.get(idx));
        let rule = rule.filter(|rule| rule.action == Action::Cache);
        let (Some(rule), Some(key)) = (rule, request.key.as_deref()) else {
            return (matching, Verdict::Forward(Decision::Bypass));
        };
        let now = x.now();
        let find = || self.store.find(x.host(), key, &cluster(x), headers, now);
        (matching, policy::decide(request, headers, &rule.terms.assumptions, now, find))
    }

    fn assumptions(&self, rule: Option<usize>) -> Assumptions {
        let rule = rule.and_then(|idx| self.config.rules.get(idx));
        rule.map(|rule| rule.terms.assumptions).unwrap_or_default()
    }

    /// Begins to copy the response that has just come, if it may be stored.
    fn begin(&self, x: &dyn Exchange, forwarded: &Forwarded) -> Result<Fill, Refusal> {
        let headers = x.response();
        let response = Response::read(&headers);
        // Most responses are refused by what they say: the clocks are for the others.
        if let Some(refusal) = policy::forbids(&forwarded.request, &response) {
            // A status that is not stored is often Envoy's or the breaker's: who answered says more.
            let is_local = refusal == Refusal::Status && !is_from_upstream(x);
            return Err(if is_local { Refusal::LocalReply } else { refusal });
        }
        let wall = x.host().wall().as_secs();
        let arrival = Arrival { asked: forwarded.asked, received: x.now(), wall };
        let leave = policy::judge(
            &forwarded.request,
            &forwarded.headers,
            &response,
            &self.assumptions(forwarded.rule),
            arrival,
        )?;
        if !is_from_upstream(x) {
            return Err(Refusal::LocalReply);
        }
        let stored = compose(forwarded, &cluster(x), &response, &headers, leave, arrival)?;
        let max_bytes = self.config.max_object.0;
        Fill::begin(stored, forwarded.asked, response.length, max_bytes, &self.budget)
    }

    /// Stores a response that has passed in whole.
    fn finish(&self, x: &dyn Exchange, fill: Fill) {
        let stored =
            fill.end().and_then(|(stored, asked)| self.store.put(x.host(), stored, asked, x.now()));
        match stored {
            Ok(changed) => self.meters.stored(x.host(), &changed),
            Err(refusal) => self.meters.refused(x.host(), refusal),
        }
    }

    /// Forgets what is stored for a URI that an unsafe request has changed, and for those of the same origin that
    /// its response names (RFC 9111, 4.4).
    fn invalidate(&self, x: &dyn Exchange, forwarded: &Forwarded) {
        let Some(key) = &forwarded.request.key else { return };
        let headers = x.response();
        let status = Response::read(&headers).status;
        if !(200..400).contains(&status) || !is_from_upstream(x) {
            return;
        }
        let mut keys = vec![key.clone()];
        for name in ["location", "content-location"] {
            let named = headers.get(name).and_then(|value| reference::resolve(key, value));
            keys.extend(named.filter(|named| !keys.contains(named)));
        }
        let mut all = Changed::default();
        for key in &keys {
            match self.store.invalidate(x.host(), key, x.now()) {
                Ok(changed) => all.add(&changed),
                Err(_contended_or_refused) => self.meters.refused(x.host(), Refusal::Store),
            }
        }
        self.meters.invalidated(x.host(), &all);
    }
}

fn apply(mend: &Mend, x: &dyn Exchange) {
    match mend {
        Mend::RemoveContentType => x.remove_header(Map::Response, "content-type"),
        Mend::SetContentType(value) => x.set_header(Map::Response, "content-type", value),
    }
}

/// What is stored, but for the body.
fn compose(
    forwarded: &Forwarded,
    cluster: &[u8],
    response: &Response,
    headers: &Headers,
    leave: Leave,
    arrival: Arrival,
) -> Result<Stored, Refusal> {
    let Vary::On(names) = &response.vary else { return Err(Refusal::Vary) };
    let names = if leave.basis == Basis::Assumed { &vary::merged(names, &COMPARED) } else { names };
    let Leave { freshness, basis } = leave;
    let key = forwarded.request.key.clone().ok_or(Refusal::Store)?;
    Ok(Stored {
        key,
        names: vary::names_bytes(names),
        variant: vary::variant_bytes(
            cluster,
            names,
            &forwarded.headers,
            &crate::key::normal::Normal::default(),
        ),
        received: freshness.received.0,
        initial_age: freshness.initial_age.0,
        lifetime: freshness.lifetime.0,
        for_authorized: response.directives.allows_authorized(),
        basis,
        status: response.status,
        fields: response.stored_fields(headers, arrival),
        asked: forwarded.asked.0,
        ..Stored::default()
    })
}

/// The cluster that the request goes to; empty if it goes to none.
fn cluster(x: &dyn Exchange) -> Rc<[u8]> {
    x.attribute(Attribute::Cluster).unwrap_or_default()
}

/// Whether the response is the upstream's own and not one that Envoy or another filter made.
fn is_from_upstream(x: &dyn Exchange) -> bool {
    x.attribute(Attribute::ResponseDetails).is_some_and(|details| *details == *b"via_upstream")
}
