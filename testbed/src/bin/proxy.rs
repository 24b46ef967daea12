//! `weir-proxy --upstream HOST:PORT`: see [`weir_testbed::proxy`].

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use weir_testbed::proxy::{arguments::Arguments, run};

fn main() -> ExitCode {
    let Err(error) = run(&Arguments::parse()) else { return ExitCode::SUCCESS };
    // One line per problem, each of them with our name, so that they stand out of what make says.
    for line in error.to_string().lines() {
        let _ = writeln!(std::io::stderr(), "weir-proxy: {line}");
    }
    ExitCode::FAILURE
}
