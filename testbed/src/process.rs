//! Child processes that cannot outlive us.
//!
//! Every program the testbed and the tests start goes through [`Running`]: its own process group,
//! output read at once into a bounded tail, and an end that is certain. Dropping a `Running` asks the
//! group to end, waits for a short while, and kills it. Should *this* process die without running
//! destructors (SIGKILL, a `static` that is never dropped), the kernel kills the child.
//!
//! This does not supervise: a child that ends is not restarted, only noticed.

mod log;
mod spawner;

use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

pub use log::{Echo, Log};

use crate::wait;

/// What [`Running::start`] does with a child beyond its command line.
#[derive(Debug)]
pub struct Settings {
    /// How many of the last lines of output are kept.
    pub keep_lines: usize,
    /// Where each line of standard output goes besides the tail.
    pub stdout: Echo,
    /// Where each line of standard error goes besides the tail.
    pub stderr: Echo,
    /// How long the child may take to end after SIGTERM before it is killed.
    pub grace: Duration,
}

impl Default for Settings {
    /// The last 200 lines, echoed nowhere, three seconds to end.
    fn default() -> Self {
        Self {
            keep_lines: 200,
            stdout: Echo::Nowhere,
            stderr: Echo::Nowhere,
            grace: Duration::from_secs(3),
        }
    }
}

/// A child process in its own process group, stopped when this value is dropped.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Mutex<Child>,
    group: Pid,
    log: Log,
    grace: Duration,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts `command` with its input closed and its output captured.
    ///
    /// # Errors
    ///
    /// What the operating system says when the program cannot be started (missing, not executable).
    pub fn start(name: &str, mut command: Command, settings: Settings) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawner::spawn(command)?;
        let group = Pid::from_child(&child);
        let log = Log::new(settings.keep_lines);
        let mut readers = Vec::new();
        if let Some(out) = child.stdout.take() {
            readers.push(log.read(out, settings.stdout));
        }
        if let Some(err) = child.stderr.take() {
            readers.push(log.read(err, settings.stderr));
        }
        let child = Mutex::new(child);
        Ok(Self { name: name.to_owned(), child, group, log, grace: settings.grace, readers })
    }

    /// The name given at the start, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id, which is also the id of its group.
    pub fn pid(&self) -> u32 {
        self.group.as_raw_nonzero().get().unsigned_abs()
    }

    /// The last lines that the child wrote.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// How the child ended, or `None` while it runs.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child().try_wait().ok().flatten()
    }

    /// Sends `signal` to the whole group; a group that is gone is no error.
    pub fn signal(&self, signal: Signal) {
        if self.ended().is_none() {
            let _ = kill_process_group(self.group, signal);
        }
    }

    /// Ends the group: SIGTERM, up to the grace period, then SIGKILL. Returns how the child ended.
    ///
    /// Its last output has been read when this returns. Calling it again changes nothing.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        let ended = wait::until(self.grace, || self.ended());
        // Also after a clean end: what the child left behind in its group goes with it.
        let _ = kill_process_group(self.group, Signal::KILL);
        let status = ended.or_else(|| self.child().wait().ok());
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        status
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, settings: Settings) -> Running {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        Running::start("shell", command, settings).unwrap()
    }

    fn alive(pid: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[test]
    fn keeps_the_last_lines_of_both_streams() {
        for redirect in ["", ">&2"] {
            let settings = Settings { keep_lines: 3, ..Settings::default() };
            let mut running = shell(&format!("seq 1 9 {redirect}"), settings);
            wait::until(Duration::from_secs(5), || running.ended()).unwrap();
            running.stop();
            assert_eq!(running.log().lines(), ["7", "8", "9"]);
        }
    }

    #[test]
    fn a_child_that_ignores_sigterm_is_killed_with_its_group() {
        let settings = Settings { grace: Duration::from_millis(100), ..Settings::default() };
        let mut running = shell("trap '' TERM; sleep 600 & echo $!; wait; wait", settings);
        let line = running.log().wait_for(Duration::from_secs(5), |_| true).unwrap();
        assert!(alive(&line));
        let status = running.stop();
        assert!(!status.unwrap().success());
        wait::until(Duration::from_secs(5), || (!alive(&line)).then_some(())).unwrap();
    }

    #[test]
    fn a_missing_program_is_an_error_not_a_child() {
        let command = Command::new("/no/such/program");
        let error = Running::start("none", command, Settings::default()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_child_survives_the_thread_that_asked_for_it() {
        let running = std::thread::spawn(|| shell("exec sleep 600", Settings::default()));
        let running = running.join().unwrap();
        assert!(running.ended().is_none());
        assert!(alive(&running.pid().to_string()));
    }
}
