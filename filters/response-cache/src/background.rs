//! Requests that the cache makes by itself: refreshes, and fetches of what nobody has asked for yet.
//!
//! They are ordinary requests to a cluster that leads back into this Envoy, so that whatever stands on a client's way
//! stands on theirs: routes and their rewrites, retries, authentication, the circuit breaker. Nothing is stored from
//! the call's own answer; the filter that the request passes on its way knows it by a marker, skips the lookup, and
//! stores the response as it stores every other.
//!
//! The marker is a header that carries what a client must not be able to say: the scheme and the key parts of the
//! request that was the occasion, and those fields of the key and of `Vary` that Envoy changes on the way. It is signed
//! with the secret of the process, is good for one URI and a minute, and is removed before the request goes on;
//! one that is not genuine is removed too, and means nothing.
//!
//! The key is built anew from the request that arrives, and must be the one of the occasion: an answer to a request
//! without the field, the user or the claim that its key names is somebody else's.
//!
//! The edge: a call that fails changes nothing, what is stored stays as it is. Beyond `max_concurrent` calls of one
//! worker none is started. A call whose end is never heard of, because what had started it is gone, ends by itself
//! a while after its timeout.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use kit::exchange::{Answer, Call, CallId};
use kit::hash::{Secret, hex};
use kit::headers::Headers;
use kit::{Host, Nanos};

use crate::config::Background as Settings;
use crate::http::field::trim;
use crate::key::Key;
use crate::signals::CACHE_NAME;

/// The header that marks a background request.
pub const MARKER: &str = "x-weir-background";

/// How old a marker may be.
const MAX_MARKER_AGE: Nanos = Nanos::MINUTE;

/// How long after its timeout the end of a call is waited for: Envoy's timer is no later than its event loop is.
const PATIENCE: Nanos = Nanos::SECOND;

/// How long a cluster that does not exist is not called: one that comes by CDS may come at any time.
const RETRY_CLUSTER: Nanos = Nanos::from_secs(10);

/// What a background request is for, as its marker says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    /// The scheme of the request that was the occasion.
    pub scheme: Vec<u8>,
    /// The rule that holds; found by matching where there is none.
    pub rule: Option<String>,
    /// The key parts of the request that was the occasion: the user, for example.
    pub parts: Vec<u8>,
    /// Fields that are to be as they were in the occasion, whatever Envoy has made of them.
    pub restored: Restored,
}

/// Fields of the occasion that do not come through Envoy unchanged, and its values of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restored {
    /// Their names, lower case; of one without values the occasion had none.
    pub names: Vec<String>,
    /// Their values.
    pub values: Headers,
}

/// A background request to make.
#[derive(Debug, Clone, Default)]
pub struct Job<'a> {
    /// `http` or `https`.
    pub scheme: &'a [u8],
    /// The host, with its port if it has one.
    pub authority: &'a [u8],
    /// Path and query.
    pub path: &'a [u8],
    /// The rule that holds, if that is known.
    pub rule: Option<&'a str>,
    /// The key parts of the request that is the occasion.
    pub parts: &'a [u8],
    /// The headers of the request that is the occasion; empty if there is none.
    pub headers: Headers,
    /// Fields of it that the key or `Vary` has, lower case.
    pub kept: Vec<String>,
}

impl<'a> Job<'a> {
    /// The request that was the occasion, once more; `kept` are the fields that its key and `Vary` have.
    pub fn again(
        headers: &'a Headers,
        scheme: &'a [u8],
        rule: &'a str,
        key: &'a Key,
        kept: Vec<String>,
    ) -> Self {
        Self {
            scheme,
            authority: headers.get(":authority").unwrap_or_default(),
            path: headers.get(":path").unwrap_or_default(),
            rule: Some(rule),
            parts: &key.parts,
            headers: headers.clone(),
            kept,
        }
    }
}

/// One worker's background requests; `T` is what their makers want back when they have ended.
#[derive(Debug)]
pub struct Background<T> {
    settings: Settings,
    secret: Secret,
    filter: &'static str,
    next: Cell<u64>,
    under_way: RefCell<BTreeMap<u64, UnderWay<T>>>,
    /// Until then it is not tried: the cluster was missing.
    lost_until: Cell<Nanos>,
}

#[derive(Debug)]
struct UnderWay<T> {
    on_end: T,
    /// From when on its end will not be heard of any more.
    until: Nanos,
}

/// How a background request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was answered.
    Answered {
        /// With this status.
        status: u16,
        /// And the filter on its way says that it is stored.
        is_stored: bool,
    },
    /// It has not come to a filter of this kind: there is no such cluster, it leads elsewhere, or something in front has
    /// answered. The same request on a client's own way may be answered.
    Unreached,
    /// It was not: the call, or what the filter asked, failed or took too long.
    Failed,
}

impl<T> Background<T> {
    /// The background requests of this filter; its answers carry the filter's name.
    pub fn new(host: &dyn Host, filter: &'static str, settings: Settings) -> Self {
        Self {
            settings,
            secret: Secret::of_process(host),
            filter,
            next: Cell::new(0),
            under_way: RefCell::default(),
            lost_until: Cell::default(),
        }
    }

    /// Whether there is a cluster to call, as far as is known.
    pub fn has_cluster(&self, now: Nanos) -> bool {
        now >= self.lost_until.get()
    }

    /// Whether another request may be started now.
    pub fn has_room(&self) -> bool {
        self.under_way.borrow().len() < usize::try_from(self.settings.max_concurrent).unwrap_or(0)
    }

    /// Starts a request; `on_end` comes back from [`Background::ended`]. Gives it back at once where there is no room.
    ///
    /// # Errors
    /// `on_end`, if too many requests are under way.
    ///
    /// **Cost**: two host calls; one more when it ends.
    pub fn start(&self, host: &dyn Host, job: &Job<'_>, on_end: T) -> Result<(), T> {
        if !self.has_room() {
            return Err(on_end);
        }
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        let until = host.now() + self.settings.timeout + PATIENCE;
        self.under_way.borrow_mut().insert(number, UnderWay { on_end, until });
        host.call(Call {
            id: CallId { filter: self.filter, number },
            cluster: self.settings.cluster.clone(),
            headers: self.headers(host, job),
            body: Vec::new(),
            timeout: self.settings.timeout,
        });
        Ok(())
    }

    /// A call has ended: what its maker wanted back, and how it ended; `None` for a call that is not known.
    pub fn ended(&self, id: CallId, answer: &Answer, now: Nanos) -> Option<(T, Ended)> {
        let UnderWay { on_end, .. } = self.under_way.borrow_mut().remove(&id.number)?;
        let ended = match answer {
            Answer::Response { headers, .. } => match headers.text(":status").map(str::parse) {
                // Envoy's own answer to a call that takes too long: who would ask instead would wait as long.
                Some(Ok(504)) if !is_marked(headers) => Ended::Failed,
                Some(Ok(_)) if !is_marked(headers) => Ended::Unreached,
                Some(Ok(status)) => Ended::Answered { status, is_stored: says_stored(headers) },
                Some(Err(_)) | None => Ended::Failed,
            },
            Answer::NoCluster => {
                self.lost_until.set(now.saturating_add(RETRY_CLUSTER));
                Ended::Unreached
            }
            Answer::Failed => Ended::Failed,
        };
        Some((on_end, ended))
    }

    /// What the makers of calls want back whose end nobody will tell: they have failed.
    ///
    /// **Cost**: no host call; looks at every request that is under way here.
    pub fn overdue(&self, now: Nanos) -> Vec<T> {
        let mut under_way = self.under_way.borrow_mut();
        let overdue = under_way.extract_if(.., |_, call| call.until <= now);
        overdue.map(|(_, call)| call.on_end).collect()
    }

    fn headers(&self, host: &dyn Host, job: &Job<'_>) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut headers = vec![
            (":method".to_owned(), "GET".to_owned()),
            (":authority".to_owned(), text(job.authority)),
            (":path".to_owned(), text(job.path)),
        ];
        for (name, value) in job.headers.iter().filter(|(name, _)| is_sent_on(name)) {
            // What is no text can not be sent; the marker has it if it matters.
            if let (Ok(name), Ok(value)) = (std::str::from_utf8(name), std::str::from_utf8(value)) {
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        headers.push((MARKER.to_owned(), mark(&self.secret, job, host.now())));
        headers
    }
}

/// What the marker of this request says; `None` without one, or if it is not genuine.
pub fn errand(secret: &Secret, request: &Headers, now: Nanos) -> Option<Errand> {
    let mut markers = request.all(MARKER);
    let (Some(marker), None) = (markers.next(), markers.next()) else { return None };
    let marker = std::str::from_utf8(marker).ok()?;
    let (signature, said) = marker.split_once(' ')?;
    let authority = request.get(":authority").unwrap_or_default();
    let path = request.get(":path").unwrap_or_default();
    if signature != sign(secret, said, authority, path) {
        return None;
    }
    let mut words = said.split(' ');
    let issued = Nanos(words.next()?.parse().ok()?);
    if now.saturating_sub(issued) > MAX_MARKER_AGE {
        return None;
    }
    let scheme = words.next()?.as_bytes().to_vec();
    let rule = words.next().filter(|rule| *rule != "-").map(str::to_owned);
    let mut bytes = || unhex(words.next()?.strip_prefix('.')?);
    let parts = bytes()?;
    let names = String::from_utf8(bytes()?).ok()?;
    let names = names.split_terminator(',').map(str::to_owned).collect();
    let values = Headers::from_pairs(bytes()?);
    Some(Errand { scheme, rule, parts, restored: Restored { names, values } })
}

impl Errand {
    /// Whether the request that has arrived has the key of its occasion.
    pub fn is_for(&self, key: &Key) -> bool {
        self.rule.is_none() || self.parts == key.parts
    }
}

impl Restored {
    /// The fields among `kept` that would not come through as they are.
    fn of(headers: &Headers, kept: &[String]) -> Self {
        let is_changed = |name: &String| {
            is_restorable(name.as_bytes())
                && (!is_sent_on(name.as_bytes())
                    || headers.all(name).any(|value| std::str::from_utf8(value).is_err()))
        };
        let mut names: Vec<String> = kept.iter().filter(|name| is_changed(name)).cloned().collect();
        names.sort();
        names.dedup();
        let is_named = |name: &[u8]| names.iter().any(|named| named.as_bytes() == name);
        let values: Vec<_> = headers.iter().filter(|(name, _)| is_named(name)).collect();
        Self { values: Headers::new(&values), names }
    }
}

/// Whether the answer has passed this filter, which says so in `Cache-Status`, or another's of this kind.
fn is_marked(headers: &Headers) -> bool {
    headers.all("cache-status").any(|line| line.starts_with(CACHE_NAME.as_bytes()))
}

/// Whether the last to speak in `Cache-Status`, which is this filter, says that it stores the response.
fn says_stored(headers: &Headers) -> bool {
    let last = headers.all("cache-status").last().unwrap_or_default();
    let ours = last.strip_prefix(CACHE_NAME.as_bytes()).unwrap_or_default();
    ours.split(|byte| *byte == b';').any(|parameter| trim(parameter) == b"stored")
}

fn mark(secret: &Secret, job: &Job<'_>, now: Nanos) -> String {
    let scheme = if job.scheme.eq_ignore_ascii_case(b"https") { "https" } else { "http" };
    let parts = hex(job.parts);
    let restored = Restored::of(&job.headers, &job.kept);
    let names: String = restored.names.iter().flat_map(|name| [name, ","]).collect();
    let (names, values) = (hex(names.as_bytes()), hex(restored.values.as_pairs()));
    let rule = job.rule.unwrap_or("-");
    let said = format!("{} {scheme} {rule} .{parts} .{names} .{values}", now.0);
    format!("{} {said}", sign(secret, &said, job.authority, job.path))
}

/// A keyed hash over everything that the marker says and what it says it about.
fn sign(secret: &Secret, said: &str, authority: &[u8], path: &[u8]) -> String {
    let mut bytes = b"weir background request\0".to_vec();
    for part in [said.as_bytes(), authority, path] {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    hex(&secret.tag(&bytes).to_bytes())
}

/// Whether a field of the occasion belongs in the background request: not those of its connection, its conditions,
/// its wishes about caches, or the way on which it came.
fn is_sent_on(name: &[u8]) -> bool {
    !name.starts_with(b":")
        && !name.starts_with(b"x-forwarded-")
        && !name.starts_with(b"x-envoy-")
        && !kit::headers::is_hop_by_hop(name)
        && name != MARKER.as_bytes()
        && !matches!(
            name,
            b"cache-control"
                | b"content-length"
                | b"expect"
                | b"host"
                | b"if-match"
                | b"if-modified-since"
                | b"if-none-match"
                | b"if-range"
                | b"if-unmodified-since"
                | b"pragma"
                | b"range"
                | b"via"
                | b"x-request-id"
        )
}

/// Whether a field may be put back into a request that has arrived: not what frames it, and no condition, which would
/// have only a part or nothing answered.
fn is_restorable(name: &[u8]) -> bool {
    !name.starts_with(b":")
        && !name.starts_with(b"if-")
        && !kit::headers::is_hop_by_hop(name)
        && name != MARKER.as_bytes()
        && !matches!(name, b"content-length" | b"expect" | b"host" | b"range")
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests;
