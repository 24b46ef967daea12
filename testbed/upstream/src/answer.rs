//! Decides what one request gets. Pure: the time and the dice are arguments.

use std::time::{Duration, SystemTime};

use super::amount::read_span;
use super::switches::{LARGEST_BODY, Switches};

/// What a request brings to the decision.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// `GET`, `HEAD`, …
    pub method: &'a str,
    /// Path without the query.
    pub path: &'a str,
    /// Query without the question mark; may be empty.
    pub query: &'a str,
    /// Value of `If-None-Match`.
    pub if_none_match: Option<&'a str>,
    /// Value of `If-Modified-Since`.
    pub if_modified_since: Option<&'a str>,
}

/// The circumstances of a request.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Name of the instance.
    pub instance: &'a str,
    /// Number of this request, from 1.
    pub serial: u64,
    /// Time since the instance started; decides about flapping.
    pub up_for: Duration,
    /// Wall time, for `Expires`.
    pub now: SystemTime,
    /// Two independent draws from `0.0..1.0`, for the status and for the latency.
    pub dice: [f64; 2],
}

/// What is sent, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The request is never answered; all else is void.
    pub hang: bool,
    /// Wait this long before the answer.
    pub delay: Duration,
    /// Status code.
    pub status: u16,
    /// Headers, beside those that name the instance.
    pub headers: Vec<(&'static str, String)>,
    /// The text at the head of the body.
    pub text: String,
    /// Size of the whole body in bytes: the text, cut or padded.
    pub size: u64,
    /// The connection is cut after this many bytes of the body.
    pub cut: Option<u64>,
}

/// Decides what a request gets.
///
/// Paths with a meaning of their own: `/status/503`, `/delay/250ms`, `/bytes/65536`, `/cut/1024`, `/hang`, `/healthz`;
/// `/cache` is an ordinary path that is cacheable for 60 s unless the query says otherwise.
/// They stand for the switch of that name, anywhere at the end of the path, so that a route's prefix does not matter.
///
/// # Errors
/// The reason, as text for a 400, when a switch in the path or the query is not understood.
pub fn decide(asked: &Asked<'_>, base: &Switches, moment: &Moment<'_>) -> Result<Answer, String> {
    let mut switches = base.for_query(asked.query).map_err(|e| e.to_string())?;
    apply_path(asked, &mut switches)?;
    let down = flapped_down(&switches, moment.up_for);
    if asked.path == "/healthz" {
        return Ok(health(moment.instance, switches.ill || down));
    }
    let drawn = switches.status.as_ref().and_then(|mix| mix.draw(moment.dice[0]));
    let status = if down { 503 } else { drawn.unwrap_or(200) };
    let headers = caching_headers(&switches, moment.now);
    let delay = switches.latency.map_or(Duration::ZERO, |range| range.at(moment.dice[1]));
    let unchanged =
        status == 200 && matches!(asked.method, "GET" | "HEAD") && is_unchanged(asked, &switches);
    let text = format!(
        "{} answered {} {} with {status} (its request {})\n",
        moment.instance, asked.method, asked.path, moment.serial
    );
    let size = switches.bytes.unwrap_or_else(|| u64::try_from(text.len()).unwrap_or(LARGEST_BODY));
    let bodiless = unchanged || matches!(status, 204 | 304);
    Ok(Answer {
        hang: switches.hang,
        delay,
        status: if unchanged { 304 } else { status },
        headers,
        text,
        size: if bodiless { 0 } else { size },
        cut: switches.cut.filter(|_| !bodiless),
    })
}

/// Reads the switch that the last segments of the path stand for.
fn apply_path(asked: &Asked<'_>, switches: &mut Switches) -> Result<(), String> {
    let mut segments = asked.path.rsplit('/');
    let (last, before) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    let number = || match last.parse::<u64>() {
        Ok(bytes) if bytes <= LARGEST_BODY => Ok(bytes),
        _ => Err(format!(
            "{}: found \"{last}\", allowed is a number up to {LARGEST_BODY}",
            asked.path
        )),
    };
    match (before, last) {
        ("status", code) => {
            switches.status = Some(code.parse().map_err(|e| format!("{}: {e}", asked.path))?)
        }
        ("delay", span) => {
            read_span(span).map_err(|e| format!("{}: {e}", asked.path))?;
            switches.latency = Some(span.parse().map_err(|e| format!("{}: {e}", asked.path))?);
        }
        ("bytes", _) => switches.bytes = Some(number()?),
        ("cut", _) => {
            let cut = number()?;
            switches.cut = Some(cut);
            switches.bytes =
                Some(switches.bytes.unwrap_or(0).max(cut.saturating_mul(2)).min(LARGEST_BODY));
        }
        (_, "hang") => switches.hang = true,
        (_, "cache") if switches.cache_control.is_none() => {
            switches.cache_control = Some("max-age=60".to_owned())
        }
        _ => {}
    }
    Ok(())
}

fn flapped_down(switches: &Switches, up_for: Duration) -> bool {
    let period_ms = switches.flap.map_or(0, |span| span.0.as_millis());
    period_ms > 0 && (up_for.as_millis() / period_ms) % 2 == 1
}

fn health(instance: &str, ill: bool) -> Answer {
    let (status, word) = if ill { (503, "ill") } else { (200, "well") };
    let text = format!("{instance} is {word}\n");
    let size = u64::try_from(text.len()).unwrap_or_default();
    Answer {
        hang: false,
        delay: Duration::ZERO,
        status,
        headers: Vec::new(),
        text,
        size,
        cut: None,
    }
}

fn caching_headers(switches: &Switches, now: SystemTime) -> Vec<(&'static str, String)> {
    let expires = switches.expires.map(|span| httpdate::fmt_http_date(now + span.0));
    [
        ("cache-control", switches.cache_control.clone()),
        ("vary", switches.vary.clone()),
        ("set-cookie", switches.set_cookie.clone()),
        ("expires", expires),
        ("etag", switches.entity_tag()),
        ("last-modified", switches.last_modified.clone()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

/// RFC 9110 section 13.2.2: `If-None-Match` decides alone when it is there; weak comparison.
fn is_unchanged(asked: &Asked<'_>, switches: &Switches) -> bool {
    match (asked.if_none_match, switches.entity_tag(), asked.if_modified_since) {
        (Some(listed), Some(tag), _) => {
            let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
            listed.trim() == "*" || listed.split(',').any(|one| opaque(one) == opaque(&tag))
        }
        (None, _, Some(since)) => {
            match (switches.modified_at(), httpdate::parse_http_date(since)) {
                (Some(modified_at), Ok(since)) => modified_at <= since,
                _ => false,
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(path: &'static str, query: &'static str) -> Asked<'static> {
        Asked { method: "GET", path, query, if_none_match: None, if_modified_since: None }
    }

    fn at(up_for_ms: u64) -> Moment<'static> {
        Moment {
            instance: "one",
            serial: 7,
            up_for: Duration::from_millis(up_for_ms),
            now: SystemTime::UNIX_EPOCH,
            dice: [0.5, 0.5],
        }
    }

    fn answer(path: &'static str, query: &'static str) -> Answer {
        decide(&ask(path, query), &Switches::default(), &at(0)).unwrap()
    }

    #[test]
    fn the_plain_answer_names_the_instance_and_the_request() {
        let plain = answer("/shop", "");
        assert_eq!(plain.text, "one answered GET /shop with 200 (its request 7)\n");
        assert_eq!((plain.status, plain.size, plain.headers.len()), (200, 48, 0));
    }

    #[test]
    fn paths_stand_for_switches_behind_any_prefix() {
        assert_eq!(answer("/status/503", "").status, 503);
        assert_eq!(answer("/fragile/status/503", "").status, 503);
        assert_eq!(answer("/delay/250ms", "").delay, Duration::from_millis(250));
        assert_eq!(answer("/bytes/65536", "").size, 65536);
        assert_eq!((answer("/cut/100", "").cut, answer("/cut/100", "").size), (Some(100), 200));
        assert!(answer("/hang", "").hang);
        assert_eq!(answer("/x/cache", "").headers, [("cache-control", "max-age=60".to_owned())]);
        assert_eq!(
            answer("/cache", "max-age=5").headers,
            [("cache-control", "max-age=5".to_owned())]
        );
        for bad in ["/status/99", "/delay/soon", "/bytes/x"] {
            let said = decide(&ask(bad, ""), &Switches::default(), &at(0)).unwrap_err();
            assert!(said.starts_with(&format!("{bad}: found ")), "{said}");
        }
    }

    #[test]
    fn flapping_is_ill_every_other_period() {
        let flapping = Switches { flap: Some("2s".parse().unwrap()), ..Switches::default() };
        let status = |path, ms| decide(&ask(path, ""), &flapping, &at(ms)).unwrap().status;
        assert_eq!((status("/healthz", 1999), status("/", 1999)), (200, 200));
        assert_eq!((status("/healthz", 2000), status("/", 3999)), (503, 503));
        assert_eq!(status("/", 4000), 200);
    }

    #[test]
    fn the_ill_switch_shows_in_the_health_check_only() {
        let ill = Switches { ill: true, ..Switches::default() };
        assert_eq!(decide(&ask("/healthz", ""), &ill, &at(0)).unwrap().status, 503);
        assert_eq!(decide(&ask("/", ""), &ill, &at(0)).unwrap().status, 200);
    }

    #[test]
    fn conditional_requests_are_answered_with_304() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let switches = Switches {
            etag: Some("v1".into()),
            last_modified: Some(date.into()),
            ..Switches::default()
        };
        let cases = [
            (Some("\"v1\""), None, 304),
            (Some("\"v0\", W/\"v1\""), None, 304),
            (Some("*"), None, 304),
            (Some("\"v2\""), Some(date), 200),
            (None, Some(date), 304),
            (None, Some("Sun, 06 Nov 1994 08:49:36 GMT"), 200),
            (None, Some("garbage"), 200),
        ];
        for (if_none_match, if_modified_since, status) in cases {
            let asked = Asked { if_none_match, if_modified_since, ..ask("/", "") };
            let answer = decide(&asked, &switches, &at(0)).unwrap();
            assert_eq!(answer.status, status, "{if_none_match:?} {if_modified_since:?}");
            assert_eq!(answer.size == 0, status == 304);
            assert_eq!(answer.headers.len(), 2);
        }
    }
}
