use kit::fake::FakeHost;

use super::*;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const BUDGET: Budget = Budget { at_once: 2, timeout: Nanos::from_secs(10) };
const STORED: Outcome = Outcome::Answered { status: 200, is_stored: true };

fn urls(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|n| format!("https://example.com/{n}")).collect()
}

fn open(host: &FakeHost, configured: &[String]) -> Warming {
    Warming::open(host, "main", BUDGET, configured)
}

/// What a worker takes now, as the numbers in the URLs, and what the jobs are called.
fn take(worker: &Warming, host: &FakeHost) -> (Vec<String>, Vec<u64>) {
    let jobs = worker.on_tick(host, host.now());
    jobs.into_iter().map(|job| (job.url.replace("https://example.com/", ""), job.id)).unzip()
}

#[test]
fn the_budget_holds_over_all_workers() {
    let host = FakeHost::default();
    let (a, b) = (open(&host, &urls(0..5)), open(&host, &urls(0..5)));
    let (first, ids) = take(&a, &host);
    assert_eq!(first, ["0", "1"]);
    assert_eq!(take(&b, &host).0, [""; 0]);
    a.done(&host, ids[0], STORED, host.now());
    assert_eq!(take(&b, &host).0, ["2"]);
    let progress = b.progress(&host);
    assert_eq!((progress.waiting, progress.running, progress.stored), (2, 2, 1));
    assert_eq!(progress.ended, [0, 0, 1, 0, 0, 0]);
}

#[test]
fn a_configured_list_is_warmed_once_for_each_wording() {
    let host = FakeHost::default();
    let worker = open(&host, &urls(0..1));
    let (_, ids) = take(&worker, &host);
    worker.done(&host, ids[0], STORED, host.now());
    for (configured, taken) in
        [(urls(0..1), &[][..]), (urls(0..2), &["0", "1"]), (urls(0..2), &[]), (Vec::new(), &[])]
    {
        let restarted = open(&host, &configured);
        let (found, ids) = take(&restarted, &host);
        assert_eq!(found, taken, "{configured:?}");
        ids.iter().for_each(|id| restarted.done(&host, *id, STORED, host.now()));
    }
}

#[test]
fn what_a_dead_worker_had_is_taken_by_another() {
    let host = FakeHost::default();
    let (dies, lives) = (open(&host, &urls(0..3)), open(&host, &[]));
    let (_, lost) = take(&dies, &host);
    host.advance(Nanos::from_secs(11));
    assert_eq!(take(&lives, &host).0, [""; 0], "its requests may still be answered");
    host.advance(Nanos::from_secs(1));
    let (taken, ids) = take(&lives, &host);
    assert_eq!((taken.len(), lives.progress(&host).lost), (2, 2));
    // Whoever was thought dead and is not does not count twice.
    lost.iter().for_each(|id| dies.done(&host, *id, STORED, host.now()));
    assert_eq!(lives.progress(&host).stored, 0);
    ids.iter().for_each(|id| lives.done(&host, *id, STORED, host.now()));
    assert_eq!((lives.progress(&host).stored, take(&lives, &host).0), (2, vec!["2".to_owned()]));
}

#[test]
fn a_url_whose_workers_all_die_is_given_up() {
    let host = FakeHost::default();
    let worker = open(&host, &urls(0..1));
    for _ in 0..MAX_TRIES {
        assert_eq!(take(&worker, &host).0, ["0"]);
        host.advance(Nanos::from_secs(12));
    }
    assert_eq!(take(&worker, &host).0, [""; 0]);
    let progress = worker.progress(&host);
    let failure = Failure { url: "https://example.com/0".to_owned(), status: None };
    assert_eq!((progress.ended[0], progress.waiting, progress.running), (1, 0, 0));
    assert_eq!((progress.lost, progress.failures), (3, vec![failure]));
}

#[test]
fn what_may_pass_is_tried_again_later() {
    let answered = |status| Outcome::Answered { status, is_stored: false };
    for (outcome, tries, class) in [
        (Outcome::Failed, 3, 0),
        (answered(503), 3, 5),
        (answered(502), 3, 5),
        (answered(504), 3, 5),
        (answered(429), 3, 4),
        (answered(500), 1, 5),
        (answered(404), 1, 4),
        (answered(200), 1, 2),
        (answered(700), 1, 9),
        // A 503 that the rules let be stored is what they want.
        (Outcome::Answered { status: 503, is_stored: true }, 1, 5),
    ] {
        let host = FakeHost::default();
        let worker = open(&host, &urls(0..1));
        let mut tried = 0_u64;
        for _second in 0..20 {
            for id in take(&worker, &host).1 {
                tried += 1;
                worker.done(&host, id, outcome, host.now());
                assert_eq!(take(&worker, &host).0, [""; 0], "not at once");
            }
            host.advance(Nanos::SECOND);
        }
        let progress = worker.progress(&host);
        assert_eq!((tried, progress.retries), (tries, tries - 1), "{outcome:?}");
        assert_eq!((progress.waiting, progress.running), (0, 0), "{outcome:?}");
        let ended: Vec<usize> = (0..6).filter(|class| progress.ended[*class] == 1).collect();
        assert_eq!(ended, if class < 6 { vec![class] } else { vec![] }, "{outcome:?}");
        let is_stored = matches!(outcome, Outcome::Answered { is_stored: true, .. });
        assert_eq!(progress.failures.len(), usize::from(!is_stored), "{outcome:?}");
    }
}

#[test]
fn a_url_is_on_the_list_once() {
    let host = FakeHost::default();
    let worker = open(&host, &urls(0..3));
    take(&worker, &host);
    let again = [urls(0..5), urls(4..5)].concat();
    assert_eq!(worker.add(&host, &again), Ok(Added { added: 2, waiting_already: 4 }));
    assert_eq!(worker.stop(&host), Ok(3));
    assert_eq!((worker.progress(&host).running, worker.progress(&host).waiting), (2, 0));
}

#[test]
fn the_list_is_bounded_and_takes_all_or_nothing() {
    let host = FakeHost::default();
    let worker = open(&host, &[]);
    let full = |urls, bytes| Err(AddError::Full { urls, bytes });
    assert_eq!(worker.add(&host, &urls(0..MAX_URLS + 1)), full(MAX_URLS, MAX_BYTES));
    assert_eq!(worker.progress(&host).waiting, 0);
    assert!(worker.add(&host, &urls(0..MAX_URLS)).is_ok());
    let held: usize = urls(0..MAX_URLS).iter().map(String::len).sum();
    assert_eq!(worker.add(&host, &urls(2_000..2_001)), full(0, MAX_BYTES - held));
    assert_eq!(worker.stop(&host), Ok(u32::try_from(MAX_URLS).unwrap()));
    assert_eq!(worker.add(&host, &["x".repeat(MAX_BYTES + 1)]), full(MAX_URLS, MAX_BYTES));
    assert_eq!(worker.add(&host, &["x".repeat(MAX_BYTES)]).map(|added| added.added), Ok(1));
}

#[test]
fn a_tick_with_nothing_to_do_is_one_get() {
    let host = FakeHost::default();
    let worker = open(&host, &[]);
    let (gets, sets) = host.shared_ops();
    assert_eq!(take(&worker, &host).0, [""; 0]);
    assert_eq!(host.shared_ops(), (gets + 1, sets));
}

#[test]
fn foreign_bytes_are_an_empty_list() {
    let host = FakeHost::default();
    let worker = open(&host, &urls(0..3));
    let name = host.shared_keys().into_iter().find(|name| name.ends_with("/warm")).unwrap();
    kit::shared::SharedData::shared_set(&host, &name, b"rubbish", None).unwrap();
    assert_eq!(worker.progress(&host), Progress::default());
    assert_eq!(worker.add(&host, &urls(0..1)).map(|added| added.added), Ok(1));
}

#[cfg(not(target_arch = "wasm32"))]
mod laws {
    use proptest::prelude::*;

    use super::*;

    /// What happens next, on one of three workers.
    #[derive(Debug, Clone)]
    enum Step {
        Tick,
        Done(usize, Outcome),
        Add(usize),
        /// The worker forgets its jobs.
        Die,
        Wait(u64),
        Conflicts(u32),
    }

    fn outcomes() -> impl Strategy<Value = Outcome> {
        prop_oneof![
            Just(STORED),
            Just(Outcome::Failed),
            Just(Outcome::Answered { status: 503, is_stored: false }),
            Just(Outcome::Answered { status: 404, is_stored: false }),
        ]
    }

    fn steps() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Tick),
            4 => (0..4_usize, outcomes()).prop_map(|(job, outcome)| Step::Done(job, outcome)),
            2 => (0..9_usize).prop_map(Step::Add),
            1 => Just(Step::Die),
            2 => (1..15_u64).prop_map(Step::Wait),
            1 => (1..4_u32).prop_map(Step::Conflicts),
        ]
    }

    proptest! {
        /// Whatever workers do and however they die: no URL is lost, none counts twice, the budget holds,
        /// and in the end everything is done with.
        #[test]
        fn every_url_ends_exactly_once(script in prop::collection::vec((0..3_usize, steps()), 0..60)) {
            let host = FakeHost::default();
            let workers = [(); 3].map(|()| open(&host, &urls(0..3)));
            let mut jobs: [Vec<u64>; 3] = Default::default();
            let mut added = 3_u64;
            for (at, step) in script {
                match step {
                    Step::Tick => jobs[at].extend(take(&workers[at], &host).1),
                    Step::Done(job, outcome) if job < jobs[at].len() => {
                        let id = jobs[at].swap_remove(job);
                        workers[at].done(&host, id, outcome, host.now());
                    }
                    Step::Done(..) => {}
                    Step::Add(n) => added += u64::from(workers[at].add(&host, &urls(n..n + 2)).unwrap().added),
                    Step::Die => jobs[at].clear(),
                    Step::Wait(seconds) => host.advance(Nanos::from_secs(seconds)),
                    Step::Conflicts(n) => host.schedule_conflicts(n),
                }
                let progress = workers[at].progress(&host);
                prop_assert!(progress.running <= BUDGET.at_once);
                let all = u64::from(progress.waiting) + u64::from(progress.running);
                prop_assert_eq!(all + progress.ended.iter().sum::<u64>(), added);
            }
            for _ in 0..100 {
                host.advance(Nanos::from_secs(12));
                for id in take(&workers[0], &host).1 {
                    workers[0].done(&host, id, STORED, host.now());
                }
            }
            let progress = workers[0].progress(&host);
            prop_assert_eq!((progress.waiting, progress.running), (0, 0));
            prop_assert_eq!(progress.ended.iter().sum::<u64>(), added);
            prop_assert_eq!(progress.failures.len() as u64, (added - progress.stored).min(16));
        }
    }
}
