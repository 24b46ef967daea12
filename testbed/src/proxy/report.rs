//! What the operator reads: at the start what is in force, later what changes.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::arguments::Arguments;
use super::bootstrap::LISTENER;
use crate::envoy::{Envoy, Message, own_messages};

/// Prints a line; an output that is gone is no reason to end.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a line about us rather than about requests.
pub(super) fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "weir-proxy: {line}");
}

/// Where requests go in and numbers come out.
pub(super) fn front(arguments: &Arguments, envoy: &Envoy, listening: SocketAddr) -> String {
    let (filter, workers) = (arguments.filter.name(), arguments.workers);
    let plural = if workers == 1 { "" } else { "s" };
    let reached = reached(listening);
    let admin = envoy.admin();
    format!(
        "weir-proxy: {filter} in front of {upstream}, Envoy {version} with {workers} worker{plural}\n\
         \x20 send requests to  http://{reached}/\n\
         \x20 see numbers at    http://{admin}/stats/prometheus?filter=weir",
        upstream = arguments.upstream,
        version = crate::envoy::VERSION,
    )
}

/// How long the last line of Envoy's start may take through the pipe.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// All that the filters said while Envoy started.
pub(super) fn summaries(envoy: &Envoy) -> Vec<Message> {
    // Envoy may be ready before we have read what it wrote; its own words before serving end here.
    envoy.log().wait_for(READ_WITHIN, |line| line.contains("starting main dispatch loop"));
    own_messages(envoy.log().lines().iter().map(String::as_str))
}

/// What is in force, in the words that the filters said while they were configured.
pub(super) fn in_force(configured: &[Message]) -> String {
    let lines: Vec<String> =
        configured.iter().map(|said| format!("    {}", summary(&said.text))).collect();
    if lines.is_empty() {
        return "  in force          (the filter said nothing about it)".to_owned();
    }
    format!("  in force\n{}", lines.join("\n"))
}

/// A filter's line without what the heading says already: that it is configured, and in the gateway.
fn summary(text: &str) -> String {
    match text.split_once(": configured ") {
        Some(("gateway", parts)) => parts.to_owned(),
        Some((filter, what)) => format!("{filter}: {what}"),
        None => text.to_owned(),
    }
}

/// An address that a client can use: one that stands for all is shown as loopback.
fn reached(listening: SocketAddr) -> SocketAddr {
    let mut reached = listening;
    if listening.ip().is_unspecified() {
        reached.set_ip(match listening {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    reached
}

/// How many of a dead Envoy's lines are shown.
const LAST_LINES: usize = 15;
/// How many characters of each: Envoy may quote a whole configuration in one.
const LINE_CHARS: usize = 300;

/// What matters in the log of an Envoy that died: its last complaints while it served, as far as the
/// [`Herald`] has not passed them on, and what it said about its own crash, if anything.
pub(super) fn last_words(log: &str) -> (Vec<String>, Option<String>) {
    let serving = log.rsplit_once("starting main dispatch loop").map_or(log, |(_, after)| after);
    let grave = |line: &&str| {
        [" [warning] ", " [error] ", " [critical] "].iter().any(|level| line.contains(level))
    };
    let lines: Vec<&str> = serving.lines().filter(grave).collect();
    let news = |line: &&&str| !is_told(line) && !line.contains("wasm log");
    let untold: Vec<&&str> = lines.iter().filter(news).collect();
    let first = untold.len().saturating_sub(LAST_LINES);
    let last = untold.iter().skip(first).map(|line| line.chars().take(LINE_CHARS).collect());
    let crash = |line: &&&str| CRASHES.iter().any(|crash| line.contains(crash));
    let cause = lines.iter().rev().find(crash);
    let text = |line: &&str| line.splitn(4, ' ').nth(3).unwrap_or(line).to_owned();
    (last.collect(), cause.map(text))
}

/// How Envoy begins to tell that it crashes; its backtrace comes after.
const CRASHES: [&str; 3] = ["] Caught ", "assert failure: ", "panic: "];

/// Where the listener really stands.
pub(super) fn listening(envoy: &Envoy) -> Result<SocketAddr, crate::envoy::AdminError> {
    envoy.listener(LISTENER)
}

/// Passes on what the modules say while Envoy serves, and Envoy's own errors.
///
/// Every worker configures its filters once more; what was printed at the start is not repeated.
/// Clones share what they know.
#[derive(Debug, Clone, Default)]
pub(super) struct Herald {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    told: Vec<Message>,
}

impl Herald {
    /// Told so far, from now on everything else is passed on.
    pub(super) fn open(&self, told: Vec<Message>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State { open: true, told };
    }

    /// Nothing more is passed on.
    pub(super) fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).open = false;
    }

    /// What to print for a line of Envoy's log, if anything.
    pub(super) fn hear(&self, line: &str) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.open {
            return None;
        }
        if let Some(message) = own_messages([line]).pop() {
            let news = !state.told.contains(&message);
            return news.then(|| format!("{}: {}", message.level, message.text));
        }
        is_told(line).then(|| format!("envoy: {line}"))
    }
}

/// Whether a line of Envoy's own is passed on while it serves; a crash is told at the end.
fn is_told(line: &str) -> bool {
    let grave = line.contains(" [error] ") || line.contains(" [critical] ");
    grave && !line.contains(" [backtrace] ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURED: &str = "10:00:00.000 [info] [wasm] wasm log w w w: rate-limit: configured";
    const OPENED: &str = "10:00:01.000 [warning] [wasm] wasm log w w w: circuit-breaker: opened";

    #[test]
    fn what_was_told_at_the_start_is_not_repeated() {
        let herald = Herald::default();
        assert_eq!(herald.hear(OPENED), None);
        herald.open(own_messages([CONFIGURED]));
        assert_eq!(herald.hear(CONFIGURED), None);
        assert_eq!(herald.hear(OPENED).unwrap(), "warning: circuit-breaker: opened");
        assert_eq!(herald.hear("10:00:02.000 [warning] [main] caught signal"), None);
        let error = herald.hear("10:00:02.000 [critical] [wasm] Function failed");
        assert_eq!(error.unwrap(), "envoy: 10:00:02.000 [critical] [wasm] Function failed");
        herald.close();
        assert_eq!(herald.hear(OPENED), None);
    }

    #[test]
    fn of_a_dead_envoy_only_complaints_while_it_served_are_told() {
        let start = "10:00:00.000 [warning] [main] at the start\n\
                     10:00:00.001 [info] [main] starting main dispatch loop\n";
        assert_eq!(last_words(start), (Vec::new(), None));
        let crash = "10:00:01.000 [critical] [backtrace] Caught Segmentation fault";
        let told = "10:00:01.000 [error] [main] told when it was said";
        let trace = "10:00:01.001 [critical] [backtrace] #0: frame\n".repeat(20);
        let (last, cause) = last_words(&format!("{start}{told}\n{crash}\n{trace}"));
        assert_eq!(last.len(), LAST_LINES);
        assert_eq!(last_words(&format!("{start}{told}")), (Vec::new(), None));
        assert_eq!(cause.unwrap(), "Caught Segmentation fault");
    }

    #[test]
    fn a_summary_begins_with_the_filter_that_it_is_about() {
        let alone = summary("rate-limit: configured rule a: 1 per 1s");
        assert_eq!(alone, "rate-limit: rule a: 1 per 1s");
        let within = summary("gateway: configured rate-limit: rule a: 1 per 1s");
        assert_eq!(within, alone);
        assert_eq!(summary("metrics: something else"), "metrics: something else");
    }

    #[test]
    fn an_address_that_stands_for_all_is_shown_as_one_to_use() {
        let shown = |text: &str| reached(text.parse().unwrap()).to_string();
        assert_eq!(shown("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(shown("[::]:80"), "[::1]:80");
        assert_eq!(shown("10.1.2.3:80"), "10.1.2.3:80");
    }
}
