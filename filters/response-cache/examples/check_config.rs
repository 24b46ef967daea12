//! Reads a configuration the way the module does, and says what is wrong with it or what it puts in force.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::process::ExitCode;

use kit::Filter;
use weir_response_cache::ResponseCache;

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
    match kit::config::load(ResponseCache::NAME, &bytes, ResponseCache::read) {
        Ok(config) => {
            for line in config.describe() {
                println!("{}: {line}", ResponseCache::NAME);
            }
            ExitCode::SUCCESS
        }
        Err(problems) => {
            println!("{problems}");
            ExitCode::FAILURE
        }
    }
}
