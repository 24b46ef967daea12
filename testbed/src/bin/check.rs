//! `weir-check --filter FILTER --config FILE`: see [`weir_testbed::proxy::check`].

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use weir_testbed::proxy::check::{Check, check};

fn main() -> ExitCode {
    match check(&Check::parse()) {
        Ok(in_force) => {
            let _ = writeln!(std::io::stdout(), "{in_force}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}
