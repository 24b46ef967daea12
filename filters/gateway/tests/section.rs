//! A section's rules, with a filter made for it.
#![cfg(test)]

mod traced;

use kit::exchange::{Answer, CallId};
use kit::fake::{FakeExchange, FakeHost};
use kit::{Filter, Flow};
use traced::{Does, Script, Trace, Traced, reply};
use weir_gateway::section::Section;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Every callback once; what came of those that say how the exchange goes on.
fn all(section: &Section<Traced<1>>, host: &FakeHost) -> [Flow; 6] {
    let (x, mut stream) = (FakeExchange::get(host, "/", &[]), bool::default());
    let flows = [
        section.on_request_headers(&mut stream, &x, false),
        section.on_wake(&mut stream, &x),
        section.on_request_body(&mut stream, &x, 1, true),
        section.on_response_headers(&mut stream, &x, false),
        section.on_response_body(&mut stream, &x, 2, false),
        section.on_response_trailers(&mut stream, &x),
    ];
    section.on_log(&mut stream, &x);
    section.on_answer(host, CallId { filter: "b", number: 3 }, Answer::Failed);
    section.on_tick(host);
    flows
}

#[test]
fn a_section_in_force_is_its_filter() {
    let (host, trace) = (FakeHost::default(), Trace::default());
    let script = Script { request: Does::Pause, wake: Does::Continue, response: Does::Reply };
    let section = Section::<Traced<1>>::new(Some((script, trace.clone())), &host);
    let response = reply("b").into_flow();
    let on = Flow::Continue;
    assert_eq!(
        all(&section, &host),
        [Flow::Pause, on.clone(), on.clone(), response, on.clone(), on]
    );
    assert_eq!(
        trace.take(),
        [
            "b request",
            "b wake",
            "b request body 1",
            "b response",
            "b response body 2",
            "b response trailers",
            "b log",
            "b answer 3",
            "b tick"
        ]
    );
    assert_eq!(section.summary(), ["b: b is in force"]);
}

#[test]
fn a_section_that_is_left_out_lets_everything_pass() {
    let host = FakeHost::default();
    let section = Section::<Traced<1>>::new(None, &host);
    assert_eq!(all(&section, &host), [const { Flow::Continue }; 6]);
    assert_eq!(section.summary(), [""; 0]);
}
