//! The cache on the route `cached`.

use super::client::Client;
use super::report::Step;

/// The first GET of a new URL goes to the service, the second does not.
///
/// # Errors
/// Why it failed.
pub fn hit(client: &Client, step: &Step) -> Result<(), String> {
    let path = format!("/cached/{}", client.run);
    let url = format!("{path}?max-age=60");
    let first = client.get(&url)?;
    step.did(&format!("GET {url}, which may be kept for 60 s"));
    step.saw(&first.line());
    first.expect(200)?;
    if !first.header("age").is_empty() {
        return Err("the first answer has an Age".to_owned());
    }
    let second = client.get(&url)?;
    step.did("the same again");
    step.saw(&second.line());
    second.expect(200)?;
    if second.header("age").parse::<u32>().is_err() {
        return Err(format!("age is \"{}\", expected a number", second.header("age")));
    }
    if !second.header("cache-status").contains("hit") {
        return Err(format!(
            "cache-status is \"{}\", expected a hit",
            second.header("cache-status")
        ));
    }
    if second.body != first.body {
        return Err("the hit has another body than the answer that was kept".to_owned());
    }
    let n_arrived = client.n_arrived(&path)?;
    step.saw(&format!("{n_arrived} of the two requests arrived at the service"));
    if n_arrived == 1 {
        Ok(())
    } else {
        Err(format!("expected 1 request at the service, {n_arrived} arrived"))
    }
}
