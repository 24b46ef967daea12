//! Grafana's JSON as far as our dashboards use it; anything else in a file is a mistake.
//!
//! Source: Grafana's own schema (`kinds/dashboard/dashboard_kind.cue` and the panels' `panelcfg.cue`), version 39.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};
use weir_testbed::root::root;

pub(crate) type Object = Map<String, Value>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Dashboard {
    pub(crate) uid: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) tags: Vec<String>,
    pub(crate) timezone: String,
    pub(crate) editable: bool,
    pub(crate) graph_tooltip: u8,
    pub(crate) schema_version: u16,
    pub(crate) version: u32,
    pub(crate) refresh: String,
    pub(crate) time: Time,
    pub(crate) timepicker: Object,
    pub(crate) fiscal_year_start_month: u8,
    pub(crate) live_now: bool,
    pub(crate) week_start: String,
    pub(crate) links: Vec<Object>,
    pub(crate) annotations: Annotations,
    pub(crate) templating: Templating,
    pub(crate) panels: Vec<Panel>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Time {
    pub(crate) from: String,
    pub(crate) to: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Annotations {
    pub(crate) list: Vec<Object>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Templating {
    pub(crate) list: Vec<Variable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) label: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Of a variable of type `query`.
    pub(crate) datasource: Option<Source>,
    /// A word for a variable of type `datasource`, an object for one of type `query`.
    pub(crate) query: Value,
    pub(crate) current: Object,
    pub(crate) hide: u8,
    pub(crate) include_all: bool,
    pub(crate) all_value: Option<String>,
    pub(crate) multi: bool,
    pub(crate) options: Vec<Object>,
    pub(crate) refresh: u8,
    pub(crate) regex: String,
    pub(crate) sort: Option<u8>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) uid: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Panel {
    pub(crate) id: u32,
    pub(crate) grid_pos: GridPos,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) title: String,
    /// What follows is there for every panel but a row.
    pub(crate) description: Option<String>,
    pub(crate) datasource: Option<Source>,
    #[serde(default)]
    pub(crate) targets: Vec<Target>,
    pub(crate) field_config: Option<FieldConfig>,
    #[serde(default)]
    pub(crate) options: Object,
    #[serde(default)]
    pub(crate) transformations: Vec<Transformation>,
    /// Of a row.
    pub(crate) collapsed: Option<bool>,
    #[serde(default)]
    pub(crate) panels: Vec<Object>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GridPos {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) w: u32,
    pub(crate) h: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Target {
    pub(crate) datasource: Source,
    pub(crate) expr: String,
    pub(crate) ref_id: String,
    pub(crate) legend_format: Option<String>,
    #[serde(default)]
    pub(crate) instant: bool,
    pub(crate) range: bool,
    pub(crate) format: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldConfig {
    pub(crate) defaults: Defaults,
    pub(crate) overrides: Vec<Override>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Defaults {
    pub(crate) unit: String,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) decimals: Option<u8>,
    pub(crate) color: Object,
    pub(crate) thresholds: Option<Thresholds>,
    #[serde(default)]
    pub(crate) mappings: Vec<Object>,
    #[serde(default)]
    pub(crate) custom: Object,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Thresholds {
    pub(crate) mode: String,
    pub(crate) steps: Vec<Threshold>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Threshold {
    pub(crate) color: String,
    pub(crate) value: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Override {
    pub(crate) matcher: Setting,
    pub(crate) properties: Vec<Property>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setting {
    pub(crate) id: String,
    pub(crate) options: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Property {
    pub(crate) id: String,
    pub(crate) value: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transformation {
    pub(crate) id: String,
    pub(crate) options: Object,
}

impl Panel {
    pub(crate) fn is_row(&self) -> bool {
        self.kind == "row"
    }
}

/// The folder of Grafana's files.
pub(crate) fn folder() -> PathBuf {
    root().join("testbed/grafana")
}

/// All dashboards with the names of their files, in the order of these.
pub(crate) fn dashboards() -> Vec<(String, Dashboard)> {
    let entries = std::fs::read_dir(folder().join("dashboards")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let dashboard = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        (name, dashboard)
    };
    paths.into_iter().map(read).collect()
}
