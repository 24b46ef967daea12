//! `weir-proxy` as an operator runs it: the program, a real Envoy, the shipped modules.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use clap::Parser;
use rustix::net;
use rustix::process::Signal;
use ureq::Body;
use ureq::http::Response;
use weir_testbed::envoy::{Options, binary, validate};
use weir_testbed::process::{Running, Settings};
use weir_testbed::proxy::arguments::{Arguments, Filter};
use weir_testbed::proxy::bootstrap::bootstrap;
use weir_testbed::proxy::config::default_config;
use weir_testbed::{root, wait};

const SOON: Duration = Duration::from_secs(30);

/// The program, started with `arguments` split at blanks.
fn start(arguments: &str) -> Running {
    start_in(&root::root(), arguments)
}

fn start_in(root: &Path, arguments: &str) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir-proxy"));
    command.env("WEIR_ROOT", root).env("ENVOY", binary().unwrap());
    // What a killed proxy cannot remove stays out of the machine's own directory.
    command.env("TMPDIR", env!("CARGO_TARGET_TMPDIR"));
    command.args(arguments.split_whitespace());
    Running::start("weir-proxy", command, Settings::default()).unwrap()
}

fn built(filter: Filter) {
    let module = root::module(filter.name());
    assert!(module.is_file(), "{} is missing; run `make build`", module.display());
}

/// What it prints before it ends by itself, and how it ends.
fn ended(mut proxy: Running) -> (ExitStatus, Vec<String>) {
    let status = wait::until(SOON, || proxy.ended());
    let status = status.unwrap_or_else(|| panic!("still running:\n{}", proxy.log().text()));
    proxy.stop();
    (status, proxy.log().lines())
}

/// The line that starts with `start`, without it.
fn told(proxy: &Running, start: &str) -> String {
    let line = proxy.log().wait_for(SOON, |line| line.trim_start().starts_with(start));
    let line = line.unwrap_or_else(|| panic!("no {start:?} in\n{}", proxy.log().text()));
    line.trim_start().trim_start_matches(start).trim().to_owned()
}

/// Where a proxy listens that has finished its greeting.
fn front(proxy: &Running) -> String {
    let front = told(proxy, "send requests to");
    told(proxy, "stop with Ctrl-C");
    front.trim_end_matches('/').to_owned()
}

fn ask(url: &str) -> Response<Body> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
    agent.get(url).call().unwrap()
}

fn get(url: &str) -> (u16, String) {
    let mut response = ask(url);
    (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
}

/// A service that answers every request with `hello`, one at a time, as long as the test runs.
///
/// `/fresh` may be stored for a minute, `/broken` is answered 500.
fn serve(listener: TcpListener) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let lines = BufReader::new(connection.try_clone().unwrap()).lines();
            let asked: Vec<String> =
                lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let Some(line) = asked.first() else { continue };
            let status = if line.contains(" /broken ") { "500 Broken" } else { "200 OK" };
            let stored = if line.contains(" /fresh ") { "max-age=60" } else { "no-store" };
            let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncache-control: {stored}");
            let _ = write!(connection, "{head}\r\ncontent-length: 5\r\n\r\nhello");
        }
    });
    address
}

fn service() -> SocketAddr {
    serve(TcpListener::bind("127.0.0.1:0").unwrap())
}

/// A port that is ours and on which nobody listens yet.
fn nobody() -> (OwnedFd, SocketAddr) {
    let socket = net::socket(net::AddressFamily::INET, net::SocketType::STREAM, None).unwrap();
    net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = net::getsockname(&socket).unwrap().try_into().unwrap();
    (socket, address)
}

/// The processes whose parent is `pid`.
fn children(pid: u32) -> Vec<u32> {
    let parent = |stat: &str| stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok();
    let processes = std::fs::read_dir("/proc").unwrap();
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|child: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat"));
        stat.is_ok_and(|stat| parent(&stat) == Some(pid))
    })
    .collect()
}

fn gone(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    !stat.is_ok_and(|stat| !stat.contains(") Z "))
}

fn assert_gone(pids: &[u32]) {
    assert_eq!(pids.len(), 1, "one Envoy");
    let all = || pids.iter().all(|pid| gone(*pid)).then_some(());
    assert!(wait::until(SOON, all).is_some(), "left running: {pids:?}");
}

#[test]
fn every_module_serves_with_its_own_defaults_and_says_what_is_in_force() {
    for filter in Filter::ALL {
        built(filter);
        let proxy = start(&format!("--upstream {} --port 0 --filter {}", service(), filter.name()));
        assert_eq!(get(&format!("{}/x", front(&proxy))), (200, "hello".to_owned()));
        let lines = proxy.log().lines();
        let force = lines.iter().skip_while(|line| line.trim() != "in force").skip(1);
        let n_filters = if filter == Filter::Gateway { 4 } else { 1 };
        let said = force.take_while(|line| line.starts_with("    ")).count();
        assert!(said >= n_filters, "{} says {said} lines:\n{lines:#?}", filter.name());
    }
}

#[test]
fn a_yaml_file_makes_it_cache_break_and_limit_and_the_numbers_say_so() {
    built(Filter::Gateway);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("gateway.yaml");
    std::fs::write(&file, GATEWAY).unwrap();
    let arguments = format!("--upstream {} --port 0 --config {}", service(), file.display());
    let proxy = start(&arguments);
    let front = front(&proxy);
    let numbers = told(&proxy, "see numbers at");

    let stored = || ask(&format!("{front}/fresh"));
    assert!(stored().headers().get("age").is_none());
    let hit = stored();
    assert!(hit.headers().contains_key("age"), "{hit:?}");
    assert!(hit.headers().get("cache-status").unwrap().to_str().unwrap().contains("hit"));

    let broken = [(); 3].map(|()| get(&format!("{front}/broken")).0);
    assert_eq!(broken, [500, 500, 503], "the breaker opens after two failures");

    // Three of the eight are left: five requests went before, stored answers included.
    let left = [(); 4].map(|()| stored().status().as_u16());
    assert_eq!(left, [200, 200, 200, 429]);
    let numbers = get(&numbers).1;
    for sample in [
        "weir_rate_limit_requests_total{rule=\"few\",decision=\"admit\"} 8",
        "weir_rate_limit_requests_total{rule=\"few\",decision=\"limit\"} 1",
    ] {
        assert!(numbers.contains(sample), "no {sample} in\n{numbers}");
    }
}

/// Eight requests a minute for all together, a breaker that opens after two failures.
const GATEWAY: &str = "\
metrics: {}
rate_limit:
  rules:
  - name: few
    limits:
    - {quota: 8, window: 1m}
response_cache: {}
circuit_breaker:
  rules:
  - name: upstream
    consecutive: {failures: 2}
";

#[test]
fn configuration_and_bootstrap_can_be_printed_without_starting_anything() {
    let printed = |what: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir-proxy"));
        let output = command.args(["--upstream", "h:1"]).args(what.split(' ')).output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    assert!(printed("--print-config").get("rate_limit").is_some());
    assert!(printed("--print-bootstrap --filter metrics").get("static_resources").is_some());
}

#[test]
fn a_signal_ends_it_cleanly_with_its_envoy() {
    built(Filter::Gateway);
    for signal in [Signal::INT, Signal::TERM, Signal::QUIT] {
        let proxy = start(&format!("--upstream {} --port 0", service()));
        front(&proxy);
        let envoy = children(proxy.pid());
        proxy.signal(signal);
        let (status, lines) = ended(proxy);
        assert_eq!(status.code(), Some(0), "{lines:?}");
        assert_gone(&envoy);
    }
}

#[test]
fn killed_it_leaves_no_envoy_behind() {
    built(Filter::Gateway);
    let proxy = start(&format!("--upstream {} --port 0", service()));
    front(&proxy);
    let envoy = children(proxy.pid());
    proxy.signal(Signal::KILL);
    assert_gone(&envoy);
}

#[test]
fn an_envoy_that_dies_is_an_error_with_its_last_lines() {
    built(Filter::Gateway);
    let proxy = start(&format!("--upstream {} --port 0", service()));
    front(&proxy);
    for envoy in children(proxy.pid()) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(envoy).unwrap()).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
    }
    let (status, lines) = ended(proxy);
    assert_eq!(status.code(), Some(1));
    let cause = "weir-proxy: Envoy ended by itself (signal: 9 (SIGKILL))";
    assert_eq!(lines.last().unwrap(), cause, "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("[info]")), "{lines:?}");
}

#[test]
fn a_service_that_is_down_is_said_once_and_its_return_too() {
    built(Filter::Gateway);
    let (socket, address) = nobody();
    let proxy = start(&format!("--upstream {address} --port 0"));
    let front = front(&proxy);
    told(&proxy, &format!("weir-proxy: upstream {address} does not answer yet"));
    assert_eq!(get(&format!("{front}/x")).0, 503);
    net::listen(&socket, 16).unwrap();
    serve(socket.into());
    told(&proxy, &format!("weir-proxy: upstream {address} answers now"));
    let back = wait::until(SOON, || (get(&format!("{front}/x")).0 == 200).then_some(()));
    assert!(back.is_some(), "{}", proxy.log().text());
    let lines = proxy.log().lines();
    assert_eq!(lines.iter().filter(|line| line.contains("does not answer")).count(), 1);
}

#[test]
fn a_service_may_be_given_by_name() {
    built(Filter::Gateway);
    let proxy = start(&format!("--upstream localhost:{} --port 0", service().port()));
    assert_eq!(get(&format!("{}/x", front(&proxy))), (200, "hello".to_owned()));
}

#[test]
fn what_is_wrong_is_one_line_and_an_exit_code() {
    built(Filter::Gateway);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let empty = tempfile::tempdir().unwrap();
    let bad = empty.path().join("bad.yaml");
    std::fs::write(&bad, "a: [1\n").unwrap();
    let (root, empty) = (root::root(), empty.path());
    let cases = [
        (
            &*root,
            format!("--upstream h:1 --port {port}"),
            "is in use; stop what listens there or choose",
        ),
        (
            empty,
            "--upstream h:1".to_owned(),
            "no module at dist/weir_gateway.wasm; run `make build`",
        ),
        (&*root, "--upstream h:1 --config /no/such.json".to_owned(), "/no/such.json: No such file"),
        (
            &*root,
            format!("--upstream h:1 --config {}", bad.display()),
            "bad.yaml: not valid YAML: ",
        ),
        (&*root, "--upstream 127.0.0.1:4 --port 4".to_owned(), "is the proxy's own address"),
    ];
    for (root, arguments, message) in cases {
        let (status, lines) = ended(start_in(root, &arguments));
        assert_eq!(status.code(), Some(1), "{arguments}");
        assert_eq!(lines.len(), 1, "{arguments}: {lines:?}");
        let line = lines.first().unwrap();
        assert!(line.starts_with("weir-proxy: ") && line.contains(message), "{line}");
    }
    let (status, lines) = ended(start("--upstream nowhere"));
    assert_eq!(status.code(), Some(2));
    assert!(lines.first().unwrap().contains("the port is missing"), "{lines:?}");
}

#[test]
fn a_refused_configuration_is_told_in_the_filters_own_words() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.json");
    std::fs::write(&file, r#"{"nonsense": 1}"#).unwrap();
    for filter in Filter::ALL {
        built(filter);
        let arguments = format!(
            "--upstream h:1 --port 0 --filter {} --config {}",
            filter.name(),
            file.display()
        );
        let (status, lines) = ended(start(&arguments));
        assert_eq!(status.code(), Some(1), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("nonsense")), "{lines:?}");
        let own = |line: &String| line.starts_with("weir-proxy: ") && !line.contains("[critical]");
        assert!(lines.len() <= 5 && lines.iter().all(own), "{lines:?}");
    }
}

#[test]
fn envoy_accepts_the_bootstrap_of_every_filter_with_every_option() {
    for filter in Filter::ALL {
        built(filter);
        let words = format!(
            "weir-proxy --upstream [::1]:9 --port 0 --trusted-hops 2 --rewrite-host --filter {}",
            filter.name()
        );
        let arguments = Arguments::try_parse_from(words.split_whitespace()).unwrap();
        let module = root::module(filter.name());
        let bootstrap = bootstrap(&arguments, &module, &default_config(filter), true);
        validate(&bootstrap, Options::default()).unwrap();
    }
}
