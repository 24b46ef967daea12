//! From an answer to the reply that leaves.

use std::borrow::Cow;

use kit::config::Value;
use kit::{Nanos, Reply};
use serde::Serialize;

use super::Answer;
use crate::signals;
use crate::standing::{Standing, Unit};

/// Why a request is refused: at least one of the standings says so.
#[derive(Debug, Clone, Copy)]
pub struct Spent<'a> {
    /// Where the request's keys stand with all limits that were asked.
    pub standings: &'a [Standing<'a>],
    /// After this all of them would admit it.
    pub wait: Nanos,
    /// The client's plan, if there are plans.
    pub plan: Option<&'a str>,
    /// What the operator offers to clients of that plan.
    pub upgrade: Option<&'a Value>,
}

/// A problem document (RFC 9457), in the order in which it is written.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(rename = "violated-policies", skip_serializing_if = "<[_]>::is_empty")]
    violated: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upgrade: Option<&'a Value>,
}

/// Room for a problem with the names of two limits.
const USUAL_BODY: usize = 384;
const PROBLEM_JSON: &str = "application/problem+json";
/// RFC 9457's word for a problem that its status says all about.
const ABOUT_BLANK: &str = "about:blank";

impl<'a> Spent<'a> {
    fn violated(&self) -> impl Iterator<Item = &'a Standing<'a>> + use<'a> {
        self.standings.iter().filter(|standing| standing.refused)
    }

    /// The earliest time to come back, in seconds, at least 1.
    ///
    /// Never before the effective window of a limit that refuses has ended: what `RateLimit` tells as `t`.
    fn earliest(&self) -> u64 {
        let windows = self.violated().filter_map(Standing::effective_window);
        windows.fold(self.wait.as_secs_ceil(), u64::max).max(1)
    }

    /// The problem in a sentence.
    fn detail(&self, names: &[&str], seconds: u64) -> String {
        if names.is_empty() {
            return format!("The quota is spent; come back in {seconds} s.");
        }
        let (quotas, are, allow) = match names {
            [_] => ("quota", "is", "allows"),
            _ => ("quotas", "are", "allow"),
        };
        let names = names.join("\" and \"");
        let seconds = seconds.to_string();
        let at_once = self.violated().all(|standing| standing.unit == Unit::Concurrent);
        // Put together without formatting, and in one piece of memory: floods of refusals pay for it.
        let words: &[&str] = if at_once {
            &["As many requests are in progress as \"", &names, "\" ", allow]
        } else {
            &["The ", quotas, " of \"", &names, "\" ", are, " spent"]
        };
        [words, &["; come back in ", &seconds, " s."]].concat().concat()
    }
}

impl Answer {
    /// The answer to a request whose quota is spent, also one of requests at the same time.
    ///
    /// Both are problems of type `quota-exceeded`: the draft counts concurrency among the quotas, and keeps
    /// `temporary-reduced-capacity` for a server that can serve less than it usually does.
    ///
    /// `random` gives sixty-four unpredictable bits; asked only for a jitter.
    ///
    /// **Cost**: the body is written once; a configured one is copied.
    pub fn spent(&self, spent: &Spent<'_>, random: impl FnOnce() -> u64) -> Reply {
        let status = self.own.status.unwrap_or(429);
        let seconds = self.spread(spent.earliest(), random);
        let names: Vec<&str> = spent.violated().map(|standing| standing.policy).collect();
        let detail = spent.detail(&names, seconds);
        let (content_type, body) = match &self.own.body {
            Some(body) => (body.content_type.as_str(), body.bytes.clone()),
            None => {
                let problem = Problem {
                    kind: signals::PROBLEM_TYPE,
                    title: "Quota exceeded",
                    status,
                    detail: &detail,
                    violated: &names,
                    plan: spent.plan,
                    upgrade: spent.upgrade,
                };
                (PROBLEM_JSON, problem.to_bytes())
            }
        };
        Reply {
            status,
            headers: self.headers(
                Some(seconds),
                content_type,
                names.first().copied().unwrap_or_default(),
            ),
            body,
            details: signals::LIMITED_DETAILS,
            grpc_status: Some(signals::GRPC_RESOURCE_EXHAUSTED),
            grpc_message: Some(self.own.grpc_message.clone().unwrap_or(detail)),
        }
    }

    /// 401: the rule counts by a key that the request does not have.
    ///
    /// A 401 names a scheme (RFC 9110, 11.6.1); keys have no registered one.
    pub fn keyless(&self, rule: &str) -> Reply {
        let detail =
            format!("\"{rule}\" counts requests by a key that this request does not have.");
        let mut reply = self.own(
            &Problem::blank("Key required", 401, &detail),
            rule,
            None,
            signals::KEYLESS_DETAILS,
            signals::GRPC_UNAUTHENTICATED,
        );
        let challenge = format!("ApiKey realm=\"{rule}\"");
        reply.headers.push(("www-authenticate".into(), challenge.into_bytes()));
        reply
    }

    /// 503: the rule's count could not be kept, and it says not to let such a request pass.
    pub fn failed(&self, rule: &str, random: impl FnOnce() -> u64) -> Reply {
        let detail = format!("The count of \"{rule}\" could not be kept.");
        self.own(
            &Problem::blank("Limit unavailable", 503, &detail),
            rule,
            Some(self.spread(1, random)),
            signals::FAILED_DETAILS,
            signals::GRPC_UNAVAILABLE,
        )
    }

    /// An answer with a body of the filter's own.
    fn own(
        &self,
        problem: &Problem<'_>,
        rule: &str,
        retry_after: Option<u64>,
        details: &'static str,
        grpc_status: u32,
    ) -> Reply {
        Reply {
            status: problem.status,
            headers: self.headers(retry_after, PROBLEM_JSON, rule),
            body: problem.to_bytes(),
            details,
            grpc_status: Some(grpc_status),
            grpc_message: Some(problem.detail.to_owned()),
        }
    }

    /// `seconds`, and up to the jitter more.
    ///
    /// The remainder prefers some seconds by less than one in 10^15.
    fn spread(&self, seconds: u64, random: impl FnOnce() -> u64) -> u64 {
        let Some(jitter) = self.jitter else { return seconds };
        let choices = jitter.as_secs().saturating_add(1);
        seconds.saturating_add(random().checked_rem(choices).unwrap_or(0))
    }

    /// The filter's headers, then the operator's.
    fn headers(
        &self,
        retry_after: Option<u64>,
        content_type: &str,
        name: &str,
    ) -> Vec<(Cow<'static, str>, Vec<u8>)> {
        let mut headers: Vec<(Cow<'static, str>, Vec<u8>)> = Vec::with_capacity(8);
        if let Some(seconds) = retry_after {
            headers.push((signals::RETRY_AFTER.into(), seconds.to_string().into_bytes()));
        }
        headers.push(("cache-control".into(), b"no-store".to_vec()));
        headers.push(("content-type".into(), content_type.as_bytes().to_vec()));
        headers.push((signals::RULE_HEADER.into(), name.as_bytes().to_vec()));
        headers.extend(self.own.own_headers());
        headers
    }
}

impl<'a> Problem<'a> {
    const fn blank(title: &'a str, status: u16, detail: &'a str) -> Self {
        Self { kind: ABOUT_BLANK, title, status, detail, violated: &[], plan: None, upgrade: None }
    }

    /// The document; writing texts and numbers to memory does not fail.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(USUAL_BODY);
        let _ = serde_json::to_writer(&mut bytes, self);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::answer::tests::read;
    use crate::standing::PLAIN;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const REFUSED: Standing<'_> = Standing {
        policy: "general",
        remaining: 0,
        next: Nanos::from_millis(4_001),
        refused: true,
        ..PLAIN
    };
    const AT_ONCE: Standing<'_> =
        Standing { policy: "at-once", unit: Unit::Concurrent, window: None, ..REFUSED };

    fn spent<'a>(standings: &'a [Standing<'a>]) -> Spent<'a> {
        Spent { standings, wait: Nanos::from_millis(4_001), plan: None, upgrade: None }
    }

    fn header<'r>(reply: &'r Reply, name: &str) -> Vec<&'r str> {
        let lines = reply.headers.iter().filter(|(found, _)| found == name);
        lines.map(|(_, value)| std::str::from_utf8(value).unwrap()).collect()
    }

    fn json_of(reply: &Reply) -> Value {
        serde_json::from_slice(&reply.body).unwrap()
    }

    #[test]
    fn a_spent_quota_is_a_problem_document() {
        let reply = Answer::default().spent(&spent(&[PLAIN, REFUSED]), || u64::MAX);
        assert_eq!((reply.status, reply.grpc_status), (429, Some(8)));
        assert_eq!(reply.details, "weir_rate_limited");
        assert_eq!(
            json_of(&reply),
            json!({
                "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
                "title": "Quota exceeded",
                "status": 429,
                "detail": "The quota of \"general\" is spent; come back in 5 s.",
                "violated-policies": ["general"],
            })
        );
        for (name, value) in [
            ("retry-after", "5"),
            ("cache-control", "no-store"),
            ("content-type", "application/problem+json"),
            ("x-weir-rate-limit", "general"),
        ] {
            assert_eq!(header(&reply, name), [value], "{name}");
        }
        assert_eq!(
            reply.grpc_message.as_deref(),
            Some("The quota of \"general\" is spent; come back in 5 s.")
        );
    }

    #[test]
    fn all_limits_that_refuse_are_named_and_the_first_in_the_header() {
        let daily = Standing { policy: "daily", ..REFUSED };
        let reply = Answer::default().spent(&spent(&[AT_ONCE, PLAIN, daily]), || 0);
        assert_eq!(json_of(&reply)["violated-policies"], json!(["at-once", "daily"]));
        assert_eq!(header(&reply, "x-weir-rate-limit"), ["at-once"]);
        let words = "The quotas of \"at-once\" and \"daily\" are spent; come back in 5 s.";
        assert_eq!(reply.grpc_message.as_deref(), Some(words));
    }

    #[test]
    fn too_many_at_once_exceed_a_quota_too() {
        let reply = Answer::default().spent(&spent(&[AT_ONCE]), || 0);
        let problem = json_of(&reply);
        assert_eq!(problem["type"], signals::PROBLEM_TYPE);
        assert_eq!(
            problem["detail"],
            "As many requests are in progress as \"at-once\" allows; come back in 5 s."
        );
    }

    #[test]
    fn plans_and_offers_are_told() {
        let offer = json!({"plan": "standard", "url": "https://example.com/?a=\"b\""});
        let standings = [REFUSED];
        let why = Spent { plan: Some("free"), upgrade: Some(&offer), ..spent(&standings) };
        let problem = json_of(&Answer::default().spent(&why, || 0));
        assert_eq!((&problem["plan"], &problem["upgrade"]), (&json!("free"), &offer));
    }

    #[test]
    fn a_client_is_never_told_to_come_too_early() {
        let answer = Answer::default();
        let told = |standing: Standing<'_>, wait| -> u64 {
            let standings = [standing];
            let why = Spent { wait, ..spent(&standings) };
            header(&answer.spent(&why, || u64::MAX), "retry-after")[0].parse().unwrap()
        };
        let soon = Standing { next: Nanos(1), ..REFUSED };
        assert_eq!(told(soon, Nanos::ZERO), 1);
        assert_eq!(told(soon, Nanos(1)), 1);
        assert_eq!(told(soon, Nanos(1_000_000_001)), 2);
        assert_eq!(told(Standing { next: Nanos::MINUTE, ..REFUSED }, Nanos::SECOND), 60);
        assert_eq!(told(Standing { next: Nanos::MAX, ..REFUSED }, Nanos::MAX), 18_446_744_074);
        assert_eq!(told(AT_ONCE, Nanos::ZERO), 1);
        let idle = Standing { next: Nanos::DAY, refused: false, ..REFUSED };
        assert_eq!(told(idle, Nanos::SECOND), 1);
    }

    #[test]
    fn comebacks_are_spread_over_whole_seconds() {
        let answer = read(r#"{"retry_after_jitter": "2s500ms"}"#).unwrap();
        let told = |random| {
            header(&answer.spent(&spent(&[REFUSED]), || random), "retry-after")[0].to_owned()
        };
        assert_eq!([0, 1, 2, 3].map(told), ["5", "6", "7", "5"]);
        assert_eq!(header(&answer.failed("r", || 2), "retry-after"), ["3"]);
        assert_eq!(answer.spread(u64::MAX, || 2), u64::MAX);
    }

    #[test]
    fn a_configured_answer_is_sent_as_it_is() {
        let answer = read(
            r#"{"status": 503, "json": {"code": 7}, "grpc_message": "slow down",
                "headers": {"X-Reason": "busy", "access-control-allow-origin": "*"}}"#,
        )
        .unwrap();
        let reply = answer.spent(&spent(&[REFUSED]), || 0);
        assert_eq!((reply.status, reply.body.as_slice()), (503, br#"{"code":7}"#.as_slice()));
        assert_eq!(header(&reply, "content-type"), ["application/json"]);
        assert_eq!(header(&reply, "x-reason"), ["busy"]);
        assert_eq!(header(&reply, "retry-after"), ["5"]);
        assert_eq!(reply.grpc_message.as_deref(), Some("slow down"));
        let own_status = read(r#"{"status": 403}"#).unwrap();
        assert_eq!(json_of(&own_status.spent(&spent(&[REFUSED]), || 0))["status"], 403);
    }

    #[test]
    fn other_answers_keep_their_words_and_get_the_headers() {
        let answer =
            read(r#"{"status": 503, "body": "no", "grpc_message": "m", "headers": {"x-a": "b"}}"#)
                .unwrap();
        let keyless = answer.keyless("general");
        assert_eq!((keyless.status, keyless.grpc_status), (401, Some(16)));
        assert_eq!(
            json_of(&keyless),
            json!({
                "type": "about:blank",
                "title": "Key required",
                "status": 401,
                "detail": "\"general\" counts requests by a key that this request does not have.",
            })
        );
        assert_eq!(header(&keyless, "retry-after"), [""; 0]);
        let failed = answer.failed("general", || 0);
        assert_eq!((failed.status, failed.grpc_status), (503, Some(14)));
        assert_eq!(failed.details, "weir_rate_limit_failed");
        assert_eq!(json_of(&failed)["title"], "Limit unavailable");
        assert_eq!(
            (header(&failed, "retry-after"), header(&failed, "x-a")),
            (vec!["1"], vec!["b"])
        );
        assert_eq!(
            failed.grpc_message.as_deref(),
            Some("The count of \"general\" could not be kept.")
        );
    }

    #[test]
    fn a_refusal_by_nobody_is_an_answer_all_the_same() {
        let reply = Answer::default().spent(&spent(&[]), || 0);
        assert_eq!((reply.status, header(&reply, "retry-after")), (429, vec!["5"]));
        assert_eq!(json_of(&reply)["violated-policies"], Value::Null);
    }
}
