//! Balancing: even, without the ill, without the dead.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::client::Client;
use super::report::Step;
use crate::stack::lever;
use crate::stack::run::Stop;

/// Requests of one look; a multiple of two and of three instances.
const REQUESTS: u64 = 60;
/// Each of the two workers takes turns for itself, so that two instances may differ by one request per worker.
const TOLERANCE: u64 = 2;
/// How long Envoy's health checks, one a second, may take to notice.
const NOTICED_WITHIN: Duration = Duration::from_secs(30);
/// The instance that suffers, counted from 1.
const VICTIM: usize = 2;

/// All three instances get the same.
///
/// # Errors
/// Why it failed.
pub fn spread(client: &Client, step: &Step) -> Result<(), String> {
    expect_even(&look(client, step)?, 3)
}

/// An instance whose health check fails gets nothing; well again, it gets its share.
///
/// # Errors
/// Why it failed.
pub fn ill(client: &Client, stop: &Stop, step: &Step) -> Result<(), String> {
    client.switch(VICTIM, &json!({"ill": true}))?;
    step.did("switched upstream-2 to ill: its health check answers 503");
    let out = out_and_even(client, stop, step);
    client.switch(VICTIM, &json!({"ill": null}))?;
    step.did("switched upstream-2 back");
    out?;
    back_and_even(client, stop, step)
}

/// An instance that is killed gets nothing, no client notices, and after a restart it gets its share.
///
/// # Errors
/// Why it failed.
pub fn killed(client: &Client, stop: &Stop, step: &Step) -> Result<(), String> {
    lever::kill(&client.state, "upstream-2").map_err(|e| e.to_string())?;
    step.did("killed upstream-2");
    let out = out_and_even(client, stop, step);
    lever::start(&client.state, "upstream-2").map_err(|e| e.to_string())?;
    step.did("started upstream-2 again");
    out?;
    back_and_even(client, stop, step)
}

fn out_and_even(client: &Client, stop: &Stop, step: &Step) -> Result<(), String> {
    wait_for(client, stop, 2)?;
    let counts = look(client, step)?;
    if counts.contains_key("upstream-2") {
        return Err("upstream-2 still gets requests".to_owned());
    }
    expect_even(&counts, 2)
}

fn back_and_even(client: &Client, stop: &Stop, step: &Step) -> Result<(), String> {
    wait_for(client, stop, 3)?;
    expect_even(&look(client, step)?, 3)
}

/// Sends requests until exactly so many instances answer two rounds of them; every one must be answered with 200.
fn wait_for(client: &Client, stop: &Stop, n_instances: usize) -> Result<(), String> {
    let mut failure = None;
    let settled = stop.or_until(NOTICED_WITHIN, || match round(client, 12) {
        Ok(counts) => is_settled(&counts, n_instances).then_some(()),
        Err(why) => {
            failure = Some(why);
            Some(())
        }
    });
    match (failure, settled) {
        (Some(why), _) => Err(format!("a client noticed: {why}")),
        (None, Some(())) => Ok(()),
        (None, None) => Err(format!("not noticed within {} s", NOTICED_WITHIN.as_secs())),
    }
}

/// Whether these are the shares of all three, or of the two that are not the victim.
fn is_settled(counts: &BTreeMap<String, u64>, n_instances: usize) -> bool {
    let has_victim = counts.contains_key("upstream-2");
    has_victim == (n_instances == 3) && expect_even(counts, n_instances).is_ok()
}

fn look(client: &Client, step: &Step) -> Result<BTreeMap<String, u64>, String> {
    let counts = round(client, REQUESTS)?;
    step.did(&format!("sent {REQUESTS} requests"));
    let told: Vec<String> = counts.iter().map(|(instance, n)| format!("{instance} {n}")).collect();
    step.saw(&told.join(", "));
    Ok(counts)
}

fn round(client: &Client, n_requests: u64) -> Result<BTreeMap<String, u64>, String> {
    let mut counts = BTreeMap::new();
    for _ in 0..n_requests {
        let seen = client.get("/balanced")?;
        seen.expect(200)?;
        *counts.entry(seen.instance().to_owned()).or_default() += 1;
    }
    Ok(counts)
}

fn expect_even(counts: &BTreeMap<String, u64>, n_instances: usize) -> Result<(), String> {
    let (least, most) =
        (counts.values().min().copied().unwrap_or(0), counts.values().max().copied().unwrap_or(0));
    if counts.len() != n_instances {
        return Err(format!("{} instances answered, expected {n_instances}", counts.len()));
    }
    if most - least > TOLERANCE {
        return Err(format!("the shares differ by {}, at most {TOLERANCE} is even", most - least));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_allows_for_one_request_per_worker() {
        let counts =
            |shares: &[u64]| shares.iter().enumerate().map(|(i, n)| (i.to_string(), *n)).collect();
        expect_even(&counts(&[19, 20, 21]), 3).unwrap();
        assert_eq!(
            expect_even(&counts(&[18, 20, 22]), 3).unwrap_err(),
            "the shares differ by 4, at most 2 is even"
        );
        assert_eq!(
            expect_even(&counts(&[30, 30]), 3).unwrap_err(),
            "2 instances answered, expected 3"
        );
    }
}
