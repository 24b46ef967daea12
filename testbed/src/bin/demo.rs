//! `weir-demo`: the story of the local stack.

use std::process::ExitCode;

use clap::Parser;
use weir_testbed::demo;
use weir_testbed::stack::run::{Stop, tell};
use weir_testbed::stack::state::Kind;

/// Plays a story against the running testbed, or against one that it starts: each step PASS or FAIL.
///
/// The exit code is 1 if any step failed. Other traffic at the same time spoils the last step, which counts.
#[derive(Parser)]
#[command(name = "weir-demo", version)]
struct Options {}

fn main() -> ExitCode {
    Options::parse();
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(why) => {
            eprintln!("demo: {why}");
            return ExitCode::FAILURE;
        }
    };
    let found = match demo::find::find(&stop, say) {
        Ok(found) => found,
        Err(trouble) => {
            eprintln!("demo: {trouble}");
            return ExitCode::FAILURE;
        }
    };
    let how = match found.state.kind {
        Kind::Containers => "containers",
        Kind::Processes => "plain processes",
    };
    say(&format!("the testbed runs as {how}, the gateway is http://{}\n", found.state.gateway));
    let report = demo::play(&found.state, &stop);
    tell("");
    say(&report.summary());
    // The stack that was started for the story ends here.
    drop(found);
    if report.is_good() && !stop.is_asked() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn say(text: &str) {
    tell(&format!("demo: {text}"));
}
