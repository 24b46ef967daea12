//! The rate limit: exact over all workers, whatever gets in between.

use std::time::Duration;

use harness::sim::{Fleet, Module, Outcome, Request, World};

fn fleet(workers: usize, rules: &str) -> Fleet {
    let module = Module::shipped("weir_rate_limit");
    Fleet::start(&World::new(3), &module, workers, format!("{{\"rules\": [{rules}]}}"))
        .unwrap_or_else(|lines| panic!("refused: {lines:?}"))
}

const TEN_A_MINUTE: &str = r#"{"name": "general", "limits": [{"quota": 10, "window": "1m"}]}"#;

fn ask(fleet: &Fleet, turn: usize) -> Outcome {
    fleet.worker(turn).request(Request::get("/")).run_ok("hello")
}

fn admitted(fleet: &Fleet, requests: usize) -> usize {
    (0..requests).filter(|turn| ask(fleet, *turn).status() == 200).count()
}

#[test]
fn four_workers_admit_exactly_the_quota() {
    let fleet = fleet(4, TEN_A_MINUTE);
    assert_eq!(admitted(&fleet, 40), 10);
    let requests = |word| {
        let labels = [("rule", "general"), ("decision", word)];
        fleet.world.series("weir_rate_limit_requests_total", &labels)
    };
    assert_eq!((requests("admit"), requests("limit")), (10, 30), "the counters agree");
}

#[test]
fn conflicts_between_workers_lose_no_request() {
    for seed in 0..20 {
        let fleet = fleet(4, TEN_A_MINUTE);
        fleet.world.conflict_by_seed(seed, 40);
        assert_eq!(admitted(&fleet, 30), 10, "seed {seed}");
    }
}

#[test]
fn a_whole_request_on_another_worker_fits_between_get_and_set() {
    let fleet = fleet(2, r#"{"name": "one", "limits": [{"quota": 1, "window": "1m"}]}"#);
    let other = fleet.worker(1).clone();
    fleet.world.before_next_set(move || {
        assert_eq!(other.request(Request::get("/")).run_ok("").status(), 200, "it came first");
    });
    assert_eq!(ask(&fleet, 0).status(), 429, "the one place was taken in between");
}

#[test]
fn the_answer_says_when_to_come_back_and_then_admits() {
    let fleet = fleet(2, TEN_A_MINUTE);
    assert_eq!(admitted(&fleet, 10), 10);
    let limited = ask(&fleet, 10);
    assert!(!limited.forwarded);
    assert_eq!((limited.status(), limited.header("x-weir-rate-limit")), (429, Some("general")));
    assert_eq!(limited.reply.as_ref().unwrap().details, "weir_rate_limited");
    let wait: u64 = limited.header("retry-after").unwrap().parse().unwrap();
    fleet.world.advance(Duration::from_secs(wait));
    assert_eq!(ask(&fleet, 0).status(), 200);
}

#[test]
fn clients_do_not_pay_for_each_other() {
    let fleet = fleet(2, TEN_A_MINUTE);
    assert_eq!(admitted(&fleet, 11), 10);
    let other = Request::get("/").from("10.0.0.2:50000");
    assert_eq!(fleet.worker(0).request(other).run_ok("").status(), 200);
}

#[test]
fn a_stepped_wall_clock_changes_nothing() {
    let fleet = fleet(2, TEN_A_MINUTE);
    assert_eq!(admitted(&fleet, 11), 10);
    for step in [i64::MAX / 4, -i64::MAX / 4] {
        fleet.world.step_wall_clock(step);
        assert_eq!(ask(&fleet, 0).status(), 429);
    }
}

#[test]
fn an_update_and_a_lost_worker_keep_the_counts() {
    let fleet = fleet(2, TEN_A_MINUTE);
    assert_eq!(admitted(&fleet, 10), 10);
    fleet.update(format!("{{\"rules\": [{TEN_A_MINUTE} ]}}")).expect("the same rules");
    assert_eq!(ask(&fleet, 0).status(), 429);
    fleet.worker(0).reload().expect("the same rules");
    assert_eq!(ask(&fleet, 0).status(), 429);
}

#[test]
fn endless_conflicts_are_answered_by_the_failure_mode() {
    for (mode, status) in [("admit", 200), ("deny", 503)] {
        let fleet =
            fleet(1, &TEN_A_MINUTE.replacen('{', &format!("{{\"on_failure\": \"{mode}\","), 1));
        fleet.world.conflict_by_seed(1, 100);
        assert_eq!(ask(&fleet, 0).status(), status, "{mode}");
        let errors = [("rule", "general"), ("decision", "error")];
        assert_eq!(fleet.world.series("weir_rate_limit_requests_total", &errors), 1);
    }
}

#[test]
fn a_grpc_client_is_told_that_its_resources_are_exhausted() {
    let fleet = fleet(1, TEN_A_MINUTE);
    admitted(&fleet, 10);
    let call =
        Request::new("POST", "/pkg.Service/Method").header("content-type", "application/grpc");
    let limited = fleet.worker(0).request(call).run_ok("");
    assert_eq!((limited.status(), limited.header("grpc-status")), (200, Some("8")));
}
