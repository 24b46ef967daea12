//! What can be wrong with a request to operations endpoints, as an answer (RFC 9457).

use std::borrow::Cow;

use serde_json::{Value, json};

use super::json::{put, reply};
use super::{Denial, parameters};
use crate::config::{closest, quoted};
use crate::described::Problem;
use crate::filter::Reply;
use crate::headers::Headers;

/// Why a request gets no answer of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// 401, 403: it may not.
    Denied(Denial),
    /// 403: a browser sent it for a page of another site.
    CrossSite,
    /// 400: these parameters are wrong.
    Parameters(Vec<Problem>),
    /// 404: there is no such thing; what there is instead.
    Unknown(String),
    /// 405: the resource has only these methods.
    Method {
        /// As `allow` lists them: `GET, HEAD`.
        allow: &'static str,
    },
    /// 409: not as things are now; what the operator can do about it.
    Conflict(String),
    /// 503: some of it was not done.
    Failed {
        /// A sentence.
        detail: &'static str,
        /// The member that tells what was done, and what it holds.
        done: Option<(&'static str, Value)>,
    },
}

impl Refusal {
    /// Nothing is at this endpoint: what was meant, or what there is.
    ///
    /// `known` are the endpoints, such as `/rules/NAME`; a last part in capitals stands for a name.
    pub fn nothing_at(endpoint: &str, known: &[&str]) -> Self {
        let name = endpoint.trim_start_matches('/');
        let plain = known.iter().filter_map(|path| path.strip_prefix('/'));
        let plain = plain.filter(|path| !path.contains('/'));
        let is_cut = name.strip_suffix('/').is_some_and(|of| {
            known.iter().any(|path| path.strip_prefix('/') == Some(&format!("{of}/NAME")))
        });
        let mend = match closest(name, plain) {
            _ if is_cut => {
                let kind = name.trim_end_matches('/').trim_end_matches('s');
                format!("add the {kind}'s name, or remove the slash to mean every {kind}",)
            }
            Some(meant) => format!("did you mean \"/{meant}\"?"),
            None => format!("there are {}", listed(known)),
        };
        Self::Unknown(format!("There is nothing at {}; {mend}", quoted(endpoint)))
    }

    /// Whether there is such a `kind`: an error that says what was meant, or which there are.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] if the name is none of these.
    pub fn unless_known(kind: &str, name: &str, names: &[&str]) -> Result<(), Self> {
        if names.contains(&name) {
            return Ok(());
        }
        let mend = match closest(name, names.iter().copied()) {
            Some(meant) => format!("did you mean {}?", quoted(meant)),
            None if names.is_empty() => format!("there are no {kind}s"),
            None => format!("the {kind}s are {}", names.join(", ")),
        };
        Err(Self::Unknown(format!("There is no {kind} {}; {mend}", quoted(name))))
    }

    /// Whether the request is not a browser's for a page of another site; ask before a `POST` changes something.
    ///
    /// A page can make a browser send a `POST` to another site unasked, which counts where access is by address alone.
    /// It says so in `origin` (RFC 6454, 7.3; the Fetch standard sends it with each `POST`). `PUT` and `DELETE` it only
    /// sends to a site that has agreed.
    ///
    /// # Errors
    /// [`Refusal::CrossSite`].
    pub fn unless_same_site(request: &Headers) -> Result<(), Self> {
        let Some(origin) = request.get("origin") else { return Ok(()) };
        let end = origin.windows(3).position(|part| part == b"://");
        let host = end.and_then(|at| origin.get(at.saturating_add(3)..));
        let own = request.get(":authority").unwrap_or_default();
        if host.is_some_and(|host| host.eq_ignore_ascii_case(own)) {
            Ok(())
        } else {
            Err(Self::CrossSite)
        }
    }

    /// Whether no body follows; `end` says so.
    ///
    /// # Errors
    /// [`Refusal::Parameters`].
    pub fn unless_ended(end: bool) -> Result<(), Self> {
        let what = "found one, allowed none; send none";
        if end { Ok(()) } else { Err(Self::parameter("body", what)) }
    }

    /// One parameter is wrong.
    pub fn parameter(name: &str, what: impl Into<String>) -> Self {
        let problem = Problem { parameter: parameters::word(name), what: what.into() };
        Self::Parameters(vec![problem])
    }

    /// The answer.
    pub fn into_reply(self) -> Reply {
        match self {
            Self::Denied(Denial::Token) => {
                let detail = "Send the operations token as x-weir-token or authorization: Bearer.";
                with(problem(401, "Unauthorized", detail), "www-authenticate", "Bearer")
            }
            Self::Denied(Denial::Source) => {
                problem(403, "Forbidden", "The operations endpoints are not for this address.")
            }
            Self::CrossSite => {
                problem(403, "Forbidden", "Pages of other sites may change nothing here.")
            }
            Self::Parameters(problems) => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                let detail = "The parameters cannot be read; see problems.";
                let mut body = body(400, "Bad Request", detail);
                add(&mut body, "problems", json!(lines));
                reply(400, PROBLEM, &body)
            }
            Self::Unknown(detail) => problem(404, "Not Found", &detail),
            Self::Method { allow } => {
                let detail = format!("This resource has the methods {allow}.");
                with(problem(405, "Method Not Allowed", &detail), "allow", allow)
            }
            Self::Conflict(detail) => problem(409, "Conflict", &detail),
            Self::Failed { detail, done } => {
                let mut body = body(503, "Service Unavailable", detail);
                if let Some((name, done)) = done {
                    add(&mut body, name, done);
                }
                with(reply(503, PROBLEM, &body), "retry-after", "1")
            }
        }
    }
}

const PROBLEM: &str = "application/problem+json";

/// `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
        None => "none".to_owned(),
    }
}

fn problem(status: u16, title: &str, detail: &str) -> Reply {
    reply(status, PROBLEM, &body(status, title, detail))
}

fn body(status: u16, title: &str, detail: &str) -> Value {
    json!({ "type": "about:blank", "title": title, "status": status, "detail": detail })
}

fn add(body: &mut Value, name: &str, value: Value) {
    if let Some(object) = body.as_object_mut() {
        put(object, name, value);
    }
}

fn with(mut reply: Reply, name: &'static str, value: &str) -> Reply {
    reply.headers.push((Cow::Borrowed(name), value.as_bytes().to_vec()));
    reply
}
