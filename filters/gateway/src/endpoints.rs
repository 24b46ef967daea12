//! Checks that the endpoints of one filter do not hide those of another.
//!
//! The filters of a gateway see a request one after the other, and the first whose path it is for answers it.
//! A path that two sections take, or one below the other, would leave the inner filter without endpoints.

use kit::config::{Fields, quoted};
use kit::matching::is_below;
use kit::operations::Access;

/// The names that lead to a field of the gateway's configuration.
pub type Field = &'static [&'static str];

/// The paths of one section.
#[derive(Debug, Default)]
pub struct Endpoints<'a> {
    /// The fields that name a path, by the names that lead to them, with the path where there is one.
    pub paths: Vec<(Field, Option<&'a str>)>,
    /// The paths of other filters that this one lets pass although they are below its own, with the fields that say so.
    pub others: Vec<(&'static str, &'a str)>,
}

impl<'a> Endpoints<'a> {
    /// A section whose only path is that of its operations.
    pub fn at(field: Field, operations: &'a Access) -> Self {
        Self { paths: vec![(field, operations.prefix())], others: Vec::new() }
    }

    fn paths(&self) -> impl Iterator<Item = (Field, &'a str)> {
        self.paths.iter().filter_map(|(field, path)| Some((*field, (*path)?)))
    }

    /// Whether a request for `path` passes this filter, so that a filter further in can answer it.
    fn lets_pass(&self, path: &str) -> bool {
        self.others.iter().any(|(_, other)| is_below(path, other))
    }
}

/// Records a problem for each path that another section takes as well; `sections` from the client to the upstream.
pub fn check(fields: &mut Fields<'_>, sections: &[Endpoints<'_>]) {
    for (idx, inner) in sections.iter().enumerate() {
        for outer in sections.iter().take(idx) {
            for (field, path) in inner.paths() {
                let taken = outer.paths().find(|(_, taken)| {
                    (is_below(path, taken) && !outer.lets_pass(path))
                        || (is_below(taken, path) && path != *taken)
                });
                if let Some((other, taken)) = taken {
                    let (other, taken) = (other.join("."), quoted(taken));
                    fields.problem_below(
                        field,
                        format_args!("{}, where {other} has {taken}", quoted(path)),
                        "a path that is not another filter's, nor below or above one",
                        "give each filter a path of its own, or name this one in metrics.console",
                    );
                }
            }
        }
    }
}
