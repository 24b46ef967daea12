//! Takes out of a file what only its readers need, when the module is built: comments, indentation, and blanks beside
//! punctuation.
//!
//! It knows just enough of a language not to touch what is quoted: in a template, what a placeholder holds is a script
//! again, which may hold another template. What it does not know, the files do without: texts over several lines, and
//! quotes, blanks or `//` in regular expressions.

/// What a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// A style sheet.
    Css,
    /// A script.
    Js,
}

/// The length of what is left.
pub(super) const fn len(text: &str, language: Language) -> usize {
    walk::<0>(text.as_bytes(), language).1
}

/// What is left; `N` is its [`len`].
pub(super) const fn text<const N: usize>(text: &str, language: Language) -> [u8; N] {
    walk::<N>(text.as_bytes(), language).0
}

/// How deep templates stand in the placeholders of one another, at most.
const DEPTH: usize = 4;

/// Writes what is left into an array while it has room, and counts it.
#[expect(clippy::indexing_slicing, reason = "runs in the compiler: a slip fails the build")]
const fn walk<const N: usize>(bytes: &[u8], language: Language) -> ([u8; N], usize) {
    let mut kept = [0; N];
    let (mut at, mut n, mut last) = (0, 0, b'\n');
    let mut quote = None;
    // How many braces are open in each placeholder that is open, the outermost first.
    let (mut braces, mut depth) = ([0_u32; DEPTH], 0);
    while at < bytes.len() {
        let byte = bytes[at];
        if quote.is_none() && has(bytes, at, *b"/*") {
            at += 2;
            while at < bytes.len() && !has(bytes, at, *b"*/") {
                at += 1;
            }
            at += 2;
            continue;
        }
        if quote.is_none() && matches!(language, Language::Js) && has(bytes, at, *b"//") {
            while at < bytes.len() && bytes[at] != b'\n' {
                at += 1;
            }
            continue;
        }
        let next = if at + 1 < bytes.len() { bytes[at + 1] } else { b'\n' };
        if quote.is_some() || !is_idle(last, byte, next, language) {
            if n < N {
                kept[n] = byte;
            }
            n += 1;
            last = byte;
        }
        if quote.is_some() && byte == b'\\' {
            at += 1;
            if n < N {
                kept[n] = bytes[at];
            }
            n += 1;
        }
        quote = match (quote, byte) {
            // The brace that follows is the first to be counted.
            (Some(b'`'), b'$') if next == b'{' => {
                depth += 1;
                None
            }
            (None, b'{') if depth > 0 => {
                braces[depth - 1] += 1;
                None
            }
            (None, b'}') if depth > 0 => {
                braces[depth - 1] -= 1;
                if braces[depth - 1] == 0 {
                    depth -= 1;
                    Some(b'`')
                } else {
                    None
                }
            }
            (None, b'"' | b'\'' | b'`') => Some(byte),
            (Some(open), _) if open == byte => None,
            (as_it_was, _) => as_it_was,
        };
        at += 1;
    }
    (kept, n)
}

/// Whether a blank or an end of a line is of no use between these two.
const fn is_idle(last: u8, byte: u8, next: u8, language: Language) -> bool {
    match (language, byte) {
        (_, b'\n') if last == b'\n' => true,
        (Language::Css, b'\n') => matches!(last, b',' | b';' | b'{' | b'}'),
        // Where no statement can end.
        (Language::Js, b'\n') => matches!(last, b',' | b';' | b'{' | b'('),
        (_, b' ') if matches!(last, b' ' | b'\n') || next == b'\n' => true,
        (Language::Css, b' ') => {
            matches!(last, b',' | b':' | b';' | b'{' | b'}') || matches!(next, b'{' | b'}')
        }
        (Language::Js, b' ') => is_sign(last) || is_sign(next),
        _ => false,
    }
}

/// Whether a sign of a script stands alone as well; plus, minus and slash may not.
const fn is_sign(byte: u8) -> bool {
    matches!(
        byte,
        b'=' | b'('
            | b')'
            | b'{'
            | b'}'
            | b','
            | b';'
            | b':'
            | b'?'
            | b'<'
            | b'>'
            | b'&'
            | b'|'
            | b'!'
    )
}

/// Whether these two bytes stand there.
#[expect(clippy::indexing_slicing, reason = "runs in the compiler: a slip fails the build")]
const fn has(bytes: &[u8], at: usize, word: [u8; 2]) -> bool {
    at + 1 < bytes.len() && bytes[at] == word[0] && bytes[at + 1] == word[1]
}

/// A file of this folder, trimmed.
macro_rules! trimmed {
    ($path:literal, $language:ident) => {{
        use $crate::console::trim::{Language, len, text};
        const FILE: &str = include_str!($path);
        const KEPT: [u8; len(FILE, Language::$language)] = text(FILE, Language::$language);
        match std::str::from_utf8(&KEPT) {
            Ok(text) => text,
            Err(_) => panic!("what is cut out is ASCII"),
        }
    }};
}
pub(super) use trimmed;

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    macro_rules! assert_trimmed {
        ($language:ident, $file:literal, $kept:literal) => {{
            const KEPT: [u8; len($file, Language::$language)] = text($file, Language::$language);
            assert_eq!(std::str::from_utf8(&KEPT), Ok($kept));
        }};
    }

    #[test]
    fn comments_and_blanks_of_a_script_go_and_quotes_stay() {
        assert_trimmed!(
            Js,
            "// a 'b\n\n/** c\n * d */\nconst x = 'a  // b\\' = c'; // e\n  if (x) { f(x + +y, `${ z } ,`) }\n",
            "const x='a  // b\\' = c';if(x){f(x + +y,`${z} ,`)}\n"
        );
        assert_trimmed!(Js, "f(\n  a, // b\n  c, {\n  d: e,\n})\ng()\n", "f(a,c,{d:e,})\ng()\n");
    }

    #[test]
    fn a_template_in_a_placeholder_of_another_keeps_its_blanks_too() {
        assert_trimmed!(
            Js,
            "f(`${ a ? `${ b } ` : '' }${ g({ c: `x ( ${ d } )` }) } , \\${ e }`) ; // h\n",
            "f(`${a?`${b} `:''}${g({c:`x ( ${d} )`})} , \\${ e }`);"
        );
    }

    #[test]
    fn a_style_keeps_the_blanks_that_mean_something() {
        assert_trimmed!(
            Css,
            "/* a\n b */\na b, .c:hover > d {\n  margin: 0 calc(1px + 2px);\n  top: 1px }\n@media (x: 1) { a { b: \", c\" } }\n",
            "a b,.c:hover > d{margin:0 calc(1px + 2px);top:1px}@media (x:1){a{b:\", c\"}}"
        );
    }
}
