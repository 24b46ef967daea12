//! The list of directives that a line of `Cache-Control` is: names and arguments, nothing of what they mean.
//!
//! **Source**: RFC 9111 section 5.2; RFC 9110 sections 5.6.1 (lists), 5.6.2 (tokens), 5.6.4 (quoted strings).

use std::borrow::Cow;

use crate::http::field::is_token;

/// One member of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive<'a> {
    /// Its name as it was sent.
    pub name: &'a [u8],
    /// Its argument, out of its quotes: owned if it had them.
    pub argument: Option<Cow<'a, [u8]>>,
}

impl Directive<'_> {
    /// Whether its argument stood in quotes.
    pub const fn is_quoted(&self) -> bool {
        matches!(self.argument, Some(Cow::Owned(_)))
    }
}

/// The line breaks the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Iterates over the directives of one line; ends after the first that is malformed.
#[derive(Debug, Clone)]
pub struct Directives<'a> {
    rest: &'a [u8],
}

impl<'a> Directives<'a> {
    /// The directives of this line.
    pub const fn of(line: &'a [u8]) -> Self {
        Self { rest: line }
    }

    /// Reads one directive from the front of `rest`, which starts with no blank and no comma.
    fn directive(&mut self) -> Option<Directive<'a>> {
        let name_end =
            self.rest.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(name_end)?;
        self.rest = rest;
        if name.is_empty() {
            return None;
        }
        let argument = match self.rest.split_first() {
            Some((b'=', value)) => {
                self.rest = value;
                Some(self.argument()?)
            }
            Some(_) | None => None,
        };
        self.rest = trim_start(self.rest);
        match self.rest.split_first() {
            None => {}
            Some((b',', rest)) => self.rest = rest,
            Some(_) => return None,
        }
        Some(Directive { name, argument })
    }

    fn argument(&mut self) -> Option<Cow<'a, [u8]>> {
        if let Some((b'"', quoted)) = self.rest.split_first() {
            return self.quoted(quoted);
        }
        let end =
            self.rest.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!token.is_empty()).then_some(Cow::Borrowed(token))
    }

    fn quoted(&mut self, text: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let mut out = Vec::new();
        let mut bytes = text.iter().copied().enumerate();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    self.rest = text.get(at.saturating_add(1)..)?;
                    return Some(Cow::Owned(out));
                }
                b'\\' => {
                    out.push(bytes.next().map(|(_, byte)| byte).filter(|byte| is_text(*byte))?)
                }
                byte if is_text(byte) => out.push(byte),
                _ => return None,
            }
        }
        None
    }
}

impl<'a> Iterator for Directives<'a> {
    type Item = Result<Directive<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((b' ' | b'\t' | b',', rest)) = self.rest.split_first() {
            self.rest = rest;
        }
        if self.rest.is_empty() {
            return None;
        }
        let read = self.directive();
        if read.is_none() {
            self.rest = &[];
        }
        Some(read.ok_or(Malformed))
    }
}

const fn is_token_byte(byte: u8) -> bool {
    is_token(&[byte])
}

/// What may stand in a quoted string, or be quoted in it: everything but control characters.
const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}
