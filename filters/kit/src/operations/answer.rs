//! The frame around every answer: who may ask, what is logged, and which word goes into the decision record.

use super::{Access, Refusal, Verdict, openapi};
use crate::exchange::Exchange;
use crate::filter::Reply;
use crate::target;

/// The details of every answer of operations endpoints in Envoy's access log.
pub const DETAILS: &str = "weir_operations";

/// What came of a request to operations endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The answer to send.
    pub reply: Reply,
    /// The word for the decision record.
    pub word: &'static str,
    /// Lines to log: one for each change that was asked for.
    pub audit: Vec<String>,
}

/// Answers a request that is below the prefix; `None` for any other. Ask in the request phase.
///
/// `handle` gets the request, if it may ask, and the lines to log; one for the [OpenAPI document](openapi) is answered
/// here. `end` says that no body follows: no operation has one, and whoever sends one believes that it counts.
///
/// **Cost**: as [`Access::decide`] for any other; else what `handle` needs.
pub fn answer(
    access: &Access,
    x: &dyn Exchange,
    end: bool,
    handle: impl FnOnce(&Asked, &mut Vec<String>) -> Result<Reply, Refusal>,
) -> Option<Answer> {
    match access.decide(x) {
        Verdict::NotOurs => None,
        Verdict::Denied(denial) => {
            let reply = Refusal::Denied(denial).into_reply();
            Some(Answer { reply, word: denial.word(), audit: Vec::new() })
        }
        Verdict::Granted => Some(granted(|audit| {
            Refusal::unless_ended(end)?;
            match Asked::read(access, x) {
                asked if asked.endpoint == openapi::PATH => {
                    openapi::answer(x.host(), &asked.method, &asked.query)
                }
                asked => handle(&asked, audit),
            }
        })),
    }
}

/// The answer to a request that may ask, wherever it went.
pub fn granted(handle: impl FnOnce(&mut Vec<String>) -> Result<Reply, Refusal>) -> Answer {
    let mut audit = Vec::new();
    let reply = handle(&mut audit).unwrap_or_else(Refusal::into_reply);
    Answer { reply, word: "operations", audit }
}

/// A granted request, and what it asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The prefix of the endpoints, without a slash at its end.
    pub prefix: String,
    /// What follows it: empty, or with a slash in front.
    pub endpoint: String,
    /// The method.
    pub method: Vec<u8>,
    /// The query, encoded.
    pub query: Vec<u8>,
}

impl Asked {
    fn read(access: &Access, x: &dyn Exchange) -> Self {
        let request = x.request();
        let (path, query) = target::split(request.get(":path").unwrap_or_default());
        let endpoint = access.endpoint(x).unwrap_or_default();
        let path = target::canonical_path(path);
        Self {
            prefix: path.strip_suffix(&*endpoint).unwrap_or(&path).to_owned(),
            endpoint,
            method: request.get(":method").unwrap_or_default().to_vec(),
            query: query.to_vec(),
        }
    }
}
