//! The list of what is wrong with a configuration.

use std::fmt;

use super::quote::printable;

/// Everything found wrong with a configuration, in the order in which it was read.
///
/// **Shape.** A line for each problem, `filter: path: what was found, what is allowed; how to mend it`,
/// at most [`Problems::MAX_LINES`] of them, then a closing line that counts them.
/// No line holds a control character, whatever the configuration held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    filter: Option<&'static str>,
    kept: Vec<String>,
    n_dropped: usize,
}

impl Problems {
    /// Lines that are kept; a configuration this wrong is mended in several rounds, and a log has readers.
    pub const MAX_LINES: usize = 50;

    /// The same problems, under the name of `filter`.
    #[must_use]
    pub fn of(self, filter: &'static str) -> Self {
        Self { filter: Some(filter), ..self }
    }

    /// How many problems there are, those beyond [`Problems::MAX_LINES`] counted.
    pub fn count(&self) -> usize {
        self.kept.len().saturating_add(self.n_dropped)
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The lines for the log, the closing line last; each is one log message.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let name = self.filter.map_or_else(String::new, |filter| format!("{filter}: "));
        let more = (self.n_dropped > 0).then(|| format!("{name}and {} more", self.n_dropped));
        let closing = format!(
            "{name}configuration rejected ({} problem{}); \
             the filter will not start, Envoy keeps its previous configuration or refuses to boot",
            self.count(),
            if self.count() == 1 { "" } else { "s" },
        );
        let kept = self.kept.iter().map(move |problem| format!("{name}{problem}"));
        kept.chain(more).chain([closing])
    }

    /// Records that `what` is wrong at `path`.
    pub(super) fn add(&mut self, path: &str, what: impl fmt::Display) {
        if self.is_full() {
            self.n_dropped = self.n_dropped.saturating_add(1);
        } else {
            self.kept.push(printable(&format!("{path}: {what}")));
        }
    }

    /// Whether further problems are only counted.
    pub(super) fn is_full(&self) -> bool {
        self.kept.len() >= Self::MAX_LINES
    }
}

/// The lines of [`Problems::lines`], with a line break between them.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, line) in self.lines().enumerate() {
            if idx > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&line)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let mut problems = Problems::default().of("metrics");
        for idx in 0..53 {
            problems.add(&format!("rules[{idx}]"), "found null");
        }
        let lines: Vec<String> = problems.lines().collect();
        assert_eq!(lines.len(), 52);
        assert_eq!(lines[49], "metrics: rules[49]: found null");
        assert_eq!(lines[50], "metrics: and 3 more");
        assert!(lines[51].starts_with("metrics: configuration rejected (53 problems); "));
    }

    #[test]
    fn a_line_stays_one_line() {
        let mut problems = Problems::default();
        problems.add("a\nb", "found \u{1b}[31m");
        assert_eq!(problems.lines().next().as_deref(), Some("a\\nb: found \\u{1b}[31m"));
    }
}
