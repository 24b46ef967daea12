//! Patterns of one part of a URI: its host, its path or its query.
//!
//! `*` stands for any run of characters within a piece, also none; `**` for any run whatever is in it.
//! Pieces end at `.` in a host, at `/` in a path, at `&` in a query.
//! In a path, `/**` at the end also matches where nothing follows, slash or not (`/a/**` matches `/a`),
//! and `/**/` also matches a single `/` (`/a/**/b` matches `/a/b`).
//!
//! Crates weighed: `globset` (makes regular expressions; no pieces but path separators, large) and `wildmatch`
//! (one kind of `*`, with backtracking). Neither promises a bound for hostile texts; this one goes once over the
//! text for each wildcard.

/// Wildcards in one pattern: with the bound on its length, a bound on the time that it takes.
pub const MAX_WILDCARDS: usize = 16;

/// What is between two wildcards, or one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// This text.
    Text(Vec<u8>),
    /// Any run within a piece.
    Run,
    /// Any run.
    Any,
    /// Nothing, or any run up to and with the end of a piece: `**/`.
    Pieces,
    /// Nothing, or the end of a piece and any run: `/**` at the end.
    Tail,
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    tokens: Vec<Token>,
    end_of_piece: u8,
}

impl Glob {
    /// Compiles a pattern whose pieces end with this byte; `literal` gives the text between wildcards
    /// the form in which texts are compared. `None` if it has too many wildcards.
    pub fn parse(
        pattern: &str,
        end_of_piece: u8,
        literal: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut n_wildcards = 0_usize;
        let mut rest = pattern;
        while !rest.is_empty() {
            let (text, tail) = rest.split_at(rest.find('*').unwrap_or(rest.len()));
            let after = tail.trim_start_matches('*');
            let n_stars = tail.len().saturating_sub(after.len());
            let mut text = literal(text.as_bytes());
            rest = after;
            let is_path = end_of_piece == b'/';
            let begins_piece =
                text.ends_with(b"/") || (text.is_empty() && tokens.last() == Some(&Token::Pieces));
            let wildcard = match n_stars {
                0 => None,
                1 => Some(Token::Run),
                _ if is_path && after.is_empty() && text.ends_with(b"/") => {
                    text.pop();
                    Some(Token::Tail)
                }
                _ if is_path && after.starts_with('/') && begins_piece => {
                    rest = after.get(1..).unwrap_or_default();
                    Some(Token::Pieces)
                }
                _ => Some(Token::Any),
            };
            if !text.is_empty() {
                tokens.push(Token::Text(text));
            }
            if let Some(wildcard) = wildcard {
                n_wildcards = n_wildcards.saturating_add(1);
                tokens.push(wildcard);
            }
        }
        (n_wildcards <= MAX_WILDCARDS).then_some(Self { tokens, end_of_piece })
    }

    /// Whether the whole text is meant.
    ///
    /// **Cost**: for each wildcard at most once over the text, and for each byte after it one comparison with what
    /// stands between; a text that begins otherwise than the pattern costs one comparison.
    pub fn accepts(&self, text: &[u8]) -> bool {
        // Up to where what came so far can reach, in ascending order.
        let mut ends = vec![0_usize];
        for token in &self.tokens {
            ends = match token {
                Token::Text(literal) => ends
                    .into_iter()
                    .filter(|at| text.get(*at..).is_some_and(|rest| rest.starts_with(literal)))
                    .map(|at| at.saturating_add(literal.len()))
                    .collect(),
                Token::Run => self.runs(&ends, text),
                Token::Any => ends.first().map_or_else(Vec::new, |at| (*at..=text.len()).collect()),
                Token::Pieces => self.pieces(&ends, text),
                Token::Tail => {
                    let fits =
                        |at: &usize| text.get(*at).is_none_or(|next| *next == self.end_of_piece);
                    return ends.iter().any(fits);
                }
            };
            if ends.is_empty() {
                return false;
            }
        }
        ends.last() == Some(&text.len())
    }

    /// Where a run within a piece can end.
    fn runs(&self, starts: &[usize], text: &[u8]) -> Vec<usize> {
        let mut ends = Vec::new();
        for start in starts {
            // What a run from an earlier start reaches, one from here reaches no further.
            if ends.last().is_some_and(|last| start <= last) {
                continue;
            }
            let piece = text.get(*start..).unwrap_or_default();
            let len = piece.iter().position(|byte| *byte == self.end_of_piece);
            ends.extend(*start..=start.saturating_add(len.unwrap_or(piece.len())));
        }
        ends
    }

    /// Where pieces can end, or nothing.
    fn pieces(&self, starts: &[usize], text: &[u8]) -> Vec<usize> {
        let Some(first) = starts.first() else { return Vec::new() };
        let after = text.iter().enumerate().skip(*first);
        let ends = after.filter(|(_, byte)| **byte == self.end_of_piece);
        let mut all: Vec<usize> = ends.map(|(idx, _)| idx.saturating_add(1)).collect();
        all.extend_from_slice(starts);
        all.sort_unstable();
        all.dedup();
        all
    }
}
