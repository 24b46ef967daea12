//! The clients: threads that take tickets and send what is on them.

use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use ureq::Agent;
use ureq::http::Request;

use super::mix::{self, Kind};
use super::phase::Phase;
use super::tally::Answered;
use crate::stack::state::State;

/// How long a client waits for its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an impatient one does.
const IMPATIENCE: Duration = Duration::from_millis(100);
/// So many clients at least and at most; in between one for every so many requests a second.
const N_CLIENTS: (usize, usize) = (8, 128);
const REQUESTS_PER_CLIENT: usize = 4;
/// What POST, PUT and PATCH carry.
const BODY: &str = "{\"n\": 1}";

/// A request that is to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    /// Its number, from 0.
    pub(super) number: u64,
    /// The phase in which it is sent.
    pub(super) phase: Phase,
}

/// The running clients.
pub(super) struct Clients {
    tickets: SyncSender<Ticket>,
    answers: Receiver<Answered>,
    threads: Vec<JoinHandle<()>>,
    waiting: Arc<Mutex<usize>>,
}

impl Clients {
    /// Starts as many as this rate needs, answers being quick.
    pub(super) fn start(state: &State, rate: u16) -> Self {
        let n_clients = (usize::from(rate) / REQUESTS_PER_CLIENT).clamp(N_CLIENTS.0, N_CLIENTS.1);
        // As many tickets may wait as there are clients: who comes then finds all busy.
        let (tickets, waiting_tickets) = sync_channel::<Ticket>(n_clients);
        let waiting_tickets = Arc::new(Mutex::new(waiting_tickets));
        let (said, answers) = channel();
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let run = format!("traffic-{:x}", since.as_secs());
        let waiting = Arc::new(Mutex::new(0));
        let client = |_| {
            let (queue, said) = (Arc::clone(&waiting_tickets), said.clone());
            let (gateway, run) = (state.gateway.to_string(), run.clone());
            let waiting = Arc::clone(&waiting);
            std::thread::spawn(move || {
                let (patient, impatient) = (agent(PATIENCE), agent(IMPATIENCE));
                while let Some(ticket) = next(&queue) {
                    let request = mix::request(ticket.number, ticket.phase, &run);
                    let gives_up = request.kind == Kind::Impatient;
                    let agent = if gives_up { &impatient } else { &patient };
                    let answered = send(agent, &gateway, &request);
                    *waiting.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
                    if said.send(answered).is_err() {
                        return;
                    }
                }
            })
        };
        let threads = (0..n_clients).map(client).collect();
        Self { tickets, answers, threads, waiting }
    }

    /// Gives a ticket to the next free client; `false` if all are busy and enough tickets wait.
    pub(super) fn send(&self, ticket: Ticket) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_taken = self.tickets.try_send(ticket).is_ok();
        *waiting += usize::from(is_taken);
        is_taken
    }

    /// What was answered since the last look.
    pub(super) fn answered(&self) -> impl Iterator<Item = Answered> + '_ {
        self.answers.try_iter()
    }

    /// Whether no request is under way.
    pub(super) fn are_done(&self) -> bool {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) == 0
    }

    /// Lets the clients end when their tickets are served, and gives the last answers.
    pub(super) fn finish(self) -> impl Iterator<Item = Answered> {
        drop(self.tickets);
        for thread in self.threads {
            let _ = thread.join();
        }
        self.answers.into_iter()
    }
}

fn next(queue: &Mutex<Receiver<Ticket>>) -> Option<Ticket> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn agent(patience: Duration) -> Agent {
    // No proxy: the environment's is not for loopback.
    let config = Agent::config_builder().http_status_as_error(false).proxy(None);
    config.timeout_global(Some(patience)).build().into()
}

fn send(agent: &Agent, gateway: &str, request: &mix::Request) -> Answered {
    let started_at = Instant::now();
    let silent = Answered { kind: request.kind, ..Answered::default() };
    let mut built = Request::builder()
        .method(request.method)
        .uri(format!("http://{gateway}{}", request.target));
    if let Some(client) = &request.client {
        built = built.header("x-demo-run", client);
    }
    let has_body = matches!(request.method, "POST" | "PUT" | "PATCH");
    let outcome = if has_body {
        built.body(BODY).ok().and_then(|request| agent.run(request).ok())
    } else {
        built.body(()).ok().and_then(|request| agent.run(request).ok())
    };
    let Some(mut response) = outcome else {
        return Answered { took: started_at.elapsed(), ..silent };
    };
    let said = |name: &str| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (cache, breaker) = (said("cache-status"), said("x-weir-breaker"));
    // The whole answer counts, and the connection is used again.
    let is_whole = response.body_mut().with_config().limit(u64::MAX).read_to_vec().is_ok();
    Answered {
        status: is_whole.then(|| response.status().as_u16()),
        took: started_at.elapsed(),
        is_rejected: !breaker.is_empty(),
        is_hit: cache.contains("; hit"),
        ..silent
    }
}
