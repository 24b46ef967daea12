//! `weir-bench`: what a request costs Envoy with and without our filters, as ratios within one run.
//!
//! Every scenario is an Envoy of its own with one worker, before one upstream that answers from memory.
//! Load goes to them in turn, round by round, so that a machine that changes its speed changes it for all;
//! a round's ratio is against the plain Envoy of the same round, and the median of the rounds is what counts.
//! What is measured is the processor time of the whole Envoy process, from `/proc`: not latency, which a busy
//! machine would make up.

mod report;
mod scenario;

use std::fs;
use std::io;
use std::process::{Command, Stdio};

use clap::Parser;

use crate::envoy::{AdminError, Envoy, Options, StartError};
use scenario::{Scenario, scenarios, upstream};

/// Measures what a request costs Envoy with and without Weir's filters.
#[derive(Debug, Clone, Parser)]
#[command(name = "weir-bench", version, max_term_width = 100)]
pub struct Bench {
    /// Rounds that count; one more goes before to warm up.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=99))]
    pub rounds: u16,

    /// Requests to each Envoy in each round.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    pub requests: u32,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// An Envoy did not start.
    #[error("{0}: {1}")]
    Start(&'static str, StartError),
    /// An Envoy's admin interface fails.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The load could not be made.
    #[error("h2load: {0}; run `make setup`")]
    Load(io::Error),
    /// The load met errors.
    #[error("{0}: h2load says: {1}")]
    Failed(&'static str, String),
    /// The processor time could not be read: this needs Linux.
    #[error("cannot read the processor time of Envoy: {0}")]
    Time(io::Error),
}

/// Runs all scenarios and returns the table.
///
/// # Errors
///
/// [`BenchError`], with nothing left running.
pub fn run(bench: &Bench) -> Result<String, BenchError> {
    let service = start("the upstream", &upstream())?;
    let service_at = service.listener("front")?;
    let scenarios = scenarios();
    let envoys = scenarios
        .iter()
        .map(|scenario| start(scenario.name, &scenario.bootstrap(service_at)))
        .collect::<Result<Vec<Envoy>, BenchError>>()?;
    let mut micros: Vec<Vec<f64>> = vec![Vec::new(); scenarios.len()];
    for round in 0..=bench.rounds {
        for ((scenario, envoy), micros) in scenarios.iter().zip(&envoys).zip(&mut micros) {
            let cost = measure(scenario, envoy, bench.requests)?;
            if round > 0 {
                micros.push(cost);
            }
        }
    }
    Ok(report::table(&scenarios, &micros))
}

fn start(name: &'static str, bootstrap: &serde_json::Value) -> Result<Envoy, BenchError> {
    let options = Options { workers: 1, log_level: "error".to_owned(), ..Options::default() };
    Envoy::start(bootstrap, options).map_err(|error| BenchError::Start(name, error))
}

/// Microseconds of processor time for each of so many requests.
fn measure(scenario: &Scenario, envoy: &Envoy, n_requests: u32) -> Result<f64, BenchError> {
    let before = ticks(envoy).map_err(BenchError::Time)?;
    load(scenario, envoy, n_requests)?;
    let spent = ticks(envoy).map_err(BenchError::Time)?.saturating_sub(before);
    let seconds = spent as f64 / rustix::param::clock_ticks_per_second() as f64;
    Ok(seconds * 1e6 / f64::from(n_requests))
}

/// Four connections that stay open, each with its next request as soon as it has the answer.
fn load(scenario: &Scenario, envoy: &Envoy, n_requests: u32) -> Result<(), BenchError> {
    let url = format!("http://{}{}", envoy.listener("front")?, scenario.path);
    let done = Command::new("h2load")
        .args(["--h1", "-c", "4", "-t", "1", "-n"])
        .args([&n_requests.to_string(), &url])
        .stderr(Stdio::null())
        .output()
        .map_err(BenchError::Load)?;
    let said = String::from_utf8_lossy(&done.stdout);
    let all = format!("{n_requests} done, ");
    if done.status.success() && said.contains(&all) && said.contains(" 0 errored, 0 timeout") {
        return Ok(());
    }
    let line = said.lines().find(|line| line.starts_with("requests:")).unwrap_or("nothing");
    Err(BenchError::Failed(scenario.name, line.to_owned()))
}

/// User and system time of the process so far, in clock ticks: `proc(5)`, fields 14 and 15.
fn ticks(envoy: &Envoy) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", envoy.process().pid()))?;
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |idx: usize| fields.get(idx).and_then(|text| text.parse::<u64>().ok());
    match (field(11), field(12)) {
        (Some(user), Some(system)) => Ok(user + system),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
