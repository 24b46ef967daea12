//! Which exports a module keeps.

use kit::callbacks::{Callback, Callbacks};
use walrus::{ExportItem, Module};

use super::Refusal;

/// What every module exports besides its callbacks, and what for.
///
/// The host calls these on every proxy-wasm module, or reads them to recognise one.
/// The SDK's allocator is called `malloc` on this target; without it the host can hand over no bytes.
pub const ALWAYS: [(&str, &str); 8] = [
    ("memory", "the host reads and writes it"),
    ("malloc", "the host allocates with it in the module's memory"),
    ("_initialize", "the host calls it first; it registers the filter"),
    ("proxy_abi_version_0_2_1", "the host learns the version of the ABI from it"),
    ("proxy_on_context_create", "the host announces each plugin and stream with it"),
    ("proxy_on_vm_start", "the host starts the module with it"),
    ("proxy_on_configure", "the host hands over the configuration with it"),
    ("proxy_on_delete", "the host ends each stream with it; without it contexts pile up"),
];

/// Removes the module's declaration and returns the callbacks that it names.
///
/// **Errors** [`Refusal::Undeclared`], [`Refusal::SectionLength`], [`Refusal::UnknownBits`].
pub fn take_declaration(module: &mut Module) -> Result<Callbacks, Refusal> {
    let section = module.customs.remove_raw(Callbacks::SECTION).ok_or(Refusal::Undeclared)?;
    let bytes: [u8; 4] = section
        .data
        .as_slice()
        .try_into()
        .map_err(|_| Refusal::SectionLength { found: section.data.len() })?;
    let declared = Callbacks(u32::from_le_bytes(bytes));
    let unknown = declared.0 & !Callbacks::of(&Callback::ALL).0;
    if unknown != 0 {
        return Err(Refusal::UnknownBits { bits: unknown });
    }
    Ok(declared)
}

/// Drops every export except [`ALWAYS`] and the callbacks in `used`; returns the names of those callbacks.
///
/// **Errors** [`Refusal::Missing`] if the module lacks one of the exports that it must keep.
pub fn keep_only(module: &mut Module, used: Callbacks) -> Result<Vec<&'static str>, Refusal> {
    let callbacks: Vec<&'static str> = Callback::ALL
        .into_iter()
        .filter(|callback| used.contains(*callback))
        .map(Callback::export_name)
        .collect();
    let declared = callbacks.iter().map(|name| (*name, "the module declares that it uses it"));
    for (name, why) in ALWAYS.into_iter().chain(declared) {
        if !exports(module, name) {
            return Err(Refusal::Missing { name, why });
        }
    }
    let dropped: Vec<_> = module
        .exports
        .iter()
        .filter(|export| {
            let name = export.name.as_str();
            !callbacks.contains(&name) && ALWAYS.iter().all(|(always, _)| *always != name)
        })
        .map(walrus::Export::id)
        .collect();
    for id in dropped {
        module.exports.delete(id);
    }
    Ok(callbacks)
}

/// Whether the module exports `name` as what it must be: the memory under that name, functions else.
fn exports(module: &Module, name: &str) -> bool {
    module.exports.iter().any(|export| {
        export.name == name
            && match export.item {
                ExportItem::Memory(_) => name == "memory",
                ExportItem::Function(_) => name != "memory",
                ExportItem::Table(_) | ExportItem::Global(_) | ExportItem::Tag(_) => false,
            }
    })
}
