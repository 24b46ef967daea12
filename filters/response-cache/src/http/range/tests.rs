//! RFC 9110, 14; each row names its section.

use super::*;

#[cfg(not(target_arch = "wasm32"))]
mod laws;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const STORED: [(&str, &str); 3] =
    [("etag", "\"a\""), ("last-modified", MODIFIED), ("date", "Sun, 06 Nov 1994 08:50:37 GMT")];

/// What comes of these request fields, as text: `whole`, `416 ...`, or the range and the bytes of one part.
fn shown(method: &str, fields: &[(&str, &str)], stored: &[(&str, &str)], body: &[u8]) -> String {
    let mut request = vec![(":method", method)];
    request.extend_from_slice(fields);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    match ranged(&Headers::new(&request), &Headers::new(stored), body, 7) {
        Ranged::Whole => "whole".to_owned(),
        Ranged::Unsatisfiable { content_range } => format!("416 {}", text(content_range)),
        Ranged::Partial { content_type: None, content_range, body } => {
            format!("{} {}", text(content_range.unwrap()), text(body))
        }
        Ranged::Partial { content_type: Some(kind), content_range, body } => {
            assert_eq!(content_range, None, "15.3.7.2: no Content-Range beside several parts");
            format!("{}{}", text(kind), text(body))
        }
    }
}

#[test]
fn one_range() {
    for (section, range, expected) in [
        ("14.1.2 int-range", "bytes=0-0", "bytes 0-0/10 0"),
        ("14.1.2 int-range", "bytes=2-5", "bytes 2-5/10 2345"),
        ("14.1.2 to the end", "bytes=7-", "bytes 7-9/10 789"),
        ("14.1.2 beyond the end", "bytes=7-99", "bytes 7-9/10 789"),
        ("14.1.2 suffix", "bytes=-3", "bytes 7-9/10 789"),
        ("14.1.2 longer suffix", "bytes=-99", "bytes 0-9/10 0123456789"),
        ("14.1.2 everything", "bytes=0-", "bytes 0-9/10 0123456789"),
        (
            "14.1.2 any number of digits",
            "bytes=0-99999999999999999999999",
            "bytes 0-9/10 0123456789",
        ),
        ("14.1.2 leading zeros", "bytes=007-008", "bytes 7-8/10 78"),
        ("14.1 units have no case", "Bytes=1-2", "bytes 1-2/10 12"),
        ("5.6.1 empty members", "bytes= ,1-2,\t,", "bytes 1-2/10 12"),
        ("15.5.17 behind the end", "bytes=10-", "416 bytes */10"),
        ("15.5.17 behind the end", "bytes=10-12", "416 bytes */10"),
        ("15.5.17 far behind", "bytes=99999999999999999999999-", "416 bytes */10"),
        ("15.5.17 no last bytes", "bytes=-0", "416 bytes */10"),
        ("15.5.17 none of them", "bytes=-0,10-,20-30", "416 bytes */10"),
        ("14.1.1 ends before it begins", "bytes=5-4", "whole"),
        ("14.1.1 one of them does", "bytes=0-1,5-4", "whole"),
        ("14.1.1 no number", "bytes=a-b", "whole"),
        ("14.1.1 a sign", "bytes=+1-2", "whole"),
        ("14.1.1 only a dash", "bytes=-", "whole"),
        ("14.1.1 two dashes", "bytes=1-2-3", "whole"),
        ("14.1.1 a blank inside", "bytes=1 - 2", "whole"),
        ("14.1.1 a blank before the sign", "bytes =1-2", "whole"),
        ("14.1.1 nothing", "bytes=", "whole"),
        ("14.1.1 only commas", "bytes=,,", "whole"),
        ("14.1.1 no unit", "1-2", "whole"),
        ("14.2 another unit: MUST ignore", "lines=1-2", "whole"),
        ("empty", "", "whole"),
    ] {
        assert_eq!(
            shown("GET", &[("range", range)], &STORED, b"0123456789"),
            expected,
            "{section}: {range}"
        );
    }
    for (section, range, expected) in [
        ("14.1.2 the last bytes of nothing", "bytes=-1", "whole"),
        ("15.5.17 nothing at all", "bytes=0-", "416 bytes */0"),
    ] {
        assert_eq!(shown("GET", &[("range", range)], &STORED, b""), expected, "{section}");
    }
}

#[test]
fn a_range_counts_only_in_a_get_that_has_one() {
    for (section, method, fields) in [
        ("14.2 MUST ignore with other methods", "HEAD", &[("range", "bytes=0-1")][..]),
        ("14.2 MUST ignore with other methods", "POST", &[("range", "bytes=0-1")]),
        ("5.3 several lines", "GET", &[("range", "bytes=0-1"), ("range", "bytes=2-3")]),
        ("13.1.5 If-Range alone", "GET", &[("if-range", "\"a\"")]),
    ] {
        assert_eq!(shown(method, fields, &STORED, b"0123456789"), "whole", "{section}");
    }
}

#[test]
fn if_range_must_name_this_very_representation() {
    let weak = [("etag", "W/\"a\"")];
    let unclear = [("etag", "\"a\""), ("etag", "\"b\"")];
    let recent = [("last-modified", MODIFIED), ("date", "Sun, 06 Nov 1994 08:50:36 GMT")];
    let undated = [("last-modified", MODIFIED)];
    for (section, value, stored, counts) in [
        ("13.1.5 the tag", "\"a\"", &STORED[..], true),
        ("13.1.5 another tag", "\"b\"", &STORED, false),
        ("13.1.5 strong comparison", "W/\"a\"", &STORED, false),
        ("13.1.5 strong comparison", "\"a\"", &weak, false),
        ("13.1.5 weak tags never", "W/\"a\"", &weak, false),
        ("8.8.3 several tags stored", "\"a\"", &unclear, false),
        ("13.1.5 the date", MODIFIED, &STORED, true),
        ("5.6.7 in another form", "Sunday, 06-Nov-94 08:49:37 GMT", &STORED, true),
        ("13.1.5 exactly, not later", "Sun, 06 Nov 1994 08:49:38 GMT", &STORED, false),
        ("8.8.2.2 a date that is too young", MODIFIED, &recent, false),
        ("8.8.2.2 no date to compare with", MODIFIED, &undated, false),
        ("13.1.5 neither tag nor date", "a", &STORED, false),
        ("13.1.5 no list", "\"a\", \"b\"", &STORED, false),
        ("13.1.5 no *", "*", &STORED, false),
        ("empty", "", &STORED, false),
    ] {
        let expected = if counts { "bytes 0-0/2 0" } else { "whole" };
        let fields = [("range", "bytes=0-0"), ("if-range", value)];
        assert_eq!(shown("GET", &fields, stored, b"01"), expected, "{section}: {value}");
    }
    let twice = [("range", "bytes=0-0"), ("if-range", "\"a\""), ("if-range", "\"a\"")];
    assert_eq!(shown("GET", &twice, &STORED, b"01"), "whole");
    let behind = [("range", "bytes=5-"), ("if-range", "\"b\"")];
    assert_eq!(shown("GET", &behind, &STORED, b"01"), "whole", "14.2: no 416 where If-Range fails");
}

#[test]
fn several_ranges_are_parts_in_the_order_asked_for() {
    let body = [b'x'; 1_000];
    let stored = [("content-type", "text/plain")];
    assert_eq!(
        shown("GET", &[("range", "bytes=900-901,5000-,0-0")], &stored, &body),
        "multipart/byteranges; boundary=0000000000000007\r\n--0000000000000007\r\nContent-Type: text/plain\r\n\
         Content-Range: bytes 900-901/1000\r\n\r\nxx\r\n--0000000000000007\r\nContent-Type: text/plain\r\n\
         Content-Range: bytes 0-0/1000\r\n\r\nx\r\n--0000000000000007--\r\n"
    );
    assert!(!shown("GET", &[("range", "bytes=0-0,-1")], &[], &body).contains("Content-Type"));
    for (rule, range, expected) in [
        ("15.3.7.2 overlap", "bytes=0-5,4-8", "bytes 0-8/1000 "),
        ("17.15 the same again", "bytes=0-1,0-1,0-1", "bytes 0-1/1000 "),
        ("15.3.7.2 near", "bytes=5-6,0-0", "bytes 0-6/1000 "),
        ("15.3.7.2 what grew reaches another", "bytes=0-0,200-200,1-199", "bytes 0-200/1000 "),
        ("15.3.7.2 one left is no list", "bytes=0-0,5000-", "bytes 0-0/1000 "),
    ] {
        let shown = shown("GET", &[("range", range)], &stored, &body);
        assert!(shown.starts_with(expected), "{rule}: {shown}");
    }
    let many = |n: usize| format!("bytes={}", vec!["0-0"; n].join(","));
    assert_eq!(shown("GET", &[("range", &many(16))], &stored, b"x"), "bytes 0-0/1 x");
    assert_eq!(shown("GET", &[("range", &many(17))], &stored, b"x"), "whole", "17.15");
}
