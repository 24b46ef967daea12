//! How requests ended lately: over a span of time, or over the last so many of them.
//!
//! Time suits services with steady traffic, a number suits those where a minute may bring three requests or three
//! thousand. A window of one kind or length says nothing in terms of another: after a change of the configuration
//! it starts anew.

mod count;
mod time;

use kit::Nanos;

use super::Begun;

pub use count::{Count, MAX_COUNT};
pub use time::{N_BUCKETS, Time};

/// What a window covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Span {
    /// The requests that ended in a span of time.
    Time(Nanos),
    /// The last so many requests; at most [`MAX_COUNT`].
    Count(u16),
}

/// Requests that ended, and some that were not let through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Tally {
    /// Requests with an outcome.
    pub n_ended: u32,
    /// Those of them that failed.
    pub n_failed: u32,
    /// Those of them that were slow.
    pub n_slow: u32,
    /// Requests that were rejected so that the upstream can keep up.
    pub n_shed: u32,
}

/// How one request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Call {
    /// Whether it failed.
    pub is_failed: bool,
    /// Whether it was slow.
    pub is_slow: bool,
}

/// A sliding window over the outcomes of requests.
///
/// ```
/// use kit::Nanos;
/// use weir_circuit_breaker::breaker::window::{Call, Span, Window};
/// let (span, mut window) = (Span::Time(Nanos::from_secs(10)), Window::default());
/// window.record(span, Nanos::from_secs(3), Call { is_failed: true, is_slow: false });
/// window.record(span, Nanos::from_secs(9), Call { is_failed: false, is_slow: true });
/// let at = |secs| window.tally(span, Nanos::from_secs(secs));
/// assert_eq!((at(12).n_ended, at(12).n_failed, at(12).n_slow), (2, 1, 1));
/// assert_eq!((at(13).n_ended, at(13).n_failed, at(13).n_slow), (1, 0, 1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// Over time.
    Time(Time),
    /// Over a number of requests.
    Count(Count),
}

impl Default for Window {
    fn default() -> Self {
        Self::Time(Time::default())
    }
}

impl Window {
    /// Counts one outcome at `now`; gives its number where the window has one for each.
    pub fn record(&mut self, span: Span, now: Nanos, call: Call) -> u32 {
        match (span, &mut *self) {
            (Span::Time(length), Self::Time(window)) => {
                window.record(length, now, call);
                0
            }
            (Span::Count(size), Self::Count(window)) => window.record(size, call),
            (Span::Time(_), Self::Count(_)) => {
                *self = Self::Time(Time::default());
                self.record(span, now, call)
            }
            (Span::Count(_), Self::Time(_)) => {
                *self = Self::Count(Count::default());
                self.record(span, now, call)
            }
        }
    }

    /// Puts a failure at `now` in the place of the success that an answer was when it began;
    /// one of which the window knows nothing any more is counted as another call.
    pub fn amend(&mut self, span: Span, now: Nanos, begun: Begun) {
        let failed = Call { is_failed: true, is_slow: begun.is_slow };
        match (span, &mut *self) {
            (Span::Time(length), Self::Time(window)) => {
                window.take_back(length, now, begun);
                window.record(length, now, failed);
            }
            (Span::Count(size), Self::Count(window)) => {
                if !window.fail(size, begun.serial) {
                    window.record(size, failed);
                }
            }
            (Span::Time(_), Self::Count(_)) | (Span::Count(_), Self::Time(_)) => {
                self.record(span, now, failed);
            }
        }
    }

    /// Counts a request that was rejected so that the upstream can keep up; over time only.
    pub fn shed(&mut self, span: Span, now: Nanos) {
        if let (Span::Time(length), Self::Time(window)) = (span, self) {
            window.shed(length, now);
        }
    }

    /// The sums over the window that ends at `now`.
    pub fn tally(&self, span: Span, now: Nanos) -> Tally {
        match (span, self) {
            (Span::Time(length), Self::Time(window)) => window.tally(length, now),
            (Span::Count(size), Self::Count(window)) => window.tally(size),
            (Span::Time(_), Self::Count(_)) | (Span::Count(_), Self::Time(_)) => Tally::default(),
        }
    }
}
