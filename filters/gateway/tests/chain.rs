//! The chain's rules, with filters made for it.
#![cfg(test)]

mod traced;

use kit::callbacks::Callback;
use kit::exchange::{Answer, CallId};
use kit::fake::FakeHost;
use kit::{Exchange, Filter, Flow, Nanos};
use traced::{Does, NAMES, Run, Script, Three, only, reply};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const PAUSES: Script =
    Script { request: Does::Pause, wake: Does::Continue, response: Does::Continue };
const ANSWERS: Script =
    Script { request: Does::Reply, wake: Does::Continue, response: Does::Continue };

#[test]
fn requests_go_in_and_responses_come_out() {
    let mut run = Run::new([Script::default(); 3]);
    assert_eq!(run.request(false), Flow::Continue);
    assert_eq!(run.trace.take(), ["a request", "b request", "c request"]);
    run.chain.on_request_body(&mut run.stream, &run.x, 7, true);
    assert_eq!(run.trace.take(), ["a request body 7", "b request body 7", "c request body 7"]);
    assert_eq!(run.response(), Flow::Continue);
    assert_eq!(run.trace.take(), ["c response", "b response", "a response"]);
    run.chain.on_response_body(&mut run.stream, &run.x, 9, false);
    assert_eq!(run.trace.take(), ["c response body 9", "b response body 9", "a response body 9"]);
    run.chain.on_response_trailers(&mut run.stream, &run.x);
    assert_eq!(
        run.trace.take(),
        ["c response trailers", "b response trailers", "a response trailers"]
    );
    run.log();
    assert_eq!(run.trace.take(), ["c log", "b log", "a log"]);
}

#[test]
fn the_record_has_the_last_word_of_each_in_their_order() {
    let mut run = Run::new([Script::default(); 3]);
    run.request(true);
    run.log();
    let notes = run.x.notes();
    assert_eq!(notes, [("a", "logged"), ("b", "logged"), ("c", "logged")]);
}

#[test]
fn an_answer_is_seen_by_who_saw_the_request_and_by_nobody_further_in() {
    let seen = [
        (&["a request, whole"][..], &["a response"][..]),
        (&["a request, whole", "b request, whole"], &["b response", "a response"]),
        (
            &["a request, whole", "b request, whole", "c request, whole"],
            &["c response", "b response", "a response"],
        ),
    ];
    for (depth, (requests, responses)) in seen.into_iter().enumerate() {
        let mut run = Run::new(only(depth, ANSWERS));
        assert_eq!(run.request(true), reply(NAMES[depth]).into_flow());
        assert_eq!(run.trace.take(), requests);
        assert_eq!(run.response(), Flow::Continue);
        assert_eq!(run.trace.take(), responses);
        run.log();
        assert_eq!(run.trace.take().len(), 3, "the log phase reaches all");
    }
}

#[test]
fn an_answer_in_the_response_phase_goes_straight_to_the_client() {
    let seen = [
        &["c response", "b response", "a response"][..],
        &["c response", "b response"],
        &["c response"],
    ];
    for (depth, responses) in seen.into_iter().enumerate() {
        let mut run = Run::new(only(depth, Script { response: Does::Reply, ..Script::default() }));
        run.request(true);
        run.trace.take();
        assert_eq!(run.response(), reply(NAMES[depth]).into_flow());
        assert_eq!(run.trace.take(), responses);
    }
}

#[test]
fn a_pause_at_any_depth_goes_on_where_it_was() {
    let seen = [
        (&["a request, whole"][..], &["a wake", "b request, whole", "c request, whole"][..]),
        (&["a request, whole", "b request, whole"], &["b wake", "c request, whole"]),
        (&["a request, whole", "b request, whole", "c request, whole"], &["c wake"]),
    ];
    for (depth, (before, after)) in seen.into_iter().enumerate() {
        let mut run = Run::new(only(depth, PAUSES));
        assert_eq!(run.request(true), Flow::Pause);
        assert_eq!(run.trace.take(), before);
        assert_eq!(run.wake(), Flow::Continue);
        assert_eq!(run.trace.take(), after);
        run.response();
        assert_eq!(run.trace.take(), ["c response", "b response", "a response"]);
    }
}

#[test]
fn each_filter_may_pause_in_its_turn() {
    let mut run = Run::new([PAUSES; 3]);
    assert_eq!(run.request(false), Flow::Pause);
    assert_eq!([run.wake(), run.wake(), run.wake()], [Flow::Pause, Flow::Pause, Flow::Continue]);
    assert_eq!(
        run.trace.take(),
        ["a request", "a wake", "b request", "b wake", "c request", "c wake"]
    );
}

#[test]
fn who_is_woken_may_wait_again_or_answer() {
    let again = Script { request: Does::Pause, wake: Does::Pause, ..Script::default() };
    let mut run = Run::new(only(1, again));
    run.request(true);
    assert_eq!([run.wake(), run.wake()], [Flow::Pause, Flow::Pause]);
    assert_eq!(run.trace.take(), ["a request, whole", "b request, whole", "b wake", "b wake"]);

    let answers = Script { request: Does::Pause, wake: Does::Reply, ..Script::default() };
    let mut run = Run::new(only(0, answers));
    run.request(true);
    assert_eq!(run.wake(), reply("a").into_flow());
    run.trace.take();
    run.response();
    assert_eq!(run.trace.take(), ["a response"]);
}

#[test]
fn a_stream_without_a_request_reaches_every_log() {
    let mut run = Run::new([Script::default(); 3]);
    run.log();
    assert_eq!(
        run.trace.take(),
        ["c log, never asked", "b log, never asked", "a log, never asked"]
    );
}

#[test]
fn a_wake_without_a_request_does_nothing() {
    let mut run = Run::new([Script::default(); 3]);
    assert_eq!(run.wake(), Flow::Continue);
    assert_eq!(run.trace.take(), [""; 0]);
}

#[test]
fn the_answer_of_a_call_goes_to_its_caller() {
    let (run, host) = (Run::new([Script::default(); 3]), FakeHost::default());
    for (number, filter) in NAMES.into_iter().enumerate() {
        let id = CallId { filter, number: u64::try_from(number).unwrap() };
        run.chain.on_answer(&host, id, Answer::Failed);
    }
    assert_eq!(run.trace.take(), ["a answer 0", "b answer 1", "c answer 2"]);
}

#[test]
fn only_filters_with_a_timer_get_its_ticks_and_the_shortest_period_holds() {
    let (run, host) = (Run::new([Script::default(); 3]), FakeHost::default());
    assert_eq!(Three::TICK, Some(Nanos::SECOND));
    run.chain.on_tick(&host);
    assert_eq!(run.trace.take(), ["b tick", "c tick"]);
}

#[test]
fn the_chain_asks_for_what_its_filters_ask_for_and_for_requests() {
    let asked: Vec<Callback> =
        Callback::ALL.into_iter().filter(|callback| Three::CALLBACKS.contains(*callback)).collect();
    assert_eq!(
        asked,
        [
            Callback::RequestHeaders,
            Callback::RequestBody,
            Callback::ResponseHeaders,
            Callback::Log,
            Callback::Tick
        ]
    );
}

#[test]
fn everybody_says_what_is_in_force() {
    let run = Run::new([Script::default(); 3]);
    assert_eq!(run.chain.summary(), ["a is in force", "b is in force", "c is in force"]);
}
