//! A real Envoy with one of our modules before a scripted origin.
//!
//! The filter's configuration comes by ECDS from a file, so that a test can change it while requests run;
//! everything else is static. What the files in `envoy/` say is tested from those files, not from here.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use weir_testbed::envoy::{AdminError, Envoy, Options, StartError, own_messages};
use weir_testbed::proxy::bootstrap::wasm_filter;
use weir_testbed::proxy::stats::stats_config;
use weir_testbed::{root, wait};

use crate::admin::cluster;
use crate::client::Request;
use crate::http::Message;

/// How long anything that needs no load may take on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long a start or an update may take, the module compiled: seconds alone, and far more beside others that compile.
const READY_WITHIN: Duration = Duration::from_secs(180);

/// The file of the access log in the gateway's directory.
const ACCESS_LOG: &str = "access.log";

/// The filter's name in Envoy: in statistics and in ECDS.
const FILTER: &str = "weir";

/// What to start.
#[derive(Debug, Clone)]
pub struct Setup {
    module: PathBuf,
    configuration: String,
    upstream: SocketAddr,
    workers: usize,
    routes: Value,
    buffer_limit: Option<u32>,
    takes_upgrades: bool,
    router: Value,
    is_static: bool,
    has_way_back: bool,
    keeps_statistics: bool,
    cluster: Value,
    before: Vec<Value>,
    behind: Vec<Value>,
    clusters: Vec<Value>,
    access_log: Option<Value>,
}

impl Setup {
    /// The shipped module of this filter with this configuration, before this origin.
    pub fn new(filter: &str, configuration: &Value, upstream: SocketAddr) -> Self {
        Self {
            module: root::module(filter),
            configuration: configuration.to_string(),
            upstream,
            workers: 1,
            routes: json!([
                {"name": "slow", "match": {"prefix": "/slow"}, "route": {"cluster": "upstream", "timeout": "1s"}},
                {"name": "all", "match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "10s"}},
            ]),
            buffer_limit: None,
            takes_upgrades: false,
            router: json!({}),
            is_static: false,
            has_way_back: false,
            keeps_statistics: true,
            cluster: json!({}),
            before: Vec::new(),
            behind: Vec::new(),
            clusters: Vec::new(),
            access_log: None,
        }
    }

    /// The module for tests of the host, which never ships.
    pub fn probe(upstream: SocketAddr) -> Self {
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root::root().join("target"), PathBuf::from);
        Self {
            module: target.join("probe/weir_probe.wasm"),
            ..Self::new("probe", &json!({}), upstream)
        }
    }

    /// With this many workers.
    #[must_use]
    pub fn workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// With these routes instead of one for all paths.
    #[must_use]
    pub fn routes(self, routes: Value) -> Self {
        Self { routes, ..self }
    }

    /// With this limit on what Envoy buffers of a body.
    #[must_use]
    pub fn buffer_limit(self, bytes: u32) -> Self {
        Self { buffer_limit: Some(bytes), ..self }
    }

    /// With connections that clients may turn into WebSockets.
    #[must_use]
    pub fn upgrades(self) -> Self {
        Self { takes_upgrades: true, ..self }
    }

    /// With these fields of the router, such as `suppress_envoy_headers`.
    #[must_use]
    pub fn router(self, fields: Value) -> Self {
        Self { router: fields, ..self }
    }

    /// With the filter's configuration in the bootstrap: it can not change, and a bad one stops the start.
    #[must_use]
    pub fn fixed(self) -> Self {
        Self { is_static: true, ..self }
    }

    /// With a cluster `background` that leads back to a second listener of the same filters and routes.
    #[must_use]
    pub fn way_back(self) -> Self {
        Self { has_way_back: true, ..self }
    }

    /// With an Envoy that keeps no statistic of modules, as an operator's `stats_matcher` may have it.
    #[must_use]
    pub fn without_statistics_of_modules(self) -> Self {
        Self { keeps_statistics: false, ..self }
    }

    /// With these fields of the cluster `upstream`, such as its outlier detection.
    #[must_use]
    pub fn upstream(self, fields: Value) -> Self {
        Self { cluster: fields, ..self }
    }

    /// With this filter of Envoy in front of ours, behind those that are there already.
    #[must_use]
    pub fn before(mut self, filter: Value) -> Self {
        self.before.push(filter);
        self
    }

    /// With another shipped module behind ours, as a filter of its own.
    #[must_use]
    pub fn behind(mut self, filter: &str, configuration: &Value) -> Self {
        let module = root::module(filter);
        self.behind.push(wasm_filter(filter, &module, &configuration.to_string()));
        self
    }

    /// With one more cluster.
    #[must_use]
    pub fn and_cluster(mut self, cluster: Value) -> Self {
        self.clusters.push(cluster);
        self
    }

    /// With an access log of these fields: a line of JSON for each request, in [`Gateway::access_log`].
    #[must_use]
    pub fn access_log(self, fields: Value) -> Self {
        Self { access_log: Some(fields), ..self }
    }

    /// Starts it, or says why it does not start.
    ///
    /// # Errors
    /// What Envoy and the module say.
    pub fn try_start(self) -> Result<Gateway, StartError> {
        assert!(
            self.module.is_file(),
            "there is no {}; run `make build probe`",
            self.module.display()
        );
        let dir = tempfile::tempdir().expect("there is room for a temporary directory");
        if !self.is_static {
            publish(dir.path(), &self.module, &self.configuration, 1);
        }
        let options = Options {
            workers: self.workers,
            dir: Some(dir.path().to_owned()),
            args: ["--component-log-level", "config:debug", "--file-flush-interval-msec", "50"]
                .map(str::to_owned)
                .to_vec(),
            keep_lines: 2_000,
            ready_within: READY_WITHIN,
            ..Options::default()
        };
        let envoy = Envoy::start(&self.bootstrap(dir.path()), options)?;
        let address = envoy.listener("front").expect("the listener is in the bootstrap");
        Ok(Gateway { envoy, address, module: self.module, dir, version: AtomicU32::new(1) })
    }

    /// Starts it.
    pub fn start(self) -> Gateway {
        match self.try_start() {
            Ok(gateway) => gateway,
            Err(error) => panic!("{error}"),
        }
    }

    fn bootstrap(&self, dir: &Path) -> Value {
        let filter = if self.is_static {
            wasm_filter(FILTER, &self.module, &self.configuration)
        } else {
            json!({
                "name": FILTER,
                "config_discovery": {
                    "config_source": {
                        "path_config_source": {
                            "path": dir.join("filter.json"),
                            "watched_directory": {"path": dir},
                        },
                        "resource_api_version": "V3",
                    },
                    "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
                },
            })
        };
        let mut router = json!({
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
        });
        for (field, value) in self.router.as_object().into_iter().flatten() {
            router["typed_config"][field] = value.clone();
        }
        let ours = self.before.iter().chain([&filter]).chain(&self.behind);
        let filters: Vec<&Value> = ours.chain([&router]).collect();
        let mut manager = json!({
            "@type": concat!(
                "type.googleapis.com/envoy.extensions.filters.network.",
                "http_connection_manager.v3.HttpConnectionManager"
            ),
            "stat_prefix": "front",
            "codec_type": "AUTO",
            "use_remote_address": true,
            "xff_num_trusted_hops": 1,
            "normalize_path": true,
            "merge_slashes": true,
            "stream_idle_timeout": "5s",
            // Methods that Envoy does not know reach the filters too.
            "http_protocol_options": {"allow_custom_methods": true},
            "max_request_headers_kb": 1024,
            "common_http_protocol_options": {"max_headers_count": 2000},
            "http_filters": filters,
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": self.routes}]},
        });
        if let Some(fields) = &self.access_log {
            manager["access_log"] = json!([{
                "name": "envoy.access_loggers.file",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                    "path": dir.join(ACCESS_LOG),
                    "log_format": {"json_format": fields},
                },
            }]);
        }
        if self.takes_upgrades {
            manager["upgrade_configs"] = json!([{"upgrade_type": "websocket"}]);
        }
        let listener = |name: &str, address: Value| {
            let mut listener = json!({
                "name": name,
                "address": address,
                "filter_chains": [{"filters": [{
                    "name": "envoy.filters.network.http_connection_manager", "typed_config": manager,
                }]}],
            });
            if let Some(limit) = self.buffer_limit {
                listener["per_connection_buffer_limit_bytes"] = json!(limit);
            }
            listener
        };
        let front = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
        let mut listeners = vec![listener("front", front)];
        let back = json!({"pipe": {"path": dir.join("back.sock")}});
        if self.has_way_back {
            listeners.push(listener("back", back.clone()));
        }
        let mut stats = stats_config();
        if !self.keeps_statistics {
            stats["stats_matcher"] =
                json!({"exclusion_list": {"patterns": [{"prefix": "wasmcustom."}]}});
        }
        json!({
            "node": {"id": "test", "cluster": "test"},
            "stats_config": stats,
            "static_resources": {"listeners": listeners, "clusters": self.all_clusters(&back)},
        })
    }

    fn all_clusters(&self, back: &Value) -> Vec<Value> {
        // For routes to a service that has no instance.
        let deserted = json!({"name": "deserted", "load_assignment": {"cluster_name": "deserted"}});
        let background = json!({
            "name": "background",
            "load_assignment": {"cluster_name": "background", "endpoints": [{"lb_endpoints": [{
                "endpoint": {"address": back},
            }]}]},
        });
        let mut upstream = cluster("upstream", self.upstream);
        for (field, value) in self.cluster.as_object().into_iter().flatten() {
            upstream[field] = value.clone();
        }
        [upstream, deserted, background].into_iter().chain(self.clusters.iter().cloned()).collect()
    }
}

/// Puts a configuration where Envoy watches for it, in one step.
fn publish(dir: &Path, module: &Path, configuration: &str, version: u32) {
    let filter = wasm_filter(FILTER, module, configuration);
    let response = json!({
        "version_info": version.to_string(),
        "resources": [{
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": FILTER,
            "typed_config": filter["typed_config"],
        }],
    });
    let draft = dir.join("filter.json.draft");
    fs::write(&draft, response.to_string()).expect("the temporary directory is writable");
    fs::rename(&draft, dir.join("filter.json")).expect("a rename within a directory works");
}

/// A running gateway; it ends when dropped.
pub struct Gateway {
    /// The Envoy itself.
    pub envoy: Envoy,
    address: SocketAddr,
    module: PathBuf,
    dir: tempfile::TempDir,
    version: AtomicU32,
}

impl Gateway {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The answer to a GET, on a connection of its own.
    pub fn get(&self, target: &str) -> Message {
        Request::get(target).ask(self.address)
    }

    /// Gives the filter another configuration; true if Envoy took it, false if it kept the old one.
    pub fn update(&self, configuration: &Value) -> bool {
        let counts = || {
            let stats = self.envoy.stats("extension_config_discovery.http_filter")?;
            let sum = |name: &str| -> u64 {
                stats
                    .iter()
                    .filter(|(found, _)| found.ends_with(name))
                    .map(|(_, value)| *value)
                    .sum()
            };
            Ok::<_, AdminError>((sum(".update_success"), sum(".update_rejected")))
        };
        let before = counts().expect("the admin interface answers");
        let version = self.version.fetch_add(1, Ordering::SeqCst) + 1;
        publish(self.dir.path(), &self.module, &configuration.to_string(), version);
        // The thread that answers for the admin interface is the one that makes the new VM: silence is "not yet".
        let after = wait::until(READY_WITHIN, || counts().ok().filter(|after| *after != before));
        let after =
            after.unwrap_or_else(|| panic!("no word on the update\n{}", self.envoy.log_tail()));
        after.0 > before.0
    }

    /// The lines of the access log so far; see [`Setup::access_log`].
    pub fn access_log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.dir.path().join(ACCESS_LOG)).unwrap_or_default();
        // The last line may be half written.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// What the module logged, without Envoy's part of the lines.
    pub fn messages(&self) -> Vec<String> {
        let tail = self.envoy.log_tail();
        own_messages(tail.lines()).into_iter().map(|message| message.text).collect()
    }

    /// A statistic of ours by its whole name, labels included; zero if there is none.
    pub fn metric(&self, name: &str) -> u64 {
        let stats = self.envoy.stats("^wasmcustom").expect("the admin interface answers");
        stats.get(&format!("wasmcustom.{name}")).copied().unwrap_or(0)
    }

    /// Waits until a statistic of ours has this value: the log phase comes after the answer.
    pub fn await_metric(&self, name: &str, expected: u64) {
        if wait::until(PATIENCE, || (self.metric(name) == expected).then_some(())).is_none() {
            let all = self.envoy.stats("^wasmcustom").expect("the admin interface answers");
            panic!("{name} is {} and not {expected}; all: {all:#?}", self.metric(name));
        }
    }
}
