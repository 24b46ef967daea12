//! Header values that mean the same, written the same way: fewer variants of one response.
//!
//! Asked for by a rule, and only for three fields, since nothing says in general which values mean the same.
//! What this cache compares must be what the origin saw: otherwise a client that wrote `gzip, br` is stored under `br`
//! while the origin chose `gzip`, and the next client gets what it refuses. So the values of
//! [`Normal::rewrites`] replace the client's before the origin sees them. A normal value is its own normal value,
//! so it does not matter whether a request is looked at before or after that.
//!
//! `User-Agent` can not be replaced so: with `device` the operator says that the origin tells three classes of devices
//! apart and nothing else. `Sec-CH-UA-Mobile` has no part in the class: a response that varies on `User-Agent`
//! did not look at it, and a client could file a page for desktops under phones by it.
//!
//! **Source**: RFC 9110 sections 12.5.3 to 12.5.5; RFC 4647 section 3.4; MDN, "Browser detection using the user agent".

use std::borrow::Cow;
use std::fmt::Write;

use kit::config::Fields;
use kit::headers::Headers;

use crate::http::accept::{coding_name, language, takes_coding, weighted};
use crate::http::field::{is_token, members};

/// Which fields are compared by what they mean; the default is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Normal {
    /// Content codings that the origin has, the best first, lower case.
    encodings: Vec<Box<str>>,
    /// Languages that the origin has, lower case.
    languages: Vec<Box<str>>,
    device: bool,
}

/// Content codings in a list: there are not so many.
const MAX_ENCODINGS: usize = 8;
/// Languages in a list: each request may be compared with all.
const MAX_LANGUAGES: usize = 64;
/// The longest language tag that software must take is 35 characters (RFC 5646, 4.4.1).
const MAX_LANGUAGE: usize = 35;

impl Normal {
    /// Reads the object `normalize` that `fields` stands on.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let encodings = fields.optional_parsed_list(
            "accept_encoding",
            1..=MAX_ENCODINGS,
            "a content coding such as \"br\"",
            parse_coding,
        );
        let languages = fields.optional_parsed_list(
            "accept_language",
            1..=MAX_LANGUAGES,
            "a language such as \"en\" or \"pt-br\"",
            parse_language,
        );
        Self {
            encodings: encodings.unwrap_or_default(),
            languages: languages.unwrap_or_default(),
            device: fields.optional_bool("device").unwrap_or(false),
        }
    }

    /// What it does, in one line for operators; empty if nothing.
    pub fn describe(&self) -> String {
        let mut words = String::new();
        for (name, list) in
            [("accept-encoding", &self.encodings), ("accept-language", &self.languages)]
        {
            if !list.is_empty() {
                let comma = if words.is_empty() { "" } else { ", " };
                let _ = write!(words, "{comma}{name} as one of {}", list.join(" "));
            }
        }
        if self.device {
            let comma = if words.is_empty() { "" } else { ", " };
            let _ = write!(words, "{comma}user-agent as mobile, tablet or desktop");
        }
        words
    }

    /// The value that stands for this field of this request; `None` if it counts as it came.
    ///
    /// That is so for fields that are absent, since absent says something else, and for those that break their grammar.
    pub fn value(&self, name: &str, request: &Headers) -> Option<Vec<u8>> {
        match name {
            "accept-encoding" if !self.encodings.is_empty() => self.encoding(request),
            "accept-language" if !self.languages.is_empty() => {
                let accepted = weighted(request.all("accept-language"))?;
                // Whoever wants none of them gets what the origin gives when nothing is wanted.
                let found = language(&self.languages, &accepted).unwrap_or("*");
                Some(found.as_bytes().to_vec())
            }
            "user-agent" if self.device => {
                let lines: Vec<&[u8]> = request.all("user-agent").collect();
                (!lines.is_empty()).then(|| device(&lines.join(&b" "[..])).to_vec())
            }
            _ => None,
        }
    }

    /// The fields to replace before the origin sees the request, so that it answers what is compared.
    ///
    /// **Cost**: none if nothing is normalised; otherwise one reading of each field.
    pub fn rewrites(&self, request: &Headers) -> Vec<(&'static str, Vec<u8>)> {
        ["accept-encoding", "accept-language"]
            .into_iter()
            .filter_map(|name| Some((name, self.value(name, request)?)))
            .filter(|(name, value)| {
                let mut lines = request.all(name);
                lines.next() != Some(value.as_slice()) || lines.next().is_some()
            })
            .collect()
    }

    /// Whether a client takes the codings of a stored response; a last look before it is served.
    ///
    /// Always where codings are not normalised: then the client wrote what the one wrote who got it from the origin.
    pub fn accepts(&self, request: &Headers, stored: &Headers) -> bool {
        if self.encodings.is_empty() {
            return true;
        }
        let Some(accepted) = weighted(request.all("accept-encoding")) else { return true };
        let mut codings = stored.all("content-encoding").flat_map(members).peekable();
        if codings.peek().is_none() {
            return takes_coding(b"identity", &accepted);
        }
        codings.all(|coding| takes_coding(&coding_name(coding), &accepted))
    }

    /// The first of the codings that the client takes, and whether it also takes none.
    fn encoding(&self, request: &Headers) -> Option<Vec<u8>> {
        let accepted = weighted(request.all("accept-encoding"))?;
        let coding =
            self.encodings.iter().find(|coding| takes_coding(coding.as_bytes(), &accepted));
        let value: Cow<'_, str> = match (coding, takes_coding(b"identity", &accepted)) {
            (Some(coding), true) => Cow::Borrowed(coding),
            (Some(coding), false) => Cow::Owned(format!("{coding}, identity;q=0")),
            (None, true) => Cow::Borrowed("identity"),
            // It wants something that is not in the list: only the origin knows what.
            (None, false) => return None,
        };
        Some(value.into_owned().into_bytes())
    }
}

/// The class of a device by the words of its `User-Agent`.
///
/// Tablets say so, or say Android without Mobile; phones say Mobile. "Tablet PC" is a desktop with a pen.
fn device(user_agent: &[u8]) -> &'static [u8] {
    let words = String::from_utf8_lossy(user_agent).to_ascii_lowercase().replace("tablet pc", "");
    let has = |some: &[&str]| some.iter().any(|word| words.contains(word));
    let phone = has(&["mobi", "iphone", "ipod", "windows phone", "opera mini"]);
    if has(&["ipad", "tablet", "playbook", "kindle"]) || (has(&["android"]) && !phone) {
        b"tablet"
    } else if phone {
        b"mobile"
    } else {
        b"desktop"
    }
}

fn parse_coding(text: &str) -> Result<Box<str>, &'static str> {
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "identity" | "*" => Err("remove it: the list names what the origin compresses with"),
        "x-gzip" => Err("write \"gzip\""),
        "x-compress" => Err("write \"compress\""),
        _ if !is_token(lower.as_bytes()) => Err("write the coding as in Content-Encoding"),
        _ => Ok(lower.into()),
    }
}

fn parse_language(text: &str) -> Result<Box<str>, &'static str> {
    let is_subtag =
        |tag: &str| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric());
    if text.len() > MAX_LANGUAGE || !text.split('-').all(is_subtag) {
        return Err("write letters and digits with \"-\" between them, as in Content-Language");
    }
    Ok(text.to_ascii_lowercase().into())
}
