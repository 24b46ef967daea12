//! A request as an operator describes it: what would a filter do with such a one?
//!
//! An operations endpoint gets the description as parameters of its own query, for example
//! `…/state?method=POST&path=%2Flogin&address=192.0.2.1&claim.sub=alice&header.x-plan=pro`.
//! The [`Exchange`] that it makes can be asked like any other, and nothing that is done to it has an effect,
//! but for what the filter itself does to the host's shared state.
//!
//! | parameter | is | if absent |
//! | --- | --- | --- |
//! | `method` | the method | `GET` |
//! | `path` | the path with its own query, encoded once more | `/` |
//! | `host` | the host, with a port or without | the operator's |
//! | `url` | scheme, host and path at once, encoded once more | what `path` and `host` say |
//! | `address` | the client's address | the operator's |
//! | `header.NAME` | a value of this header; may come several times | the operator's |
//! | `claim.NAME` | a text claim of a verified token; of a nested claim the names with dots between | the operator's |
//! | `route`, `virtual_host`, `cluster` | the name in Envoy's configuration | none |
//!
//! The operator's own headers are the request's, so that credentials can travel as headers and not in a URL, which
//! logs keep; the [operations token](Access::is_token) is none of them, nor are the pseudo headers.
//! The operator's dynamic metadata and connection are the request's as well: an `authorization` that Envoy verified
//! gives its claims. What Envoy's routing found for the operator's path is not: it says nothing about the one described.
//!
//! Deliberately not done here: bodies, responses and waiting. A body is empty, a response has no headers.

mod parameters;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;

use crate::claims::{JWT_NAMESPACE, JWT_PAYLOAD};
use crate::config::{closest, quoted};
use crate::exchange::{Attribute, Exchange, Host, Map, Waker};
use crate::headers::Headers;
use crate::operations::Access;
use crate::place::{self, NameError, Place};
use crate::target::{self, Url};
pub use parameters::PARAMETERS;

/// A described request.
///
/// **Cost**: as the operator's own exchange, which it reads through; in memory a copy of its request headers.
pub struct Described<'a> {
    operator: &'a dyn Exchange,
    request: Rc<Headers>,
    source: Option<Rc<[u8]>>,
    route: Option<Rc<[u8]>>,
    virtual_host: Option<Rc<[u8]>>,
    cluster: Option<Rc<[u8]>>,
    claims: Vec<Named>,
}

/// A header or claim by its name.
type Named = (Box<str>, Vec<u8>);

/// What is wrong with one parameter; its `Display` says where, what was found and allowed, and how to mend it.
///
/// Values of headers and claims, which may be credentials, are never shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {what}")]
pub struct Problem {
    /// The parameter as the operator wrote it, with nothing unprintable.
    pub parameter: String,
    /// What was found and is allowed, and how to mend it.
    pub what: String,
}

/// Parameters that a description may have: each is compared with each header.
pub const MAX_PARAMETERS: usize = 64;

impl<'a> Described<'a> {
    /// Reads the description in the query of the operator's request `x`; the endpoint reads `others` itself.
    ///
    /// # Errors
    /// Every parameter that is unknown, wrong, or there twice though it is one value.
    pub fn read(
        x: &'a dyn Exchange,
        access: &Access,
        others: &[&str],
    ) -> Result<Self, Vec<Problem>> {
        let request = x.request();
        let (_, query) = target::split(request.get(":path").unwrap_or_default());
        let mut draft = Draft::default();
        let mut problems = Vec::new();
        for (idx, (name, value)) in target::query_pairs(query).enumerate() {
            let name = target::form_decoded(name);
            let name = String::from_utf8_lossy(&name);
            let taken = if idx == MAX_PARAMETERS {
                Err(format!("found one parameter more, allowed {MAX_PARAMETERS}; leave some out"))
            } else if others.contains(&&*name) {
                Ok(())
            } else {
                draft.take(&name, &target::form_decoded(value), others)
            };
            if let Err(what) = taken {
                problems.push(Problem { parameter: shown(&name), what });
            }
            if idx == MAX_PARAMETERS {
                break;
            }
        }
        if problems.is_empty() { Ok(draft.put_over(x, access)) } else { Err(problems) }
    }
}

/// A name in front of a message: plain ones as they are.
fn shown(name: &str) -> String {
    let is_plain = |byte: u8| place::is_token(byte) || byte == b':';
    let is_plain = !name.is_empty() && name.len() <= 64 && name.bytes().all(is_plain);
    if is_plain { name.to_owned() } else { quoted(name) }
}

/// A parameter that is one value.
struct Form {
    name: &'static str,
    allowed: &'static str,
    mend: &'static str,
    /// The value as an exchange has it; `None` if it cannot be one.
    parse: fn(&[u8]) -> Option<Vec<u8>>,
}

const FORMS: [Form; 8] = [
    Form {
        name: "method",
        allowed: "a method such as \"POST\"",
        mend: "write it as requests have it",
        parse: |value| plain(value, place::is_token),
    },
    Form {
        name: "path",
        allowed: "a path such as \"/login\"",
        mend: "begin it with / and write a blank in it as %2520",
        parse: |value| {
            plain(value, |byte| byte > b' ' && byte != 0x7f).filter(|path| path.starts_with(b"/"))
        },
    },
    Form {
        name: "host",
        allowed: "a host such as \"example.com\" or \"example.com:8443\"",
        mend: "leave scheme and path out",
        parse: |value| plain(value, |byte| byte.is_ascii_graphic() && byte != b'/'),
    },
    Form {
        name: "url",
        allowed: Url::FORM,
        mend: Url::MEND,
        parse: |value| {
            Url::parse(std::str::from_utf8(value).ok()?).map(|url| url.to_string().into_bytes())
        },
    },
    Form {
        name: "address",
        allowed: "an address such as \"192.0.2.1\" or \"2001:db8::1\"",
        mend: "write it in digits, without a port or a range",
        parse: peer,
    },
    Form { name: "route", allowed: A_NAME, mend: FILL_IN, parse: |value| plain(value, |_| true) },
    Form {
        name: "virtual_host",
        allowed: A_NAME,
        mend: FILL_IN,
        parse: |value| plain(value, |_| true),
    },
    Form { name: "cluster", allowed: A_NAME, mend: FILL_IN, parse: |value| plain(value, |_| true) },
];

const A_NAME: &str = "a name of Envoy's configuration";
const FILL_IN: &str = "fill it in, or leave the parameter out for a request that has none";

/// The value, if there is one and it has only bytes that may be in it.
fn plain(value: &[u8], may: impl Fn(u8) -> bool) -> Option<Vec<u8>> {
    (!value.is_empty() && value.iter().all(|byte| may(*byte))).then(|| value.to_vec())
}

/// An address in Envoy's form of a peer; nobody asks for the port.
fn peer(value: &[u8]) -> Option<Vec<u8>> {
    let address: IpAddr = std::str::from_utf8(value).ok()?.parse().ok()?;
    Some(match address {
        IpAddr::V4(v4) => format!("{v4}:0").into_bytes(),
        IpAddr::V6(v6) => format!("[{v6}]:0").into_bytes(),
    })
}

/// What the parameters read so far say.
#[derive(Default)]
struct Draft {
    values: Vec<(&'static str, Vec<u8>)>,
    headers: Vec<Named>,
    claims: Vec<Named>,
}

impl Draft {
    fn take(&mut self, name: &str, value: &[u8], others: &[&str]) -> Result<(), String> {
        if let Some(header) = name.strip_prefix("header.") {
            self.headers.push(header_of(header, value)?);
            return Ok(());
        }
        if let Some(claim) = name.strip_prefix("claim.") {
            if claim.is_empty() {
                return Err(
                    "found no name, allowed a claim's name such as \"claim.sub\"; add it".into()
                );
            }
            if self.claims.iter().any(|(found, _)| **found == *claim) {
                return Err(TWICE.into());
            }
            self.claims.push((claim.into(), value.to_vec()));
            return Ok(());
        }
        let form =
            FORMS.iter().find(|form| form.name == name).ok_or_else(|| unknown(name, others))?;
        if self.value(form.name).is_some() {
            return Err(TWICE.into());
        }
        let has = |names: &[&str]| names.iter().any(|name| self.value(name).is_some());
        if (name == "url" && has(&["path", "host"]))
            || (matches!(name, "path" | "host") && has(&["url"]))
        {
            return Err(
                "found url beside path or host, allowed one form; leave the other out".into()
            );
        }
        let value = (form.parse)(value).ok_or_else(|| {
            let found = quoted(&String::from_utf8_lossy(value));
            format!("found {found}, allowed {}; {}", form.allowed, form.mend)
        })?;
        self.values.push((form.name, value));
        Ok(())
    }

    fn value(&self, name: &str) -> Option<&[u8]> {
        self.values.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_slice())
    }

    /// The described request: what is described, over what is the operator's.
    fn put_over<'a>(self, x: &'a dyn Exchange, access: &Access) -> Described<'a> {
        let own = x.request();
        let url = self.value("url").and_then(|url| Url::parse(std::str::from_utf8(url).ok()?));
        let url = url.as_ref();
        let path = url.map(|url| url.path.as_bytes()).or_else(|| self.value("path"));
        let host = url.map(|url| url.authority.as_bytes()).or_else(|| self.value("host"));
        let pseudo = [
            (":method", Some(self.value("method").unwrap_or(b"GET"))),
            (":path", Some(path.unwrap_or(b"/"))),
            (":authority", host.or_else(|| own.get(":authority"))),
            (":scheme", url.map(|url| url.scheme.as_bytes()).or_else(|| own.get(":scheme"))),
        ];
        let pseudo = pseudo.iter().filter_map(|(name, value)| Some((name.as_bytes(), (*value)?)));
        let kept = own.iter().filter(|(name, value)| {
            let is_described = self.headers.iter().any(|(found, _)| found.as_bytes() == *name);
            !name.starts_with(b":") && !is_described && !access.is_token(name, value)
        });
        let described =
            self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()));
        let pairs: Vec<(&[u8], &[u8])> = pseudo.chain(kept).chain(described).collect();
        let named = |name| self.value(name).map(Rc::from);
        Described {
            operator: x,
            request: Rc::new(Headers::new(&pairs)),
            source: named("address").or_else(|| x.attribute(Attribute::SourceAddress)),
            route: named("route"),
            virtual_host: named("virtual_host"),
            cluster: named("cluster"),
            claims: self.claims,
        }
    }
}

const TWICE: &str = "found a second time, allowed once; remove one of them";

fn header_of(name: &str, value: &[u8]) -> Result<Named, String> {
    let wrong = |mend: &dyn fmt::Display| {
        format!(
            "found {}, allowed a header's name such as \"header.x-api-key\"; {mend}",
            quoted(name)
        )
    };
    if name.starts_with(':') {
        return Err(wrong(&"describe it with method, path or host"));
    }
    let parsed = match Place::Header.parse_name(name) {
        Ok(parsed) => parsed,
        Err(NameError::Host) => return Err(wrong(&"describe it with host")),
        Err(error) => return Err(wrong(&error)),
    };
    if value.iter().any(|byte| matches!(byte, b'\0' | b'\r' | b'\n')) {
        return Err("found a value with a line break or NUL, allowed what a header can carry; \
            leave them out"
            .into());
    }
    Ok((parsed, value.trim_ascii().to_vec()))
}

fn unknown(name: &str, others: &[&str]) -> String {
    let (family, rest) = name.split_once('.').map_or((name, None), |(a, b)| (a, Some(b)));
    let meant: Option<Cow<'_, str>> = match closest(family, ["header", "claim"].into_iter()) {
        Some(family) => {
            Some(format!("{family}.{}", rest.filter(|r| !r.is_empty()).unwrap_or("NAME")).into())
        }
        None => closest(name, FORMS.iter().map(|form| form.name).chain(others.iter().copied()))
            .map(Cow::from),
    };
    match meant {
        Some(meant) => format!("unknown parameter; did you mean {}?", quoted(&meant)),
        None => {
            let mut known: Vec<&str> = FORMS.iter().map(|form| form.name).collect();
            known.extend(["header.NAME", "claim.NAME"]);
            known.extend(others);
            format!(
                "unknown parameter; the parameters here are {}; \
                 if it belongs to the path, write the & before it as %26",
                known.join(", ")
            )
        }
    }
}

impl Exchange for Described<'_> {
    fn host(&self) -> &dyn Host {
        self.operator.host()
    }

    fn headers(&self, map: Map) -> Rc<Headers> {
        match map {
            Map::Request => Rc::clone(&self.request),
            Map::Response | Map::Trailers => Rc::default(),
        }
    }

    fn set_header(&self, _map: Map, _name: &str, _value: &[u8]) {}

    fn add_header(&self, _map: Map, _name: &str, _value: &[u8]) {}

    fn remove_header(&self, _map: Map, _name: &str) {}

    fn attribute(&self, attribute: Attribute) -> Option<Rc<[u8]>> {
        match attribute {
            Attribute::SourceAddress => self.source.clone(),
            Attribute::RouteName => self.route.clone(),
            Attribute::VirtualHost => self.virtual_host.clone(),
            Attribute::Cluster => self.cluster.clone(),
            Attribute::ResponseCode
            | Attribute::ResponseDetails
            | Attribute::ResponseFlags
            | Attribute::Duration
            | Attribute::RequestBytes
            | Attribute::ResponseBytes
            | Attribute::RequestBodyBytes
            | Attribute::ResponseBodyBytes
            | Attribute::UpstreamAddress
            | Attribute::UpstreamTime
            | Attribute::GrpcStatus => None,
        }
    }

    /// Described claims, and what of the operator's own request does not depend on its path.
    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        if let ["metadata", "filter_metadata", JWT_NAMESPACE, JWT_PAYLOAD, claim @ ..] = path {
            let name = claim.join(".");
            if let Some((_, value)) = self.claims.iter().find(|(found, _)| **found == *name) {
                return Some(value.clone());
            }
        }
        match path {
            ["metadata", "filter_metadata", ..] | ["connection", ..] => {
                self.operator.property(path)
            }
            _ => None,
        }
    }

    fn publish(&self, _name: &str, _value: &[u8]) {}

    fn body(&self, _len: usize) -> Vec<u8> {
        Vec::new()
    }

    /// The operator's own: it is the stream that would wait.
    fn waker(&self) -> Waker {
        self.operator.waker()
    }

    fn note(&self, _filter: &'static str, _word: &'static str) {}

    fn detail(&self, _filter: &'static str, _name: &'static str, _value: &dyn fmt::Display) {}

    fn notes(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
