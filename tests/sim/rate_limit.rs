//! The rate limit: exact over all workers, whatever gets in between.

use std::time::Duration;

use harness::sim::{Fleet, Module, Outcome, Request, Upstream, VM_ID, World};

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
fn trouble_is_counted_each_time_and_told_once_a_minute() {
    for (mode, status) in [("admit", 200), ("deny", 503)] {
        let rule = TEN_A_MINUTE.replacen('{', &format!("{{\"on_failure\": \"{mode}\","), 1);
        let fleet = fleet(1, &rule);
        fleet.world.conflict_by_seed(1, 100);
        let mut told = Vec::new();
        for second in 0..130 {
            let outcome = ask(&fleet, 0);
            assert_eq!(outcome.status(), status, "{mode}");
            let lines =
                outcome.logs.into_iter().filter(|line| line.text.contains("count not kept"));
            told.extend(lines.map(|line| (second, line.text)));
            fleet.world.advance(Duration::from_secs(1));
        }
        let line = format!(
            "rate-limit: count not kept rule=general error=64 attempts met another worker's change on_failure={mode}"
        );
        assert_eq!(told, [0, 60, 120].map(|second| (second, line.clone())));
        let errors = [("rule", "general"), ("decision", "error")];
        assert_eq!(fleet.world.series("weir_rate_limit_requests_total", &errors), 130);
    }
}

#[test]
fn a_count_that_nobody_can_read_meets_the_failure_mode_once_and_starts_afresh() {
    for (mode, status, left) in [("admit", 200, 9), ("deny", 503, 10)] {
        let rule = TEN_A_MINUTE.replacen('{', &format!("{{\"on_failure\": \"{mode}\","), 1);
        let fleet = fleet(2, &rule);
        assert_eq!(admitted(&fleet, 12), 10);
        let mut n_cut = 0;
        for key in fleet.world.shared_keys(VM_ID) {
            let bucket = fleet.world.shared(VM_ID, &key).unwrap();
            if key.starts_with("weir/rate-limit/general/") && !bucket.is_empty() {
                fleet.world.set_shared(VM_ID, &key, &bucket[..bucket.len() - 1]);
                n_cut += 1;
            }
        }
        assert_eq!(n_cut, 1, "one key has one bucket");
        let outcome = ask(&fleet, 0);
        assert_eq!(outcome.status(), status, "{mode}");
        let lines: Vec<&str> = outcome.logs.iter().map(|line| line.text.as_str()).collect();
        let line = format!(
            "rate-limit: count not kept rule=general error=unreadable record on_failure={mode}"
        );
        assert_eq!(lines, [line]);
        let errors = [("rule", "general"), ("decision", "error")];
        assert_eq!(fleet.world.series("weir_rate_limit_requests_total", &errors), 1, "{mode}");
        // The request that found it is the first of the new count, if it passed.
        assert_eq!(admitted(&fleet, 20), left, "{mode}");
    }
}

#[test]
fn what_a_lost_worker_had_in_flight_is_free_when_its_lease_is_over() {
    let fleet = fleet(
        2,
        r#"{"name": "busy", "limits": [{"algorithm": "concurrency", "quota": 3, "lease": "10s"}]}"#,
    );
    let mut lost = fleet.worker(0).request(Request::get("/"));
    lost.request_headers();
    let mut kept = fleet.worker(1).request(Request::get("/"));
    kept.request_headers();
    // The VM of the first worker is gone, and with it what it knew of its requests.
    fleet.worker(0).reload().expect("the same rules");
    drop(lost);
    let free = || {
        let mut streams: Vec<_> =
            (0..4).map(|turn| fleet.worker(turn).request(Request::get("/"))).collect();
        for stream in &mut streams {
            stream.request_headers();
        }
        let outcomes = streams.into_iter().map(|stream| stream.complete(|| Upstream::ok("")));
        outcomes.filter(|outcome| outcome.status() == 200).count()
    };
    assert_eq!(free(), 1);
    fleet.world.advance(Duration::from_secs(9));
    assert_eq!(free(), 1, "before the lease is over");
    fleet.world.advance(Duration::from_secs(2));
    assert_eq!(free(), 3, "also the place of the one that is too long in flight");
    let mut later = fleet.worker(0).request(Request::get("/"));
    later.request_headers();
    assert_eq!(kept.complete(|| Upstream::ok("")).status(), 200);
    assert_eq!(free(), 2, "its end gives back nothing that is not its own");
    assert_eq!(later.complete(|| Upstream::ok("")).status(), 200);
    assert_eq!(free(), 3);
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
