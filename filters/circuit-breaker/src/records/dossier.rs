//! What is known of one breaker besides its state: its name, and how requests failed that were its.
//!
//! **Shape**, little-endian, [`Layout::size`] bytes:
//!
//! | bytes | holds |
//! | --- | --- |
//! | 1, 1 and 64 | what its rule tells breakers apart by; length and text of the rule's name |
//! | 1, 1 and 128 | whether the scope was cut; its length and text |
//! | 8 each | when it was last written; until when an operator's hand holds it |
//! | 1 | how many failures follow |
//! | 8 times 8, 8, 4, 2, 1, 1, 1 and 32, 1 and 64 | latest first: wall time, flags, milliseconds, status, gRPC status or 255, what was bad, route, reason |

use kit::Nanos;
use kit::config::MAX_NAME;
use kit::table::Layout;

use crate::bytes::{Reader, Writer, cut};
use crate::config::{Per, Rule};
use crate::unit::Unit;

/// Failures that are kept: enough to see whether they are of one kind.
pub const N_FAILURES: usize = 8;

/// Bytes of a cluster's, route's or host's name that are kept, or of a key in words.
pub const MAX_SCOPE: usize = 128;

/// Bytes of a route's name that are kept of a failure.
pub const MAX_ROUTE: usize = 32;

/// Bytes of Envoy's details that are kept: up to and with the kind of a reset.
pub const MAX_REASON: usize = 64;

/// Bytes of one failure.
const FAILURE_SIZE: usize = 8 + 8 + 4 + 2 + 1 + 1 + 1 + MAX_ROUTE + 1 + MAX_REASON;

/// Added to the loss of a breaker that is named by the configuration: no number of keys pushes it out.
const LOSS_OF_NAMED: u64 = 1 << 63;

/// Stands for a call that is not gRPC.
const NO_GRPC: u8 = u8::MAX;

/// One breaker's dossier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dossier {
    /// The name of its rule.
    pub rule: Vec<u8>,
    /// What tells the breakers of the rule apart.
    pub per: Per,
    /// What it is for: a name, or a key in words; empty if it is for the whole rule, or the key is not to be seen.
    pub scope: Vec<u8>,
    /// Whether the scope was longer.
    pub is_cut: bool,
    /// When this was last written; monotonic.
    pub seen_at: Nanos,
    /// Until when an operator's hand holds it; zero if none does.
    pub held_until: Nanos,
    /// How requests failed, the latest first; at most [`N_FAILURES`].
    pub failures: Vec<Failure>,
}

/// How one request failed, or that it was slow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Wall-clock time of its end.
    pub at: Nanos,
    /// Whether it failed.
    pub has_failed: bool,
    /// Whether its answer began late.
    pub is_slow: bool,
    /// The status that the client got; none if it got no answer.
    pub status: Option<u16>,
    /// The upstream's gRPC status.
    pub grpc_status: Option<u32>,
    /// Envoy's response flags.
    pub flags: u64,
    /// How long the exchange took; up to 49 days.
    pub took: Nanos,
    /// The route's name.
    pub route: Vec<u8>,
    /// Envoy's details.
    pub reason: Vec<u8>,
}

impl Dossier {
    /// Of a breaker of which nothing is known but its name.
    pub(super) fn new(rule: &Rule, unit: &Unit) -> Self {
        let scope = unit.shown.text();
        Self {
            rule: rule.name.clone().into_bytes(),
            per: rule.per,
            is_cut: scope.len() > MAX_SCOPE,
            scope: cut(&scope, MAX_SCOPE).to_vec(),
            seen_at: Nanos::ZERO,
            held_until: Nanos::ZERO,
            failures: Vec::new(),
        }
    }

    /// Adds a failure; the oldest gives way.
    pub(super) fn add(&mut self, failure: Failure) {
        self.failures.truncate(N_FAILURES.saturating_sub(1));
        self.failures.insert(0, failure);
    }
}

/// How dossiers are kept: the same bytes whatever is configured.
#[derive(Debug, Clone, Copy)]
pub struct Packed;

impl Layout for Packed {
    type Entry = Dossier;

    fn version(&self) -> u32 {
        1
    }

    fn size(&self) -> usize {
        1 + 1 + MAX_NAME + 1 + 1 + MAX_SCOPE + 8 + 8 + 1 + N_FAILURES * FAILURE_SIZE
    }

    fn read(&self, bytes: &[u8]) -> Option<Dossier> {
        let mut from = Reader(bytes);
        let [per] = from.take().filter(|_| bytes.len() == self.size())?;
        let mut dossier = Dossier {
            per: *Per::ALL.get(usize::from(per))?,
            rule: from.text(MAX_NAME)?,
            is_cut: from.take()? != [0],
            scope: from.text(MAX_SCOPE)?,
            seen_at: from.nanos()?,
            held_until: from.nanos()?,
            failures: Vec::new(),
        };
        let [n_failures] = from.take()?;
        for _ in 0..usize::from(n_failures).min(N_FAILURES) {
            dossier.failures.push(read_failure(&mut from)?);
        }
        Some(dossier)
    }

    fn write(&self, dossier: &Dossier, bytes: &mut [u8]) {
        bytes.fill(0);
        let mut to = Writer(bytes);
        let per = Per::ALL.iter().position(|per| *per == dossier.per);
        to.put(&[per.and_then(|place| u8::try_from(place).ok()).unwrap_or(0)]);
        to.put_text(&dossier.rule, MAX_NAME);
        to.put(&[u8::from(dossier.is_cut)]);
        to.put_text(&dossier.scope, MAX_SCOPE);
        to.put(&dossier.seen_at.0.to_le_bytes());
        to.put(&dossier.held_until.0.to_le_bytes());
        let failures = dossier.failures.iter().take(N_FAILURES);
        to.put(&[u8::try_from(failures.len()).unwrap_or(0)]);
        for failure in failures {
            write_failure(failure, &mut to);
        }
    }

    /// A breaker that is held stays, then those with names, then keys; of each the one written last.
    fn loss(&self, dossier: &Dossier, now: Nanos) -> u64 {
        let seen = dossier.seen_at.0.max(1) & (LOSS_OF_NAMED - 1);
        match dossier.per {
            _ if dossier.held_until > now => u64::MAX,
            Per::Key => seen,
            Per::Cluster | Per::Route | Per::VirtualHost | Per::Rule => LOSS_OF_NAMED | seen,
        }
    }
}

fn write_failure(failure: &Failure, to: &mut Writer<'_>) {
    to.put(&failure.at.0.to_le_bytes());
    to.put(&failure.flags.to_le_bytes());
    to.put(&u32::try_from(failure.took.as_millis()).unwrap_or(u32::MAX).to_le_bytes());
    to.put(&failure.status.unwrap_or(0).to_le_bytes());
    let grpc_status = failure.grpc_status.and_then(|status| u8::try_from(status).ok());
    to.put(&[grpc_status.unwrap_or(NO_GRPC)]);
    to.put(&[u8::from(failure.has_failed) | u8::from(failure.is_slow) << 1]);
    to.put_text(&failure.route, MAX_ROUTE);
    to.put_text(&failure.reason, MAX_REASON);
}

fn read_failure(from: &mut Reader<'_>) -> Option<Failure> {
    let (at, flags) = (from.nanos()?, from.u64()?);
    let (took, status) = (Nanos::from_millis(from.u32()?.into()), from.u16()?);
    let [grpc_status, bad] = from.take()?;
    Some(Failure {
        at,
        has_failed: bad & 1 != 0,
        is_slow: bad & 2 != 0,
        status: (status != 0).then_some(status),
        grpc_status: (grpc_status != NO_GRPC).then_some(grpc_status.into()),
        flags,
        took,
        route: from.text(MAX_ROUTE)?,
        reason: from.text(MAX_REASON)?,
    })
}
