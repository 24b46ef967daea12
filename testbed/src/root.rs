//! Where things lie in the project's tree.

use std::path::PathBuf;

/// The project's root: `WEIR_ROOT` if set, else the tree that this program was built from.
pub fn root() -> PathBuf {
    if let Some(root) = std::env::var_os("WEIR_ROOT") {
        return PathBuf::from(root);
    }
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// The file of a module that `make build` writes, for instance `module("gateway")`.
///
/// The file may be missing; whoever needs it says so and names `make build`.
pub fn module(filter: &str) -> PathBuf {
    root().join("dist").join(format!("weir_{}.wasm", filter.replace('-', "_")))
}
