//! Reads a configuration the way the module does, and says what is wrong with it or what it puts in force.

use std::io::Write;
use std::process::ExitCode;

use kit::Filter;
use kit::fake::FakeHost;
use weir_gateway::Gateway;

fn main() -> ExitCode {
    let (lines, code) = match std::env::args().skip(1).find(|argument| argument != "--config") {
        None => (vec!["usage: check_config FILE.json".to_owned()], 2),
        Some(path) => match std::fs::read(&path) {
            Err(error) => (vec![format!("{path}: {error}")], 2),
            Ok(bytes) => check(&bytes),
        },
    };
    for line in lines {
        // Whoever closed the pipe has read enough.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    ExitCode::from(code)
}

fn check(bytes: &[u8]) -> (Vec<String>, u8) {
    match kit::config::load(Gateway::NAME, bytes, Gateway::read) {
        Ok(config) => {
            let lines = Gateway::new(config, &FakeHost::default()).summary();
            (lines.iter().map(|line| format!("{}: {line}", Gateway::NAME)).collect(), 0)
        }
        Err(problems) => (problems.lines().collect(), 1),
    }
}
