//! The host side of `kit` in the simulated host: what only the test filter can show.

use std::time::Duration;

use harness::sim::{
    Action, Answer, CallResponse, Ended, Fleet, Module, Outcome, Request, Response, Upstream, Vm,
    World,
};

fn fleet(workers: usize) -> Fleet {
    Fleet::start(&World::new(1), &Module::probe(), workers, "{}").expect("the probe takes {}")
}

fn ask(vm: &Vm, order: &str) -> Outcome {
    vm.request(Request::get("/").header("x-probe", order)).run(|| Upstream::ok("upstream"))
}

#[test]
fn no_update_is_lost_among_workers_under_conflicts() {
    let fleet = fleet(4);
    fleet.world.conflict_by_seed(11, 30);
    for turn in 0..200 {
        let counted = ask(fleet.worker(turn), "count").response.text();
        assert_eq!(counted, (turn + 1).to_string());
    }
    assert!(fleet.world.lost_sets() > 20, "the plan made conflicts");
    assert_eq!(ask(&fleet.main, "read").response.text(), "200");
}

#[test]
fn a_trap_costs_its_request_a_503_and_keeps_shared_state() {
    let fleet = fleet(2);
    ask(fleet.worker(0), "count");
    let trapped = ask(fleet.worker(0), "trap");
    assert_eq!((trapped.status(), trapped.ended), (503, Ended::Answered));
    assert!(trapped.trap.is_some());
    assert_eq!(ask(fleet.worker(0), "read").status(), 503, "the VM is lost");
    assert_eq!(ask(fleet.worker(1), "read").response.text(), "1", "the other worker goes on");
    fleet.worker(0).reload().expect("it starts again");
    assert_eq!(ask(fleet.worker(0), "read").response.text(), "1");
}

#[test]
fn a_trap_after_the_headers_went_out_resets_and_in_the_log_changes_nothing() {
    let fleet = fleet(2);
    assert_eq!(ask(fleet.worker(0), "trap-body").ended, Ended::Reset);
    let logged = ask(fleet.worker(1), "trap-log");
    assert_eq!((logged.status(), logged.trap.unwrap().callback), (200, "proxy_on_log"));
}

#[test]
fn a_sleeper_is_woken_from_another_worker() {
    let fleet = fleet(2);
    let sleep = Request::get("/").header("x-probe", "sleep=7");
    let mut sleeper = fleet.worker(0).request(sleep);
    assert_eq!(sleeper.request_headers(), Action::Pause);
    assert_eq!(ask(fleet.worker(1), "wake=7").response.text(), "waking");
    fleet.world.settle();
    assert_eq!(sleeper.complete(|| Upstream::ok("")).response.text(), "woken");
}

#[test]
fn waking_a_stream_that_left_harms_nobody() {
    let fleet = fleet(2);
    let sleep = Request::get("/").header("x-probe", "sleep=7");
    let mut sleeper = fleet.worker(0).request(sleep);
    sleeper.request_headers();
    sleeper.finish();
    ask(fleet.worker(1), "wake=7");
    fleet.world.settle();
    assert_eq!(fleet.worker(0).trap(), None);
    assert_eq!(ask(fleet.worker(0), "count").response.text(), "1");
}

#[test]
fn a_call_is_answered_refused_or_late() {
    let fleet = fleet(1);
    let late = Duration::from_mins(2);
    for (answer, expected) in [
        (
            Answer::After(Duration::from_millis(2), CallResponse::new(203, b"called")),
            (203, "called"),
        ),
        (Answer::Refused, (503, "upstream connect error or disconnect/reset before headers")),
        (Answer::Silent, (504, "upstream request timeout")),
        (Answer::After(late, CallResponse::new(200, b"")), (504, "upstream request timeout")),
        (
            Answer::After(Duration::ZERO, CallResponse::new(200, &vec![0; 33 << 20])),
            (200, "failed"),
        ),
    ] {
        fleet.world.cluster("upstream", move |_| answer.clone());
        let outcome = ask(fleet.worker(0), "call=/x");
        assert_eq!((outcome.status(), outcome.response.text().as_str()), expected);
    }
    fleet.world.cluster_without_hosts("upstream");
    assert_eq!(ask(fleet.worker(0), "call=/x").response.text(), "failed");
}

#[test]
fn the_answer_to_a_stream_that_left_is_dropped() {
    let fleet = fleet(1);
    fleet.world.cluster("upstream", |_| {
        Answer::After(Duration::from_secs(1), CallResponse::new(200, b"late"))
    });
    let call = Request::get("/").header("x-probe", "call=/x");
    let mut stream = fleet.worker(0).request(call);
    stream.request_headers();
    fleet.world.settle();
    stream.finish();
    fleet.world.advance(Duration::from_secs(2));
    assert_eq!(fleet.worker(0).trap(), None);
}

#[test]
fn an_old_root_lives_as_long_as_its_streams() {
    let fleet = fleet(1);
    let vm = fleet.worker(0);
    let mut old = vm.request(Request::get("/").header("x-probe", "sleep=1"));
    old.request_headers();
    fleet.update("{ }").expect("still a configuration");
    assert_eq!(vm.roots(), 2);
    assert_eq!(ask(vm, "wake=1").response.text(), "waking");
    fleet.world.settle();
    assert_eq!(old.complete(|| Upstream::Answers(Response::new(200, ""))).response.text(), "woken");
    assert_eq!(vm.roots(), 1);
}
