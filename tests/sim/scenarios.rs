//! The scenarios that both hosts run, here on the simulated one.

use harness::scenarios::{Scenario, Seen, Step, all};
use harness::sim::{Fleet, Headers, Module, Outcome, Request, Response, Upstream, World};

fn request(step: &Step) -> Request {
    let headers = step.headers.iter();
    headers.fold(Request::new(step.method, step.path), |request, (name, value)| {
        request.header(name, value)
    })
}

fn answer(step: &Step) -> Upstream {
    let mut response = Response::new(step.origin.status, step.origin.body);
    let own = Headers::of(step.origin.headers.iter().copied());
    for (name, value) in own.iter() {
        response = response.header(name, value);
    }
    Upstream::Answers(response)
}

fn play(scenario: &Scenario) {
    let module = Module::shipped(&format!("weir_{}", scenario.filter.replace('-', "_")));
    let fleet = Fleet::start(&World::new(8), &module, 2, scenario.configuration.to_string())
        .unwrap_or_else(|lines| panic!("{}: refused: {lines:?}", scenario.name));
    for (turn, step) in scenario.steps.iter().enumerate() {
        let outcome: Outcome = fleet.worker(turn).request(request(step)).run(|| answer(step));
        let seen = Seen {
            status: outcome.status(),
            forwarded: outcome.forwarded,
            body: outcome.response.text(),
            header: &|name| outcome.header(name).map(str::to_owned),
        };
        step.check("simulated host", scenario.name, &seen);
    }
}

#[test]
fn scenarios_end_as_on_a_real_envoy() {
    for scenario in all() {
        play(&scenario);
    }
}
