//! What can be switched, and how a change is read from JSON or from a query.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::amount::{Mix, Range, Span};

/// The largest body that is sent, in bytes; a demo needs no more and a typing error costs no memory.
pub const LARGEST_BODY: u64 = 64 << 20;

/// How an instance behaves; the default is a healthy service that answers 200 at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Switches {
    /// `/healthz` answers 503; everything else goes on as before.
    pub ill: bool,
    /// How long every answer takes.
    pub latency: Option<Range>,
    /// Which share of the answers has which status.
    pub status: Option<Mix>,
    /// Every other period of this length the instance is ill and answers 503.
    pub flap: Option<Span>,
    /// Requests are taken and never answered.
    pub hang: bool,
    /// The connection is cut after this many bytes of the body.
    pub cut: Option<u64>,
    /// Size of the body in bytes.
    pub bytes: Option<u64>,
    /// Value of `Cache-Control`.
    pub cache_control: Option<String>,
    /// Value of `Vary`.
    pub vary: Option<String>,
    /// Value of `Set-Cookie`.
    pub set_cookie: Option<String>,
    /// `Expires`, counted from the moment of the answer.
    pub expires: Option<Span>,
    /// Value of `ETag`, quotes included or not; a matching `If-None-Match` is answered with 304.
    pub etag: Option<String>,
    /// Value of `Last-Modified`, an HTTP date; an `If-Modified-Since` that is not older is answered with 304.
    pub last_modified: Option<String>,
}

/// Says why a change of switches was refused; the switches are then as they were.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSwitch {
    /// The change is not a JSON object.
    #[error("found no JSON object; send for instance {{\"status\":\"503:0.3\"}}")]
    NotAnObject,
    /// A field is unknown or its value is not allowed.
    #[error("{0}")]
    Field(String),
    /// A body size is beyond [`LARGEST_BODY`].
    #[error("{0}: found {1}, at most {LARGEST_BODY} is allowed")]
    TooLarge(&'static str, u64),
    /// A value cannot stand in a header, or is no date where one is needed.
    #[error(
        "{0}: the value cannot be sent in a header; use visible ASCII, and an HTTP date for last_modified"
    )]
    NotAHeader(&'static str),
}

impl Switches {
    /// These switches with a change laid over them, a JSON merge patch (RFC 7396): `null` takes a setting back.
    ///
    /// # Errors
    /// [`BadSwitch`], with the first problem found.
    pub fn changed(&self, change: &Value) -> Result<Self, BadSwitch> {
        let Value::Object(change) = change else { return Err(BadSwitch::NotAnObject) };
        let Ok(Value::Object(mut fields)) = serde_json::to_value(self) else {
            return Err(BadSwitch::NotAnObject);
        };
        for (name, value) in change {
            let value = match (value, name.as_str()) {
                (Value::Null, "ill" | "hang") => Value::Bool(false),
                (value, _) => value.clone(),
            };
            fields.insert(name.clone(), value);
        }
        let switches: Self = serde_json::from_value(Value::Object(fields))
            .map_err(|e| BadSwitch::Field(e.to_string()))?;
        switches.check()?;
        Ok(switches)
    }

    /// These switches with the query parameters of one request laid over them; parameters that name no switch are left
    /// to the request's sender.
    ///
    /// `max-age=60` is short for `cache_control=max-age=60`.
    ///
    /// # Errors
    /// [`BadSwitch`], with the first problem found.
    pub fn for_query(&self, query: &str) -> Result<Self, BadSwitch> {
        let mut change = Map::new();
        for (name, text) in form_urlencoded::parse(query.as_bytes()) {
            let value = match name.as_ref() {
                "ill" | "hang" => Value::Bool(matches!(text.as_ref(), "" | "1" | "true")),
                "cut" | "bytes" => {
                    text.parse::<u64>().map_or_else(|_| Value::from(text.as_ref()), Value::from)
                }
                "latency" | "status" | "flap" | "cache_control" | "vary" | "set_cookie"
                | "expires" | "etag" | "last_modified" => Value::from(text.as_ref()),
                "max-age" => {
                    change
                        .insert("cache_control".to_owned(), Value::from(format!("max-age={text}")));
                    continue;
                }
                _ => continue,
            };
            change.insert(name.into_owned(), value);
        }
        if change.is_empty() { Ok(self.clone()) } else { self.changed(&Value::Object(change)) }
    }

    /// The entity tag with its quotes.
    #[must_use]
    pub fn entity_tag(&self) -> Option<String> {
        let tag = self.etag.as_deref()?;
        Some(if tag.ends_with('"') { tag.to_owned() } else { format!("\"{tag}\"") })
    }

    /// The moment named by `last_modified`.
    #[must_use]
    pub fn modified_at(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.last_modified.as_deref()?).ok()
    }

    fn check(&self) -> Result<(), BadSwitch> {
        for (name, size) in [("bytes", self.bytes), ("cut", self.cut)] {
            if let Some(size) = size.filter(|&size| size > LARGEST_BODY) {
                return Err(BadSwitch::TooLarge(name, size));
            }
        }
        let texts = [
            ("cache_control", &self.cache_control),
            ("vary", &self.vary),
            ("set_cookie", &self.set_cookie),
            ("etag", &self.etag),
            ("last_modified", &self.last_modified),
        ];
        for (name, text) in texts {
            if text.as_deref().is_some_and(|text| !text.bytes().all(|b| (0x20..0x7f).contains(&b)))
            {
                return Err(BadSwitch::NotAHeader(name));
            }
        }
        if self.last_modified.is_some() && self.modified_at().is_none() {
            return Err(BadSwitch::NotAHeader("last_modified"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_is_laid_over_and_null_takes_it_back() {
        let healthy = Switches::default();
        let slow =
            healthy.changed(&json!({"latency": "5ms..9ms", "ill": true, "bytes": 10})).unwrap();
        assert!(slow.ill);
        let named = slow.changed(&json!({"etag": "v1"})).unwrap();
        assert_eq!((named.bytes, named.entity_tag().as_deref()), (Some(10), Some("\"v1\"")));
        let back = named
            .changed(&json!({"latency": null, "ill": null, "bytes": null, "etag": null}))
            .unwrap();
        assert_eq!(back, healthy);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_name() {
        let refused = |change: Value| Switches::default().changed(&change).unwrap_err().to_string();
        assert_eq!(
            refused(json!([])),
            "found no JSON object; send for instance {\"status\":\"503:0.3\"}"
        );
        assert!(
            refused(json!({"statsu": "503"}))
                .starts_with("unknown field `statsu`, expected one of `ill`, `latency`")
        );
        assert_eq!(
            refused(json!({"flap": "soon"})),
            "found \"soon\", allowed is a span such as 250ms, 2s or 1m, at most 10m"
        );
        assert_eq!(
            refused(json!({"bytes": 67_108_865})),
            "bytes: found 67108865, at most 67108864 is allowed"
        );
        assert_eq!(
            refused(json!({"vary": "a\nb"})),
            "vary: the value cannot be sent in a header; use visible ASCII, and an HTTP date for last_modified"
        );
        assert!(refused(json!({"last_modified": "yesterday"})).starts_with("last_modified: "));
    }

    #[test]
    fn a_query_overrides_for_one_request_and_may_hold_other_parameters() {
        let base = Switches { bytes: Some(5), ..Switches::default() };
        let one = base.for_query("max-age=60&run=7&status=503%3A0.5&hang&cut=3").unwrap();
        assert_eq!(one.cache_control.as_deref(), Some("max-age=60"));
        assert_eq!(one.status, Some("503:0.5".parse().unwrap()));
        assert_eq!((one.hang, one.cut, one.bytes), (true, Some(3), Some(5)));
        assert_eq!(base.for_query("run=7").unwrap(), base);
        assert!(base.for_query("bytes=many").is_err());
    }
}
