//! The document that is made of tables, and who is in it.

use serde_json::{Value, json};

use super::shape::{Member, may_have};
use super::*;
use crate::config;
use crate::fake::FakeHost;
use crate::shared::SharedData as _;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const COMMONS: &[Member] = &[has("n", Shape::Count)];

const ANSWER: Shape = Shape::Object(&[
    COMMONS,
    &[may_have("of", Shape::Named(&Shape::List(&Shape::Maybe(&Shape::Instant))))],
]);

const QUERY: &[Parameter] = &[
    Parameter::new("mode", Schema::OneOf(&["on", "off"]), "how").required(),
    Parameter::new("for", Schema::Duration, "how long"),
    Parameter::new("tag", Schema::Texts("news"), "which"),
];

const TABLE: [Operation; 4] = [
    Operation::get("/things", "all of them", Gives::Json(&ANSWER)),
    Operation::act("PUT", "/things/NAME", "changes one", &ANSWER).asks(&[QUERY]).refuses(&[
        Refused::Unknown,
        Refused::Conflict,
        Refused::Failed,
    ]),
    Operation::get("/up", "health", Gives::Health(&ANSWER)),
    Operation::get("/page", "for people", Gives::Page).open(),
];

fn served(host: &FakeHost) -> Value {
    let reply = answer(host, b"GET", b"").unwrap();
    assert_eq!(reply.status, 200);
    serde_json::from_slice(&reply.body).unwrap()
}

fn published(table: &[Operation]) -> Value {
    let host = FakeHost::default();
    publish(&host, "things", &[("/weir", table)]);
    served(&host)
}

fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn an_operation_is_described_as_its_line_of_the_table() {
    let document = published(&TABLE);
    assert_eq!(
        (&document["openapi"], &document["tags"]),
        (&json!("3.1.0"), &json!([{"name": "things"}]))
    );
    assert_eq!(
        names(&document["paths"]),
        ["/weir/page", "/weir/things", "/weir/things/{name}", "/weir/up"]
    );
    let put = &document["paths"]["/weir/things/{name}"]["put"];
    assert_eq!(
        (&put["operationId"], &put["summary"], &put["tags"]),
        (&json!("things_put_things_name"), &json!("changes one"), &json!(["things"]))
    );
    let [of_path, mode, time, tag] = [0, 1, 2, 3].map(|idx| &put["parameters"][idx]);
    assert_eq!(
        of_path,
        &json!({"name": "name", "in": "path", "required": true, "schema": {"type": "string"}})
    );
    assert_eq!(
        mode,
        &json!({
            "name": "mode", "in": "query", "required": true, "description": "how",
            "schema": {"type": "string", "enum": ["on", "off"]}, "example": "on",
        })
    );
    assert_eq!((&time["required"], &time["example"]), (&json!(false), &json!("10m")));
    assert_eq!((&tag["schema"]["type"], &tag["example"]), (&json!("array"), &json!(["news"])));
    assert_eq!(names(&put["responses"]), ["200", "400", "401", "403", "404", "409", "503"]);
    let shared = &document["components"]["responses"];
    for (status, response) in put["responses"].as_object().unwrap() {
        if let Some(name) = response["$ref"].as_str() {
            let name = name.strip_prefix("#/components/responses/").unwrap();
            assert!(shared[name]["content"]["application/problem+json"].is_object(), "{status}");
        }
    }
}

#[test]
fn an_answer_is_described_as_its_shape() {
    let schema = json!({
        "type": "object", "required": ["n"],
        "properties": {
            "n": {"type": "integer", "minimum": 0},
            "of": {"type": "object", "additionalProperties": {"type": "array", "items": {
                "type": ["string", "null"], "format": "date-time",
            }}},
        },
    });
    let document = published(&TABLE);
    let paths = &document["paths"];
    let of = |path: &str, status: &str| &paths[path]["get"]["responses"][status];
    let content = json!({"application/json": {"schema": schema}});
    assert_eq!(of("/weir/things", "200")["content"], content);
    assert_eq!(of("/weir/up", "200")["content"], content);
    assert_eq!(of("/weir/up", "503")["content"], content, "not ready is no problem of the request");
    assert_eq!(names(&of("/weir/page", "200")["content"]), ["text/html"]);
    let page = &paths["/weir/page"]["get"];
    assert_eq!((&page["security"], &page["responses"]["401"]), (&json!([]), &Value::Null));
    assert_eq!(paths["/weir/things"]["get"]["security"], Value::Null, "as for all");
}

#[test]
fn every_filter_has_the_part_of_its_last_configuration_with_endpoints() {
    let host = FakeHost::default();
    let read = |rule: &Value| config::read("test", rule, Access::read).unwrap();
    let access = read(&json!({"path": "/weir/a", "source": "::1"}));
    publish_below(&host, "a", &access, &TABLE[..1]);
    publish(&host, "b", &[("/weir/b", &TABLE[..1]), ("/elsewhere", &TABLE[2..3])]);
    let paths = |host: &FakeHost| names(&served(host)["paths"]).join(" ");
    assert_eq!(
        paths(&host),
        "/elsewhere/up /weir/a /weir/a/openapi.json /weir/a/things /weir/b/things"
    );
    // Another configuration of the same filter takes the place of the one before.
    publish_below(&host, "a", &read(&json!({"path": "/c", "source": "::1"})), &TABLE[..1]);
    assert_eq!(paths(&host), "/c /c/openapi.json /c/things /elsewhere/up /weir/b/things");
    let before = host.shared_get(KEY).unwrap().version;
    publish(&host, "b", &[("/weir/b", &TABLE[..1]), ("/elsewhere", &TABLE[2..3])]);
    assert_eq!(host.shared_get(KEY).unwrap().version, before, "nothing new, nothing written");
    // Listeners without endpoints come and go: what the operators' listener has left stays.
    publish(&host, "b", &[]);
    publish_below(&host, "a", &Access::default(), &TABLE);
    assert_eq!(host.shared_get(KEY).unwrap().version, before);
    assert_eq!(served(&host)["tags"], json!([{"name": "a"}, {"name": "b"}]));
}

#[test]
fn the_table_does_not_grow_for_ever_and_rubbish_in_it_is_none() {
    let host = FakeHost::default();
    host.shared_set(KEY, b"\xffrubbish", None).unwrap();
    assert_eq!(names(&served(&host)["paths"]).len(), 0);
    for filter in
        ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q"]
    {
        publish(&host, filter, &[("/weir", &TABLE[..1])]);
    }
    assert_eq!(served(&host)["tags"].as_array().unwrap().len(), MAX_FILTERS);
}

#[test]
fn the_index_has_the_names_of_parameters() {
    assert_eq!(TABLE[0].shown(), "/things");
    assert_eq!(TABLE[1].shown(), "/things/NAME?mode=&for=&tag=");
}

#[test]
fn the_document_is_only_read_and_takes_no_parameter() {
    let host = FakeHost::default();
    assert_eq!(answer(&host, b"PUT", b""), Err(Refusal::Method { allow: "GET, HEAD" }));
    assert!(matches!(answer(&host, b"HEAD", b"v=3"), Err(Refusal::Parameters(_))));
}
