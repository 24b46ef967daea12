//! Parameters of operations endpoints, read strictly: a slip could do too much, so nothing unknown is ignored.

use super::Refusal;
use crate::config::{closest, quoted};
use crate::described::{MAX_PARAMETERS, Problem};
use crate::target;

/// Whether a query has no parameters but these.
///
/// # Errors
/// [`Refusal::Parameters`] with each unknown one.
pub fn only(query: &[u8], known: &[&str]) -> Result<(), Refusal> {
    let unknown = |name: &str| match closest(name, known.iter().copied()) {
        Some(meant) => format!("unknown parameter; did you mean {}?", quoted(meant)),
        None => match known {
            [] => "unknown parameter, allowed none; remove it".to_owned(),
            [one] => format!("unknown parameter; the one here is {one}"),
            several => format!("unknown parameter; the parameters here are {}", several.join(", ")),
        },
    };
    let problems: Vec<Problem> = pairs(query)
        .map(|(name, _)| name)
        .filter(|name| !known.contains(&name.as_str()))
        .take(MAX_PARAMETERS)
        .map(|name| Problem { what: unknown(&name), parameter: word(&name) })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(Refusal::Parameters(problems)) }
}

/// The names and values of a query, in order and decoded.
pub fn pairs(query: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    target::query_pairs(query).map(|(name, value)| {
        let name = String::from_utf8_lossy(&target::form_decoded(name)).into_owned();
        (name, target::form_decoded(value).into_owned())
    })
}

/// The value of a parameter that may come once; `None` if it is not there.
///
/// # Errors
/// [`Refusal::Parameters`] if it came twice.
pub fn one(query: &[u8], name: &str) -> Result<Option<String>, Refusal> {
    let mut named = pairs(query).filter(|(found, _)| found == name);
    let Some((_, value)) = named.next() else { return Ok(None) };
    if named.next().is_some() {
        let what = "found a second time, allowed once; remove one of them";
        return Err(Refusal::parameter(name, what));
    }
    Ok(Some(String::from_utf8_lossy(&value).into_owned()))
}

/// A parameter that is `true` or `false`; `false` if it is not there.
///
/// # Errors
/// [`Refusal::Parameters`] if it came twice or is anything else.
pub fn flag(query: &[u8], name: &str) -> Result<bool, Refusal> {
    match one(query, name)?.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => {
            let what = format!("found {}, allowed true or false; write one of them", quoted(other));
            Err(Refusal::parameter(name, what))
        }
    }
}

/// A name in a line of text: plain ones as they are, others quoted, cut and escaped,
/// so that no value can pass for another field or line.
pub fn word(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !name.is_empty() && name.bytes().all(is_plain) { name.to_owned() } else { quoted(name) }
}
