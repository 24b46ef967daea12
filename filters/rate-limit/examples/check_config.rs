//! Reads a configuration the way the module does, and says what is wrong with it or what it puts in force.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::process::ExitCode;

use kit::Filter;
use weir_rate_limit::RateLimit;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        println!("usage: check_config FILE.json");
        return ExitCode::from(2);
    };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            println!("{path}: {error}");
            return ExitCode::from(2);
        }
    };
    match kit::config::load(RateLimit::NAME, &bytes, RateLimit::read) {
        Ok(config) => {
            for rule in &config.rules {
                println!("{}: {}", RateLimit::NAME, rule.describe());
            }
            ExitCode::SUCCESS
        }
        Err(problems) => {
            println!("{problems}");
            ExitCode::FAILURE
        }
    }
}
