//! `weir-pack`: linked modules in, the modules that ship out.
//!
//! Exit code 0 if every module was packed; 1, with a line per module that could not be, if not.

#![allow(clippy::print_stdout, reason = "the table is what this program is asked for")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use weir_testbed::pack::{Packed, outputs, pack, report};

/// Drops from linked modules what Envoy need not see, checks them, and prints a table.
#[derive(Debug, Parser)]
#[command(name = "weir-pack")]
struct Arguments {
    /// The folder for the packed modules; they keep their names.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Print no table.
    #[arg(long)]
    quiet: bool,
    /// The linked modules.
    #[arg(required = true, value_name = "MODULE.wasm")]
    linked: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut packed = Vec::new();
    for linked in &arguments.linked {
        let path = arguments.out.join(linked.file_name().unwrap_or_default());
        match pack_file(linked, &path) {
            Ok(module) => packed.push((path, module)),
            Err(problem) => eprintln!("weir-pack: {}: {problem}", linked.display()),
        }
    }
    if !arguments.quiet {
        let rows: Vec<_> = packed.iter().map(|(path, module)| (path.as_path(), module)).collect();
        print!("{}", report::table(&rows));
    }
    if packed.len() == arguments.linked.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Packs one file into another; the error is a sentence for the person who builds.
fn pack_file(linked: &Path, path: &Path) -> Result<Packed, String> {
    let bytes = std::fs::read(linked).map_err(|error| error.to_string())?;
    let module = pack(&bytes).map_err(|refusal| refusal.to_string())?;
    outputs::write(path, &module.wasm)
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(module)
}
