//! The OpenAPI document as a real gateway serves it: a public validator takes it, and every operation in it answers as
//! it says, also to whoever may not ask and to whoever asks wrongly.

mod refusals;
mod walk;

use harness::admin::Way;
use harness::client::Request;
use harness::gateway::{Gateway, Setup};
use harness::http::Message;
use harness::openapi::{Document, validate};
use harness::origin::{Act, Origin};
use harness::token::sha256;
use serde_json::{Value, json};

/// What operators show in these tests.
const TOKEN: &str = "open sesame";

/// The filters by their sections in the gateway, with the paths of their operations.
const FILTERS: [(&str, &str, &str); 4] = [
    ("metrics", "metrics", "/weir"),
    ("rate_limit", "rate-limit", "/weir/limits"),
    ("response_cache", "response-cache", "/weir/cache"),
    ("circuit_breaker", "circuit-breaker", "/weir/breakers"),
];

/// What makes a document a wrong one.
type Break = fn(&mut Value);

/// Everything that has endpoints, switched on; what takes part in examples of the document has their names.
fn section(name: &str) -> Value {
    let path = FILTERS.iter().find(|(section, ..)| *section == name).unwrap().2;
    let mut section = match name {
        "metrics" => json!({
            "errors": {"address": true, "user_agent": true},
            "consumers": {"key": "header:user-agent"},
            "health": {"admin_cluster": "admin", "clusters": ["upstream", "lost"], "interval": "500ms"},
            "console": {
                "limits": "/weir/limits", "cache": "/weir/cache", "breakers": "/weir/breakers",
            },
        }),
        "rate_limit" => json!({"rules": [
            {"name": "general", "match": {"path": {"prefix": "/few"}}, "show_keys": true,
             "limits": [{"quota": 2, "window": "1h"}]},
            {"name": "shadow", "mode": "shadow", "key": ["address"], "limits": [{"quota": 5, "window": "1m"}]},
            {"name": "old", "mode": "off", "limits": [{"quota": 1, "window": "1s"}]},
        ]}),
        "response_cache" => json!({
            "background": {"cluster": "background"},
            "resources": [{"name": "articles", "patterns": ["/articles/**"]}],
        }),
        _ => json!({"rules": [
            {"name": "payments", "match": {"path": {"prefix": "/ill"}}, "consecutive": {"failures": 2},
             "ratio": {"enabled": false}, "open": {"time": "1h", "max_time": "1h"}},
            {"name": "shadow", "shadow": true, "per": "rule"},
            {"name": "old", "enabled": false},
        ]}),
    };
    section["operations"] = json!({"path": path, "token_sha256": sha256(TOKEN)});
    section
}

fn whole() -> Value {
    FILTERS.iter().map(|(name, ..)| ((*name).to_owned(), section(name))).collect()
}

fn origin() -> Origin {
    Origin::start(|request| match request.target().split('/').nth(1) {
        Some("ill") => Act::response(500, &[], ""),
        Some("stored") => Act::response(
            200,
            &[("cache-control", "max-age=600"), ("surrogate-key", "news")],
            "stored",
        ),
        _ => Act::response(200, &[], "plain"),
    })
}

fn start(module: &str, configuration: &Value, origin: &Origin, admin: &Way) -> Gateway {
    Setup::new(module, configuration, origin.address())
        .and_cluster(admin.cluster())
        .way_back()
        .workers(2)
        .start()
}

fn ask(gateway: &Gateway, method: &str, target: &str) -> Message {
    Request::new(method, target).field("x-weir-token", TOKEN).ask(gateway.address())
}

fn document(gateway: &Gateway, prefix: &str) -> Document {
    Document::of(&ask(gateway, "GET", &format!("{prefix}/openapi.json")))
}

#[test]
fn a_public_validator_takes_the_document_and_would_refuse_a_wrong_one() {
    let (origin, admin) = (origin(), Way::start());
    let gateway = start("gateway", &whole(), &origin, &admin);
    let whole = document(&gateway, "/weir");
    assert_eq!(whole.problems(), [""; 0]);
    for (_, _, prefix) in FILTERS {
        assert_eq!(document(&gateway, prefix).value, whole.value, "the same from everywhere");
    }
    let index = ask(&gateway, "GET", "/weir");
    let index: Value = serde_json::from_slice(&index.body).unwrap();
    assert_eq!(index["openapi"], "/weir/openapi.json");

    let mut n_paths = 0;
    for (section_name, filter, prefix) in FILTERS {
        let own = section(section_name);
        let alone = document(&start(filter, &own, &origin, &admin), prefix).value;
        assert_eq!(validate(&alone, &[]), [""; 0], "{filter}");
        assert_eq!(alone["tags"], json!([{"name": filter}]));
        let paths = alone["paths"].as_object().unwrap();
        n_paths += paths.len();
        for (path, item) in paths {
            assert_eq!(&whole.value["paths"][path], item, "{filter}: {path}");
        }
    }
    assert_eq!(
        whole.value["paths"].as_object().unwrap().len(),
        n_paths,
        "all of them and no other"
    );

    let breaks: [(&str, Break); 5] = [
        ("no title", |it| drop(it["info"].as_object_mut().unwrap().remove("title"))),
        ("a parameter nowhere", |it| {
            it["paths"]["/weir/stats"]["get"]["parameters"][0]["in"] = json!("nowhere");
        }),
        ("a name that no parameter gives", |it| {
            it["paths"]["/weir/cache/rules/{name}"]["get"]["parameters"] = json!([]);
        }),
        ("two operations of one name", |it| {
            it["paths"]["/weir/stats"]["get"]["operationId"] = json!("metrics_get_errors");
        }),
        ("a schema that is none", |it| {
            it["components"]["schemas"]["Problem"]["properties"]["title"]["type"] = json!("words");
        }),
    ];
    for (what, break_it) in breaks {
        let mut broken = whole.value.clone();
        break_it(&mut broken);
        assert!(!validate(&broken, &[]).is_empty(), "{what} is taken");
    }
    let problem = json!({"$ref": "#/components/schemas/Problem"});
    let live = &whole.value["paths"]["/weir/health/live"]["get"]["responses"]["200"];
    let live = &live["content"]["application/json"]["schema"];
    for (what, schema, body) in [
        (
            "a member that is not there",
            &problem,
            json!({"title": "x", "status": 400, "detail": "x"}),
        ),
        ("a member that nobody tells of", live, json!({"status": "live", "since": 1})),
        ("another word", live, json!({"status": "alive"})),
    ] {
        let answer = json!({"name": what, "schema": schema, "body": body});
        assert_eq!(validate(&whole.value, &[answer]).len(), 1, "{what} is taken");
    }
}
