//! The rules of the house that a machine can check.
//!
//! Each rule collects everything that breaks it, so that one run shows all there is to mend.
#![allow(clippy::expect_used, clippy::panic, reason = "a rule that cannot be checked fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::sim::root;

/// Lines that a source file may have; tests, which are tables more often than code, may have more.
const MAX_LINES: usize = 400;
const MAX_TEST_LINES: usize = 500;

/// Folders that a build makes: a README may name them before they exist.
const BUILT: [&str; 3] = ["dist/", "target/", ".tools/"];

/// A file of the repository, tracked or about to be.
struct File {
    /// Relative to the top, with forward slashes.
    path: String,
    text: String,
}

/// All text files that git tracks or would add.
fn files() -> Vec<File> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files; install git");
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    let mut files = Vec::new();
    for path in names.lines() {
        // A file that is deleted and not yet committed is listed, and a picture is not text.
        if let Ok(text) = fs::read_to_string(root().join(path)) {
            files.push(File { path: path.to_owned(), text });
        }
    }
    files
}

fn with_extension(extensions: &[&str]) -> Vec<File> {
    let mut files = files();
    files.retain(|file| extensions.iter().any(|extension| file.path.ends_with(extension)));
    files
}

/// Lines of a file with their numbers from 1.
fn lines(file: &File) -> impl Iterator<Item = (usize, &str)> {
    file.text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

fn assert_none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// Names of the folders in `filters/`.
fn filters() -> Vec<String> {
    let entries = fs::read_dir(root().join("filters")).expect("filters/ exists");
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn filters_never_name_each_other_and_kit_names_nobody() {
    let filters = filters();
    let mut broken = Vec::new();
    for own in filters.iter().filter(|name| *name != "gateway") {
        let folder = format!("filters/{own}/");
        for file in with_extension(&[".rs", ".toml"]).iter().filter(|f| f.path.starts_with(&folder))
        {
            for other in filters.iter().filter(|other| *other != own && *other != "kit") {
                let crates = [format!("weir-{other}"), format!("weir_{}", other.replace('-', "_"))];
                for (number, line) in lines(file) {
                    if crates.iter().any(|name| has_word(line, name)) {
                        broken.push(format!("{}:{number}: names {other}", file.path));
                    }
                }
            }
        }
    }
    assert_none("a filter must not know another one; what two need belongs in kit", &broken);
}

/// Whether a line has this name as a whole: `weir_rate_limited` is another word than `weir_rate_limit`.
fn has_word(line: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| !line[at + name.len()..].starts_with(is_part))
}

#[test]
fn the_target_is_asked_for_only_where_a_crate_is_put_together() {
    let allowed = |path: &str| {
        path.ends_with("/lib.rs")
            || path.starts_with("filters/kit/src/host")
            || path.contains("/tests/")
            || path.ends_with("/tests.rs")
    };
    let mut broken = Vec::new();
    for file in with_extension(&[".rs"]).iter().filter(|file| !allowed(&file.path)) {
        if !file.path.starts_with("filters/") {
            continue;
        }
        // A file's tests, which end it, may say where they run; its policy may not.
        let policy = lines(file).take_while(|(_, line)| *line != "mod tests {");
        for (number, line) in
            policy.filter(|(_, line)| line.contains(concat!("cfg(", "target_arch")))
        {
            broken.push(format!("{}:{number}: {}", file.path, line.trim()));
        }
    }
    assert_none("policy must not depend on its target; only lib.rs and kit's host may", &broken);
}

#[test]
fn files_are_short() {
    let mut broken = Vec::new();
    for file in with_extension(&[".rs", ".sh", ".py", ".js"]) {
        let is_test = file.path.contains("/tests/") || file.path.starts_with("tests/");
        let limit = if is_test { MAX_TEST_LINES } else { MAX_LINES };
        let count = file.text.lines().count();
        if count > limit {
            broken.push(format!("{}: {count} lines, at most {limit}", file.path));
        }
    }
    assert_none("split a file by idea before it grows long", &broken);
}

#[test]
fn rust_files_say_what_they_are_for() {
    let broken: Vec<String> = with_extension(&[".rs"])
        .iter()
        .filter(|file| !file.path.ends_with("/tests.rs"))
        .filter(|file| !file.text.starts_with("//!") && !file.text.starts_with("#!["))
        .map(|file| file.path.clone())
        .collect();
    assert_none("a file starts with a line of documentation (//!)", &broken);
}

#[test]
fn nothing_is_left_for_later() {
    let words =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("#[", "ignore"), concat!("todo", "!(")];
    let mut broken = Vec::new();
    for file in files().iter().filter(|file| file.path != "Cargo.lock" && file.path != "Cargo.toml")
    {
        for (number, line) in lines(file) {
            if words.iter().any(|word| line.contains(word)) {
                broken.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    assert_none("finish it, or write an issue", &broken);
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let roots = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tmp", "/w/")];
    let mut broken = Vec::new();
    for file in files() {
        for (number, line) in lines(&file) {
            if roots.iter().any(|path| line.contains(path)) {
                broken.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    assert_none("the project must run anywhere", &broken);
}

#[test]
fn manifests_take_the_lints_of_the_workspace() {
    let broken: Vec<String> = with_extension(&["/Cargo.toml"])
        .iter()
        .filter(|file| !file.text.contains("[lints]\nworkspace = true"))
        .map(|file| file.path.clone())
        .collect();
    assert_none("a crate says `[lints] workspace = true`", &broken);
}

#[test]
fn lines_do_not_end_in_blanks() {
    let mut broken = Vec::new();
    for file in with_extension(&[".rs", ".toml", ".md", ".yaml", ".json", "Makefile", ".sh"]) {
        for (number, _) in lines(&file).filter(|(_, line)| line.ends_with([' ', '\t'])) {
            broken.push(format!("{}:{number}", file.path));
        }
    }
    assert_none("blanks at the end of a line", &broken);
}

#[test]
fn every_path_in_a_readme_exists() {
    let mut broken = Vec::new();
    for file in with_extension(&["README.md"]) {
        let here = Path::new(&file.path).parent().unwrap_or_else(|| Path::new(""));
        for (number, line) in lines(&file) {
            for path in quoted(line).filter(|word| looks_like_a_path(word)) {
                let bases = [root().join(here), root()];
                let found = bases.iter().any(|base| base.join(path.trim_end_matches('/')).exists());
                if !found && !BUILT.iter().any(|built| path.starts_with(built)) {
                    broken.push(format!("{}:{number}: {path}", file.path));
                }
            }
        }
    }
    assert_none(
        "a path in backticks must exist, from the README's folder or from the top",
        &broken,
    );
}

/// What stands between backticks in a line; a fence has none.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    let fence = line.trim_start().starts_with("```");
    line.split('`').skip(1).step_by(2).filter(move |_| !fence)
}

/// A relative path: a folder with its slash at the end, or a file with a known ending in a folder.
fn looks_like_a_path(word: &str) -> bool {
    const ENDINGS: [&str; 11] = [
        ".rs", ".toml", ".md", ".yaml", ".yml", ".json", ".html", ".sh", ".wasm", ".golden", ".env",
    ];
    let plain = word
        .chars()
        .all(|character| character.is_ascii_alphanumeric() || "-_./".contains(character));
    let relative = !word.starts_with('/') && !word.starts_with("..") && word.contains('/');
    plain
        && relative
        && (word.ends_with('/') || ENDINGS.iter().any(|ending| word.ends_with(ending)))
}

/// The sections that the README of a filter has, in this order; it may have more behind them.
const SECTIONS: [&str; 9] = [
    "What it decides",
    "Configuration",
    "What clients see",
    "Metrics",
    "Messages",
    "Failure mode",
    "Memory",
    "Cost",
    "Limits known",
];

#[test]
fn folders_have_a_readme_and_those_of_filters_one_shape() {
    let mut broken = Vec::new();
    let mut folders: Vec<String> =
        filters().iter().map(|filter| format!("filters/{filter}")).collect();
    folders.extend(["envoy", "testbed", "tests"].map(str::to_owned));
    for folder in folders {
        let Ok(text) = fs::read_to_string(root().join(&folder).join("README.md")) else {
            broken.push(format!("{folder}: has no README.md"));
            continue;
        };
        if !text.starts_with("# ") {
            broken.push(format!("{folder}: its README does not start with a title"));
        }
        let is_filter = folder.starts_with("filters/") && !folder.ends_with("/kit");
        let headings = headings(&text);
        if is_filter && !headings.starts_with(&SECTIONS.map(str::to_owned)) {
            broken.push(format!("{folder}: its sections are {headings:?}, not {SECTIONS:?}"));
        }
    }
    assert_none("each folder explains itself, filters all in the same sections", &broken);
}

/// The sections of a Markdown text, outside of code.
fn headings(text: &str) -> Vec<String> {
    let mut in_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        }
        if let Some(title) = line.strip_prefix("## ").filter(|_| !in_code) {
            found.push(title.to_owned());
        }
    }
    found
}

#[test]
fn every_invalid_configuration_has_the_message_that_it_provokes() {
    let folder = root().join("envoy/invalid");
    let mut configurations = Vec::new();
    walk(&folder, &mut configurations);
    configurations.retain(|path| path.extension().is_some_and(|e| e == "json" || e == "yaml"));
    assert!(!configurations.is_empty(), "envoy/invalid/ has no configurations");
    let broken: Vec<String> = configurations
        .iter()
        .filter(|path| !fs::read_to_string(path).is_ok_and(|text| expects_a_rejection(&text)))
        .map(|path| path.strip_prefix(root()).unwrap_or(path).display().to_string())
        .collect();
    assert_none(
        "it starts with `# expect: ` and the message, a line for each problem and one that closes",
        &broken,
    );
}

/// Whether a configuration begins with the lines that it provokes: its problems, then the rejection.
fn expects_a_rejection(text: &str) -> bool {
    let expected: Vec<&str> =
        text.lines().map_while(|line| line.strip_prefix("# expect: ")).collect();
    match expected.split_last() {
        Some((last, problems)) => !problems.is_empty() && last.contains("configuration rejected ("),
        None => false,
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}
