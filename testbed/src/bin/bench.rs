//! `weir-bench`: see [`weir_testbed::bench`].

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use weir_testbed::bench::{Bench, run};

fn main() -> ExitCode {
    match run(&Bench::parse()) {
        Ok(table) => {
            let _ = write!(std::io::stdout(), "{table}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "weir-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
