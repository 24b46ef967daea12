//! The demo upstream over a real socket.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ureq::http::Response;
use ureq::{Agent, Body};

/// Starts an instance on a free port; its thread ends with the test process.
fn start(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || weir_upstream::server::serve(listener, name));
    address
}

fn agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).proxy(None);
    config.timeout_global(Some(Duration::from_secs(10))).build().into()
}

fn get(address: SocketAddr, path: &str) -> Response<Body> {
    agent().get(format!("http://{address}{path}")).call().unwrap()
}

fn text(mut response: Response<Body>) -> String {
    response.body_mut().read_to_string().unwrap()
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn control(address: SocketAddr, change: &Value) -> Response<Body> {
    agent().post(format!("http://{address}/_control")).send(change.to_string()).unwrap()
}

/// Everything that comes over one connection until the other side closes it.
fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut all = Vec::new();
    // A cut connection may end in a reset.
    let _ = stream.read_to_end(&mut all);
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn answers_name_the_instance() {
    let one = start("one");
    let response = get(one, "/shop");
    assert_eq!(header(&response, "x-upstream"), "one");
    assert_eq!(text(response), "one answered GET /shop with 200 (its request 1)\n");
    let echo: Value = serde_json::from_str(&text(get(one, "/echo?a=1"))).unwrap();
    assert_eq!((&echo["query"], &echo["instance"]), (&json!("a=1"), &json!("one")));
    assert_eq!(get(one, "/status/418").status(), 418);
    assert_eq!(text(get(one, "/bytes/65536")).len(), 65536);
    assert_eq!(get(one, "/status/x").status(), 400);
}

#[test]
fn a_switch_holds_until_it_is_taken_back() {
    let one = start("one");
    assert_eq!(control(one, &json!({"ill": true, "status": "500"})).status(), 200);
    assert_eq!(
        (get(one, "/healthz").status(), get(one, "/").status()),
        (503.into_status(), 500.into_status())
    );
    let shown: Value = serde_json::from_str(&text(get(one, "/_control"))).unwrap();
    assert_eq!(shown["switches"]["status"], "500:1");
    let refused = control(one, &json!({"il": true}));
    assert_eq!(refused.status(), 400);
    assert!(text(refused).starts_with("unknown field `il`"));
    agent().delete(format!("http://{one}/_control")).call().unwrap();
    assert_eq!(
        (get(one, "/healthz").status(), get(one, "/").status()),
        (200.into_status(), 200.into_status())
    );
}

#[test]
fn counts_are_kept_by_path_and_reset() {
    let one = start("one");
    for path in ["/a", "/a", "/b?x=1"] {
        get(one, path);
    }
    let counts: Value = serde_json::from_str(&text(get(one, "/_control/counts"))).unwrap();
    assert_eq!(counts["paths"], json!({"/a": 2, "/b": 1}));
    agent().delete(format!("http://{one}/_control/counts")).call().unwrap();
    let counts: Value = serde_json::from_str(&text(get(one, "/_control/counts"))).unwrap();
    assert_eq!(counts["total"], 0);
}

#[test]
fn caching_headers_come_as_they_are_switched() {
    let one = start("one");
    let response = get(one, "/cache?etag=v1&vary=accept&set_cookie=a%3D1&expires=60s");
    assert_eq!(header(&response, "cache-control"), "max-age=60");
    assert_eq!(header(&response, "etag"), "\"v1\"");
    assert_eq!((header(&response, "vary"), header(&response, "set-cookie")), ("accept", "a=1"));
    assert!(header(&response, "expires").ends_with("GMT"));
    let again = agent()
        .get(format!("http://{one}/cache?etag=v1"))
        .header("if-none-match", "\"v1\"")
        .call()
        .unwrap();
    assert_eq!((again.status(), text(again)), (304.into_status(), String::new()));
}

#[test]
fn latency_is_waited_and_a_cut_breaks_the_message() {
    let one = start("one");
    let asked_at = Instant::now();
    get(one, "/delay/150ms");
    assert!(asked_at.elapsed() >= Duration::from_millis(150));
    let broken = raw(one, "GET /cut/100 HTTP/1.1\r\nhost: x\r\n\r\n");
    let (head, body) = broken.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-length: 200"), "{head}");
    assert_eq!(body.len(), 100);
}

#[test]
fn a_hanging_request_leaves_the_others_alone() {
    let one = start("one");
    let mut hanging = TcpStream::connect(one).unwrap();
    hanging.write_all(b"GET /hang HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(get(one, "/").status(), 200);
    hanging.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(hanging.read(&mut [0; 1]).is_err());
}

/// Reads better than a conversion in every line.
trait IntoStatus {
    fn into_status(self) -> ureq::http::StatusCode;
}

impl IntoStatus for u16 {
    fn into_status(self) -> ureq::http::StatusCode {
        ureq::http::StatusCode::from_u16(self).unwrap()
    }
}
