//! The limit of the route `limited`: five requests a minute for each value of `x-demo-run`.

use super::client::Client;
use super::report::Step;

/// As in `testbed/envoy/envoy.yaml`.
const QUOTA: u64 = 5;
/// Seconds, as there.
const WINDOW_SECS: u64 = 60;

/// So many are admitted, the next is not and is told when to come back, and another key is not concerned.
///
/// # Errors
/// Why it failed.
pub fn limited(client: &Client, step: &Step) -> Result<(), String> {
    let ask = |key: &str| client.get_with("/limited", &[("x-demo-run", key)]);
    let key = client.run.as_str();
    for number in 1..=QUOTA {
        ask(key)?.expect(200).map_err(|why| format!("request {number}: {why}"))?;
    }
    step.did(&format!("sent {QUOTA} requests to /limited with a fresh key"));
    step.saw("every one answered with 200");
    let refused = ask(key)?;
    step.did("sent one more");
    step.saw(&refused.line());
    refused.expect(429)?;
    let retry_after = refused.header("retry-after").parse::<u64>();
    if !retry_after.is_ok_and(|seconds| (1..=WINDOW_SECS).contains(&seconds)) {
        return Err(format!(
            "retry-after is \"{}\", expected 1 to {WINDOW_SECS}",
            refused.header("retry-after")
        ));
    }
    let other = ask(&format!("{key}-other"))?;
    step.did("sent one with another key");
    step.saw(&other.line());
    other.expect(200)
}
