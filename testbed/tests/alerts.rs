//! The rules for Prometheus: what its own tool says of them, and that each alert is tried and explained.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use weir_testbed::root::root;
use weir_testbed::yaml;

fn folder() -> PathBuf {
    root().join("testbed/prometheus")
}

/// The files of a folder, in the order of their names.
fn files(below: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder().join(below)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

/// All rules, in the order of the files and groups.
fn rules() -> Vec<Value> {
    let mut rules = Vec::new();
    for path in files("rules") {
        let file = yaml::read(&path).unwrap();
        for group in file["groups"].as_array().unwrap() {
            rules.extend(group["rules"].as_array().unwrap().iter().cloned());
        }
    }
    rules
}

fn named<'a>(rules: &'a [Value], field: &str) -> BTreeSet<&'a str> {
    rules.iter().filter_map(|rule| rule[field].as_str()).collect()
}

fn promtool(arguments: &[&str], files: &[PathBuf]) {
    let ran = Command::new("promtool").args(arguments).args(files).output();
    let ran = ran.expect("promtool runs; `make setup` brings it");
    let said = [ran.stdout, ran.stderr].concat();
    assert!(ran.status.success(), "promtool {arguments:?}:\n{}", String::from_utf8_lossy(&said));
}

#[test]
fn promtool_accepts_the_rules() {
    promtool(&["check", "rules"], &files("rules"));
}

#[test]
fn promtool_accepts_the_configuration_with_its_rules() {
    // Where the container has it; everything else stays as it is.
    let text = std::fs::read_to_string(folder().join("prometheus.yaml")).unwrap();
    let here = text.replace("/etc/prometheus", &folder().display().to_string());
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), here).unwrap();
    promtool(&["check", "config"], &[file.path().to_owned()]);
    let named: Vec<PathBuf> = yaml::read(file.path()).unwrap()["rule_files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|path| Path::new(path.as_str().unwrap()).to_owned())
        .collect();
    assert_eq!(named.iter().collect::<BTreeSet<_>>(), files("rules").iter().collect());
}

#[test]
fn the_alerts_fire_and_are_silent_as_their_cases_say() {
    promtool(&["test", "rules"], &files("tests"));
}

#[test]
fn every_alert_has_a_case_where_it_fires_and_one_where_it_is_silent() {
    let mut cases: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for path in files("tests") {
        let file = yaml::read(&path).unwrap();
        let all = file["tests"].as_array().unwrap();
        for case in all.iter().filter_map(|test| test["alert_rule_test"].as_array()).flatten() {
            let fires = !case["exp_alerts"].as_array().unwrap().is_empty();
            let counted = cases.entry(case["alertname"].as_str().unwrap().to_owned()).or_default();
            counted[usize::from(fires)] += 1;
        }
    }
    let rules = rules();
    for alert in named(&rules, "alert") {
        let counted = cases.remove(alert).unwrap_or_default();
        assert!(counted[0] > 0, "{alert} has no case where it is silent");
        assert!(counted[1] > 0, "{alert} has no case where it fires");
    }
    assert!(cases.is_empty(), "cases for alerts that there are not: {cases:?}");
}

#[test]
fn every_alert_says_what_why_and_where_to_read_on() {
    let page = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let rules = rules();
    for rule in rules.iter().filter(|rule| rule["alert"].is_string()) {
        let (alert, told) = (rule["alert"].as_str().unwrap(), &rule["annotations"]);
        for word in ["summary", "description"] {
            assert!(told[word].as_str().is_some_and(|text| !text.is_empty()), "{alert}: {word}");
        }
        assert!(matches!(rule["labels"]["severity"].as_str(), Some("page" | "ticket")), "{alert}");
        let anchor = format!("testbed/prometheus/README.md#{}", alert.to_lowercase());
        assert_eq!(told["runbook_url"], anchor, "{alert}");
        assert!(page.contains(&format!("\n### {alert}\n\n")), "{alert} has no section");
        assert!(page.contains(&format!("| [{alert}](#")), "{alert} is not in the table");
    }
    for title in page.lines().filter_map(|line| line.strip_prefix("### ")) {
        assert!(named(&rules, "alert").contains(title), "a section for no alert: {title}");
    }
}

#[test]
fn rules_read_only_recordings_that_there_are_and_no_goal_is_read_by_nobody() {
    let rules = rules();
    let recorded = named(&rules, "record");
    let mut read = BTreeSet::new();
    for rule in &rules {
        let expression = rule["expr"].as_str().unwrap_or_default();
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        for word in expression.split(|c| !is_part(c)).filter(|word| word.starts_with("weir:")) {
            assert!(recorded.contains(word), "{expression}: {word} is recorded nowhere");
            read.insert(word.to_owned());
        }
    }
    let goals = yaml::read(&folder().join("rules/goals.yaml")).unwrap();
    for goal in goals["groups"][0]["rules"].as_array().unwrap() {
        assert!(read.contains(goal["record"].as_str().unwrap()), "{goal} is read by no rule");
        assert!(goal["expr"].is_number(), "{goal} is no constant");
    }
}
