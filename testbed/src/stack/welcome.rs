//! What a person reads when the stack stands: addresses, and what to try.

use std::time::Duration;

use super::state::State;

/// Where the console is found on the listener for operators: the only place that names its path.
pub const CONSOLE_PATH: &str = "/weir/console";

/// What operators send as `x-weir-token`; its hash stands in `testbed/envoy/envoy.yaml`.
pub const TOKEN: &str = "weir-testbed";

/// The addresses of a running stack and what to try on it.
#[must_use]
pub fn welcome(state: &State, took: Duration) -> String {
    let State { gateway, operations, admin, prometheus, grafana, upstreams, .. } = state;
    let instances: String = upstreams
        .iter()
        .enumerate()
        .map(|(idx, upstream)| format!("  upstream-{}   http://{upstream}\n", idx + 1))
        .collect();
    let grafana = match grafana {
        Some(grafana) => format!("  Grafana      http://{grafana}\n"),
        None => String::new(),
    };
    let first = upstreams.first().map(ToString::to_string).unwrap_or_default();
    format!(
        "
testbed: all is healthy after {took:.0?}

  gateway      http://{gateway}
  console      http://{operations}{CONSOLE_PATH} (token {TOKEN})
  Prometheus   http://{prometheus} (alerts: http://{prometheus}/alerts)
{grafana}  Envoy admin  http://{admin}
{instances}
Try:
  balancing    curl http://{gateway}/hello
  limit        for i in 1 2 3 4 5 6; do curl -i http://{gateway}/limited -H 'x-demo-run: me'; done
  cache        for i in 1 2; do curl -i 'http://{gateway}/cached/page?max-age=60'; done
  breaker      for i in 1 2 3 4 5 6; do curl -i http://{gateway}/fragile/status/503; done
  an ill one   curl http://{first}/_control -d '{{\"ill\":true}}'
  operations   curl http://{operations}/weir/cache/stats -H 'x-weir-token: {TOKEN}'
  all of it    make demo
  traffic      make traffic

Ctrl-C stops and removes everything."
    )
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::super::compose_file;
    use super::super::settings::{Ports, Settings};
    use super::super::state::Kind;
    use super::*;

    #[test]
    fn every_address_is_told_and_grafanas_only_where_it_runs() {
        let mut settings = Settings::read(Ports::Free).unwrap();
        let state = State::of(Kind::Processes, &settings).unwrap();
        let told = welcome(&state, Duration::from_secs(7));
        for address in [state.gateway, state.admin, state.prometheus, state.upstreams[2]] {
            assert!(told.contains(&format!("http://{address}")), "{address}");
        }
        assert!(told.contains(&format!("http://{}/weir/console", state.operations)));
        assert!(!told.contains("Grafana"));
        settings.add_grafana();
        let state = State::of(Kind::Containers, &settings).unwrap();
        let told = welcome(&state, Duration::from_secs(7));
        assert!(told.contains(&format!("Grafana      http://{}\n", state.grafana.unwrap())));
    }

    #[test]
    fn the_token_is_the_one_whose_hash_is_configured() {
        let text =
            std::fs::read_to_string(compose_file::folder().join("envoy/envoy.yaml")).unwrap();
        let hash: String = Sha256::digest(TOKEN).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(text.contains(&format!("token_sha256: &token {hash}")));
    }
}
