//! Turns a linked module into the one that ships.
//!
//! The linker exports every callback that the SDK knows, and Envoy calls whatever is exported.
//! An empty callback is not free: dropping the unused ones halves the fixed cost of a filter.
//! Each module says in the section [`Callbacks::SECTION`] which callbacks it uses;
//! packing removes the other exports, then everything that only they reached, then the section itself.
//! The name section stays, so that the backtrace of a trap can be read.
//!
//! Packing also holds the module to what every Envoy 1.40 provides: [`ALLOWED_IMPORTS`] and nothing else.
//! It is a function of its input: the same linked module gives the same bytes.

pub mod exports;
pub mod imports;
pub mod outputs;
pub mod report;

use kit::callbacks::Callbacks;
use walrus::ModuleConfig;

pub use imports::ALLOWED_IMPORTS;

/// A module as it ships.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The bytes of the module.
    pub wasm: Vec<u8>,
    /// What it needs of its host, as `module.name`, sorted.
    pub imports: Vec<String>,
    /// The callbacks of [`kit::callbacks::Callback`] that it exports, in the order of their bits.
    pub callbacks: Vec<&'static str>,
}

/// Why a module cannot ship.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes do not validate as a WebAssembly module.
    #[error("not a valid WebAssembly module: {0}")]
    Invalid(String),
    /// The module does not say which callbacks it uses.
    #[error(
        "no custom section \"{}\"; build the crate with its feature \"module\" and name its filter in kit's `module!`",
        Callbacks::SECTION
    )]
    Undeclared,
    /// The section is there, with something else than one set in it.
    #[error(
        "the custom section \"{}\" has {found} bytes, exactly 4 are allowed; a module names one filter only",
        Callbacks::SECTION
    )]
    SectionLength {
        /// The length of the section in bytes.
        found: usize,
    },
    /// The set has bits that stand for no callback.
    #[error(
        "the custom section \"{}\" has unknown bits {bits:#x}; build weir-pack from the tree that the module is from",
        Callbacks::SECTION
    )]
    UnknownBits {
        /// The bits without meaning.
        bits: u32,
    },
    /// Something is missing without which Envoy cannot use the module.
    #[error("no export {name}: {why}")]
    Missing {
        /// The export's name.
        name: &'static str,
        /// What needs it.
        why: &'static str,
    },
    /// The module needs what Envoy does not provide.
    #[error("imports {found}; allowed are {ALLOWED_IMPORTS}")]
    Imports {
        /// The imports that are not allowed, as `module.name`, separated by commas.
        found: String,
    },
}

/// Packs one linked module.
///
/// **Errors** Each variant of [`Refusal`]; nothing is mended in silence.
pub fn pack(linked: &[u8]) -> Result<Packed, Refusal> {
    let mut module = ModuleConfig::new()
        .generate_name_section(true)
        .generate_producers_section(false)
        .parse(linked)
        .map_err(|error| Refusal::Invalid(format!("{error:#}")))?;
    let used = exports::take_declaration(&mut module)?;
    let callbacks = exports::keep_only(&mut module, used)?;
    walrus::passes::gc::run(&mut module);
    let imports = imports::check(&module)?;
    Ok(Packed { wasm: module.emit_wasm(), imports, callbacks })
}

#[cfg(test)]
mod tests;
