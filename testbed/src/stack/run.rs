//! Running commands to their end, unless the user asks to stop.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::trouble::Trouble;
use crate::process::{Echo, Running, Settings};
use crate::wait;

/// How many of its last lines explain a failed command.
const TAIL_LINES: usize = 12;
/// How long a command may take; the slowest, a pull or a build of an image, takes some minutes.
const LONGEST: Duration = Duration::from_secs(1800);

/// Becomes true when the user asks to stop; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Stops on Ctrl-C, on a closed terminal and on SIGTERM.
    ///
    /// # Errors
    /// The system refuses a signal handler.
    pub fn on_signals() -> std::io::Result<Self> {
        let stop = Self::default();
        for signal in
            [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP]
        {
            signal_hook::flag::register(signal, Arc::clone(&stop.0))?;
        }
        Ok(stop)
    }

    /// Whether the user has asked to stop.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Waits for `condition`, up to `timeout` or until the user asks to stop; `None` for either.
    pub fn or_until<T>(
        &self,
        timeout: Duration,
        mut condition: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let mut found = None;
        wait::until(timeout, || {
            if !self.is_asked() {
                found = condition();
            }
            (found.is_some() || self.is_asked()).then_some(())
        });
        found
    }
}

/// Writes a line to standard output; a terminal that was closed must not keep us from tidying up.
pub fn tell(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// The command as one would type it.
pub fn typed(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// What a short command writes to its standard output.
///
/// It runs in a process group of its own, so that Ctrl-C is ours to answer.
///
/// # Errors
/// It cannot be started or ends with a failure; [`Trouble::Command`] then has the last lines of its standard error.
pub fn output(mut command: Command) -> Result<String, Trouble> {
    let failed = |what: &Command, tail: String| Trouble::Command { what: typed(what), tail };
    let output = command.process_group(0).stdin(Stdio::null()).output();
    let output = output.map_err(|e| failed(&command, e.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(failed(&command, last_lines(&String::from_utf8_lossy(&output.stderr))))
}

/// Runs a long command and passes each of its lines to `line`.
///
/// # Errors
/// It cannot be started or ends with a failure; [`Trouble::Stopped`] when the user asks to stop, the command is then
/// ended first.
pub fn follow(
    command: Command,
    stop: &Stop,
    line: impl Fn(&str) + Clone + Send + 'static,
) -> Result<(), Trouble> {
    let what = typed(&command);
    let failed = |tail: String| Trouble::Command { what: what.clone(), tail };
    let settings = Settings {
        keep_lines: TAIL_LINES,
        stdout: Echo::To(Box::new(line.clone())),
        stderr: Echo::To(Box::new(line)),
        ..Settings::default()
    };
    let mut running =
        Running::start(&what, command, settings).map_err(|e| failed(e.to_string()))?;
    let ended = stop.or_until(LONGEST, || running.ended());
    running.stop();
    match ended {
        Some(status) if status.success() => Ok(()),
        Some(_) => Err(failed(last_lines(&running.log().text()))),
        None if stop.is_asked() => Err(Trouble::Stopped),
        None => Err(failed(format!("it did not end within {} s", LONGEST.as_secs()))),
    }
}

/// Where a program is found: an absolute path, or the first folder of `PATH` that has it.
pub fn find(program: &str) -> Result<std::path::PathBuf, Trouble> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&folders).map(|folder| folder.join(program));
    places
        .find(|place| place.is_file())
        .ok_or_else(|| Trouble::NoProgram { program: program.to_owned() })
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let first = lines.len().saturating_sub(TAIL_LINES);
    lines.get(first..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_tells_the_command_and_its_last_lines() {
        assert_eq!(output(shell("echo fine")).unwrap(), "fine\n");
        let why = output(shell("echo out; echo wrong >&2; exit 3")).unwrap_err().to_string();
        assert_eq!(why, "/bin/sh -c echo out; echo wrong >&2; exit 3 failed: wrong");
        let why =
            follow(shell("echo wrong; exit 3"), &Stop::default(), |_| ()).unwrap_err().to_string();
        assert_eq!(why, "/bin/sh -c echo wrong; exit 3 failed: wrong");
    }

    #[test]
    fn a_long_command_ends_when_the_user_asks_to_stop() {
        let stop = Stop::default();
        stop.0.store(true, Ordering::SeqCst);
        assert!(matches!(follow(shell("exec sleep 600"), &stop, |_| ()), Err(Trouble::Stopped)));
    }

    #[test]
    fn a_missing_program_is_named() {
        assert!(find("sh").is_ok());
        assert_eq!(
            find("no-such-program").unwrap_err().to_string(),
            "no-such-program is not installed; run `make setup`, or install it with the system's package manager"
        );
    }
}
