//! Says the same thing at most once in a while: logs stay readable while something keeps going wrong.

use std::cell::Cell;

use crate::units::Nanos;

/// How long the same trouble is not spoken of again: often enough to be noticed, too seldom to fill a disk.
pub const PAUSE: Nanos = Nanos::MINUTE;

/// When something was last said. One for each thing that is said.
#[derive(Debug, Default)]
pub struct Throttle {
    said_at: Cell<Option<Nanos>>,
}

impl Throttle {
    /// Whether it may be said now, and takes note that it is.
    ///
    /// A clock that jumped back makes the next time come as late as the jump was long, at most.
    pub fn is_due(&self, now: Nanos) -> bool {
        let is_due = self.said_at.get().is_none_or(|then| now.saturating_sub(then) >= PAUSE);
        if is_due {
            self.said_at.set(Some(now));
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_first_time_and_then_once_a_minute() {
        let throttle = Throttle::default();
        let due = [0, 1, 59, 60, 61, 119, 120].map(|secs| throttle.is_due(Nanos::from_secs(secs)));
        assert_eq!(due, [true, false, false, true, false, false, true]);
    }
}
