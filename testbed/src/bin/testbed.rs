//! `weir-testbed`: the local stack, as containers or as plain processes.
#![allow(clippy::disallowed_methods, reason = "a program that tells how long the start took")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use weir_testbed::demo::check;
use weir_testbed::root::module;
use weir_testbed::stack::containers::Containers;
use weir_testbed::stack::engine::Engine;
use weir_testbed::stack::images::{self, Source};
use weir_testbed::stack::lever;
use weir_testbed::stack::native::{Control, Native};
use weir_testbed::stack::run::{Stop, tell};
use weir_testbed::stack::settings::{Ports, Settings};
use weir_testbed::stack::state::{Kind, State};
use weir_testbed::stack::trouble::Trouble;
use weir_testbed::stack::welcome::welcome;

/// The full local stack: Envoy with the gateway module, three demo services, Redis, Prometheus, Grafana.
#[derive(Parser)]
#[command(name = "weir-testbed", version)]
struct Options {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Start the stack as containers (as processes where there is no engine) until Ctrl-C
    Up,
    /// Start the stack as plain processes until Ctrl-C
    Native,
    /// Stop and remove the stack, however it runs
    Down,
    /// Build every image here, under the names of testbed/.env, without pulling
    Images,
    /// End one service of the running stack at once
    Kill {
        /// upstream-1, upstream-2, upstream-3, redis, envoy, prometheus or grafana
        service: String,
    },
    /// Start a service that was killed
    Start {
        /// As for kill
        service: String,
    },
    /// Start a second stack of containers, play the demo on it, kill and restart one of each kind, remove it
    Test,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = Stop::on_signals()
        .map_err(|e| Trouble::Setting { name: "signals".to_owned(), why: e.to_string() })
        .and_then(|stop| perform(&options.task, &stop));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // What the shell says of a program that Ctrl-C ended before its work was done.
        Err(Trouble::Stopped) => ExitCode::from(130),
        Err(trouble) => {
            eprintln!("testbed: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: &Task, stop: &Stop) -> Result<(), Trouble> {
    match task {
        Task::Up => match Engine::find() {
            Ok(engine) => up(engine, stop),
            Err(trouble) => {
                say(&format!("{trouble}; starting the same stack as plain processes instead"));
                native(stop)
            }
        },
        Task::Native => native(stop),
        Task::Down => down(),
        Task::Images => {
            Engine::find()?;
            images::ensure(&Settings::read(Ports::AsSet)?, Source::StandIns, stop, say).map(|_| ())
        }
        Task::Kill { service } => lever::kill(&running()?, service),
        Task::Start { service } => lever::start(&running()?, service),
        Task::Test => check::check(stop, say),
    }
}

fn up(engine: Engine, stop: &Stop) -> Result<(), Trouble> {
    need_module()?;
    let started_at = Instant::now();
    let mut settings = Settings::read(Ports::AsSet)?;
    let project = settings.project()?.to_owned();
    let containers = Containers::new(engine.clone(), settings.clone());
    if containers.health()?.values().any(|state| state != "exited") {
        let why = "containers of this name are running; stop them with `make testbed-down`";
        return Err(Trouble::Setting { name: project, why: why.to_owned() });
    }
    // What an earlier run may have left behind.
    containers.down()?;
    settings.check_ports_free()?;
    let source = images::ensure(&settings, Source::Registry, stop, say)?;
    images::add_grafana(&mut settings, source, stop, say)?;
    settings.check_ports_free()?;
    let containers = Containers::new(engine, settings.clone());
    let outcome = containers.up(stop, say).and_then(|()| {
        let state = State::of(Kind::Containers, &settings)?;
        state.wait_until_balanced(stop)?;
        state.save()?;
        tell(&welcome(&state, started_at.elapsed()));
        watch(&containers, stop)
    });
    say("stopping and removing the containers");
    State::remove(&project);
    let removed = containers.down();
    outcome.and(removed)
}

fn native(stop: &Stop) -> Result<(), Trouble> {
    need_module()?;
    let started_at = Instant::now();
    let settings = Settings::read(Ports::AsSet)?;
    let state = State::of(Kind::Processes, &settings)?;
    // The folder is there from now on, and the socket in it keeps a second stack of this name away.
    std::fs::create_dir_all(weir_testbed::stack::state::run_folder(&state.project))
        .map_err(|e| Trouble::file("target/testbed", e))?;
    let control = Control::open(&state.project)?;
    say(&images::without_grafana("it runs only as a container"));
    let outcome = Native::up(&settings, stop, say).and_then(|mut native| {
        state.wait_until_balanced(stop)?;
        state.save()?;
        tell(&welcome(&state, started_at.elapsed()));
        let outcome = control.serve(&mut native, stop);
        say("stopping the processes");
        outcome
    });
    drop(control);
    State::remove(&state.project);
    outcome
}

fn down() -> Result<(), Trouble> {
    let settings = Settings::read(Ports::AsSet)?;
    if lever::stop_processes(settings.project()?) {
        say("the processes have ended");
    }
    if let Ok(engine) = Engine::find() {
        Containers::new(engine, settings).down()?;
        say("containers, networks and volumes are removed");
    }
    Ok(())
}

/// Waits until the user asks to stop, or `make testbed-down` has taken the containers away.
fn watch(containers: &Containers, stop: &Stop) -> Result<(), Trouble> {
    const LOOK: Duration = Duration::from_secs(1);
    while !stop.is_asked() {
        stop.or_until(LOOK, || None::<()>);
        if containers.health().is_ok_and(|health| health.is_empty()) {
            say("the containers are gone");
            return Ok(());
        }
    }
    Ok(())
}

/// The stack that left its state, or else one of containers that was started by hand.
fn running() -> Result<State, Trouble> {
    let settings = Settings::read(Ports::AsSet)?;
    let by_hand = State::of(Kind::Containers, &settings)?;
    Ok(State::load(&by_hand.project).unwrap_or(by_hand))
}

fn need_module() -> Result<(), Trouble> {
    let path = module("gateway");
    if path.is_file() {
        Ok(())
    } else {
        Err(Trouble::file(path, "the module is not there; run `make build`"))
    }
}

fn say(text: &str) {
    tell(&format!("testbed: {text}"));
}
