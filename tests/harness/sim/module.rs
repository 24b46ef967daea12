//! A compiled module: what it imports and exports, and where the shipped ones are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use wasmi::{Config, Engine, ExternType};

/// A module, compiled once per process for fuel metering.
#[derive(Clone)]
pub struct Module {
    name: String,
    compiled: wasmi::Module,
}

/// The modules that an operator gets, without `.wasm`.
pub const SHIPPED: [&str; 5] = [
    "weir_rate_limit",
    "weir_response_cache",
    "weir_circuit_breaker",
    "weir_metrics",
    "weir_gateway",
];

impl Module {
    /// A module of `dist/`.
    ///
    /// # Panics
    /// When it is not there; the message names the command that builds it.
    #[must_use]
    pub fn shipped(name: &str) -> Self {
        Self::load(&root().join("dist").join(format!("{name}.wasm")), "make build")
    }

    /// The module that exists for tests only: it traps, calls out and wakes on demand.
    ///
    /// # Panics
    /// When it is not there; the message names the command that builds it.
    #[must_use]
    pub fn probe() -> Self {
        Self::load(&root().join("target/probe/weir_probe.wasm"), "make probe")
    }

    /// Compiles bytes (WebAssembly, or its text form).
    ///
    /// # Errors
    /// What the compiler says.
    pub fn compile(name: &str, bytes: &[u8]) -> Result<Self, wasmi::Error> {
        let compiled = wasmi::Module::new(engine(), bytes)?;
        Ok(Self { name: name.to_owned(), compiled })
    }

    /// The file's name without `.wasm`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it imports, as `module.function`.
    #[must_use]
    pub fn imports(&self) -> Vec<String> {
        self.compiled
            .imports()
            .map(|import| format!("{}.{}", import.module(), import.name()))
            .collect()
    }

    /// The names of what it exports.
    #[must_use]
    pub fn exports(&self) -> Vec<String> {
        self.compiled.exports().map(|export| export.name().to_owned()).collect()
    }

    /// Pages of memory that it starts with: its data and its stack.
    #[must_use]
    pub fn initial_pages(&self) -> u64 {
        let memory = self.compiled.get_export("memory");
        memory.as_ref().and_then(ExternType::memory).map_or(0, |memory| memory.minimum())
    }

    /// The bytes of a custom section.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<Vec<u8>> {
        let mut sections = self.compiled.custom_sections();
        sections.find(|section| section.name() == name).map(|section| section.data().to_vec())
    }

    pub(crate) const fn compiled(&self) -> &wasmi::Module {
        &self.compiled
    }

    fn load(path: &Path, command: &str) -> Self {
        static COMPILED: Mutex<BTreeMap<PathBuf, Module>> = Mutex::new(BTreeMap::new());
        let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = compiled.get(path) {
            return module.clone();
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = std::fs::read(path).unwrap_or_else(|error| {
            let file = path.strip_prefix(root()).unwrap_or(path).display();
            panic!("{file} cannot be read ({error}): run `{command}` first")
        });
        let module = Self::compile(&name, &bytes)
            .unwrap_or_else(|error| panic!("{name} is not a valid module: {error}"));
        compiled.insert(path.to_owned(), module.clone());
        module
    }
}

/// The folder at the top of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// One engine for the process: fuel is counted, and compiling never burns any of it.
fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = Config::default();
        config.consume_fuel(true);
        config.compilation_mode(wasmi::CompilationMode::Eager);
        Engine::new(&config)
    })
}
