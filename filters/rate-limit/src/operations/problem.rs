//! What can be wrong with a request to the operations endpoints, as an answer (RFC 9457).

use std::borrow::Cow;

use kit::Reply;
use kit::described::Problem;
use kit::operations::Denial;
use serde_json::{Value, json};

use super::ledger::Reset;
use super::render;

/// Why a request gets no answer of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 401, 403: it may not.
    Denied(Denial),
    /// 400: these parameters are wrong.
    Parameters(Vec<Problem>),
    /// 404: no such resource or rule; what there is instead.
    Unknown(String),
    /// 405: the resource has only these methods.
    Method { allow: &'static str },
    /// 503: some counts could not be reset.
    Failed(Vec<Reset>),
}

impl Refusal {
    /// The answer.
    pub(super) fn into_reply(self) -> Reply {
        match self {
            Self::Denied(Denial::Token) => {
                let detail = "Send the operations token as x-weir-token or authorization: Bearer.";
                let reply = problem(401, "Unauthorized", detail);
                with(reply, "www-authenticate", "Bearer")
            }
            Self::Denied(Denial::Source) => {
                problem(403, "Forbidden", "The operations endpoints are not for this address.")
            }
            Self::Parameters(problems) => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                let detail = "The parameters cannot be read; see problems.";
                let mut body = body(400, "Bad Request", detail);
                add(&mut body, "problems", json!(lines));
                render::reply(400, PROBLEM, &body)
            }
            Self::Unknown(detail) => problem(404, "Not Found", &detail),
            Self::Method { allow } => {
                let detail = format!("This resource has the methods {allow}.");
                with(problem(405, "Method Not Allowed", &detail), "allow", allow)
            }
            Self::Failed(resets) => {
                let detail = "Some counts were not reset; try again.";
                let mut body = body(503, "Service Unavailable", detail);
                add(&mut body, "reset", render::reset_list(&resets));
                with(render::reply(503, PROBLEM, &body), "retry-after", "1")
            }
        }
    }
}

const PROBLEM: &str = "application/problem+json";

fn problem(status: u16, title: &str, detail: &str) -> Reply {
    render::reply(status, PROBLEM, &body(status, title, detail))
}

fn body(status: u16, title: &str, detail: &str) -> Value {
    json!({ "type": "about:blank", "title": title, "status": status, "detail": detail })
}

fn add(body: &mut Value, name: &str, value: Value) {
    if let Some(object) = body.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

fn with(mut reply: Reply, name: &'static str, value: &str) -> Reply {
    reply.headers.push((Cow::Borrowed(name), value.as_bytes().to_vec()));
    reply
}
