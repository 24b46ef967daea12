//! What was done, what was seen, PASS or FAIL.

use crate::stack::run::{Stop, tell};

/// How many steps went well, and which did not.
#[derive(Debug, Default)]
pub struct Report {
    n_passed: usize,
    failed: Vec<String>,
}

/// One step while it is told.
#[derive(Debug)]
pub struct Step(());

impl Step {
    /// Says what was done.
    pub fn did(&self, text: &str) {
        tell(&format!("     did   {text}"));
    }

    /// Says what was seen.
    pub fn saw(&self, text: &str) {
        tell(&format!("     saw   {text}"));
    }
}

impl Report {
    /// Tells one step; what `play` returns as an error is why it failed. Nothing is told once the user asked to stop.
    pub fn step(
        &mut self,
        title: &str,
        stop: &Stop,
        play: impl FnOnce(&Step) -> Result<(), String>,
    ) {
        if stop.is_asked() {
            return;
        }
        tell(&format!("{:>3}  {title}", self.n_passed + self.failed.len() + 1));
        match play(&Step(())) {
            Ok(()) => {
                tell("     PASS");
                self.n_passed += 1;
            }
            Err(why) => {
                tell(&format!("     FAIL  {why}"));
                self.failed.push(title.to_owned());
            }
        }
    }

    /// Whether every step that was told went well, and there was one.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failed.is_empty() && self.n_passed > 0
    }

    /// The last line: how many passed, and which did not.
    #[must_use]
    pub fn summary(&self) -> String {
        let n_steps = self.n_passed + self.failed.len();
        if self.failed.is_empty() {
            return format!("{n_steps} steps, all PASS");
        }
        format!("{n_steps} steps, {} FAIL: {}", self.failed.len(), self.failed.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_spoils_the_story() {
        let (mut report, stop) = (Report::default(), Stop::default());
        assert!(!report.is_good());
        report.step("good", &stop, |_| Ok(()));
        assert!(report.is_good());
        assert_eq!(report.summary(), "1 steps, all PASS");
        report.step("bad", &stop, |_| Err("why".to_owned()));
        assert!(!report.is_good());
        assert_eq!(report.summary(), "2 steps, 1 FAIL: bad");
    }
}
