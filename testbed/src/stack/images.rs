//! The images of the stack: there, pulled, or built here.
//!
//! Public images are the default. Where one cannot be pulled, stand-ins are built under the very names of `.env` from
//! Debian (`debootstrap`), the Envoy binary that `make setup` unpacked and Debian's packages of Redis and Prometheus,
//! so that the compose file runs unchanged. An image that is there is used as it is.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::compose_file;
use super::engine::docker;
use super::run::{self, Stop};
use super::settings::Settings;
use super::trouble::Trouble;
use crate::envoy;
use crate::root::root;

/// The Debian release of the stand-ins; Envoy's binary and both packages run on it.
const DEBIAN: &str = "bookworm";

/// Where images come from when they are not there, and came from in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Pulled; stand-ins when that fails.
    Registry,
    /// Stand-ins at once.
    StandIns,
}

/// Sees to it that every image that the stack needs is there; says where those came from that were not.
///
/// # Errors
/// An image can neither be pulled nor built.
pub fn ensure(
    settings: &Settings,
    source: Source,
    stop: &Stop,
    say: fn(&str),
) -> Result<Source, Trouble> {
    build_upstream(settings, stop, say)?;
    let mut source = source;
    for part in ["ENVOY", "REDIS", "PROMETHEUS"] {
        let image = settings.value(&format!("{part}_IMAGE"))?;
        if is_there(image) {
            continue;
        }
        if source == Source::Registry {
            say(&format!("pulling {image}"));
            let mut pull = Command::new("docker");
            pull.args(["pull", image]);
            match run::follow(pull, stop, |_| ()) {
                Ok(()) => continue,
                Err(Trouble::Stopped) => return Err(Trouble::Stopped),
                Err(trouble) => {
                    let why = trouble.to_string();
                    say(&format!(
                        "cannot pull {image}: {}",
                        why.lines().last().unwrap_or_default()
                    ));
                    say(
                        "building stand-ins from Debian under the same names instead; this takes a minute or two, once",
                    );
                    source = Source::StandIns;
                }
            }
        }
        build_stand_in(part, image, settings, stop, say)?;
    }
    Ok(source)
}

/// Adds Grafana to the stack if its image is there or can be pulled, else says in one line that it is not.
///
/// There is no stand-in: where the others could not be pulled, this one is not tried.
///
/// # Errors
/// The user asked to stop; or the setting is missing.
pub fn add_grafana(
    settings: &mut Settings,
    source: Source,
    stop: &Stop,
    say: fn(&str),
) -> Result<(), Trouble> {
    let image = settings.value("GRAFANA_IMAGE")?.to_owned();
    if image.is_empty() {
        return Ok(());
    }
    if !is_there(&image) {
        if source == Source::Registry {
            say(&format!("pulling {image}"));
            let mut pull = Command::new("docker");
            pull.args(["pull", &image]);
            if let Err(Trouble::Stopped) = run::follow(pull, stop, |_| ()) {
                return Err(Trouble::Stopped);
            }
        }
        if !is_there(&image) {
            say(&without_grafana(&format!("{image} cannot be pulled")));
            return Ok(());
        }
    }
    settings.add_grafana();
    Ok(())
}

/// The line that says why there is no Grafana, and what there is nevertheless.
pub fn without_grafana(why: &str) -> String {
    format!("Grafana is not started, {why}; its dashboards lie in testbed/grafana all the same")
}

/// The demo upstream's static program, built if need be.
///
/// # Errors
/// The build fails.
pub fn upstream_program(stop: &Stop, say: fn(&str)) -> Result<PathBuf, Trouble> {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let installed = run::output(command("rustup", &["target", "list", "--installed"], &root()))?;
    if !installed.lines().any(|line| line == target) {
        run::follow(command("rustup", &["target", "add", &target], &root()), stop, |_| ())?;
    }
    let build = [
        "build",
        "--locked",
        "--profile",
        "tool",
        "--package",
        "weir-upstream",
        "--target",
        &target,
    ];
    let mut cargo = command("cargo", &build, &root());
    // A static program that runs in an image without a library; settings of the caller's own build do not apply.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo.arg("--target-dir").arg(root().join("target"));
    run::follow(cargo, stop, move |line| {
        if line.contains("Compiling") {
            say(line.trim());
        }
    })?;
    Ok(root().join("target").join(target).join("tool/weir-upstream"))
}

fn build_upstream(settings: &Settings, stop: &Stop, say: fn(&str)) -> Result<(), Trouble> {
    let image = settings.value("UPSTREAM_IMAGE")?;
    say(&format!("building {image}"));
    let program = upstream_program(stop, say)?;
    let before = id(image);
    build("upstream", image, None, &[&program], stop)?;
    if before.is_some() && before != id(image) {
        // The image that lost its name; a container that still runs from it keeps it.
        let _ = docker(&["image", "rm", before.as_deref().unwrap_or_default()]);
    }
    Ok(())
}

fn build_stand_in(
    part: &str,
    image: &str,
    settings: &Settings,
    stop: &Stop,
    say: fn(&str),
) -> Result<(), Trouble> {
    let base = settings.value("STANDIN_BASE_IMAGE")?;
    if !is_there(base) {
        say(&format!("building {base} with debootstrap"));
        build_base(base, stop)?;
    }
    say(&format!("building {image} on {base}"));
    match part {
        "ENVOY" => {
            let binary = envoy::binary().map_err(|e| Trouble::file(root().join(".tools"), e))?;
            build("envoy", image, Some(base), &[&binary], stop)
        }
        "REDIS" => build("redis", image, Some(base), &[], stop),
        _ => build("prometheus", image, Some(base), &[], stop),
    }
}

fn is_there(image: &str) -> bool {
    id(image).is_some()
}

fn id(image: &str) -> Option<String> {
    let inspected = docker(&["image", "inspect", "--format", "{{.Id}}", image]);
    inspected.ok().map(|id| id.trim().to_owned())
}

/// A minimal Debian, made on this machine and brought in as one layer.
fn build_base(image: &str, stop: &Stop) -> Result<(), Trouble> {
    run::find("debootstrap")?;
    if !rustix::process::geteuid().is_root() {
        return Err(Trouble::Command {
            what: "debootstrap".to_owned(),
            tail: "it needs the rights of root; run `make testbed-images` as root once".to_owned(),
        });
    }
    let folder = scratch()?;
    let tree = folder.path().join("debian");
    let archive = folder.path().join("debian.tar");
    let (tree_text, archive_text) = (tree.display().to_string(), archive.display().to_string());
    let bootstrap = ["--variant=minbase", DEBIAN, &tree_text];
    run::follow(command("debootstrap", &bootstrap, folder.path()), stop, |_| ())?;
    let pack =
        ["--create", "--one-file-system", "--file", &archive_text, "--directory", &tree_text, "."];
    run::output(command("tar", &pack, folder.path()))?;
    run::output(command("docker", &["import", &archive_text, image], folder.path())).map(|_| ())
}

/// Builds `testbed/images/<name>.Dockerfile` with these files as its whole context.
fn build(
    name: &str,
    image: &str,
    base: Option<&str>,
    files: &[&Path],
    stop: &Stop,
) -> Result<(), Trouble> {
    let context = scratch()?;
    for file in files {
        let copy = context.path().join(file.file_name().unwrap_or_default());
        std::fs::copy(file, &copy).map_err(|e| Trouble::file(*file, e))?;
    }
    let recipe =
        compose_file::folder().join(format!("images/{name}.Dockerfile")).display().to_string();
    let mut build =
        command("docker", &["build", "--tag", image, "--file", &recipe], context.path());
    if let Some(base) = base {
        build.arg("--build-arg").arg(format!("BASE={base}"));
    }
    build.arg(context.path());
    run::follow(build, stop, |_| ())
}

fn scratch() -> Result<tempfile::TempDir, Trouble> {
    let folder = tempfile::Builder::new().prefix("weir-images-").tempdir();
    folder.map_err(|e| Trouble::file(std::env::temp_dir(), e))
}

fn command(program: &str, arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    command
}
