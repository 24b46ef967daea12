//! What `testbed/docker-compose.yaml` says, as far as the same stack can be run without an engine.

use std::path::PathBuf;

use serde_json::Value;

use super::settings::Settings;
use super::trouble::Trouble;
use crate::root::root;
use crate::yaml;

/// One service of the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name, which is also its host name among the containers.
    pub name: String,
    /// The image, with its tag.
    pub image: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Ports as (on 127.0.0.1, in the container); the first is `None` for a port that is not published.
    pub ports: Vec<(Option<u16>, u16)>,
    /// Folders as (of this machine, in the container).
    pub mounts: Vec<(PathBuf, String)>,
    /// Paths in the container where the service may write.
    pub scratch: Vec<String>,
    /// Services that must be healthy before.
    pub after: Vec<String>,
    /// Whether it belongs to a profile: nothing needs it, and it runs only where its image is to be had.
    pub is_optional: bool,
}

/// The folder of the compose file, from which its paths are seen.
pub fn folder() -> PathBuf {
    root().join("testbed")
}

/// The compose file.
pub fn path() -> PathBuf {
    folder().join("docker-compose.yaml")
}

/// All services in an order in which they can be started.
///
/// # Errors
/// The file cannot be read, a setting is missing, or the services wait for one another in a circle.
pub fn services(settings: &Settings) -> Result<Vec<Service>, Trouble> {
    let file = yaml::read(&path()).map_err(|e| Trouble::file(path(), e))?;
    let mut waiting = Vec::new();
    for (name, value) in file.get("services").and_then(Value::as_object).into_iter().flatten() {
        waiting.push(service(name, value, settings)?);
    }
    in_order(waiting)
}

fn service(name: &str, value: &Value, settings: &Settings) -> Result<Service, Trouble> {
    let texts = |field: &str| -> Result<Vec<String>, Trouble> {
        let listed = value.get(field).and_then(Value::as_array).into_iter().flatten();
        listed.filter_map(Value::as_str).map(|text| settings.interpolate(text)).collect()
    };
    let command = [texts("entrypoint")?, texts("command")?].concat();
    let mut ports = Vec::new();
    // The published ones last: where a service has both kinds, they are what it is asked at.
    for text in texts("expose")? {
        ports.push((None, text.parse().map_err(|_| unreadable(name, &text, "a port"))?));
    }
    for text in texts("ports")? {
        ports.push(published(&text).ok_or_else(|| unreadable(name, &text, "127.0.0.1:port:port"))?);
    }
    let mut mounts = Vec::new();
    for text in texts("volumes")? {
        mounts.push(mount(&text).ok_or_else(|| unreadable(name, &text, "./folder:/path:ro"))?);
    }
    let scratch = texts("tmpfs")?
        .iter()
        .map(|text| text.split(':').next().unwrap_or(text).to_owned())
        .collect();
    let after = value.get("depends_on").and_then(Value::as_object).into_iter().flatten();
    let image =
        settings.interpolate(value.get("image").and_then(Value::as_str).unwrap_or_default())?;
    Ok(Service {
        name: name.to_owned(),
        image,
        command,
        ports,
        mounts,
        scratch,
        after: after.map(|(name, _)| name.clone()).collect(),
        is_optional: !texts("profiles")?.is_empty(),
    })
}

fn unreadable(service: &str, found: &str, allowed: &str) -> Trouble {
    Trouble::file(path(), format!("{service}: found \"{found}\", allowed is {allowed}"))
}

fn published(text: &str) -> Option<(Option<u16>, u16)> {
    let (host, container) = text.strip_prefix("127.0.0.1:")?.split_once(':')?;
    Some((Some(host.parse().ok()?), container.parse().ok()?))
}

fn mount(text: &str) -> Option<(PathBuf, String)> {
    let (folder, inside) = text.strip_suffix(":ro")?.split_once(':')?;
    let from = match folder.strip_prefix("../") {
        Some(beside) => root().join(beside),
        None => self::folder().join(folder.strip_prefix("./")?),
    };
    Some((from, inside.to_owned()))
}

fn in_order(mut waiting: Vec<Service>) -> Result<Vec<Service>, Trouble> {
    let mut ordered: Vec<Service> = Vec::new();
    while !waiting.is_empty() {
        let can_start = |service: &Service| {
            service.after.iter().all(|name| ordered.iter().any(|done| done.name == *name))
        };
        match waiting.iter().position(can_start) {
            Some(next) => ordered.push(waiting.remove(next)),
            None => {
                return Err(Trouble::file(path(), "the services wait for one another in a circle"));
            }
        }
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::super::settings::Ports;
    use super::*;

    fn file() -> Value {
        yaml::read(&path()).unwrap()
    }

    #[test]
    fn the_services_are_read_with_their_anchors_in_an_order_to_start() {
        let services = services(&Settings::read(Ports::Free).unwrap()).unwrap();
        let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
        assert_eq!(
            names,
            ["upstream-1", "upstream-2", "upstream-3", "redis", "envoy", "prometheus", "grafana"]
        );
        let optional = |service: &&Service| service.is_optional;
        assert_eq!(services.iter().filter(optional).count(), 1);
        assert!(services[6].is_optional);
        let envoy = &services[4];
        assert_eq!(
            envoy.command[..3],
            ["/usr/local/bin/envoy", "--config-path", "/etc/weir/envoy.yaml"]
        );
        assert_eq!(envoy.mounts[1], (root().join("dist"), "/opt/weir".to_owned()));
        assert_eq!((envoy.ports.len(), envoy.after.len()), (4, 4));
        assert_eq!(envoy.ports[0], (None, 10001));
        assert_eq!(services[3].ports, [(None, 6379)]);
    }

    #[test]
    fn no_service_is_privileged_and_each_gives_up_what_it_does_not_need() {
        for (name, service) in file()["services"].as_object().unwrap() {
            for grant in
                ["privileged", "cap_add", "devices", "pid", "ipc", "network_mode", "userns_mode"]
            {
                assert!(service.get(grant).is_none(), "{name} asks for {grant}");
            }
            assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
            assert_eq!(service["read_only"], true, "{name}");
            assert_eq!(
                service["security_opt"],
                serde_json::json!(["no-new-privileges:true"]),
                "{name}"
            );
            assert_ne!(service["user"].as_str().unwrap().split(':').next(), Some("0"), "{name}");
            assert!(service["healthcheck"]["test"].is_array(), "{name}");
            for volume in service.get("volumes").and_then(Value::as_array).into_iter().flatten() {
                assert!(volume.as_str().unwrap().ends_with(":ro"), "{name}: {volume}");
            }
        }
    }

    #[test]
    fn every_published_port_stands_on_loopback_and_can_be_set() {
        for (name, service) in file()["services"].as_object().unwrap() {
            for port in service.get("ports").and_then(Value::as_array).into_iter().flatten() {
                let text = port.as_str().unwrap();
                assert!(
                    text.starts_with("127.0.0.1:${") && text.contains("_PORT}:"),
                    "{name}: {text}"
                );
            }
        }
    }

    #[test]
    fn every_image_is_pinned_by_a_tag_of_the_settings() {
        let settings = Settings::read(Ports::Free).unwrap();
        for service in services(&settings).unwrap() {
            let (_, tag) = service.image.rsplit_once(':').unwrap();
            assert!(tag.starts_with(|c: char| c == 'v' || c.is_ascii_digit()), "{}", service.image);
            assert!(tag.contains('.'), "{} is pinned too loosely", service.image);
        }
        for (_, service) in file()["services"].as_object().unwrap() {
            assert!(service["image"].as_str().unwrap().starts_with("${"));
        }
    }
}
