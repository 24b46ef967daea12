//! RFC 9111, 4.3.2; RFC 9110, 8.8.3, 13.1.2, 13.1.3, 13.2.2.

use super::*;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const LATER: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

#[test]
fn a_condition_is_met_only_by_what_it_names() {
    let both = [("etag", "W/\"a,b\""), ("last-modified", MODIFIED), ("date", LATER)];
    let undated = [("etag", "\"x\"")];
    let untagged = [("date", MODIFIED)];
    let unclear = [("etag", "\"x\""), ("etag", "\"y\""), ("date", MODIFIED)];
    let repeated = [("etag", "\"x\""), ("etag", "\"x\"")];
    for (section, request, stored, expected) in [
        ("13.1.2 weak comparison", &[("if-none-match", "\"a,b\"")][..], &both[..], true),
        ("13.1.2 weak comparison", &[("if-none-match", "W/\"a,b\"")], &both, true),
        ("13.1.2 a list", &[("if-none-match", "\"x\", W/\"y\" ,\"a,b\"")], &both, true),
        ("5.6.1 empty members", &[("if-none-match", ",, \"x\",\t, \"a,b\",")], &both, true),
        ("5.3 lines", &[("if-none-match", "\"x\""), ("if-none-match", "\"a,b\"")], &both, true),
        ("13.1.2 any", &[("if-none-match", " * ")], &both, true),
        ("13.1.2 any, also without a tag", &[("if-none-match", "*")], &untagged, true),
        ("13.1.2 another", &[("if-none-match", "\"x\"")], &both, false),
        ("8.8.3.2 case counts", &[("if-none-match", "\"A,b\"")], &both, false),
        ("13.1.2 * is no tag", &[("if-none-match", "\"*\"")], &both, false),
        ("13.1.2 * in a list", &[("if-none-match", "*, \"a,b\"")], &both, false),
        ("13.1.2 * on two lines", &[("if-none-match", "*"), ("if-none-match", "*")], &both, false),
        ("8.8.3 no quotes", &[("if-none-match", "a,b")], &both, false),
        ("8.8.3 open quote", &[("if-none-match", "\"a,b")], &both, false),
        ("8.8.3 small w", &[("if-none-match", "w/\"a,b\"")], &both, false),
        ("8.8.3 a blank inside", &[("if-none-match", "\"a b\", \"a,b\"")], &both, false),
        ("5.6.1 no comma", &[("if-none-match", "\"a,b\" \"x\"")], &both, false),
        ("a slip later in the list", &[("if-none-match", "\"a,b\", x")], &both, false),
        ("empty", &[("if-none-match", "")], &both, false),
        ("8.8.3 no tag stored", &[("if-none-match", "\"x\"")], &untagged, false),
        ("8.8.3 two tags stored", &[("if-none-match", "\"x\"")], &unclear, false),
        ("one tag stored twice", &[("if-none-match", "\"x\"")], &repeated, true),
        (
            "13.1.3 If-None-Match goes before",
            &[("if-none-match", "\"x\""), ("if-modified-since", MODIFIED)],
            &both,
            false,
        ),
        (
            "13.2.2 also when unreadable",
            &[("if-none-match", "x"), ("if-modified-since", MODIFIED)],
            &both,
            false,
        ),
        ("13.1.3 the same date", &[("if-modified-since", MODIFIED)], &both, true),
        ("13.1.3 later", &[("if-modified-since", LATER)], &both, true),
        (
            "5.6.7 another form",
            &[("if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT")],
            &both,
            true,
        ),
        ("13.1.3 earlier", &[("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT")], &both, false),
        ("13.1.3 no date", &[("if-modified-since", "x")], &both, false),
        (
            "13.1.3 more than one",
            &[("if-modified-since", LATER), ("if-modified-since", LATER)],
            &both,
            false,
        ),
        ("4.3.2 Date stands in", &[("if-modified-since", MODIFIED)], &untagged, true),
        ("4.3.2 neither", &[("if-modified-since", MODIFIED)], &undated, false),
        (
            "an unreadable Last-Modified is not replaced",
            &[("if-modified-since", LATER)],
            &[("last-modified", "x"), ("date", MODIFIED)],
            false,
        ),
        ("no condition", &[], &both, false),
    ] {
        let (request, stored) = (Headers::new(request), Headers::new(stored));
        assert_eq!(is_current(&request, &stored), expected, "{section}: {request:?}");
    }
}
