use super::*;

fn request() -> Headers {
    Headers::new(&[
        (":path", &b"/a?tag=x&%74ag=y+z&tag=%ff&empty"[..]),
        ("x-id", b"1"),
        ("cookie", b"session=\"a b\"; theme=dark;lang"),
        ("x-id", b"2"),
        ("cookie", b" session=other=1 ;=nameless"),
    ])
}

fn values(place: Place, name: &str) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    place.any(&request(), name, |value| {
        values.push(value.to_vec());
        false
    });
    values
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn every_value_of_a_name_is_shown_in_order() {
    assert_eq!(values(Place::Header, "x-id"), [b"1", b"2"]);
    assert_eq!(values(Place::Query, "tag"), [&b"x"[..], b"y z", b"\xff"]);
    assert_eq!(values(Place::Query, "empty"), [b""]);
    assert_eq!(values(Place::Cookie, "session"), [&b"\"a b\""[..], b"other=1"]);
    assert_eq!(values(Place::Cookie, "theme"), [b"dark"]);
    for (place, name) in [
        (Place::Header, "none"),
        (Place::Query, "x"),
        (Place::Cookie, "lang"),
        (Place::Cookie, "Theme"),
    ] {
        assert!(values(place, name).is_empty(), "{name}");
    }
}

#[test]
fn the_first_value_that_is_taken_ends_the_search() {
    let mut n_shown = 0;
    assert!(Place::Header.any(&request(), "x-id", |_| {
        n_shown += 1;
        true
    }));
    assert_eq!(n_shown, 1);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn names_are_checked_as_their_place_wants() {
    assert_eq!(Place::Header.parse_name("X-Api-Key").as_deref(), Ok("x-api-key"));
    assert_eq!(Place::Header.parse_name(":Scheme").as_deref(), Ok(":scheme"));
    assert_eq!(Place::Cookie.parse_name("Session").as_deref(), Ok("Session"));
    assert_eq!(Place::Query.parse_name("filter[x y]").as_deref(), Ok("filter[x y]"));
    for (place, name, error) in [
        (Place::Header, "", NameError::Empty),
        (Place::Header, "Host", NameError::Host),
        (Place::Header, ":", NameError::Characters),
        (Place::Header, "x y", NameError::Characters),
        (Place::Header, "x:", NameError::Characters),
        (Place::Cookie, "a=b", NameError::Characters),
        (Place::Cookie, ":a", NameError::Characters),
    ] {
        assert_eq!(place.parse_name(name), Err(error), "{name}");
    }
    assert_eq!(Place::Query.parse_name(&"x".repeat(257)), Err(NameError::Long { max: 256 }));
}
