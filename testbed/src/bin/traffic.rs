//! `weir-traffic`: mixed traffic through the running testbed, for dashboards and console to show.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use weir_testbed::demo::find;
use weir_testbed::stack::run::{Stop, tell};
use weir_testbed::stack::trouble::Trouble;
use weir_testbed::traffic::{self, Plan};

fn main() -> ExitCode {
    let plan = Plan::parse();
    match send(plan) {
        Ok(told) => {
            tell(&format!("traffic: {told}"));
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("traffic: {why}");
            ExitCode::FAILURE
        }
    }
}

fn send(plan: Plan) -> Result<String, String> {
    let stop = Stop::on_signals().map_err(|e| e.to_string())?;
    let state = find::running()
        .map_err(|e| e.to_string())?
        .ok_or_else(|| Trouble::NotRunning.to_string())?;
    tell(&format!(
        "traffic: {} requests a second to http://{} for {} s; Ctrl-C ends it before",
        plan.rate, state.gateway, plan.duration
    ));
    let is_terminal = std::io::stdout().is_terminal();
    let mut n_told = 0_u32;
    let tally = traffic::run(&state, plan, &stop, |line| {
        // On a terminal one line that changes; elsewhere a line every ten seconds.
        if is_terminal {
            let mut out = std::io::stdout();
            let _ = write!(out, "\r{line}\u{1b}[K").and_then(|()| out.flush());
        } else if n_told.is_multiple_of(10) {
            tell(line);
        }
        n_told += 1;
    })?;
    if is_terminal {
        tell("");
    }
    let ended = if stop.is_asked() { " (ended before its time)" } else { "" };
    Ok(format!("{}{ended}", tally.summary()))
}
