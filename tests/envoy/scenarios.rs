//! The scenarios that both hosts run, here on a real Envoy.

use std::sync::Arc;

use harness::client::Request;
use harness::gateway::Setup;
use harness::origin::{Act, Origin};
use harness::scenarios::{Scenario, Seen, Step, all};

fn request(step: &Step) -> Request {
    let headers = step.headers.iter();
    headers.fold(Request::new(step.method, step.path), |request, (name, value)| {
        request.field(name, value)
    })
}

fn play(scenario: &Scenario) {
    let origin = Arc::new(Origin::plain());
    let gateway =
        Setup::new(scenario.filter, &scenario.configuration, origin.address()).workers(2).start();
    for step in &scenario.steps {
        let answer = step.origin;
        origin.play(move |_| Act::response(answer.status, answer.headers, answer.body));
        let before = origin.hits();
        let message = request(step).ask(gateway.address());
        let seen = Seen {
            status: message.status(),
            forwarded: origin.hits() > before,
            body: message.text(),
            header: &|name| message.field(name).map(str::to_owned),
        };
        step.check("Envoy", scenario.name, &seen);
    }
}

#[test]
fn scenarios_end_as_on_the_simulated_host() {
    for scenario in all() {
        play(&scenario);
    }
}
