//! `weir-check --filter FILTER --config FILE`: see [`weir_testbed::proxy::check`].

use std::io::Write;
use std::process::ExitCode;

use weir_testbed::proxy::check::{Check, check};
use weir_testbed::proxy::parse::parse;

fn main() -> ExitCode {
    let asked: Check = match parse() {
        Ok(asked) => asked,
        Err(code) => return code,
    };
    match check(&asked) {
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
