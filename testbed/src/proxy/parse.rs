//! A command line that may have been written by `make`: what is wrong is named in its words too.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue};

/// The variables of `make proxy` and `make check-config`, by the flag that each becomes.
const VARIABLES: [(&str, &str); 5] = [
    ("--upstream", "UPSTREAM=127.0.0.1:8000"),
    ("--port", "PORT=10000"),
    ("--filter", "FILTER=rate-limit"),
    ("--config", "CONFIG=my.yaml"),
    ("--workers", "WORKERS=2"),
];

/// The arguments of this process, or the exit code after it was said what is wrong with them.
///
/// Help and version are printed and are code 0; a mistake is code 2, as with clap itself.
///
/// # Errors
///
/// The exit code to end with.
pub fn parse<A: Parser>() -> Result<A, ExitCode> {
    A::try_parse().map_err(|error| {
        let _ = error.print();
        if let Some(hint) = in_make(&error) {
            let _ = writeln!(std::io::stderr(), "\n{hint}");
        }
        u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
    })
}

/// How the flags that `error` is about are written for make, if it has variables for them.
fn in_make(error: &clap::Error) -> Option<String> {
    let about = error.get(ContextKind::InvalidArg)?;
    // One flag that has a bad value, or all that are missing.
    let about = if let ContextValue::Strings(flags) = about {
        flags.clone()
    } else {
        vec![about.to_string()]
    };
    let flags = about.iter().map(|flag| flag.split(' ').next().unwrap_or_default());
    let variable = |flag| VARIABLES.iter().find(|(known, _)| *known == flag).map(|(_, text)| *text);
    let variables: Vec<&str> = flags.filter_map(variable).collect();
    (!variables.is_empty()).then(|| format!("With make, for instance {}", variables.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::super::arguments::Arguments;
    use super::*;

    #[test]
    fn each_mistake_names_the_variable_of_make() {
        let hint = |words: &str| {
            let words = ["weir-proxy"].into_iter().chain(words.split_whitespace());
            in_make(&Arguments::try_parse_from(words).unwrap_err())
        };
        for (words, variable) in [
            ("", "UPSTREAM="),
            ("--upstream nowhere", "UPSTREAM="),
            ("--upstream h:1 --port x", "PORT="),
            ("--upstream h:1 --workers 0", "WORKERS="),
            ("--upstream h:1 --filter all", "FILTER="),
            ("--upstream h:1 --config", "CONFIG="),
        ] {
            let hint = hint(words).unwrap_or_default();
            assert!(hint.contains(variable), "{words:?}: {hint:?}");
        }
        assert_eq!(hint("--upstream h:1 --timeout 0"), None);
    }
}
