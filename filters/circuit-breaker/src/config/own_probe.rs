//! Reads the request of the filter's own probes.

use kit::Nanos;
use kit::config::Fields;

use super::Per;
use super::bounds::{
    DEFAULT_EXPECT, DEFAULT_PROBE_TIMEOUT, ENVOYS_OWN, MAX_PROBE_PATH, N_STATUSES, PROBE_TIMEOUT,
};
use crate::fallback::{CLUSTER_FORM, parse_cluster};
use crate::probe::ProbeRequest;

/// Reads the object `request` of a rule's probes.
pub(super) fn read(fields: &mut Fields<'_>, per: Per) -> Option<ProbeRequest> {
    let path = fields.parsed("path", "a path that begins with \"/\"", parse_path);
    let cluster = fields.optional_parsed("cluster", CLUSTER_FORM, parse_cluster);
    let authority =
        fields.optional_parsed("authority", "a host, with a port or without", parse_host);
    let timeout =
        fields.optional_duration("timeout", PROBE_TIMEOUT).unwrap_or(DEFAULT_PROBE_TIMEOUT);
    let expect = fields.optional_statuses("expect", N_STATUSES);
    let expect = expect.unwrap_or_else(|| [DEFAULT_EXPECT].into_iter().collect());
    if ENVOYS_OWN.into_iter().any(|status| expect.contains(status)) {
        let mend = "leave them out: Envoy itself answers so for a service that it can not reach";
        fields.problem("expect", "503 or 504 among them", "other statuses", mend);
    }
    match per {
        Per::Cluster => {}
        Per::Key => fields.own_problem(
            "it beside per: key",
            "it where breakers have a cluster, route, virtual host or rule",
            "remove it: breakers per key are known by their requests only, which then probe them",
        ),
        Per::Route | Per::VirtualHost | Per::Rule if !fields.has("cluster") => fields.problem(
            "cluster",
            format!("nothing beside per: {}", per.as_str()),
            "the cluster to ask",
            "add it, or set per to cluster",
        ),
        Per::Route | Per::VirtualHost | Per::Rule => {}
    }
    Some(ProbeRequest { path: path?, cluster, authority, timeout, expect })
}

/// The shortest lease that outlasts a probe.
pub(super) const fn least_lease(timeout: Nanos) -> Nanos {
    Nanos(timeout.0.saturating_mul(super::bounds::LEASE_PER_TIMEOUT))
}

fn parse_path(text: &str) -> Result<String, &'static str> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !text.starts_with('/') {
        Err("put a slash in front")
    } else if text.len() > MAX_PROBE_PATH {
        Err("keep to at most 1024 bytes")
    } else if is_plain {
        Ok(text.to_owned())
    } else {
        Err("write anything but visible ASCII as % and two digits, and no fragment")
    }
}

fn parse_host(text: &str) -> Result<String, &'static str> {
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(&byte);
    if text.is_empty() {
        Err("fill it in")
    } else if text.len() <= 255 && text.bytes().all(is_host) {
        Ok(text.to_owned())
    } else {
        Err("leave scheme, path and other characters out")
    }
}
