//! What an operator may say of the console.

use std::fmt;

use kit::config::Fields;
use kit::matching::is_below;
use kit::operations::{Access, optional_prefix};

use crate::operations::OWN;

/// Where the other filters' endpoints are; what has no path is not shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The path of the limiter's operations.
    pub limits: Option<Box<str>>,
    /// The path of the cache's.
    pub cache: Option<Box<str>>,
    /// The path of the breakers'.
    pub breakers: Option<Box<str>>,
}

impl Settings {
    /// Reads the object `console` of a filter with these operations.
    pub fn read(fields: &mut Fields<'_>, operations: &Access) -> Self {
        let mut read = |name| optional_prefix(fields, name);
        let settings =
            Self { limits: read("limits"), cache: read("cache"), breakers: read("breakers") };
        let Some(prefix) = operations.prefix() else {
            fields.own_problem(
                "it, and no operations",
                "only with operations",
                "add operations: the page stands below their path",
            );
            return settings;
        };
        for (idx, (name, path)) in settings.named().enumerate() {
            if let Some((other, _)) = settings.named().take(idx).find(|(_, found)| *found == path) {
                let found = format_args!("the path of {other} again");
                fields.problem(
                    name,
                    found,
                    "a path of its own",
                    "write the path of that filter's operations",
                );
            } else if is_own(prefix, path) {
                let found = format_args!("\"{path}\"");
                let mend = "write the path of that filter's operations";
                fields.problem(name, found, "no path of this filter's own endpoints", mend);
            }
        }
        settings
    }

    /// The paths that there are, with the names of their fields.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [("limits", &self.limits), ("cache", &self.cache), ("breakers", &self.breakers)];
        all.into_iter().filter_map(|(name, path)| Some((name, path.as_deref()?)))
    }

    /// Whether this path is at or below one of another filter's endpoints.
    pub fn is_of_others(&self, path: &str) -> bool {
        self.named().any(|(_, prefix)| is_below(path, prefix))
    }
}

/// Whether endpoints at this path would hide some of the filter's own, or be hidden by them.
fn is_own(prefix: &str, path: &str) -> bool {
    let is_taken = |rest: &str| OWN.iter().any(|taken| is_below(rest, taken));
    is_below(prefix, path)
        || (is_below(path, prefix) && path.strip_prefix(prefix).is_some_and(is_taken))
}

/// What is in force, for operators; the path of operations goes before it.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("console at /console below the path of operations")?;
        for (idx, (name, path)) in self.named().enumerate() {
            write!(f, "{} {name} at {path}", if idx == 0 { ", with" } else { "," })?;
        }
        Ok(())
    }
}
