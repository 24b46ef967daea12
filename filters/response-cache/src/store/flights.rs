//! Requests under way for one key: one goes to the origin, the others wait for it.
//!
//! **What it answers**: may this request go to the origin, or does another one of any worker already fetch
//! the same? Of all that ask for a key, one leads; the others pause and are woken when it has landed.
//! A key whose answer can not be stored is remembered for a while, so that nobody waits in vain (hit-for-miss).
//!
//! **How it is decided**: a fixed table of buckets in shared data ([`board`]); every question and every landing is
//! one compare-and-swap of a bucket. A question before the landing stands on the list that the landing takes;
//! a question after it sees that it has landed, and looks into the store once more. So no wake-up is lost,
//! and who looked into the store too early does not fetch again.
//!
//! **How long anybody waits**: for one flight. Who has waited and finds nothing for itself goes to the origin at once,
//! beside the others that waited, whoever else may fetch the key by then. One exception: if the leader went before
//! anything was known, the first of those who waited takes its place, and the others wait for that one too.
//!
//! **When something dies**: a leader that never lands is overdue after [`Limits::timeout`], and the next to ask leads.
//! Who waits has an alarm on its own worker: [`Flights::on_tick`] wakes it when the leader is overdue or its own time
//! is over, again and again until it has asked. So nobody waits longer than the timeout and one tick,
//! whatever message was lost. A stream that is gone may be woken: nothing happens.
//!
//! **When the origin is ill**: failed flights wake everybody, and one of them tries again. After
//! [`board::MAX_FAILURES`] failures in a row all go to the origin by themselves for a second, as without a cache.
//!
//! **What the caller owes**: a filter that waits has the callbacks `QueueReady` and `Tick`; who leads lands in every
//! case, in `on_log` at the latest; who waits and ends calls [`Flights::leave`].
//!
//! **Memory**: [`N_BUCKETS`] times [`board::MAX_SIZE`], about 5 MB, if 2,048 streams wait in each; a full bucket lets pass.

pub mod board;
mod joined;

pub use joined::{Flight, Joined, Landing, Status, Waiting, Why};

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use kit::Host;
use kit::exchange::Waker;
use kit::hash::Tag;
use kit::shared::{Change, update};
use kit::units::Nanos;

use board::{Answer, Ask, Board};

/// Buckets of the table.
///
/// One for each value of a byte. Keys that share a bucket only cost each other retries of a compare-and-swap.
pub const N_BUCKETS: u32 = 256;

/// Streams of one worker that wait at the same time; the next ones pass.
pub const MAX_WAITING_HERE: usize = 16_384;

/// Flights that a stream counts as having waited for whose answer turned out to be another's: it waits for none more.
const MOVED: u8 = 2;

/// The bounds of waiting and remembering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a stream waits, and how long a flight may take before another one starts. Not zero.
    pub timeout: Nanos,
    /// How long it is remembered that the answer for a key can not be stored. Not zero.
    pub remember: Nanos,
    /// Streams that wait for one flight; the next ones pass.
    pub max_waiting: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { timeout: Nanos::from_secs(5), remember: Nanos::from_secs(10), max_waiting: 1_024 }
    }
}

/// One worker's view of all flights.
#[derive(Debug)]
pub struct Flights {
    prefix: String,
    limits: Limits,
    last_token: Cell<u64>,
    /// The streams of this worker that wait, and when each is to be woken at the latest.
    alarms: RefCell<BTreeMap<Waker, Nanos>>,
}

impl Flights {
    /// Opens the table of this name, and makes its buckets where they do not exist yet:
    /// a bucket that is missing would take the changes of two workers at once.
    ///
    /// **Cost**: one get per bucket, and one set the first time.
    pub fn open(host: &dyn Host, name: &str, limits: Limits) -> Self {
        let this = Self {
            prefix: format!("weir/response-cache/{name}/f"),
            limits,
            last_token: Cell::new(host.random()),
            alarms: RefCell::default(),
        };
        let mut refused = None;
        for bucket in 0..N_BUCKETS {
            let bucket = this.bucket_name(bucket);
            if host.shared_get(&bucket).is_none() {
                refused = host.shared_set(&bucket, &Board::default().write(), None).err();
            }
        }
        if let Some(error) = refused {
            log::warn!("response-cache: requests are not collapsed: {error}");
        }
        this
    }

    /// Asks for a key for the first time, after a look into the store that found nothing.
    ///
    /// `key` stands for what one answer can serve: the primary key and, once a response with `Vary` is stored,
    /// the values of its fields too, so that one variant does not wait for another.
    ///
    /// **Cost**: one get, and one set unless it passes.
    pub fn join(&self, host: &dyn Host, key: Tag, me: Waker, now: Nanos) -> Joined {
        let until = now + self.limits.timeout;
        self.ask(host, Waiting { key, me, until, seen: 0, waited: 0 }, now)
    }

    /// Asks again, after a further look into the store that found nothing; the time to wait goes on.
    ///
    /// `key` may be another one than before, if the look has shown what the answers vary on.
    ///
    /// **Cost**: as [`Flights::join`]; one more get if the key has changed.
    pub fn rejoin(&self, host: &dyn Host, waiting: Waiting, key: Tag, now: Nanos) -> Joined {
        if now >= waiting.until {
            self.leave(host, &waiting);
            return Joined::Pass(Why::TimedOut);
        }
        if key == waiting.key {
            return self.ask(host, waiting, now);
        }
        self.leave(host, &waiting);
        // What it waited for was another's answer: it does not stand in the next queue.
        let waited = if waiting.waited > 0 { MOVED } else { 0 };
        self.ask(host, Waiting { key, seen: 0, waited, ..waiting }, now)
    }

    fn ask(&self, host: &dyn Host, mut waiting: Waiting, now: Nanos) -> Joined {
        let Waiting { key, me, .. } = waiting;
        // What an earlier question has set; set anew below if it waits on.
        self.alarms.borrow_mut().remove(&me);
        let token = self.next_token();
        let ask = Ask {
            key: key.to_bytes(),
            me: Some(me),
            seen: waiting.seen,
            waited: waiting.waited,
            token,
            until: now + self.limits.timeout,
        };
        let can_wait = me.queue != 0 && self.alarms.borrow().len() < MAX_WAITING_HERE;
        let asked = if can_wait { ask } else { Ask { me: None, ..ask } };
        let mut is_entered = false;
        let answer = self.change(host, ask.key, |board| {
            let (change, answer) = board.ask(&asked, self.limits, now);
            is_entered = change == Change::Store;
            (change, answer)
        });
        match answer.unwrap_or(Answer::Pass(Why::Store)) {
            Answer::Lead => Joined::Lead(Flight { key: ask.key, token }),
            Answer::Wait(overdue) => {
                self.alarms.borrow_mut().insert(me, overdue.min(waiting.until));
                waiting.waited = waiting.waited.saturating_add(u8::from(is_entered));
                Joined::Wait(waiting)
            }
            Answer::Landed(token) => Joined::Landed(Waiting { seen: token, ..waiting }),
            Answer::Pass(Why::UnderWay) if me.queue == 0 => Joined::Pass(Why::Unwakeable),
            Answer::Pass(Why::UnderWay) => Joined::Pass(Why::Full),
            Answer::Pass(why) => Joined::Pass(why),
        }
    }

    /// A flight has ended: tells the others, and wakes who waits.
    ///
    /// Nothing goes wrong if it is overdue and another has started meanwhile: what it found still counts.
    ///
    /// **Cost**: one get, one set, and one message per stream that waits.
    #[expect(clippy::needless_pass_by_value, reason = "a flight lands once")]
    pub fn land(&self, host: &dyn Host, flight: Flight, how: Landing, now: Nanos) {
        let Flight { key, token } = flight;
        self.tell(host, key, token, how, now);
    }

    /// The answer of a request that was [let pass](Joined::Pass) is stored: what was remembered is no longer so.
    ///
    /// **Cost**: as [`Flights::land`].
    pub fn stored(&self, host: &dyn Host, key: Tag, now: Nanos) {
        self.tell(host, key.to_bytes(), self.next_token(), Landing::Stored, now);
    }

    fn tell(&self, host: &dyn Host, key: [u8; 16], token: u64, how: Landing, now: Nanos) {
        let woken = self.change(host, key, |board| board.land(key, token, how, self.limits, now));
        // Whom no message reaches is woken by its alarm.
        for waker in woken.unwrap_or_default() {
            host.wake(&waker);
        }
    }

    /// Leave to refresh a key in the background, for this long: one at a time over all workers,
    /// none while a request fetches it anyway, and none while the last answer is remembered as useless.
    ///
    /// Requests that need the answer meanwhile wait for it.
    ///
    /// **Cost**: one get, and one set if it is granted.
    pub fn refreshing(
        &self,
        host: &dyn Host,
        key: Tag,
        lease: Nanos,
        now: Nanos,
    ) -> Option<Flight> {
        let (key, token) = (key.to_bytes(), self.next_token());
        let ask = Ask { key, me: None, seen: 0, waited: 0, token, until: now + lease };
        match self.change(host, key, |board| board.ask(&ask, self.limits, now))? {
            Answer::Lead => Some(Flight { key, token }),
            Answer::Wait(_) | Answer::Landed(_) | Answer::Pass(_) => None,
        }
    }

    /// A stream that waits has ended, or goes on without asking again, such as when it was served.
    ///
    /// **Cost**: one get, and one set if its flight has not landed.
    pub fn leave(&self, host: &dyn Host, waiting: &Waiting) {
        self.alarms.borrow_mut().remove(&waiting.me);
        let key = waiting.key.to_bytes();
        self.change(host, key, |board| (board.leave(key, waiting.me), ()));
    }

    /// Wakes the streams of this worker whose leader is overdue or whose time is over; how many.
    ///
    /// Each is woken on every tick until it asks again or leaves.
    ///
    /// **Cost**: no shared data; looks at every stream that waits here.
    pub fn on_tick(&self, host: &dyn Host, now: Nanos) -> usize {
        let mut alarms = self.alarms.borrow_mut();
        let mut n_woken: usize = 0;
        // Nothing waits longer than its timeout: what has not asked by twice that is gone without a word.
        alarms.retain(|waker, at| {
            if *at <= now {
                host.wake(waker);
                n_woken = n_woken.saturating_add(1);
            }
            now < *at + self.limits.timeout
        });
        n_woken
    }

    /// Streams of this worker that wait.
    pub fn waiting_here(&self) -> usize {
        self.alarms.borrow().len()
    }

    /// What is known of a key.
    ///
    /// **Cost**: one get.
    pub fn status_of(&self, host: &dyn Host, key: Tag, now: Nanos) -> Status {
        let key = key.to_bytes();
        let found = host.shared_get(&self.bucket_name(bucket_of(key)));
        found.map_or(Status::Idle, |found| Board::read(&found.value).status(key, now))
    }

    /// `None` if the table could not be changed.
    fn change<T>(
        &self,
        host: &dyn Host,
        key: [u8; 16],
        mut change: impl FnMut(&mut Board) -> (Change, T),
    ) -> Option<T> {
        let updated = update(host, &self.bucket_name(bucket_of(key)), |bytes| {
            let mut board = Board::read(bytes);
            let (changed, value) = change(&mut board);
            if changed == Change::Store {
                *bytes = board.write();
            }
            (changed, value)
        });
        updated.ok().map(|updated| updated.value)
    }

    fn bucket_name(&self, bucket: u32) -> String {
        format!("{}{bucket}", self.prefix)
    }

    /// Tokens count up from 64 random bits of this worker, so that no two flights have the same.
    fn next_token(&self) -> u64 {
        let token = self.last_token.get().wrapping_add(1).max(1);
        self.last_token.set(token);
        token
    }
}

/// All bits of a tag are equally good; a byte of it is a bucket.
fn bucket_of(key: [u8; 16]) -> u32 {
    let [low, ..] = key;
    u32::from(low)
}
