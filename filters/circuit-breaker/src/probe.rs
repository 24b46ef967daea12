//! Probes of the filter's own: a GET that finds out whether an upstream is well, when no client's request is to.
//!
//! A worker that knows a breaker whose probe is due asks for a permit as a request would, so that never more probes are
//! out over all workers than configured; whoever gets it sends the GET, and its end is the outcome.
//! The permit comes back with the answer; if the worker dies or its configuration is replaced while the probe is out,
//! the permit runs out.
//!
//! Envoy itself answers a call whose upstream can not be reached or is late with 503 and 504,
//! so these two are never good answers.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use kit::exchange::{Answer, Call, CallId};
use kit::status::Statuses;
use kit::{Host, Nanos};

use crate::breaker::Ticket;
use crate::signals;
use crate::unit::Unit;

/// The request that a rule's probes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeRequest {
    /// Path and query.
    pub path: String,
    /// The cluster to ask; the breaker's own if there is none.
    pub cluster: Option<String>,
    /// `:authority`; the cluster's name if there is none.
    pub authority: Option<String>,
    /// After this the probe has failed.
    pub timeout: Nanos,
    /// The statuses of a good answer.
    pub expect: Statuses,
}

impl ProbeRequest {
    /// Whether this is the answer of an upstream that is well.
    pub fn is_good(&self, answer: &Answer) -> bool {
        status(answer).is_some_and(|status| self.expect.contains(status))
    }

    fn call(&self, scope: &str, number: u64) -> Call {
        let cluster = self.cluster.as_deref().unwrap_or(scope);
        let authority = self.authority.as_deref().unwrap_or(cluster);
        let headers = [
            (":method", "GET"),
            (":path", &self.path),
            (":authority", authority),
            ("user-agent", signals::PROBE_AGENT),
        ];
        Call {
            id: CallId { filter: signals::NAME, number },
            cluster: cluster.to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            body: Vec::new(),
            timeout: self.timeout,
        }
    }
}

/// The status of an answer, if there is one.
pub fn status(answer: &Answer) -> Option<u16> {
    match answer {
        Answer::Response { headers, .. } => headers.text(":status")?.parse().ok(),
        Answer::NoCluster | Answer::Failed => None,
    }
}

/// The probes that one worker has sent and not heard of: at most as many as there are permits.
#[derive(Debug, Default)]
pub struct Probes {
    next: Cell<u64>,
    out: RefCell<BTreeMap<u64, (Rc<Unit>, Ticket)>>,
}

impl Probes {
    /// Sends a probe for this breaker.
    pub fn send(&self, host: &dyn Host, request: &ProbeRequest, unit: Rc<Unit>, ticket: Ticket) {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        let call = request.call(&unit.scope, number);
        self.out.borrow_mut().insert(number, (unit, ticket));
        host.call(call);
    }

    /// Whose probe has ended; none if it is not known.
    pub fn ended(&self, id: CallId) -> Option<(Rc<Unit>, Ticket)> {
        self.out.borrow_mut().remove(&id.number)
    }
}
