//! Names, versions and ports: `testbed/.env`, over which the environment goes.

use std::collections::BTreeMap;
use std::net::TcpListener;

use super::trouble::Trouble;
use crate::root::root;

/// The settings of one stack, ports settled.
#[derive(Clone, Debug)]
pub struct Settings {
    values: BTreeMap<String, String>,
}

/// What the Compose tool reads the profiles from whose services it starts.
const PROFILES: &str = "COMPOSE_PROFILES";
/// The profile of the one service that the stack can do without.
const GRAFANA: &str = "grafana";

/// Whether the ports of `.env` are taken as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// As set; a 0 becomes a free port.
    AsSet,
    /// All free ones, so that a second stack can stand beside the user's.
    Free,
}

impl Settings {
    /// Reads `testbed/.env`; a variable of the environment goes before a line of the file.
    ///
    /// # Errors
    /// The file cannot be read, or has a line that is no `NAME=value`.
    pub fn read(ports: Ports) -> Result<Self, Trouble> {
        let path = root().join("testbed/.env");
        let text = std::fs::read_to_string(&path).map_err(|e| Trouble::file(&path, e))?;
        let mut values = parse(&text).map_err(|why| Trouble::file(&path, why))?;
        for (name, value) in &mut values {
            if let Ok(set) = std::env::var(name) {
                *value = set;
            }
        }
        let mut settings = Self { values };
        settings.settle_ports(ports)?;
        Ok(settings)
    }

    /// The value of a setting.
    ///
    /// # Errors
    /// There is no such setting.
    pub fn value(&self, name: &str) -> Result<&str, Trouble> {
        let missing = || Trouble::Setting {
            name: name.to_owned(),
            why: "missing in testbed/.env".to_owned(),
        };
        self.values.get(name).map(String::as_str).ok_or_else(missing)
    }

    /// Sets a value, for a stack beside the user's.
    pub fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), value.to_owned());
    }

    /// The name under which containers, networks and run-time files of this stack go.
    ///
    /// # Errors
    /// The setting is missing.
    pub fn project(&self) -> Result<&str, Trouble> {
        self.value("COMPOSE_PROJECT_NAME")
    }

    /// All settings, for the environment of docker-compose.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// `text` with every `${NAME}` replaced.
    ///
    /// # Errors
    /// A name is not set, or a brace is not closed.
    pub fn interpolate(&self, text: &str) -> Result<String, Trouble> {
        let mut rest = text;
        let mut whole = String::new();
        while let Some((before, after)) = rest.split_once("${") {
            let unclosed =
                || Trouble::Setting { name: text.to_owned(), why: "a ${ without its }".to_owned() };
            let (name, behind) = after.split_once('}').ok_or_else(unclosed)?;
            whole.push_str(before);
            whole.push_str(self.value(name)?);
            rest = behind;
        }
        whole.push_str(rest);
        Ok(whole)
    }

    /// Says which port is taken before anything is started on it; Grafana's only when Grafana is to be started.
    ///
    /// # Errors
    /// [`Trouble::PortTaken`] for the first.
    pub fn check_ports_free(&self) -> Result<(), Trouble> {
        let is_used = |name: &str| name != "GRAFANA_PORT" || self.has_grafana();
        for (name, value) in self.values.iter().filter(|(name, _)| name.ends_with("_PORT")) {
            let port = read_port(name, value)?;
            if is_used(name) && TcpListener::bind(("127.0.0.1", port)).is_err() {
                return Err(Trouble::PortTaken { name: name.clone(), port });
            }
        }
        Ok(())
    }

    /// Whether Grafana belongs to this stack; see [`Settings::add_grafana`].
    #[must_use]
    pub fn has_grafana(&self) -> bool {
        self.values.get(PROFILES).is_some_and(|profiles| profiles == GRAFANA)
    }

    /// Adds Grafana to this stack: the Compose tool then sees its service.
    pub fn add_grafana(&mut self) {
        self.set(PROFILES, GRAFANA);
    }

    fn settle_ports(&mut self, ports: Ports) -> Result<(), Trouble> {
        // Held together until all are chosen, so that none is chosen twice.
        let mut held = Vec::new();
        for (name, value) in self.values.iter_mut().filter(|(name, _)| name.ends_with("_PORT")) {
            if read_port(name, value)? == 0 || ports == Ports::Free {
                let (listener, port) = free_port().map_err(|e| Trouble::Setting {
                    name: name.clone(),
                    why: format!("no free port on 127.0.0.1 ({e})"),
                })?;
                *value = port.to_string();
                held.push(listener);
            }
        }
        Ok(())
    }
}

fn read_port(name: &str, value: &str) -> Result<u16, Trouble> {
    let why = || format!("found \"{value}\", allowed is a port from 0 to 65535");
    value.parse().map_err(|_| Trouble::Setting { name: name.to_owned(), why: why() })
}

/// A free port on 127.0.0.1, and the listener that keeps it until it is dropped.
pub(super) fn free_port() -> std::io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| match line.split_once('=') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            None => Err(format!("found \"{line}\", allowed is NAME=value or a comment")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        Settings { values: parse(text).unwrap() }
    }

    #[test]
    fn lines_are_names_and_values() {
        let set = settings("# words\n\nA_PORT=1\nB = x=y \n");
        assert_eq!((set.value("A_PORT").unwrap(), set.value("B").unwrap()), ("1", "x=y"));
        assert_eq!(
            parse("oops").unwrap_err(),
            "found \"oops\", allowed is NAME=value or a comment"
        );
        assert_eq!(set.value("C").unwrap_err().to_string(), "C: missing in testbed/.env");
    }

    #[test]
    fn names_in_braces_are_replaced() {
        let set = settings("A=1\nB=2");
        assert_eq!(set.interpolate("127.0.0.1:${A}:${B}").unwrap(), "127.0.0.1:1:2");
        assert_eq!(set.interpolate("plain").unwrap(), "plain");
        assert!(set.interpolate("${C}").is_err());
        assert!(set.interpolate("${A").is_err());
    }

    #[test]
    fn a_port_of_zero_becomes_a_free_one_and_no_two_are_alike() {
        let mut set = settings("A_PORT=0\nB_PORT=0\nC_PORT=7");
        set.settle_ports(Ports::AsSet).unwrap();
        assert_ne!(set.value("A_PORT").unwrap(), set.value("B_PORT").unwrap());
        assert_eq!(set.value("C_PORT").unwrap(), "7");
        let why = settings("A_PORT=high").settle_ports(Ports::AsSet).unwrap_err().to_string();
        assert_eq!(why, "A_PORT: found \"high\", allowed is a port from 0 to 65535");
    }

    #[test]
    fn the_port_of_a_grafana_that_is_not_started_may_be_taken() {
        let (_listener, port) = free_port().unwrap();
        let mut set = settings(&format!("GRAFANA_PORT={port}"));
        set.check_ports_free().unwrap();
        set.add_grafana();
        assert!(set.has_grafana() && set.check_ports_free().is_err());
    }

    #[test]
    fn a_port_in_use_is_named_with_its_setting() {
        let (_listener, port) = free_port().unwrap();
        let why = settings(&format!("A_PORT={port}")).check_ports_free().unwrap_err().to_string();
        assert_eq!(
            why,
            format!(
                "port {port} on 127.0.0.1 is in use; set A_PORT to another port, for instance A_PORT=0 for a free one"
            )
        );
    }
}
