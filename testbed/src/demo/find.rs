//! The stack that the story is told against: a running one, or one that is started for it.

use std::process::Command;
use std::time::Duration;

use crate::process::{Running, Settings as ProcessSettings};
use crate::stack::health;
use crate::stack::run::Stop;
use crate::stack::settings::{Ports, Settings};
use crate::stack::state::{Kind, State};
use crate::stack::trouble::Trouble;

/// How long a stack that is started for the story may take, images built on a cold machine.
const UP_WITHIN: Duration = Duration::from_secs(900);

/// A stack to tell the story against.
#[derive(Debug)]
pub struct Found {
    /// Where it is.
    pub state: State,
    /// The program that runs it, if it was started for the story; it ends with this.
    pub started: Option<Running>,
}

/// Finds the running stack, or starts one.
///
/// # Errors
/// None runs and none can be started.
pub fn find(stop: &Stop, say: fn(&str)) -> Result<Found, Trouble> {
    if let Some(state) = running()? {
        return Ok(Found { state, started: None });
    }
    say(
        "no testbed is running; starting one for the story, which takes minutes if its images are not built yet",
    );
    let program = std::env::current_exe()
        .map_err(|e| Trouble::file("weir-demo", e))?
        .with_file_name("weir-testbed");
    let mut command = Command::new(program);
    command.arg("up");
    let settings = ProcessSettings {
        // It removes its containers first.
        grace: Duration::from_secs(60),
        ..ProcessSettings::default()
    };
    let started = Running::start("weir-testbed", command, settings)
        .map_err(|e| Trouble::file("weir-testbed", e))?;
    let up = stop.or_until(UP_WITHIN, || match (started.ended(), running()) {
        (Some(_), _) => Some(None),
        (None, Ok(Some(state))) => Some(Some(state)),
        (None, _) => None,
    });
    match up.flatten() {
        Some(state) => Ok(Found { state, started: Some(started) }),
        None if stop.is_asked() => Err(Trouble::Stopped),
        None => {
            Err(Trouble::Command { what: "weir-testbed up".to_owned(), tail: started.log().text() })
        }
    }
}

/// The stack that answers where its state, or else `.env`, says; one started by hand has left no state.
///
/// # Errors
/// `testbed/.env` cannot be read.
pub fn running() -> Result<Option<State>, Trouble> {
    let settings = Settings::read(Ports::AsSet)?;
    let by_hand = State::of(Kind::Containers, &settings)?;
    let state = State::load(settings.project()?).unwrap_or(by_hand);
    let is_up = health::is_well("envoy", state.admin)
        && health::is_well("prometheus", state.prometheus)
        && state.upstreams.iter().all(|address| health::is_well("upstream", *address));
    Ok(is_up.then_some(state))
}
