//! The page, put together from its files, and the headers that say what it may do.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kit::Reply;
use kit::operations::DETAILS;
use sha2::{Digest, Sha256};

use super::trim::trimmed;

/// What it looks like.
const STYLE: [&str; 2] = [trimmed!("style.css", Css), trimmed!("parts.css", Css)];
/// What it does, in one scope.
const SCRIPT: [&str; 8] = [
    trimmed!("tools.js", Js),
    trimmed!("session.js", Js),
    trimmed!("charts.js", Js),
    trimmed!("flow.js", Js),
    trimmed!("traffic.js", Js),
    trimmed!("filters.js", Js),
    trimmed!("breakers.js", Js),
    trimmed!("start.js", Js),
];
/// Up to the style.
const HEAD: &str = include_str!("head.html");
/// What it is made of.
const BODY: &str = include_str!("body.html");

/// The page as it is sent.
#[derive(Debug)]
pub(super) struct Page {
    policy: String,
}

impl Page {
    /// The page with a policy that lets run what is in it, and nothing else.
    pub(super) fn new() -> Self {
        let hash = |texts: &[&str]| STANDARD.encode(Sha256::digest(texts.concat()));
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'; trusted-types 'none'",
            hash(&SCRIPT),
            hash(&STYLE)
        );
        Self { policy }
    }

    /// The page; the document says whether a token is needed.
    pub(super) fn reply(&self, needs_token: bool) -> Reply {
        let access = if needs_token { "<body data-token>\n" } else { "<body>\n" };
        let parts: [&[&str]; 5] = [
            &[HEAD, "<style>"],
            &STYLE,
            &["</style>\n</head>\n", access, BODY, "<script>"],
            &SCRIPT,
            &["</script>\n</body>\n</html>\n"],
        ];
        let plain = [
            ("cache-control", "no-store"),
            ("content-type", "text/html; charset=utf-8"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("content-security-policy", &self.policy),
        ];
        let headers = plain.map(|(name, value)| (Cow::Borrowed(name), value.as_bytes().to_vec()));
        Reply {
            status: 200,
            headers: headers.to_vec(),
            body: parts.concat().concat().into_bytes(),
            details: DETAILS,
            ..Reply::default()
        }
    }
}
