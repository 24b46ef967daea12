//! One service's command for this machine, and the files that it reads.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::compose_file::Service;
use super::super::rewrite::Rewrite;
use super::super::run;
use super::super::trouble::Trouble;
use crate::envoy;
use crate::yaml;

/// The command of a service with the paths and addresses of this machine; its YAML files are rewritten into `folder`.
pub(super) fn command(
    service: &Service,
    rewrite: &Rewrite,
    folder: &Path,
    upstream: &Path,
) -> Result<Command, Trouble> {
    std::fs::create_dir_all(folder).map_err(|e| Trouble::file(folder, e))?;
    let (program, arguments) = service
        .command
        .split_first()
        .ok_or_else(|| Trouble::NoProgram { program: service.name.clone() })?;
    let mut command = Command::new(program_here(program, upstream)?);
    command.current_dir(folder);
    for argument in arguments {
        command.arg(with_file(argument, rewrite, folder)?);
    }
    Ok(command)
}

fn program_here(program: &str, upstream: &Path) -> Result<PathBuf, Trouble> {
    match program.rsplit('/').next().unwrap_or(program) {
        "weir-upstream" => Ok(upstream.to_owned()),
        "envoy" => envoy::binary().map_err(|e| Trouble::file("envoy", e)),
        name => run::find(name),
    }
}

/// The argument rewritten; a YAML file of a mounted folder is written anew with its addresses rewritten.
fn with_file(argument: &str, rewrite: &Rewrite, folder: &Path) -> Result<String, Trouble> {
    let (flag, value) = match argument.split_once('=') {
        Some((flag, value)) if flag.starts_with("--") => (format!("{flag}="), value),
        _ => (String::new(), argument),
    };
    let Some(source) =
        rewrite.path(value).filter(|path| path.extension().is_some_and(|end| end == "yaml"))
    else {
        return Ok(rewrite.argument(argument));
    };
    let mut tree = yaml::read(&source).map_err(|e| Trouble::file(&source, e))?;
    rewrite.tree(&mut tree);
    // JSON is YAML too.
    let written = folder.join(source.file_name().unwrap_or_default());
    let text = serde_json::to_string_pretty(&tree).map_err(|e| Trouble::file(&written, e))?;
    std::fs::write(&written, text).map_err(|e| Trouble::file(&written, e))?;
    Ok(format!("{flag}{}", written.display()))
}

#[cfg(test)]
mod tests {
    use super::super::super::compose_file;
    use super::super::super::settings::{Ports, Settings};
    use super::*;

    /// Whole numbers and fractions of one value are one number.
    fn as_fractions(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Number(number) => *value = number.as_f64().unwrap().into(),
            serde_json::Value::Array(items) => items.iter_mut().for_each(as_fractions),
            serde_json::Value::Object(fields) => fields.values_mut().for_each(as_fractions),
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::String(_) => {
            }
        }
    }

    #[test]
    fn metrics_are_shown_as_by_the_proxy() {
        let mut bootstrap = yaml::read(&compose_file::folder().join("envoy/envoy.yaml")).unwrap();
        let mut expected = crate::proxy::stats::stats_config();
        as_fractions(&mut bootstrap["stats_config"]);
        as_fractions(&mut expected);
        assert_eq!(bootstrap["stats_config"], expected);
    }

    #[test]
    fn envoys_bootstrap_names_no_container_afterwards() {
        let settings = Settings::read(Ports::Free).unwrap();
        let services = compose_file::services(&settings).unwrap();
        let ports = super::super::ports(&services).unwrap();
        let service = services.iter().find(|service| service.name == "envoy").unwrap();
        let paths = service.mounts.iter().map(|(from, to)| (to.clone(), from.clone())).collect();
        let rewrite = Rewrite { ports, paths, own: "envoy".to_owned() };
        let folder = tempfile::tempdir().unwrap();
        let argument = with_file("/etc/weir/envoy.yaml", &rewrite, folder.path()).unwrap();
        let text = std::fs::read_to_string(argument).unwrap();
        for left in [
            "0.0.0.0",
            "upstream-",
            "/opt/weir",
            "\"port_value\": 10000",
            "\"port_value\": 10001",
            "\"port_value\": 10002",
            "\"port_value\": 9901",
            "\"port_value\": 8080",
        ] {
            assert!(!text.contains(left), "{left} is still in the bootstrap");
        }
        assert!(text.contains("weir_gateway.wasm"));
    }
}
