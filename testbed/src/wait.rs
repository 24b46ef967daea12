//! Waiting for a condition, with a deadline: the only place that sleeps.

use std::time::{Duration, Instant};

/// How long to rest between two looks: short against a start of Envoy, long against a system call.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until `condition` gives a value or `timeout` has passed; looks at least once.
pub fn until<T>(timeout: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}
