//! `weir-proxy --upstream HOST:PORT`: see [`weir_testbed::proxy`].

use std::io::Write;
use std::process::ExitCode;

use weir_testbed::proxy::arguments::Arguments;
use weir_testbed::proxy::{parse::parse, run};

fn main() -> ExitCode {
    let arguments: Arguments = match parse() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let Err(error) = run(&arguments) else { return ExitCode::SUCCESS };
    // One line per problem, each of them with our name, so that they stand out of what make says.
    for line in error.to_string().lines() {
        let _ = writeln!(std::io::stderr(), "weir-proxy: {line}");
    }
    ExitCode::FAILURE
}
