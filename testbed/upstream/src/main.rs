//! `weir-upstream`: the demo upstream as a program.
#![allow(clippy::print_stdout, reason = "a program that says where it listens")]

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use weir_upstream::server;

/// A small HTTP/1.1 service whose behaviour is switched while it runs.
///
/// Look at the switches with GET /_control, change them with POST /_control and a JSON object,
/// set all back with DELETE /_control. Any switch can stand in a query for one request:
/// /anything?status=503&latency=50ms
#[derive(Parser)]
#[command(name = "weir-upstream", version)]
struct Options {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Name that every answer bears
    #[arg(long, default_value = "upstream")]
    name: String,
    /// Do not serve: ask the health of the instance at the address of --listen, exit code 0 when well
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = if options.check { check(options.listen) } else { serve(&options) };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("weir-upstream: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: &Options) -> Result<(), String> {
    let cannot_listen = |e| {
        format!("{}: cannot listen ({e}); choose another address with --listen", options.listen)
    };
    let listener = TcpListener::bind(options.listen).map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    println!("weir-upstream: {} listens on {address}", options.name);
    // A closed standard output is no reason to stop serving.
    let _ = std::io::stdout().flush();
    server::serve(listener, &options.name).map_err(|e| format!("cannot serve ({e})"))
}

/// The health check of the container, whose image holds nothing but this program.
fn check(mut address: SocketAddr) -> Result<(), String> {
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(2))).build().into();
    agent
        .get(format!("http://{address}/healthz"))
        .call()
        .map(|_| ())
        .map_err(|e| format!("{address}: {e}"))
}
