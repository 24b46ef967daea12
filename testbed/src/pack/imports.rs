//! What a module may ask of its host.

use walrus::Module;

use super::Refusal;

/// The imports that are allowed, in words.
///
/// Both WASI calls exist on every Envoy 1.40; without them a module of this target has neither clock nor entropy.
pub const ALLOWED_IMPORTS: &str =
    "env.proxy_* and wasi_snapshot_preview1.{random_get,clock_time_get}";

/// Returns the imports as `module.name`, sorted.
///
/// **Errors** [`Refusal::Imports`] with all that are not allowed.
pub fn check(module: &Module) -> Result<Vec<String>, Refusal> {
    let mut allowed = Vec::new();
    let mut refused = Vec::new();
    for import in module.imports.iter() {
        let function = matches!(import.kind, walrus::ImportKind::Function(_));
        let list = if function && is_allowed(&import.module, &import.name) {
            &mut allowed
        } else {
            &mut refused
        };
        list.push(format!("{}.{}", import.module, import.name));
    }
    if !refused.is_empty() {
        refused.sort();
        return Err(Refusal::Imports { found: refused.join(", ") });
    }
    allowed.sort();
    Ok(allowed)
}

/// Whether a function of this name may be imported; [`ALLOWED_IMPORTS`] says it in words.
fn is_allowed(module: &str, name: &str) -> bool {
    match module {
        "env" => name.starts_with("proxy_"),
        "wasi_snapshot_preview1" => matches!(name, "random_get" | "clock_time_get"),
        _ => false,
    }
}
