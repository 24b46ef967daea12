//! Which stored responses a URI in `Location` or `Content-Location` means, seen from the request that it answers.
//!
//! An unsafe request may change more than its own URI, and says so there. Only URIs of the same origin count:
//! otherwise one origin could empty what is stored for another (RFC 9111, 4.4, a MUST NOT).
//! What can not be read as a reference means nothing.
//!
//! **Source**: RFC 9111 section 4.4; RFC 3986 sections 5.2.2 to 5.2.4 (resolution), 5.4 (examples).

use crate::http::field::trim;
use crate::key;

/// The key of what `reference` means for the request with the key `base`; `None` if it is not of the same origin.
pub fn resolve(base: &[u8], reference: &[u8]) -> Option<Vec<u8>> {
    let (origin, target) = key::split(base)?;
    let reference = before(trim(reference), b"#");
    let path_of_base = before(target, b"?");
    match reference {
        [] => Some(base.to_vec()),
        [b'/', b'/', rest @ ..] => of_authority(origin, key::scheme(base)?, rest),
        [b'/', ..] => Some(join(origin, reference)),
        [b'?', ..] => Some([origin, path_of_base, reference].concat()),
        _ => match scheme_and_rest(reference) {
            Some((scheme, rest)) => of_authority(origin, scheme, rest.strip_prefix(b"//")?),
            None => {
                let end = path_of_base.iter().rposition(|byte| *byte == b'/')?;
                Some(join(origin, &[path_of_base.get(..=end)?, reference].concat()))
            }
        },
    }
}

/// The key of `scheme` and what follows its two slashes, if that is of this origin.
fn of_authority(origin: &[u8], scheme: &[u8], rest: &[u8]) -> Option<Vec<u8>> {
    let authority = before(rest, b"/?");
    let target = rest.get(authority.len()..)?;
    let rooted = [if target.first() == Some(&b'/') { &b""[..] } else { b"/" }, target].concat();
    let found = key::primary(scheme, authority, &rooted)?;
    (key::split(&found)?.0 == origin).then(|| join(origin, &rooted))
}

/// The key of an origin and a target, whose path loses its dot segments (RFC 3986, 5.2.4).
fn join(origin: &[u8], target: &[u8]) -> Vec<u8> {
    let path = before(target, b"?");
    let query = target.get(path.len()..).unwrap_or_default();
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut open = false;
    for segment in path.split(|byte| *byte == b'/').skip(1) {
        open = matches!(segment, b"." | b"..");
        match segment {
            b"." => {}
            b".." => _ = kept.pop(),
            _ => kept.push(segment),
        }
    }
    if open || kept.is_empty() {
        kept.push(b"");
    }
    let mut key = origin.to_vec();
    for segment in kept {
        key.push(b'/');
        key.extend_from_slice(segment);
    }
    key.extend_from_slice(query);
    key
}

/// Cuts a scheme off; `None` for a reference that has none (RFC 3986, 3.1).
fn scheme_and_rest(reference: &[u8]) -> Option<(&[u8], &[u8])> {
    let scheme = before(reference, b":/?");
    let rest = reference.get(scheme.len()..)?.strip_prefix(b":")?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let valid = scheme.first().is_some_and(u8::is_ascii_alphabetic) && scheme.iter().all(plain);
    // A colon in a first segment that is no scheme makes the whole no reference at all.
    Some(if valid { (scheme, rest) } else { (b"", rest) })
}

/// What stands before the first of these bytes.
fn before<'a>(bytes: &'a [u8], ends: &[u8]) -> &'a [u8] {
    bytes.split(|byte| ends.contains(byte)).next().unwrap_or_default()
}
