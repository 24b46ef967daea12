//! The container engine and its Compose tool: which there are, and how they are called.

use std::process::Command;

use super::compose_file;
use super::run;
use super::settings::Settings;
use super::trouble::Trouble;

/// A container engine that answers, with a Compose tool.
#[derive(Clone, Debug)]
pub struct Engine {
    compose: Vec<&'static str>,
}

/// The Compose tools that are understood, in the order of preference: the plugin, then docker-compose 1.29.
const TOOLS: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];

impl Engine {
    /// Looks for the engine and its Compose tool.
    ///
    /// # Errors
    /// [`Trouble::NoEngine`] says which part is missing.
    pub fn find() -> Result<Self, Trouble> {
        let none = |why: String| Err(Trouble::NoEngine(why));
        if run::find("docker").is_err() {
            return none("the program docker is not installed".to_owned());
        }
        if let Err(trouble) = docker(&["version", "--format", "{{.Server.Version}}"]) {
            let why = trouble.to_string();
            return none(format!(
                "its daemon does not answer ({})",
                why.lines().last().unwrap_or_default()
            ));
        }
        let answers = |tool: &&&[&'static str]| {
            let mut command = Command::new(tool.first().unwrap_or(&"docker"));
            command.args(tool.iter().skip(1)).arg("version");
            run::output(command).is_ok()
        };
        match TOOLS.iter().find(answers) {
            Some(tool) => Ok(Self { compose: tool.to_vec() }),
            None => none(
                "neither the Compose plugin (`docker compose`) nor docker-compose is installed"
                    .to_owned(),
            ),
        }
    }

    /// A command of the Compose tool for the stack with these settings.
    ///
    /// # Errors
    /// The project name is missing.
    pub fn compose(&self, settings: &Settings, arguments: &[&str]) -> Result<Command, Trouble> {
        let mut words = self.compose.iter();
        let mut command = Command::new(words.next().unwrap_or(&"docker-compose"));
        command.args(words).args(["--project-name", settings.project()?]);
        command.arg("--project-directory").arg(compose_file::folder());
        command.arg("--env-file").arg(compose_file::folder().join(".env"));
        command.arg("--file").arg(compose_file::path());
        // The ports are settled by now, and the environment goes before the file.
        command.args(arguments).envs(settings.pairs());
        Ok(command)
    }
}

/// What a short docker command writes.
///
/// # Errors
/// It fails; the message has its last lines.
pub fn docker(arguments: &[&str]) -> Result<String, Trouble> {
    let mut command = Command::new("docker");
    command.args(arguments);
    run::output(command)
}
