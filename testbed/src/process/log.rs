//! What a child wrote: a bounded tail that can be waited on.

use std::collections::VecDeque;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Where a line goes besides the tail.
pub enum Echo {
    /// Only the tail keeps it.
    Nowhere,
    /// To a function, in the order written, without the line end.
    ///
    /// It runs on the thread that reads the pipe: while it blocks, the child may block too.
    To(Box<dyn FnMut(&str) + Send>),
}

impl Echo {
    /// Appends every line to `file`.
    pub fn file(mut file: std::fs::File) -> Self {
        use std::io::Write;
        Self::To(Box::new(move |line| {
            let _ = writeln!(file, "{line}");
        }))
    }
}

impl fmt::Debug for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nowhere => "Nowhere",
            Self::To(_) => "To(..)",
        })
    }
}

/// The last lines of a child's output, both streams in the order of arrival.
///
/// **Shape**: lines without their end; bytes that are not UTF-8 are shown as U+FFFD.
/// Clones share the lines.
#[derive(Debug, Clone)]
pub struct Log {
    shared: Arc<Shared>,
    keep: usize,
}

#[derive(Debug, Default)]
struct Shared {
    tail: Mutex<Tail>,
    grew: Condvar,
}

#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<String>,
    /// Lines that have left at the front.
    dropped: usize,
}

impl Log {
    pub(super) fn new(keep: usize) -> Self {
        Self { shared: Arc::default(), keep: keep.max(1) }
    }

    /// The kept lines, oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.tail().lines.iter().cloned().collect()
    }

    /// The kept lines as one text, one line each.
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// The first line, kept or still to come, that satisfies `wanted`; `None` after `timeout`.
    pub fn wait_for(&self, timeout: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + timeout;
        let mut seen = 0_usize;
        let mut tail = self.tail();
        loop {
            let fresh = seen.saturating_sub(tail.dropped);
            if let Some(line) = tail.lines.iter().skip(fresh).find(|line| wanted(line)) {
                return Some(line.clone());
            }
            seen = tail.dropped + tail.lines.len();
            let left = deadline.checked_duration_since(Instant::now())?;
            let woken = self.shared.grew.wait_timeout(tail, left);
            tail = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Reads `pipe` to its end on a thread of its own.
    pub(super) fn read(&self, pipe: impl Read + Send + 'static, mut echo: Echo) -> JoinHandle<()> {
        let log = self.clone();
        std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut bytes = Vec::new();
            while pipe.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&bytes);
                let line = text.trim_end_matches(['\r', '\n']);
                if let Echo::To(sink) = &mut echo {
                    sink(line);
                }
                log.push(line.to_owned());
                bytes.clear();
            }
        })
    }

    fn push(&self, line: String) {
        let mut tail = self.tail();
        if tail.lines.len() == self.keep {
            tail.lines.pop_front();
            tail.dropped += 1;
        }
        tail.lines.push_back(line);
        self.shared.grew.notify_all();
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.shared.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_with_the_line_or_with_the_deadline() {
        let log = Log::new(2);
        log.push("one".into());
        let found = log.wait_for(Duration::ZERO, |line| line == "one");
        assert_eq!(found.as_deref(), Some("one"));
        assert_eq!(log.wait_for(Duration::from_millis(1), |line| line == "two"), None);
        let writer = log.clone();
        let late = std::thread::spawn(move || writer.push("two".into()));
        let found = log.wait_for(Duration::from_secs(5), |line| line == "two");
        assert_eq!(found.as_deref(), Some("two"));
        late.join().unwrap();
    }

    #[test]
    fn a_line_that_is_not_text_is_kept_as_far_as_it_is() {
        let log = Log::new(8);
        log.read(&b"a\xff\r\nlast"[..], Echo::Nowhere).join().unwrap();
        assert_eq!(log.lines(), ["a\u{fffd}", "last"]);
    }
}
