//! From the addresses and paths of the containers to those of plain processes.
//!
//! The configuration files of the stack name services (`upstream-1`, port 8080) and paths inside containers.
//! For plain processes both are replaced here, in commands and in parsed files alike; nothing else is changed.
//! Pure: no file is read.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Where each service listens, and where its paths lie on this machine.
#[derive(Clone, Debug, Default)]
pub struct Rewrite {
    /// (service, port in the container, port on 127.0.0.1).
    pub ports: Vec<(String, u16, u16)>,
    /// (path in the container, path on this machine); the service's own.
    pub paths: Vec<(String, PathBuf)>,
    /// The service whose command or file is rewritten: `0.0.0.0` and `127.0.0.1` mean itself.
    pub own: String,
}

/// The address that listens everywhere, which a plain process must not do.
const EVERYWHERE: &str = "0.0.0.0";
const LOOPBACK: &str = "127.0.0.1";

impl Rewrite {
    /// Rewrites a parsed configuration file in place.
    pub fn tree(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.word(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.tree(item)),
            Value::Object(fields) => {
                let address = fields.get("address").and_then(Value::as_str).map(str::to_owned);
                let port = fields
                    .get("port_value")
                    .and_then(Value::as_u64)
                    .and_then(|port| u16::try_from(port).ok());
                if let (Some(address), Some(port)) = (address, port)
                    && let Some(port) = self.port(&address, port)
                {
                    fields.insert("address".to_owned(), LOOPBACK.into());
                    fields.insert("port_value".to_owned(), port.into());
                    return;
                }
                fields.values_mut().for_each(|field| self.tree(field));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Rewrites one argument of a command; `--flag=value` is looked into.
    #[must_use]
    pub fn argument(&self, argument: &str) -> String {
        if let Some((flag, value)) =
            argument.split_once('=').filter(|(flag, _)| flag.starts_with("--"))
        {
            return format!("{flag}={}", self.word(value));
        }
        match argument.parse::<u16>().ok().and_then(|port| self.port(EVERYWHERE, port)) {
            Some(port) => port.to_string(),
            None => self.word(argument),
        }
    }

    /// The path on this machine for a path in the container of this service.
    #[must_use]
    pub fn path(&self, path: &str) -> Option<PathBuf> {
        self.paths.iter().find_map(|(inside, outside)| {
            let rest = Path::new(path).strip_prefix(inside).ok()?;
            Some(if rest.as_os_str().is_empty() { outside.clone() } else { outside.join(rest) })
        })
    }

    fn word(&self, text: &str) -> String {
        if text == EVERYWHERE {
            return LOOPBACK.to_owned();
        }
        let host_and_port = text.rsplit_once(':');
        let moved = host_and_port.and_then(|(host, port)| self.port(host, port.parse().ok()?));
        match (moved, self.path(text)) {
            (Some(port), _) => format!("{LOOPBACK}:{port}"),
            (None, Some(path)) => path.display().to_string(),
            (None, None) => text.to_owned(),
        }
    }

    /// Where the port of a service, or of this one, is found on 127.0.0.1.
    fn port(&self, host: &str, port: u16) -> Option<u16> {
        let is_own = host == EVERYWHERE || host == LOOPBACK;
        let service = if is_own { self.own.as_str() } else { host };
        let found = self.ports.iter().find(|(name, inside, _)| name == service && *inside == port);
        found.map(|(_, _, outside)| *outside)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rewrite() -> Rewrite {
        Rewrite {
            ports: vec![
                ("envoy".into(), 10000, 20000),
                ("envoy".into(), 10001, 20004),
                ("envoy".into(), 9901, 20001),
                ("upstream-1".into(), 8080, 20002),
                ("redis".into(), 6379, 20003),
            ],
            paths: vec![
                ("/opt/weir".into(), "/home/me/dist".into()),
                ("/data".into(), "/run/x".into()),
            ],
            own: "envoy".into(),
        }
    }

    #[test]
    fn addresses_of_services_and_own_listeners_move_to_loopback() {
        let mut tree = json!({
            "listen": {"socket_address": {"address": "0.0.0.0", "port_value": 10000}},
            "to": [{"address": {"socket_address": {"address": "upstream-1", "port_value": 8080}}}],
            "back": {"address": "127.0.0.1", "port_value": 10001},
            "stranger": {"address": "example", "port_value": 8080},
            "targets": ["envoy:9901", "example:9901"],
            "file": "/opt/weir/weir_gateway.wasm",
            "plain": "/opt/weirdo", "port_value": 10000, "on": true,
        });
        rewrite().tree(&mut tree);
        let expected = json!({
            "listen": {"socket_address": {"address": "127.0.0.1", "port_value": 20000}},
            "to": [{"address": {"socket_address": {"address": "127.0.0.1", "port_value": 20002}}}],
            "back": {"address": "127.0.0.1", "port_value": 20004},
            "stranger": {"address": "example", "port_value": 8080},
            "targets": ["127.0.0.1:20001", "example:9901"],
            "file": "/home/me/dist/weir_gateway.wasm",
            "plain": "/opt/weirdo", "port_value": 10000, "on": true,
        });
        assert_eq!(tree, expected);
    }

    #[test]
    fn arguments_are_rewritten_alone_or_behind_their_flag() {
        let redis = Rewrite { own: "redis".into(), ..rewrite() };
        assert_eq!(redis.argument("6379"), "20003");
        assert_eq!(redis.argument("0.0.0.0"), "127.0.0.1");
        assert_eq!(redis.argument("/data"), "/run/x");
        assert_eq!(redis.argument("2"), "2");
        assert_eq!(
            redis.argument("--web.listen-address=0.0.0.0:6379"),
            "--web.listen-address=127.0.0.1:20003"
        );
        assert_eq!(redis.argument("--save"), "--save");
    }
}
