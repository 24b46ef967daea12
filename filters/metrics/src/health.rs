//! Whether this gateway lives and can serve: asked of Envoy's admin interface in the background, told to whoever asks.
//!
//! One worker asks for all: whoever's timer finds the last round over takes the next one, for as long as a round
//! lasts ([`report::Report::leased_until`]). If its VM is lost meanwhile, another takes the round after that.
//! What was said is shared, so that a check of a load balancer costs one value and no call.
//!
//! [`admin`] are the questions and answers, [`report`] is what is kept of them, [`readiness`] what follows from it.

pub mod admin;
pub mod readiness;
pub mod report;
pub mod settings;

use std::cell::Cell;
use std::hash::{Hash, Hasher};

use kit::exchange::{Answer, Call, CallId};
use kit::shared::{Change, UpdateError, update};
use kit::throttle::Throttle;
use kit::{Host, Nanos};

use crate::signals;
use admin::{Question, Said, Unusable};
use readiness::Reason;
use report::Report;
use settings::{Asking, Settings};

/// Health as one worker asks for it and tells it.
#[derive(Debug)]
pub struct Health {
    /// What the operator said.
    pub settings: Settings,
    key: String,
    asks_at: Cell<Nanos>,
    complaints: Throttle,
}

impl Health {
    /// Health of these settings; whoever has the same shares what is known.
    pub fn open(host: &dyn Host, settings: Settings) -> Self {
        let key = settings.asking.as_ref().map(key).unwrap_or_default();
        if settings.asking.is_some()
            && host.shared_get(&key).is_none()
            && let Err(error) = host.shared_set(&key, &Report::default().to_bytes(), None)
        {
            log::error!("metrics: health not prepared error={error}");
        }
        Self { settings, key, asks_at: Cell::default(), complaints: Throttle::default() }
    }

    /// Asks, if it is time and nobody else does.
    ///
    /// **Cost**: nothing but a clock reading most of the time; a get once an interval, and for one worker a set and
    /// three calls.
    pub fn tick(&self, host: &dyn Host) {
        let Some(asking) = &self.settings.asking else { return };
        let now = host.now();
        if now < self.asks_at.get() {
            return;
        }
        let lease = now.saturating_add(asking.interval);
        let taken = update(host, &self.key, |bytes| {
            let mut report = Report::read(bytes);
            // A lease longer than a lease can be is none.
            if report.leased_until > now && report.leased_until <= lease {
                return (Change::Keep, Err(report.leased_until));
            }
            report.leased_until = lease;
            report.rounds = report.rounds.saturating_add(1);
            *bytes = report.to_bytes();
            (Change::Store, Ok(report.rounds))
        });
        match taken.map(|taken| taken.value) {
            Ok(Ok(round)) => {
                self.asks_at.set(lease);
                self.ask(host, asking, round);
            }
            Ok(Err(leased_until)) => self.asks_at.set(leased_until),
            Err(error) => self.complain(host, &error),
        }
    }

    fn ask(&self, host: &dyn Host, asking: &Asking, round: u64) {
        for (question, idx) in Question::ALL.into_iter().zip(0..) {
            if question == Question::Clusters && asking.clusters.is_empty() {
                continue;
            }
            let headers = [
                (":method", "GET".to_owned()),
                (":path", question.path(&asking.clusters)),
                (":authority", "admin".to_owned()),
            ];
            host.call(Call {
                id: CallId { filter: signals::NAME, number: round * N_QUESTIONS + idx },
                cluster: asking.admin_cluster.clone(),
                headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(),
                body: Vec::new(),
                timeout: asking.timeout,
            });
        }
    }

    /// A call has ended: what it says is shared.
    pub fn answered(&self, host: &dyn Host, id: CallId, answer: &Answer) {
        let idx = usize::try_from(id.number % N_QUESTIONS).unwrap_or(0);
        let Some(question) = Question::ALL.get(idx) else { return };
        let said = match answer {
            Answer::NoCluster => Err(Unusable::NoCluster),
            Answer::Failed => Err(Unusable::None),
            Answer::Response { headers, body } => {
                let status = headers.text(":status").and_then(|status| status.parse().ok());
                question.read(status.unwrap_or(0), body)
            }
        };
        if let Err(error) = said {
            log::debug!("metrics: health unknown question={question:?} error={error}");
        }
        let now = host.now();
        let kept = update(host, &self.key, |bytes| {
            let mut report = Report::read(bytes);
            match said.clone() {
                Ok(Said::Clusters(clusters)) => report.clusters = Some((now, clusters)),
                Ok(Said::Server(server)) => report.server = Some((now, server)),
                Ok(Said::Memory(memory)) => report.memory = Some((now, memory)),
                Err(error) => {
                    report.failures = report.failures.saturating_add(1);
                    report.failed = Some((now, error.to_string()));
                }
            }
            *bytes = report.to_bytes();
            (Change::Store, ())
        });
        if let Err(error) = kept {
            self.complain(host, &error);
        }
    }

    /// What is known, whoever asked.
    ///
    /// **Cost**: one get; nothing where nothing is asked.
    pub fn report(&self, host: &dyn Host) -> Report {
        if self.settings.asking.is_none() {
            return Report::default();
        }
        host.shared_get(&self.key).map(|found| Report::read(&found.value)).unwrap_or_default()
    }

    /// What keeps the gateway from serving; nothing if it is ready.
    pub fn reasons(&self, report: &Report, now: Nanos) -> Vec<Reason> {
        readiness::reasons(self.settings.asking.as_ref(), report, now)
    }

    fn complain(&self, host: &dyn Host, error: &UpdateError) {
        if self.complaints.is_due(host.now()) {
            log::warn!("metrics: health not kept error={error}");
        }
    }
}

/// Numbers of calls that belong to one round: one for each question, and room.
const N_QUESTIONS: u64 = 4;

/// The shared name of what is known: the same for the same settings, another when they change.
///
/// Made of the operator's words alone, so there are as many as there were configurations.
fn key(asking: &Asking) -> String {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    asking.hash(&mut hasher);
    format!("weir/metrics/health/{:016x}", hasher.finish())
}

/// FNV-1a: the same in every VM, which the standard library's hasher does not promise.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
