//! The simulated host keeps Envoy's rules: what is refused when, and what comes of a trap.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use harness::sim::{
    Action, Answer, CallResponse, Ended, Module, Request, Response, Upstream, Vm, World,
};

use super::guests::guest;

const GET_VALUE: &str = r#"(import "env" "proxy_get_header_map_value"
    (func $value (param i32 i32 i32 i32 i32) (result i32)))"#;

fn vm(world: &World, module: &Module) -> Vm {
    let vm = Vm::new(world, module, "weir");
    vm.configure("{}").unwrap();
    vm
}

fn lines(logs: &[harness::sim::LogLine]) -> Vec<&str> {
    logs.iter().map(|line| line.text.as_str()).collect()
}

/// Reads request header `a`, absent request header `b`, response header `a` in every phase.
fn reads_headers() -> Module {
    let reads = r"
        (call $note (call $value (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 64) (i32.const 68)))
        (call $note (call $value (i32.const 0) (i32.const 17) (i32.const 1) (i32.const 64) (i32.const 68)))
        (call $note (call $value (i32.const 2) (i32.const 16) (i32.const 1) (i32.const 64) (i32.const 68)))
        (call $say)";
    let functions = format!(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {reads} (i32.const 0))
           (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) {reads} (i32.const 0))
           (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) {reads} (i32.const 0))
           (func (export "proxy_on_log") (param i32) {reads})
           (func (export "proxy_on_done") (param i32) (result i32) {reads} (i32.const 1))"#
    );
    guest(GET_VALUE, &[(16, "ab")], &functions)
}

#[test]
fn header_maps_come_and_go_with_the_phases() {
    let world = World::new(1);
    let request = Request::get("/").header("a", "1");
    let upstream = Upstream::Answers(Response::new(200, "x").header("a", "1"));
    let outcome = vm(&world, &reads_headers()).request(request).run(|| upstream);
    // Letters: a Ok, b NotFound, c BadArgument; reqh, resh, resb, resb at the end, log, done.
    assert_eq!(lines(&outcome.logs), ["abc", "cca", "ccc", "ccc", "aba", "ccc"]);
}

#[test]
fn restricted_calls_while_initialising_are_a_trap() {
    let functions = r#"(func (export "_initialize")
        (drop (call $value (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))"#;
    let module = guest(GET_VALUE, &[], functions);
    let message = Vm::load(&World::new(1), &module, "weir").err().unwrap();
    assert!(message.contains("restricted_callback: proxy_get_header_map_value"), "{message}");
}

#[test]
fn an_import_that_envoy_does_not_have_keeps_the_module_from_loading() {
    let module = guest(r#"(import "env" "proxy_nosuch" (func))"#, &[], "");
    let message = Vm::load(&World::new(1), &module, "weir").err().unwrap();
    assert!(message.contains("proxy_nosuch"), "{message}");
}

/// Answers 429 from the request headers, then notes its own response callbacks.
fn replies() -> Module {
    let import = r#"(import "env" "proxy_send_local_response"
        (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))"#;
    let functions = r#"
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (call $note (call $reply (i32.const 429) (i32.const 16) (i32.const 9)
            (i32.const 32) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const -1)))
          (call $say) (i32.const 0))
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
          (call $note (i32.const 1)) (call $note (local.get 2)) (call $say) (i32.const 0))
        (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32)
          (call $note (local.get 1)) (call $note (local.get 2)) (call $say) (i32.const 0))"#;
    guest(import, &[(16, "too  many"), (32, "slow")], functions)
}

#[test]
fn an_own_reply_runs_the_own_response_callbacks_and_never_reaches_the_upstream() {
    let world = World::new(1);
    let outcome = vm(&world, &replies()).request(Request::get("/")).run(|| panic!("not forwarded"));
    assert_eq!(lines(&outcome.logs), ["a", "ba", "eb"]);
    assert_eq!((outcome.status(), outcome.response.text().as_str()), (429, "slow"));
    assert_eq!(outcome.reply.unwrap().details, "too__many");
    assert!(!outcome.forwarded);
}

/// Traps on a request with header `a`.
fn traps() -> Module {
    let functions = r#"
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (if (i32.eqz (call $value (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 64) (i32.const 68)))
            (then unreachable))
          (i32.const 0))"#;
    guest(GET_VALUE, &[(16, "a")], functions)
}

#[test]
fn a_trap_ends_the_vm_until_it_is_reloaded() {
    let world = World::new(1);
    let vm = vm(&world, &traps());
    let alive = vm.request(Request::get("/"));
    let bad = vm.request(Request::get("/").header("a", "1")).run_ok("");
    assert_eq!((bad.status(), bad.forwarded), (503, false));
    assert_eq!(bad.trap.unwrap().callback, "proxy_on_request_headers");
    assert_eq!(vm.request(Request::get("/")).run_ok("").status(), 503);
    vm.reload().unwrap();
    assert_eq!(vm.request(Request::get("/")).run_ok("").status(), 200);
    assert_eq!(alive.run_ok("").status(), 503, "a stream of the lost VM");
}

#[test]
fn an_endless_loop_is_a_trap() {
    let functions = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (loop $again (br $again)) (i32.const 0))"#;
    let module = guest("", &[], functions);
    let trap = vm(&World::new(1), &module).request(Request::get("/")).run_ok("").trap.unwrap();
    assert!(trap.message.contains("fuel"), "{}", trap.message);
}

/// Sets key `k` with the CAS of the last get, as an increment would; notes both statuses.
fn increments() -> Module {
    let imports = r#"
        (import "env" "proxy_get_shared_data" (func $get (param i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_set_shared_data" (func $set (param i32 i32 i32 i32 i32) (result i32)))"#;
    let functions = r#"
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (i32.store (i32.const 72) (i32.const 77))
          (call $note (call $get (i32.const 16) (i32.const 1) (i32.const 64) (i32.const 68) (i32.const 72)))
          (call $note (call $set (i32.const 16) (i32.const 1) (i32.const 16) (i32.const 1) (i32.load (i32.const 72))))
          (call $say) (i32.const 0))"#;
    guest(imports, &[(16, "k")], functions)
}

#[test]
fn a_missing_key_is_created_with_any_cas_and_conflicts_can_be_scheduled() {
    let world = World::new(1);
    let vm = vm(&world, &increments());
    let run = || lines(&vm.request(Request::get("/")).run_ok("").logs).join("");
    assert_eq!(run(), "ba", "missing, then created although the CAS is wrong");
    assert_eq!(run(), "aa");
    world.conflict(1);
    assert_eq!(run(), "ai", "i is CasMismatch");
    assert_eq!(run(), "aa");
    world.conflict_by_seed(7, 100);
    assert_eq!(run(), "ai");
    assert_eq!(world.lost_sets(), 2);
}

#[test]
fn another_vm_can_run_between_a_get_and_its_set() {
    let world = World::new(1);
    let module = increments();
    let (first, second) = (vm(&world, &module), vm(&world, &module));
    world.set_shared("weir", "k", b"0");
    let seen = Rc::new(Cell::new(false));
    let witness = Rc::clone(&seen);
    world.before_next_set(move || {
        let outcome = second.request(Request::get("/")).run_ok("");
        witness.set(lines(&outcome.logs) == ["aa"]);
    });
    let outcome = first.request(Request::get("/")).run_ok("");
    assert_eq!(lines(&outcome.logs), ["ai"]);
    assert!(seen.get(), "the second VM won");
}

/// Calls cluster `c` with the serialized headers at 256 and pauses; the answer resumes the stream.
fn calls() -> Module {
    let imports = r#"
        (import "env" "proxy_http_call" (func $call
          (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_set_effective_context" (func $act_for (param i32) (result i32)))
        (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))"#;
    let functions = r#"
        (global $waiting (mut i32) (i32.const 0))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (global.set $waiting (local.get 0))
          (call $note (call $call (i32.const 16) (i32.const 1) (i32.const 256) (i32.const 71)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 64)))
          (call $say) (i32.const 1))
        (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
          (call $note (local.get 2)) (call $note (local.get 3))
          (call $note (call $act_for (i32.const 999)))
          (call $note (call $act_for (global.get $waiting)))
          (call $note (call $continue (i32.const 0))) (call $say))"#;
    let headers = r"\03\00\00\00\07\00\00\00\03\00\00\00\05\00\00\00\01\00\00\00\0a\00\00\00\01\00\00\00:method\00GET\00:path\00/\00:authority\00c\00";
    guest(imports, &[(16, "c"), (256, headers)], functions)
}

#[test]
fn a_call_resumes_its_stream_when_it_is_answered() {
    let world = World::new(1);
    world.cluster("c", |call| {
        assert_eq!(call.headers.text(":authority"), Some("c"));
        Answer::After(Duration::from_millis(3), CallResponse::new(200, b"hi"))
    });
    let vm = vm(&world, &calls());
    let mut stream = vm.request(Request::get("/"));
    assert_eq!(stream.request_headers(), Action::Pause);
    world.advance(Duration::from_millis(2));
    assert!(stream.is_held());
    world.advance(Duration::from_millis(1));
    assert!(!stream.is_held());
    let outcome = stream.complete(|| Upstream::ok("done"));
    assert_eq!((outcome.status(), lines(&outcome.logs)), (200, vec!["a"]));
    // Two headers, two bytes; an unknown context is refused, the known one and the resume are not.
    assert_eq!(lines(&vm.take_logs()), ["cccaa"]);
}

#[test]
fn calls_are_refused_as_envoy_refuses_them() {
    let world = World::new(1);
    let vm = vm(&world, &calls());
    let first = |vm: &Vm| {
        let mut stream = vm.request(Request::get("/"));
        stream.request_headers();
        lines(&stream.finish().logs).join("")
    };
    assert_eq!(first(&vm), "c", "unknown cluster: BadArgument");
    world.cluster_without_hosts("c");
    assert_eq!(first(&vm), "k", "no hosts: InternalFailure");
}

#[test]
fn a_silent_service_is_a_504_at_the_timeout_and_a_stream_nobody_resumes_hangs() {
    let world = World::new(1);
    world.cluster("c", |_| Answer::Silent);
    let vm = vm(&world, &calls());
    let outcome = vm.request(Request::get("/")).run_ok("late");
    assert_eq!((outcome.ended, world.now() % 1_000_000_000_000), (Ended::Answered, 1_000_000_000));
    let functions = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1))"#;
    let sleeper = Vm::new(&world, &guest("", &[], functions), "weir");
    sleeper.configure("{}").unwrap();
    assert_eq!(sleeper.request(Request::get("/")).run_ok("").ended, Ended::Hung);
}

#[test]
fn ticks_come_when_they_are_due_and_stop_with_the_vm() {
    let import = r#"(import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))"#;
    let functions = r#"
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
          (drop (call $tick (i32.const 250))) (i32.const 1))
        (func (export "proxy_on_tick") (param i32) (call $say))"#;
    let world = World::new(1);
    let vm = vm(&world, &guest(import, &[], functions));
    world.advance(Duration::from_millis(249));
    assert_eq!(vm.take_logs().len(), 0);
    world.advance(Duration::from_millis(1));
    assert_eq!(vm.take_logs().len(), 1);
    world.advance(Duration::from_secs(1));
    assert_eq!(vm.take_logs().len(), 4);
}
