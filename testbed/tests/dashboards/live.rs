//! A testbed of plain processes under traffic, and every query of every panel asked of its Prometheus.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use weir_testbed::stack::native::Native;
use weir_testbed::stack::run::Stop;
use weir_testbed::stack::settings::{Ports, Settings};
use weir_testbed::stack::state::{Kind, State, run_folder};
use weir_testbed::traffic::{self, Plan};
use weir_testbed::wait;

use super::model::{Dashboard, Target, dashboards};

/// A label that a legend may name though not every configuration has it.
const OPTIONAL_LABEL: &str = "plan";

/// What Grafana would put in for the shortest range that gives a rate.
const RATE_INTERVAL: &str = "20s";

/// How long after the traffic all rules may take to have worked out everything.
const SETTLES_WITHIN: Duration = Duration::from_secs(30);

/// A running stack; it ends, and its files go, with this.
struct Testbed {
    state: State,
    _processes: Native,
    _files: Files,
}

struct Files(String);

impl Drop for Files {
    fn drop(&mut self) {
        State::remove(&self.0);
    }
}

impl Testbed {
    fn start() -> Self {
        let mut settings = Settings::read(Ports::Free).unwrap();
        let project = format!("weir-dashboards-{}", std::process::id());
        settings.set("COMPOSE_PROJECT_NAME", &project);
        let upstream =
            Path::new(env!("CARGO_BIN_EXE_weir-testbed")).with_file_name("weir-upstream");
        assert!(upstream.is_file(), "{} is not there; run `make programs`", upstream.display());
        let (files, stop) = (Files(project), Stop::default());
        let processes = Native::up_with(upstream, &settings, &stop, |_| ());
        let processes = processes.unwrap_or_else(|e| panic!("{e}"));
        let state = State::of(Kind::Processes, &settings).unwrap();
        state.wait_until_balanced(&stop).unwrap();
        Self { state, _processes: processes, _files: files }
    }

    /// Asks Prometheus' HTTP interface.
    fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let url = format!("http://{}/api/v1/{path}", self.state.prometheus);
        let request = ureq::get(url).query_pairs(parameters.iter().copied());
        let request = request.config().http_status_as_error(false).proxy(None).build();
        let text = request.call().unwrap().body_mut().read_to_string().unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["status"], "success", "{path} {parameters:?}: {}", answer["error"]);
        answer["data"].clone()
    }

    /// The series that a query gives: over the last minute, or now.
    fn series(&self, expression: &str, is_instant: bool) -> Vec<Value> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let (end, start) = (now.as_secs().to_string(), (now.as_secs() - 60).to_string());
        let range = [("query", expression), ("start", &start), ("end", &end), ("step", "5")];
        let data = if is_instant {
            self.ask("query", &range[..1])
        } else {
            self.ask("query_range", &range)
        };
        data["result"].as_array().unwrap().clone()
    }

    /// What a dashboard's variables stand for when all values are chosen one by one.
    fn values(&self, dashboard: &Dashboard) -> BTreeMap<String, String> {
        let mut chosen = BTreeMap::new();
        for variable in dashboard.templating.list.iter().filter(|one| one.kind == "query") {
            let query = variable.query["query"].as_str().unwrap();
            let inner = query.strip_prefix("label_values(").and_then(|q| q.strip_suffix(')'));
            let (metric, label) = inner.and_then(|inner| inner.split_once(", ")).unwrap();
            let data = self.ask(&format!("label/{label}/values"), &[("match[]", metric)]);
            let found = data.as_array().unwrap();
            assert!(!found.is_empty(), "{}: {query} gives nothing", dashboard.title);
            // As Grafana does: escaped for the regular expression, and that for the string it stands in.
            let escaped = found.iter().map(|value| value.as_str().unwrap().replace('.', "\\\\."));
            chosen.insert(variable.name.clone(), escaped.collect::<Vec<_>>().join("|"));
        }
        chosen
    }
}

/// The expression as Grafana sends it.
fn filled(expression: &str, chosen: &BTreeMap<String, String>) -> String {
    let text = expression.replace("$__rate_interval", RATE_INTERVAL);
    chosen.iter().fold(text, |text, (name, values)| text.replace(&format!("${name}"), values))
}

/// What is wrong with the answer to a query: nothing in it, or not what its legend speaks of.
fn complaint(target: &Target, series: &[Value]) -> Option<String> {
    let is_number = |value: &Value| {
        value.as_str().is_some_and(|text| text.parse::<f64>().is_ok_and(f64::is_finite))
    };
    let has_number = |one: &Value| {
        let points = one["values"].as_array().into_iter().flatten().map(|point| &point[1]);
        points.chain([&one["value"][1]]).any(is_number)
    };
    if !series.iter().any(has_number) {
        return Some("no data".to_owned());
    }
    let legend = target.legend_format.as_deref().unwrap_or_default();
    let labels = legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
    let is_missing = |label: &&str| {
        *label != OPTIONAL_LABEL && !series.iter().any(|one| one["metric"][*label].is_string())
    };
    labels.into_iter().find(is_missing).map(|label| format!("no label {label} for the legend"))
}

#[test]
fn every_query_of_every_panel_gives_data_under_traffic() {
    let testbed = Testbed::start();
    let plan = Plan { duration: 20, rate: 100 };
    let tally = traffic::run(&testbed.state, plan, &Stop::default(), |_| ()).unwrap();
    told_what_happened(&tally);
    checked_by_promtool(&testbed);

    for group in testbed.ask("rules", &[])["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            assert_ne!(rule["health"], "err", "{}: {}", rule["name"], rule["lastError"]);
        }
    }

    let dashboards = dashboards();
    let mut open = Vec::new();
    for (_, dashboard) in &dashboards {
        let chosen = testbed.values(dashboard);
        for panel in &dashboard.panels {
            for target in &panel.targets {
                let what = format!("{}: {}: {}", dashboard.title, panel.title, target.expr);
                open.push((what, filled(&target.expr, &chosen), target));
            }
        }
    }
    assert!(open.len() > 100, "{} queries", open.len());
    let mut wrong = Vec::new();
    wait::until(SETTLES_WITHIN, || {
        wrong.clear();
        open.retain(|(what, expression, target)| {
            let complaint = complaint(target, &testbed.series(expression, target.instant));
            wrong.extend(complaint.iter().map(|why| format!("{what}: {why}")));
            complaint.is_some()
        });
        open.is_empty().then_some(())
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The traffic did what it is for: every filter had something to decide.
fn told_what_happened(tally: &traffic::tally::Tally) {
    let told = tally.summary();
    for (what, n) in [
        ("hits", tally.n_hits),
        ("misses", tally.n_misses),
        ("limited", tally.n_limited),
        ("refused by the breaker", tally.n_rejected),
        ("closed again", tally.n_closed),
        ("given up", tally.n_given_up),
    ] {
        assert!(n > 0, "{what}: {n}\n{told}");
    }
    assert!(tally.n_over >= 1900 && tally.n_lost == 0, "{told}");
}

/// The very file that this Prometheus runs with, whose paths and addresses are those of plain processes.
fn checked_by_promtool(testbed: &Testbed) {
    let file = run_folder(&testbed.state.project).join("prometheus/prometheus.yaml");
    let ran = Command::new("promtool").args(["check", "config"]).arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success() && said.matches("rules found").count() == 3, "{said}");
}
