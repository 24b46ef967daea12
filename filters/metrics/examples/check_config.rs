//! Reads a configuration the way the module does, and says what is wrong with it or what it puts in force.

use std::io::Write;
use std::process::ExitCode;

use kit::Filter;
use weir_metrics::Metrics;

fn main() -> ExitCode {
    let (words, code) = match std::env::args().skip(1).find(|argument| argument != "--config") {
        None => ("usage: check_config FILE.json".to_owned(), 2),
        Some(path) => match std::fs::read(&path) {
            Err(error) => (format!("{path}: {error}"), 2),
            Ok(bytes) => match kit::config::load(Metrics::NAME, &bytes, Metrics::read) {
                Ok(config) => (format!("{}: {config}", Metrics::NAME), 0),
                Err(problems) => (problems.to_string(), 1),
            },
        },
    };
    // Whoever closed the pipe has read enough.
    let _ = writeln!(std::io::stdout(), "{words}");
    ExitCode::from(code)
}
