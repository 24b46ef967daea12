//! What of a query belongs to the key.
//!
//! Only what is provably without meaning, or what the operator says has none, may be missing from a key: whoever finds
//! a parameter that the key lacks and the origin reads can put a page of their making in front of others.
//! Origins read queries differently, so each doubt keeps more in the key:
//!
//! - what stays in the key stays as it was sent, byte for byte: `a`, `a=` and `%61` are three different things;
//! - a query with a `;` counts whole and as sent, since some origins separate parameters there:
//!   `utm_x=1;admin=1` is no tracking parameter to them (CVE-2021-23336);
//! - sorting keeps the order of all parameters that any origin may take for one. Some read `A` as `a`, `a[]` and
//!   `a[x]` as `a`, and `a.b` as `a_b`: names are sorted by their [stem], in which these are alike;
//! - an allowed name keeps all names of its stem in the key, for the same reason; a denied one takes only itself out.
//!
//! **Source**: RFC 3986 section 3.4; WHATWG URL, application/x-www-form-urlencoded; the tracking parameters that
//! Firefox strips (`privacy.query_stripping.strip_list`), and those that Google Analytics and Google Ads document.

use std::borrow::Cow;
use std::fmt::Write;

use kit::config::Fields;
use kit::target::form_decoded;

/// Which parameters are in the key; the default is all, as sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum QueryRule {
    /// The query as sent.
    #[default]
    All,
    /// Nothing of it.
    Nothing,
    /// Some of it, or sorted.
    Picked(Picked),
}

/// Which parameters are in the key, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picked {
    /// By name, values of one name in their order.
    sort: bool,
    /// Only these; decoded names.
    allow: Option<Vec<String>>,
    /// All but these; decoded names.
    deny: Vec<String>,
    /// All but those of [`TRACKING`], and `utm_` with anything behind.
    drop_tracking: bool,
}

/// Names in one list: each parameter of each request is compared with all.
const MAX_NAMES: usize = 64;
/// As for other names of a request.
const MAX_NAME: usize = 256;

/// Parameters that only say where a visitor came from, for scripts in the page; sorted.
///
/// Not in it are names that some sites use themselves (`ref`, `source`, `si`, `cid`).
pub const TRACKING: [&str; 43] = [
    "__hsfp",
    "__hssc",
    "__hstc",
    "__s",
    "_ga",
    "_gl",
    "_hsenc",
    "_hsmi",
    "_openstat",
    "dclid",
    "fbclid",
    "gad_campaignid",
    "gad_source",
    "gbraid",
    "gclid",
    "gclsrc",
    "hsCtaTracking",
    "igshid",
    "li_fat_id",
    "mc_cid",
    "mc_eid",
    "ml_subscriber",
    "ml_subscriber_hash",
    "msclkid",
    "oft_c",
    "oft_ck",
    "oft_d",
    "oft_id",
    "oft_ids",
    "oft_k",
    "oft_lk",
    "oft_sk",
    "oly_anon_id",
    "oly_enc_id",
    "rb_clickid",
    "s_cid",
    "ttclid",
    "twclid",
    "vero_conv",
    "vero_id",
    "wbraid",
    "wickedid",
    "yclid",
];

/// Raised when [`TRACKING`] changes: keys of another list are other keys.
const TRACKING_VERSION: u8 = 1;

impl QueryRule {
    /// Reads the field `query` of the object that `fields` stands on.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        if fields.is_object("query") {
            let picked = fields.optional_object("query", Picked::read).unwrap_or_default();
            return Self::Picked(picked);
        }
        match fields.optional_choice("query", &[("all", true), ("none", false)]) {
            Some(false) => Self::Nothing,
            Some(true) | None => Self::All,
        }
    }

    /// The path and what of the query is in the key, with a `?` between them if there is any.
    ///
    /// **Cost**: no allocation if nothing is left out or sorted by rule.
    pub fn target<'a>(&self, target: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(at) = target.iter().position(|byte| *byte == b'?') else {
            return Cow::Borrowed(target);
        };
        let (path, query) = target.split_at(at);
        let query = query.get(1..).unwrap_or_default();
        match self {
            Self::All => Cow::Borrowed(target),
            Self::Nothing => Cow::Borrowed(path),
            Self::Picked(_) if query.contains(&b';') => Cow::Borrowed(target),
            Self::Picked(picked) => {
                let mut out = path.to_vec();
                for (idx, piece) in picked.pieces(query).into_iter().enumerate() {
                    out.push(if idx == 0 { b'?' } else { b'&' });
                    out.extend_from_slice(piece);
                }
                Cow::Owned(out)
            }
        }
    }

    /// The rule as bytes that no other rule gives; empty for the whole query.
    ///
    /// In each key, so that rules which leave out different things do not share what they store.
    pub fn shape(&self) -> Vec<u8> {
        match self {
            Self::All => Vec::new(),
            Self::Nothing => vec![1],
            Self::Picked(picked) => {
                let tracking = if picked.drop_tracking { TRACKING_VERSION } else { 0 };
                let mut out = vec![2, u8::from(picked.sort), tracking];
                let allow = picked.allow.as_deref();
                for (kind, names) in [(3, allow.unwrap_or_default()), (4, picked.deny.as_slice())] {
                    for name in names {
                        out.push(kind);
                        out.extend(u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes());
                        out.extend_from_slice(name.as_bytes());
                    }
                }
                out
            }
        }
    }

    /// What is in the key, in one line for operators.
    pub fn describe(&self) -> String {
        let picked = match self {
            Self::All => return "whole URI".to_owned(),
            Self::Nothing => return "URI without query".to_owned(),
            Self::Picked(picked) => picked,
        };
        let mut words = "URI".to_owned();
        if let Some(allow) = &picked.allow {
            let _ = write!(words, " with {} of the query", allow.join(", "));
        }
        if !picked.deny.is_empty() {
            let _ = write!(words, " without {} of the query", picked.deny.join(", "));
        }
        if picked.drop_tracking {
            words.push_str(" without tracking parameters");
        }
        if picked.sort {
            words.push_str(", query sorted");
        }
        words
    }
}

impl Picked {
    fn read(fields: &mut Fields<'_>) -> Self {
        if fields.is_empty() {
            fields.own_problem(
                "an empty object",
                "sort, allow, deny or drop_tracking in it",
                "write \"all\" for the whole query",
            );
        }
        let allowed = "a parameter's name, decoded, such as \"page\"";
        let sort = fields.optional_bool("sort").unwrap_or(false);
        let mut names =
            |name| fields.optional_parsed_list(name, 1..=MAX_NAMES, allowed, parse_name);
        let (allow, deny) = (names("allow"), names("deny"));
        let drop_tracking = fields.optional_bool("drop_tracking").unwrap_or(false);
        for other in ["deny", "drop_tracking"] {
            if fields.has("allow") && fields.has(other) {
                fields.problem(
                    other,
                    format_args!("{other} beside allow"),
                    "one of them",
                    "remove it: what allow does not name is left out already",
                );
            }
        }
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names.dedup();
            names
        };
        Self {
            sort,
            allow: allow.map(sorted),
            deny: deny.map(sorted).unwrap_or_default(),
            drop_tracking,
        }
    }

    /// The parameters in the key as they were sent, in the key's order.
    fn pieces<'a>(&self, query: &'a [u8]) -> Vec<&'a [u8]> {
        let kept = query.split(|byte| *byte == b'&').filter(|piece| self.keeps(&name_of(piece)));
        let mut pieces: Vec<&[u8]> = kept.collect();
        if self.sort {
            // Stable, so that the order of what may be one name stays.
            pieces.sort_by_cached_key(|piece| stem(&name_of(piece)));
        }
        pieces
    }

    fn keeps(&self, name: &[u8]) -> bool {
        if let Some(allow) = &self.allow {
            let stem_of_name = stem(name);
            return allow.iter().any(|allowed| stem(allowed.as_bytes()) == stem_of_name);
        }
        let denied = self.deny.iter().any(|denied| denied.as_bytes() == name);
        !(denied || self.drop_tracking && is_tracking(name))
    }
}

/// The decoded name of a parameter as it was sent.
fn name_of(piece: &[u8]) -> Cow<'_, [u8]> {
    let end = piece.iter().position(|byte| *byte == b'=').unwrap_or(piece.len());
    form_decoded(piece.get(..end).unwrap_or_default())
}

/// What any origin in use may take a decoded name for.
///
/// Without blanks in front, up to a bracket or a NUL, in lower case, with `_` for `.` and a blank:
/// PHP, Rack and ASP.NET do one or several of these.
pub fn stem(name: &[u8]) -> Vec<u8> {
    let start = name.iter().position(|byte| *byte != b' ').unwrap_or(name.len());
    let name = name.get(start..).unwrap_or_default();
    let end = name.iter().position(|byte| matches!(byte, b'[' | 0)).unwrap_or(name.len());
    let name = name.get(..end).unwrap_or_default();
    name.iter()
        .map(|byte| match byte {
            b'.' | b' ' => b'_',
            _ => byte.to_ascii_lowercase(),
        })
        .collect()
}

/// Whether a decoded name is one of [`TRACKING`], or `utm_` with letters, digits and `_` behind.
pub fn is_tracking(name: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_';
    match name.strip_prefix(b"utm_") {
        Some(rest) => !rest.is_empty() && rest.iter().all(is_plain),
        None => TRACKING.binary_search_by(|known| known.as_bytes().cmp(name)).is_ok(),
    }
}

fn parse_name(text: &str) -> Result<String, &'static str> {
    match text.len() {
        0 => Err("fill it in"),
        1..=MAX_NAME => Ok(text.to_owned()),
        _ => Err("shorten it to 256 bytes"),
    }
}
