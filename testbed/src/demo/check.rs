//! The whole test of the stack of containers: up, the story, a death of each kind, down, nothing left.

use std::time::Duration;

use super::client::{Client, json};
use super::report::{Report, Step};
use crate::stack::containers::Containers;
use crate::stack::engine::Engine;
use crate::stack::images::{self, Source};
use crate::stack::lever;
use crate::stack::run::Stop;
use crate::stack::settings::{Ports, Settings};
use crate::stack::state::{Kind, State};
use crate::stack::trouble::Trouble;

/// How long a restarted container may take to be healthy again, and its neighbours to notice.
const RECOVERS_WITHIN: Duration = Duration::from_secs(60);
/// One service of each kind.
const KINDS: [&str; 4] = ["upstream-3", "redis", "prometheus", "envoy"];

/// Runs the test on a stack of its own, beside the user's: other name, free ports.
///
/// # Errors
/// There is no engine, the stack does not come up, or a step failed. The stack is removed in every case.
pub fn check(stop: &Stop, say: fn(&str)) -> Result<(), Trouble> {
    let engine = Engine::find()?;
    let mut settings = Settings::read(Ports::Free)?;
    let project = format!("{}-check", settings.project()?);
    settings.set("COMPOSE_PROJECT_NAME", &project);
    let source = images::ensure(&settings, Source::Registry, stop, say)?;
    images::add_grafana(&mut settings, source, stop, say)?;
    let containers = Containers::new(engine, settings.clone());
    containers.down()?;
    let told = containers.up(stop, say).and_then(|()| tell(&containers, &settings, stop));
    say("removing the containers");
    let removed = containers.down().and_then(|()| containers.leftovers());
    let mut report = told?;
    report.step("nothing is left behind", &Stop::default(), |step| {
        let left = removed.map_err(|e| e.to_string())?;
        step.did("docker-compose down, then asked for containers, networks and volumes");
        step.saw(if left.is_empty() { "none" } else { "some" });
        if left.is_empty() { Ok(()) } else { Err(format!("left: {}", left.join(", "))) }
    });
    say(&report.summary());
    match (report.is_good(), stop.is_asked()) {
        (_, true) => Err(Trouble::Stopped),
        (true, false) => Ok(()),
        (false, false) => Err(Trouble::Command {
            what: "the test of the stack".to_owned(),
            tail: report.summary(),
        }),
    }
}

fn tell(containers: &Containers, settings: &Settings, stop: &Stop) -> Result<Report, Trouble> {
    let state = State::of(Kind::Containers, settings)?;
    let mut report = super::play(&state, stop);
    for service in KINDS {
        let title = format!("{service} is killed, started again and recovers");
        report
            .step(&title, stop, |step| dies_and_recovers(containers, &state, service, stop, step));
    }
    Ok(report)
}

fn dies_and_recovers(
    containers: &Containers,
    state: &State,
    service: &str,
    stop: &Stop,
    step: &Step,
) -> Result<(), String> {
    lever::kill(state, service).map_err(|e| e.to_string())?;
    let gone = stop
        .or_until(RECOVERS_WITHIN, || (health(containers, service)? != "healthy").then_some(()));
    gone.ok_or("it does not die")?;
    step.did(&format!("killed {service}"));
    lever::start(state, service).map_err(|e| e.to_string())?;
    step.did(&format!("started {service}"));
    let healthy = stop
        .or_until(RECOVERS_WITHIN, || (health(containers, service)? == "healthy").then_some(()));
    healthy.ok_or_else(|| {
        format!("not healthy within {} s:\n{}", RECOVERS_WITHIN.as_secs(), containers.log(service))
    })?;
    step.saw("healthy again");
    let mut last = String::new();
    let served = stop.or_until(RECOVERS_WITHIN, || serves(state).map_err(|why| last = why).ok());
    served.ok_or_else(|| format!("the stack does not work as before: {last}"))?;
    step.saw("all three instances answer through the gateway, and Prometheus sees Envoy");
    Ok(())
}

fn health(containers: &Containers, service: &str) -> Option<String> {
    containers.health().ok()?.remove(service)
}

/// Whether everything works together: balancing over all instances, and scraping.
fn serves(state: &State) -> Result<(), String> {
    let client = Client::new(state);
    let mut instances = std::collections::BTreeSet::new();
    for _ in 0..24 {
        let seen = client.get("/balanced")?;
        seen.expect(200)?;
        instances.insert(seen.instance().to_owned());
    }
    if instances.len() != state.upstreams.len() {
        return Err(format!("only {} instances answer", instances.len()));
    }
    let up = json(state.prometheus, "/api/v1/query?query=up")?;
    match up.pointer("/data/result/0/value/1").and_then(serde_json::Value::as_str) {
        Some("1") => Ok(()),
        other => Err(format!("Prometheus says up = {}", other.unwrap_or("nothing"))),
    }
}
