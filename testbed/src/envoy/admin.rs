//! Questions to Envoy's admin interface.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use super::Envoy;

/// The admin interface answers from memory; whatever takes longer than this has gone wrong.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the admin interface said.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body as text.
    pub body: String,
}

/// One listener and where it really listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The name in the configuration.
    pub name: String,
    /// The address, with the port that was found when the configuration asked for port 0.
    pub address: SocketAddr,
}

/// The admin interface did not give what was asked.
#[derive(Debug, thiserror::Error)]
#[error("envoy admin {path}: {why}")]
pub struct AdminError {
    /// The path that was asked.
    pub path: String,
    /// What went wrong.
    pub why: String,
}

impl Envoy {
    /// GETs `path` (with query) from the admin interface, whatever the status of the answer.
    ///
    /// # Errors
    ///
    /// [`AdminError`] when there is no answer within ten seconds.
    pub fn get(&self, path: &str) -> Result<Answer, AdminError> {
        get(self.admin, path, TIMEOUT)
    }

    /// POSTs an empty body to `path` of the admin interface.
    ///
    /// # Errors
    ///
    /// [`AdminError`] when there is no answer within ten seconds.
    pub fn post(&self, path: &str) -> Result<Answer, AdminError> {
        let url = format!("http://{}{path}", self.admin);
        answer(path, agent(TIMEOUT).post(url).send_empty())
    }

    /// All listeners that stand on a socket address, in Envoy's order.
    ///
    /// # Errors
    ///
    /// [`AdminError`] when there is no answer or it is not the JSON that Envoy documents.
    pub fn listeners(&self) -> Result<Vec<Listener>, AdminError> {
        let path = "/listeners?format=json";
        let answer = self.get(path)?;
        listeners(&answer.body).map_err(|why| AdminError { path: path.to_owned(), why })
    }

    /// Where the listener called `name` listens.
    ///
    /// # Errors
    ///
    /// [`AdminError`] when there is no such listener.
    pub fn listener(&self, name: &str) -> Result<SocketAddr, AdminError> {
        let found = self.listeners()?.into_iter().find(|listener| listener.name == name);
        found.map(|listener| listener.address).ok_or_else(|| AdminError {
            path: "/listeners".to_owned(),
            why: format!("no listener called {name:?}"),
        })
    }

    /// Counters and gauges whose full name matches `filter` (a regular expression, RE2 syntax).
    ///
    /// Names are Envoy's own (`wasmcustom.weir_…`, `http.<prefix>.downstream_rq_total`). Histograms
    /// are not in it: they are in [`Envoy::prometheus`].
    ///
    /// # Errors
    ///
    /// [`AdminError`] when there is no answer or the expression is not one.
    pub fn stats(&self, filter: &str) -> Result<BTreeMap<String, u64>, AdminError> {
        let answer = self.filtered("/stats", filter)?;
        let pairs = answer.body.lines().filter_map(|line| line.rsplit_once(": "));
        Ok(pairs.filter_map(|(name, n)| Some((name.to_owned(), n.parse().ok()?))).collect())
    }

    /// The text that Prometheus scrapes, for names that match `filter`.
    ///
    /// # Errors
    ///
    /// [`AdminError`] when there is no answer or the expression is not one.
    pub fn prometheus(&self, filter: &str) -> Result<String, AdminError> {
        self.filtered("/stats/prometheus", filter).map(|answer| answer.body)
    }

    fn filtered(&self, path: &str, filter: &str) -> Result<Answer, AdminError> {
        let request = agent(TIMEOUT).get(format!("http://{}{path}", self.admin));
        let answer = answer(path, request.query("filter", filter).call())?;
        let failed = |body| AdminError { path: format!("{path}?filter={filter}"), why: body };
        if answer.status == 200 { Ok(answer) } else { Err(failed(answer.body)) }
    }
}

/// GETs `path` from an admin interface.
pub(super) fn get(admin: SocketAddr, path: &str, timeout: Duration) -> Result<Answer, AdminError> {
    answer(path, agent(timeout).get(format!("http://{admin}{path}")).call())
}

fn agent(timeout: Duration) -> ureq::Agent {
    // A fresh agent per question: Envoy's admin is asked seldom, and no idle connection then delays
    // Envoy's end. No proxy: the environment's is not for loopback.
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(timeout))
        .proxy(None);
    config.build().into()
}

fn answer(
    path: &str,
    response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Answer, AdminError> {
    let failed = |why: ureq::Error| AdminError { path: path.to_owned(), why: why.to_string() };
    let mut response = response.map_err(failed)?;
    let status = response.status().as_u16();
    // `/config_dump` and `/stats` of a large configuration pass the library's 10 MB.
    let body = response.body_mut().with_config().limit(256 << 20).read_to_string();
    Ok(Answer { status, body: body.map_err(failed)? })
}

fn listeners(json: &str) -> Result<Vec<Listener>, String> {
    let value: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let statuses = value.get("listener_statuses").and_then(Value::as_array);
    let listener = |status: &Value| {
        let name = status.get("name")?.as_str()?.to_owned();
        let socket = status.get("local_address")?.get("socket_address")?;
        let ip = socket.get("address")?.as_str()?.parse().ok()?;
        let port = u16::try_from(socket.get("port_value")?.as_u64()?).ok()?;
        Some(Listener { name, address: SocketAddr::new(ip, port) })
    };
    Ok(statuses.into_iter().flatten().filter_map(listener).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_without_a_socket_address_are_left_out() {
        let json = r#"{"listener_statuses": [
            {"name": "a", "local_address": {"socket_address": {"address": "::1", "port_value": 80}}},
            {"name": "b", "local_address": {"envoy_internal_address": {"server_listener_name": "b"}}}
        ]}"#;
        let expected = Listener { name: "a".into(), address: "[::1]:80".parse().unwrap() };
        assert_eq!(listeners(json).unwrap(), [expected]);
        assert_eq!(listeners("{}").unwrap(), []);
    }
}
