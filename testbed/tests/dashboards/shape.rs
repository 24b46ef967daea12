//! What can be told of the files alone.

use std::collections::BTreeSet;

use serde_json::Value;
use weir_testbed::root::root;
use weir_testbed::yaml;

use super::model::{Dashboard, GridPos, Panel, dashboards, folder};

/// Units of Grafana's that we use.
const UNITS: [&str; 9] =
    ["reqps", "ops", "Bps", "percentunit", "percent", "ms", "s", "bytes", "none"];

/// The panels that we use, with the options and the custom field settings that they know.
const PANELS: [(&str, &[&str], &[&str]); 6] = [
    (
        "timeseries",
        &["legend", "tooltip"],
        &[
            "drawStyle",
            "lineInterpolation",
            "lineWidth",
            "fillOpacity",
            "showPoints",
            "spanNulls",
            "stacking",
            "thresholdsStyle",
        ],
    ),
    (
        "stat",
        &["reduceOptions", "colorMode", "graphMode", "justifyMode", "textMode", "orientation"],
        &[],
    ),
    (
        "bargauge",
        &[
            "reduceOptions",
            "displayMode",
            "orientation",
            "minVizHeight",
            "minVizWidth",
            "showUnfilled",
            "valueMode",
        ],
        &[],
    ),
    ("table", &["cellHeight", "showHeader", "footer", "sortBy"], &["align", "cellOptions"]),
    (
        "state-timeline",
        &["alignValue", "legend", "mergeValues", "rowHeight", "showValue", "tooltip"],
        &["fillOpacity", "lineWidth"],
    ),
    (
        "heatmap",
        &[
            "calculate",
            "cellGap",
            "color",
            "yAxis",
            "legend",
            "tooltip",
            "rowsFrame",
            "showValue",
            "exemplars",
            "filterValues",
        ],
        &["hideFrom", "scaleDistribution"],
    ),
];

/// What Grafana puts in for the range and the step of a panel.
const BUILT_IN: [&str; 1] = ["__rate_interval"];

#[test]
fn every_dashboard_is_of_one_kind_and_has_a_name_of_its_own() {
    let (mut uids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for (file, dashboard) in dashboards() {
        assert_eq!(format!("weir-{file}"), format!("{}.json", dashboard.uid), "{file}");
        assert!(dashboard.title.starts_with("Weir / "), "{file}");
        assert!(!dashboard.description.is_empty() && dashboard.editable, "{file}");
        assert_eq!((dashboard.schema_version, dashboard.version), (39, 1), "{file}");
        assert_eq!((dashboard.graph_tooltip, dashboard.fiscal_year_start_month), (1, 0), "{file}");
        assert_eq!((dashboard.timezone.as_str(), dashboard.refresh.as_str()), ("browser", "5s"));
        assert_eq!((dashboard.time.from.as_str(), dashboard.time.to.as_str()), ("now-15m", "now"));
        assert!(dashboard.timepicker.keys().eq(["refresh_intervals"]) && !dashboard.live_now);
        assert!(dashboard.week_start.is_empty() && dashboard.annotations.list.is_empty(), "{file}");
        // The way from each to each other.
        assert_eq!((dashboard.tags, dashboard.links[0]["tags"].clone()), {
            (vec!["weir".to_owned()], serde_json::json!(["weir"]))
        });
        assert!(uids.insert(dashboard.uid), "{file}");
        assert!(titles.insert(dashboard.title), "{file}");
    }
    assert_eq!(uids.len(), 6);
}

#[test]
fn panels_lie_side_by_side_and_have_numbers_of_their_own() {
    for (file, dashboard) in dashboards() {
        let mut ids = BTreeSet::new();
        for (idx, panel) in dashboard.panels.iter().enumerate() {
            let place = panel.grid_pos;
            assert!(ids.insert(panel.id), "{file}: two panels {}", panel.id);
            assert!(place.w > 0 && place.h > 0 && place.x + place.w <= 24, "{file}: {place:?}");
            for other in &dashboard.panels[..idx] {
                assert!(
                    !overlap(place, other.grid_pos),
                    "{file}: {} lies over {}",
                    panel.title,
                    other.title
                );
            }
        }
    }
}

fn overlap(one: GridPos, other: GridPos) -> bool {
    let meet = |a: u32, a_size: u32, b: u32, b_size: u32| a < b + b_size && b < a + a_size;
    meet(one.x, one.w, other.x, other.w) && meet(one.y, one.h, other.y, other.h)
}

#[test]
fn every_panel_says_what_it_shows_in_which_unit() {
    for (file, dashboard) in dashboards() {
        for panel in &dashboard.panels {
            let what = format!("{file}: {}", panel.title);
            assert!(!panel.title.is_empty(), "{file}: a panel without a title");
            if panel.is_row() {
                assert_eq!(panel.collapsed, Some(false), "{what}");
                assert!(panel.panels.is_empty() && panel.targets.is_empty(), "{what}");
                continue;
            }
            let said = panel.description.as_deref().unwrap_or_default();
            assert!(said.ends_with('.'), "{what}: no description in sentences");
            assert!(!panel.targets.is_empty(), "{what}: no query");
            check_fields(panel, &what);
        }
    }
}

fn check_fields(panel: &Panel, what: &str) {
    let fields = panel.field_config.as_ref().unwrap_or_else(|| panic!("{what}: no fieldConfig"));
    let defaults = &fields.defaults;
    assert!(UNITS.contains(&defaults.unit.as_str()), "{what}: unit {}", defaults.unit);
    let known = PANELS.iter().find(|(kind, _, _)| *kind == panel.kind);
    let (_, options, custom) = known.unwrap_or_else(|| panic!("{what}: panel {}", panel.kind));
    for option in panel.options.keys() {
        assert!(options.contains(&option.as_str()), "{what}: option {option}");
    }
    for setting in defaults.custom.keys() {
        assert!(custom.contains(&setting.as_str()), "{what}: custom {setting}");
    }
    assert!(defaults.color["mode"].is_string(), "{what}");
    assert!(defaults.decimals.is_none_or(|n| n <= 3), "{what}");
    assert!(defaults.min.unwrap_or(0.0) < defaults.max.unwrap_or(f64::MAX), "{what}");
    assert!(defaults.mappings.iter().all(|mapping| mapping["type"] == "value"), "{what}");
    for override_of in &fields.overrides {
        assert_eq!(override_of.matcher.id, "byName", "{what}");
        for property in &override_of.properties {
            assert!(override_of.matcher.options.is_string() && property.id == "unit", "{what}");
            assert!(UNITS.contains(&property.value.as_str().unwrap()), "{what}");
        }
    }
    if let Some(thresholds) = &defaults.thresholds {
        assert_eq!(thresholds.mode, "absolute", "{what}");
        let values: Vec<Option<f64>> = thresholds.steps.iter().map(|step| step.value).collect();
        // The first step is the ground; the others rise.
        assert!(values[0].is_none() && values.windows(2).all(|pair| pair[0] < pair[1]), "{what}");
        assert!(thresholds.steps.iter().all(|step| !step.color.is_empty()), "{what}");
    }
    for transformation in &panel.transformations {
        assert!(matches!(transformation.id.as_str(), "merge" | "organize"), "{what}");
        assert!(transformation.options.is_empty() == (transformation.id == "merge"), "{what}");
    }
}

#[test]
fn no_dashboard_names_a_data_source() {
    for (file, dashboard) in dashboards() {
        let of_panels = dashboard.panels.iter().filter_map(|panel| panel.datasource.as_ref());
        let of_targets = dashboard
            .panels
            .iter()
            .flat_map(|panel| &panel.targets)
            .map(|target| &target.datasource);
        let of_variables =
            dashboard.templating.list.iter().filter_map(|variable| variable.datasource.as_ref());
        for source in of_panels.chain(of_targets).chain(of_variables) {
            assert_eq!(
                (source.kind.as_str(), source.uid.as_str()),
                ("prometheus", "${datasource}")
            );
        }
        let first = &dashboard.templating.list[0];
        assert_eq!(
            (first.kind.as_str(), first.name.as_str()),
            ("datasource", "datasource"),
            "{file}"
        );
        assert_eq!(first.query, "prometheus", "{file}");
    }
}

#[test]
fn variables_are_asked_of_prometheus_and_all_of_them_is_the_default() {
    for (file, dashboard) in dashboards() {
        let mut names = BTreeSet::new();
        for variable in &dashboard.templating.list {
            assert!(names.insert(&variable.name) && !variable.label.is_empty(), "{file}");
            assert!(variable.hide == 0 && variable.options.is_empty() && variable.regex.is_empty());
            if variable.kind == "query" {
                assert!(variable.include_all && variable.multi && variable.refresh == 2, "{file}");
                assert_eq!((variable.all_value.as_deref(), variable.sort), (Some(".*"), Some(1)));
                assert_eq!(variable.current["value"], serde_json::json!(["$__all"]), "{file}");
            }
        }
        assert!(names.contains(&"instance".to_owned()), "{file}");
    }
}

#[test]
fn queries_use_variables_that_there_are_and_recordings_that_there_are() {
    let text = std::fs::read_to_string(root().join("testbed/prometheus/rules/recording.yaml"));
    let goals = std::fs::read_to_string(root().join("testbed/prometheus/rules/goals.yaml"));
    let rules = [text.unwrap(), goals.unwrap()].concat();
    for (file, dashboard) in dashboards() {
        for (panel, target) in targets(&dashboard) {
            let what = format!("{file}: {}: {}", panel.title, target.expr);
            for name in words(&target.expr, "$") {
                let declared = dashboard.templating.list.iter().any(|one| one.name == name);
                assert!(declared || BUILT_IN.contains(&name.as_str()), "{what}: ${name}");
            }
            for name in words(&target.expr, "weir:") {
                assert!(rules.contains(&format!("record: weir:{name}\n")), "{what}: weir:{name}");
            }
        }
    }
}

#[test]
fn the_queries_of_a_panel_have_letters_of_their_own_and_one_way_to_be_asked() {
    for (file, dashboard) in dashboards() {
        for (panel, target) in targets(&dashboard) {
            let what = format!("{file}: {}", panel.title);
            let same = panel.targets.iter().filter(|other| other.ref_id == target.ref_id).count();
            assert_eq!(same, 1, "{what}: {}", target.ref_id);
            assert_ne!(target.instant, target.range, "{what}");
            let is_table = panel.kind == "table";
            assert_eq!(target.format.as_deref() == Some("table"), is_table, "{what}");
            assert!(target.legend_format.is_some() || is_table || panel.kind == "stat", "{what}");
        }
    }
}

#[test]
fn what_is_provisioned_is_where_the_container_has_it() {
    let read = |below: &str| yaml::read(&folder().join("provisioning").join(below)).unwrap();
    let source = &read("datasources/prometheus.yaml")["datasources"][0];
    assert_eq!((&source["type"], &source["isDefault"]), (&"prometheus".into(), &true.into()));
    assert_eq!(source["url"], "http://prometheus:9090");
    assert!(source["uid"].is_string());
    let path = read("dashboards/weir.yaml")["providers"][0]["options"]["path"].clone();
    let compose = yaml::read(&root().join("testbed/docker-compose.yaml")).unwrap();
    let grafana = &compose["services"]["grafana"];
    let mounts = |to: &str| {
        let from = format!("./grafana/{}:{to}:ro", to.rsplit('/').next().unwrap());
        grafana["volumes"].as_array().unwrap().contains(&Value::from(from))
    };
    assert!(mounts(path.as_str().unwrap()) && mounts("/etc/grafana/provisioning"));
    let home = "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH";
    let home = grafana["environment"][home].as_str().unwrap().rsplit('/').next().unwrap();
    assert!(folder().join("dashboards").join(home).is_file());
}

fn targets(dashboard: &Dashboard) -> impl Iterator<Item = (&Panel, &super::model::Target)> {
    dashboard
        .panels
        .iter()
        .flat_map(|panel| panel.targets.iter().map(move |target| (panel, target)))
}

/// The names that stand behind a mark in an expression.
fn words(expression: &str, mark: &str) -> Vec<String> {
    let is_part = |c: &char| c.is_ascii_alphanumeric() || *c == '_' || *c == ':';
    let behind = expression.split(mark).skip(1);
    behind.map(|rest| rest.chars().take_while(is_part).collect()).collect()
}
