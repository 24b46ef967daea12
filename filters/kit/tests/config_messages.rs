//! Every message of the configuration reader, in full.
//!
//! The same table runs natively and, under Node, on the target that the modules are built for.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use kit::config::{self, Fields, Value};
use kit::units::{Bytes, Nanos, Ratio};

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Scope {
    #[default]
    Global,
    PerWorker,
}

const SCOPES: [(&str, Scope); 2] = [("global", Scope::Global), ("per_worker", Scope::PerWorker)];

/// A reader that uses each getter, shaped like that of a filter.
fn take(fields: &mut Fields<'_>) {
    fields.remedy("remove the filter from the chain if nothing is to be limited");
    fields.optional_objects("limits", 1..=3, limit);
    fields.optional_text("name");
    fields.optional_text_of("body", 0..=5);
    fields.optional_bool("on");
    fields.optional_integer("port", 1_u16..=65_535);
    fields.optional_integer("shift", -5_i64..=5);
    fields.optional_number("factor", 0.5..=4.0);
    fields.optional_bytes("size", Bytes::KIB..=Bytes::from_mib(64));
    fields.optional_ratio("share", Ratio::MIN_POSITIVE..=Ratio::ONE);
    fields.optional_choice("scope", &SCOPES);
    fields.optional_choices("scopes", 1..=2, &SCOPES);
    fields.optional_parsed("prefix", "a path such as \"/api\"", path);
    fields.optional_one_or_many("hosts", 1..=2);
    fields.optional_one_or_many_parsed("paths", 1..=2, "a path such as \"/api\"", path);
    fields.optional_texts("tags", 0..=2);
    fields.optional_durations("buckets", 1..=2, Nanos(1)..=Nanos::HOUR);
    fields.optional_map_of_texts("labels", 0..=2);
    fields.optional_named_objects("clusters", 0..=2, |_, cluster| limit(cluster));
    fields.optional_object("inner", |inner| {
        inner.exactly_one_of(&["a", "b"]);
        inner.optional_text("a");
        inner.optional_text("b");
    });
    fields.optional_object("required", required);
    if let Some(token) = fields.optional_secret("token", 8..=64)
        && token.reveal() == "password"
    {
        fields.problem("token", "a value", "a secret that cannot be guessed", "make a random one");
    }
}

fn limit(fields: &mut Fields<'_>) {
    let switch = format!("to switch the limit off set {} to false", fields.path("enabled"));
    fields.remedy(switch).optional_duration("window", Nanos::MILLISECOND..=Nanos::from_hours(24));
    fields.optional_integer("burst", 1..=1_000);
    fields.optional_bool("enabled");
}

fn required(fields: &mut Fields<'_>) {
    assert_eq!(fields.text("text"), "");
    assert!(!fields.bool("bool"));
    assert_eq!(fields.integer("integer", 3_usize..=9), 3);
    assert_eq!(fields.duration("duration", Nanos::SECOND..=Nanos::MINUTE), Nanos::SECOND);
    assert_eq!(fields.choice("choice", &SCOPES), Scope::Global);
    assert_eq!(fields.parsed("parsed", "a path such as \"/api\"", path), None);
    assert_eq!(fields.secret("secret", 1..=8), None);
    assert_eq!(fields.texts("texts", 1..=2), Vec::<String>::new());
    assert_eq!(fields.objects("objects", 1..=2, |_| ()), vec![]);
    assert_eq!(fields.object("object", |object| object.integer("n", 7..=8)), 7);
    assert!(fields.map_of_texts("map", 0..=2).is_empty());
    assert!(fields.one_or_many("many", 1..=2).is_empty());
}

fn path(text: &str) -> Result<String, &'static str> {
    if text.starts_with('/') { Ok(text.to_owned()) } else { Err("begin it with /") }
}

/// Reads `text` and returns the lines without the filter's name, the closing line checked and left out.
fn problems_of(text: &str) -> Vec<String> {
    let Err(problems) = config::load("rate-limit", text.as_bytes(), take) else {
        return Vec::new();
    };
    let mut lines: Vec<String> = problems.lines().collect();
    let closing = lines.pop().unwrap();
    let (count, plural) = (lines.len(), if lines.len() == 1 { "" } else { "s" });
    assert_eq!(
        closing,
        format!(
            "rate-limit: configuration rejected ({count} problem{plural}); the filter will not start, \
             Envoy keeps its previous configuration or refuses to boot"
        )
    );
    lines.iter().map(|line| line.strip_prefix("rate-limit: ").unwrap().to_owned()).collect()
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn each_mistake_has_its_line() {
    for (text, line) in ROWS {
        assert_eq!(problems_of(text), [*line], "{text}");
    }
}

const ROWS: &[(&str, &str)] = &[
    // The range, and who may state the remedy.
    (
        r#"{"limits": [{}, {}, {"window": "0s"}]}"#,
        "limits[2].window: found \"0s\", allowed 1ms to 24h; \
         to switch the limit off set limits[2].enabled to false",
    ),
    (
        r#"{"limits": [{"window": 5}]}"#,
        "limits[0].window: found 5, allowed 1ms to 24h; write it in quotes with a unit, such as \"5s\"",
    ),
    (
        r#"{"limits": [{"window": "5"}]}"#,
        "limits[0].window: found \"5\", allowed 1ms to 24h; add a unit, such as \"5s\"",
    ),
    (
        r#"{"limits": [{"window": 100000}]}"#,
        "limits[0].window: found 100000, allowed 1ms to 24h; write it in quotes with a unit, such as \"1ms\"",
    ),
    (
        r#"{"limits": [{"window": "5 sec"}]}"#,
        "limits[0].window: found \"5 sec\", allowed 1ms to 24h; \
         write a whole number and a unit, such as \"250ms\" or \"1h30m\"",
    ),
    (
        r#"{"size": "512B"}"#,
        "size: found \"512B\", allowed 1KiB to 64MiB; raise it to at least 1KiB",
    ),
    (
        r#"{"size": "1GiB"}"#,
        "size: found \"1GiB\", allowed 1KiB to 64MiB; lower it to at most 64MiB",
    ),
    (
        r#"{"size": "99999999999TiB"}"#,
        "size: found \"99999999999TiB\", allowed 1KiB to 64MiB; lower it to at most 64MiB",
    ),
    (
        r#"{"share": "0%"}"#,
        "share: found \"0%\", allowed 0.0001% to 100%; raise it to at least 0.0001%, zero does not mean off",
    ),
    (
        r#"{"share": 0.5}"#,
        "share: found 0.5, allowed 0.0001% to 100%; write it in quotes as a percentage, such as \"12.5%\"",
    ),
    (
        r#"{"port": 0}"#,
        "port: found 0, allowed 1 to 65535; raise it to at least 1, zero does not mean off",
    ),
    (r#"{"port": 65536}"#, "port: found 65536, allowed 1 to 65535; lower it to at most 65535"),
    (r#"{"port": 1e300}"#, "port: found 1e+300, allowed 1 to 65535; lower it to at most 65535"),
    (r#"{"port": -1}"#, "port: found -1, allowed 1 to 65535; raise it to at least 1"),
    (r#"{"port": 80.5}"#, "port: found 80.5, allowed 1 to 65535; give a whole number"),
    (r#"{"port": "80"}"#, "port: found \"80\", allowed 1 to 65535; remove the quotes"),
    (r#"{"port": null}"#, "port: found null, allowed 1 to 65535; give a whole number"),
    (r#"{"shift": -6}"#, "shift: found -6, allowed -5 to 5; raise it to at least -5"),
    (r#"{"factor": 4.5}"#, "factor: found 4.5, allowed 0.5 to 4; lower it to at most 4"),
    (r#"{"factor": []}"#, "factor: found a list, allowed 0.5 to 4; give a number"),
    // Texts, words and switches.
    (r#"{"name": ""}"#, "name: found \"\", allowed a text of 1 to 4096 bytes; fill it in"),
    (
        r#"{"name": {}}"#,
        "name: found an object, allowed a text of 1 to 4096 bytes; give a text in quotes",
    ),
    (
        r#"{"body": "sixsix"}"#,
        "body: found \"sixsix\", allowed a text of 0 to 5 bytes; it has 6 bytes",
    ),
    (r#"{"on": "true"}"#, "on: found \"true\", allowed true or false; remove the quotes"),
    (r#"{"on": 1}"#, "on: found 1, allowed true or false; choose one of them"),
    (
        r#"{"scope": "per-worker"}"#,
        "scope: found \"per-worker\", allowed \"global\", \"per_worker\"; did you mean \"per_worker\"?",
    ),
    (
        r#"{"scopes": ["global", "x"]}"#,
        "scopes[1]: found \"x\", allowed \"global\", \"per_worker\"; choose one of them",
    ),
    (
        r#"{"prefix": "api"}"#,
        "prefix: found \"api\", allowed a path such as \"/api\"; begin it with /",
    ),
    (
        r#"{"prefix": "0123456789012345678901234567890123456789…"}"#,
        "prefix: found \"0123456789012345678901234567890123456789\"…, \
         allowed a path such as \"/api\"; begin it with /",
    ),
    // Lists and maps.
    (
        r#"{"limits": []}"#,
        "limits: found 0 entries, at least 1 is needed; \
         remove the filter from the chain if nothing is to be limited",
    ),
    (
        r#"{"limits": {}}"#,
        "limits: found an object, allowed a list of objects; put the values in [ ]",
    ),
    (r#"{"limits": [1]}"#, "limits[0]: found 1, allowed an object; put the fields in { }"),
    (
        r#"{"tags": ["a", "b", "c"]}"#,
        "tags: found 3 entries, at most 2 are allowed; remove 1 entry",
    ),
    (
        r#"{"tags": "a"}"#,
        "tags: found \"a\", allowed a list of entries, each a text of 1 to 4096 bytes; put the values in [ ]",
    ),
    (
        r#"{"tags": [7]}"#,
        "tags[0]: found 7, allowed a text of 1 to 4096 bytes; give a text in quotes",
    ),
    (r#"{"hosts": ""}"#, "hosts: found \"\", allowed a text of 1 to 4096 bytes; fill it in"),
    (
        r#"{"hosts": 1}"#,
        "hosts: found 1, allowed a list of entries, each a text of 1 to 4096 bytes, \
         or one without a list; put the values in [ ]",
    ),
    (r#"{"paths": "x"}"#, "paths: found \"x\", allowed a path such as \"/api\"; begin it with /"),
    (
        r#"{"paths": ["/", "x"]}"#,
        "paths[1]: found \"x\", allowed a path such as \"/api\"; begin it with /",
    ),
    (
        r#"{"buckets": ["2h"]}"#,
        "buckets[0]: found \"2h\", allowed 1ns to 1h; lower it to at most 1h",
    ),
    (
        r#"{"labels": {"x y": 1}}"#,
        "labels[\"x y\"]: found 1, allowed a text of 0 to 4096 bytes; give a text in quotes",
    ),
    (r#"{"labels": 1}"#, "labels: found 1, allowed an object; put the fields in { }"),
    (
        r#"{"clusters": {"pay": {"burst": 0}}}"#,
        "clusters.pay.burst: found 0, allowed 1 to 1000; raise it to at least 1, zero does not mean off",
    ),
    // Rules across fields.
    (r#"{"inner": {}}"#, "inner: found none of them, allowed exactly one of a, b; add one"),
    (
        r#"{"inner": {"a": "1", "b": "2"}}"#,
        "inner: found a and b, allowed exactly one of a, b; keep one",
    ),
    // Names.
    (r#"{"limits": [{"brust": 1}]}"#, "limits[0].brust: unknown field; did you mean \"burst\"?"),
    (r#"{"Port": 1}"#, "Port: unknown field; did you mean \"port\"?"),
    (
        r#"{"limits": [{"mode": 1}]}"#,
        "limits[0].mode: unknown field; remove it, the fields here are window, burst, enabled",
    ),
    (r#"{"port": 1, "port": 2}"#, "port: found twice, allowed once; remove one of them"),
    (
        r#"{"limits": [{"burst": 1, "burst": 1}]}"#,
        "limits[0].burst: found twice, allowed once; remove one of them",
    ),
    // Secrets.
    (
        r#"{"token": "hunter2"}"#,
        "token: found a value, allowed a text of 8 to 64 bytes; it has 7 bytes",
    ),
    (
        r#"{"token": 12345678}"#,
        "token: found a value, allowed a text of 8 to 64 bytes; give a text in quotes",
    ),
    (
        r#"{"token": "password"}"#,
        "token: found a value, allowed a secret that cannot be guessed; make a random one",
    ),
    // The text as a whole.
    (
        " \n",
        "configuration: found only blanks, allowed a JSON object; \
         set `configuration` of the Wasm plugin to a StringValue or a Struct",
    ),
    (r#""hunter2""#, "configuration: found a text, allowed an object; put the fields in { }"),
    (
        "{\"port\": 1,}",
        "configuration: found no JSON (trailing comma at line 1 column 12), allowed JSON text; mend it there",
    ),
    (
        "\nport: 1\n",
        "configuration: found no JSON (expected value at line 2 column 1), allowed JSON text; \
         begin it with {, or give YAML directly in a google.protobuf.Struct",
    ),
    (
        "\n\u{1}",
        "configuration: found bytes that are neither, allowed JSON text or a google.protobuf.Struct \
         of finite numbers and at most 30 levels; give an object in a StringValue or a Struct",
    ),
];

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn every_missing_field_is_named_and_harmless() {
    assert_eq!(
        problems_of(r#"{"required": {}}"#),
        [
            "required.text: found nothing, allowed a text of 1 to 4096 bytes; add this field",
            "required.bool: found nothing, allowed true or false; add this field",
            "required.integer: found nothing, allowed 3 to 9; add this field",
            "required.duration: found nothing, allowed 1s to 1m; add this field",
            "required.choice: found nothing, allowed \"global\", \"per_worker\"; add this field",
            "required.parsed: found nothing, allowed a path such as \"/api\"; add this field",
            "required.secret: found nothing, allowed a text of 1 to 8 bytes; add this field",
            "required.texts: found nothing, allowed a list of entries, each a text of 1 to 4096 bytes; add this field",
            "required.objects: found nothing, allowed a list of objects; add this field",
            "required.object: found nothing, allowed an object; add this field",
            "required.map: found nothing, allowed an object of texts; add this field",
            "required.many: found nothing, allowed a list of entries, each a text of 1 to 4096 bytes, \
             or one without a list; add this field",
        ]
    );
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn nested_readers_speak_under_the_outer_name_and_path() {
    let value: Value =
        config::parse(br#"{"rate_limit": {"limits": [{"burst": 0}], "on": 3}}"#).unwrap();
    let outer = |fields: &mut Fields<'_>| fields.optional_object("rate_limit", take);
    let problems = config::read("gateway", &value, outer).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "gateway: rate_limit.limits[0].burst: found 0, allowed 1 to 1000; \
         raise it to at least 1, zero does not mean off\n\
         gateway: rate_limit.on: found 3, allowed true or false; choose one of them\n\
         gateway: configuration rejected (2 problems); the filter will not start, \
         Envoy keeps its previous configuration or refuses to boot"
    );
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn a_struct_reads_as_the_same_json() {
    // `{"port": 80}`, serialized as Envoy does it: one map entry, one double.
    let bytes = b"\x0a\x11\x0a\x04port\x12\x09\x11\0\0\0\0\0\0\x54\x40";
    let port = config::load("metrics", bytes, |fields| fields.integer("port", 1_u16..=65_535));
    assert_eq!(port, Ok(80));
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn depth_and_length_are_bounded() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(
        problems_of(&deep),
        [
            "configuration: found no JSON (recursion limit exceeded at line 1 column 128), allowed JSON text; \
          begin it with {, or give YAML directly in a google.protobuf.Struct"
        ]
    );
    let long = format!("{{\"name\": \"{}\"}}", "x".repeat(1_048_576));
    assert_eq!(
        problems_of(&long),
        ["configuration: found 1048588B, allowed at most 1MiB; shorten it"]
    );
}
