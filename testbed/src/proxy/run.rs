//! From arguments to a proxy that serves, and to its end.

use std::io::{ErrorKind, IsTerminal};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::arguments::{Arguments, Filter, Host};
use super::bootstrap::bootstrap;
use super::config::{config_for, default_config};
use super::report::{self, Herald, note, say};
use super::{ProxyError, watch};
use crate::envoy::{Envoy, Options, StartError};
use crate::process::Echo;
use crate::root::{module, root};

/// How often a proxy that serves looks for a signal, for Envoy's end, and for the service.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Runs the proxy until a signal ends it.
///
/// # Errors
///
/// [`ProxyError`], with nothing left running.
pub fn run(arguments: &Arguments) -> Result<(), ProxyError> {
    let configuration = match &arguments.config {
        Some(file) => config_for(arguments.filter, file)?,
        None => default_config(arguments.filter),
    };
    if arguments.print_config {
        say(configuration.trim_end());
        return Ok(());
    }
    let module = module_of(arguments.filter)?;
    let logs_requests = arguments.logs_requests(std::io::stdout().is_terminal());
    let bootstrap = bootstrap(arguments, &module, &configuration, logs_requests);
    if arguments.print_bootstrap {
        say(&format!("{bootstrap:#}"));
        return Ok(());
    }
    check(arguments)?;

    let stop = signals().map_err(ProxyError::Signals)?;
    let herald = Herald::default();
    let options = options(arguments, &stop, &herald);
    let envoy = match Envoy::start(&bootstrap, options) {
        Ok(envoy) => envoy,
        // Ctrl-C before it served is an end like any other.
        Err(StartError::Cancelled) => return Ok(()),
        Err(error) => return Err(why_not(error)),
    };
    greet(arguments, &envoy, &herald)?;
    match serve(arguments, &envoy, &stop) {
        Some(status) => {
            // The herald hears what is still in the pipe.
            let (last, cause) = report::last_words(&envoy.last_words());
            Err(ProxyError::Died { status, last, cause })
        }
        None => {
            herald.close();
            note("stopping");
            envoy.stop();
            Ok(())
        }
    }
}

/// The module of a filter, which must be built.
pub(super) fn module_of(filter: Filter) -> Result<PathBuf, ProxyError> {
    let module = module(filter.name());
    if module.is_file() {
        return Ok(module);
    }
    let shown = module.strip_prefix(root()).unwrap_or(&module);
    Err(ProxyError::NoModule { path: shown.display().to_string() })
}

/// What can be told to be wrong without starting Envoy.
fn check(arguments: &Arguments) -> Result<(), ProxyError> {
    let address = SocketAddr::new(arguments.listen, arguments.port);
    if upstream_is(arguments, address) {
        return Err(ProxyError::Loop(arguments.upstream.clone()));
    }
    // Envoys share a port with one another unasked (SO_REUSEPORT), so that a second proxy would
    // take half of the first one's requests; this bind does not share.
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(why) if why.kind() == ErrorKind::AddrInUse => Err(ProxyError::PortInUse { address }),
        Err(why) => Err(ProxyError::Listen { address, why }),
    }
}

/// Whether the service would be the proxy itself.
fn upstream_is(arguments: &Arguments, address: SocketAddr) -> bool {
    let loopback = match &arguments.upstream.host {
        Host::Address(ip) => ip.is_loopback() || ip.is_unspecified() || *ip == address.ip(),
        Host::Name(name) => name == "localhost",
    };
    let local = address.ip().is_loopback() || address.ip().is_unspecified();
    loopback && local && arguments.upstream.port.get() == address.port()
}

/// A flag that Ctrl-C, Ctrl-\\, SIGTERM and a closed terminal set.
fn signals() -> std::io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

fn options(arguments: &Arguments, stop: &Arc<AtomicBool>, herald: &Herald) -> Options {
    // Requests on the terminal within a quarter of a second instead of Envoy's ten.
    let args =
        ["--component-log-level", "wasm:info,main:info", "--file-flush-interval-msec", "250"];
    let herald = herald.clone();
    let hear = move |line: &str| {
        if let Some(news) = herald.hear(line) {
            note(&news);
        }
    };
    Options {
        workers: usize::from(arguments.workers),
        args: args.map(str::to_owned).to_vec(),
        log_level: "warning".to_owned(),
        cancel: Arc::clone(stop),
        stdout: Echo::To(Box::new(say)),
        stderr: Echo::To(Box::new(hear)),
        ..Options::default()
    }
}

/// Says where, what and how, and whether the service answers.
fn greet(arguments: &Arguments, envoy: &Envoy, herald: &Herald) -> Result<(), ProxyError> {
    let said = report::summaries(envoy);
    say(&report::front(arguments, envoy, report::listening(envoy)?));
    say(&report::in_force(&said));
    herald.open(said);
    say("  stop with Ctrl-C");
    Ok(())
}

/// Returns when a signal came, or with how Envoy ended when it ended by itself.
fn serve(arguments: &Arguments, envoy: &Envoy, stop: &AtomicBool) -> Option<ExitStatus> {
    let upstream = &arguments.upstream;
    let mut answers = watch::look(upstream).err().map(|why| {
        note(&format!(
            "upstream {upstream} does not answer yet ({why}); until it does, clients get 503"
        ));
        watch::until_it_answers(upstream.clone())
    });
    loop {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        if let Some(status) = envoy.process().ended() {
            return Some(status);
        }
        if answers.as_ref().is_some_and(|heard| heard.try_recv().is_ok()) {
            note(&format!("upstream {upstream} answers now"));
            answers = None;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// What the filter said about its configuration, if that is what stopped Envoy.
pub(super) fn why_not(error: StartError) -> ProxyError {
    let own: Vec<String> = error.grave_messages().into_iter().map(str::to_owned).collect();
    if own.is_empty() { ProxyError::Start(error) } else { ProxyError::Refused(own) }
}
