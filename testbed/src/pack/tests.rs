//! Packing small modules written by hand.

use super::*;
use kit::callbacks::Callback;

/// A linked module: all of [`exports::ALWAYS`], two callbacks, and the declaration that it uses one.
///
/// `proxy_on_log` reaches an import and a helper of its own; `proxy_on_request_headers` shares a helper with it.
fn linked(declaration: &str, extra: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
            (import "env" "proxy_log" (func $host_log (param i32 i32 i32) (result i32)))
            (import "env" "proxy_get_property" (func $host_property (result i32)))
            (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
            {extra}
            (memory (export "memory") 1)
            (global (export "__heap_base") i32 (i32.const 1024))
            (func $always (drop (call $random (i32.const 0) (i32.const 4))))
            (func (export "malloc") (param i32) (result i32) (i32.const 8))
            (func (export "_initialize") (call $always))
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "proxy_on_context_create") (param i32 i32))
            (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
            (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
            (func (export "proxy_on_delete") (param i32))
            (func $shared (drop (call $host_property)))
            (func $log_only (drop (call $host_log (i32.const 0) (i32.const 0) (i32.const 0))))
            (func $on_log (export "proxy_on_log") (param i32) (call $shared) (call $log_only))
            (func $on_request_headers (export "proxy_on_request_headers")
                (param i32 i32 i32) (result i32) (call $shared) (i32.const 0))
            {declaration})"#
    ))
    .unwrap()
}

/// The declaration of these callbacks, as `module!` writes it.
fn declares(callbacks: &[Callback]) -> String {
    section(&Callbacks::of(callbacks).0.to_le_bytes())
}

fn section(bytes: &[u8]) -> String {
    let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!("(@custom \"{}\" \"{escaped}\")", Callbacks::SECTION)
}

fn export_names(wasm: &[u8]) -> Vec<String> {
    let module = walrus::Module::from_buffer(wasm).unwrap();
    let mut names: Vec<_> = module.exports.iter().map(|export| export.name.clone()).collect();
    names.sort();
    names
}

fn function_names(wasm: &[u8]) -> Vec<String> {
    let module = walrus::Module::from_buffer(wasm).unwrap();
    module.funcs.iter().filter_map(|func| func.name.clone()).collect()
}

#[test]
fn unused_callbacks_go_with_all_that_only_they_reach() {
    let packed = pack(&linked(&declares(&[Callback::RequestHeaders]), "")).unwrap();
    let mut expected: Vec<_> = exports::ALWAYS.iter().map(|(name, _)| (*name).to_owned()).collect();
    expected.push("proxy_on_request_headers".to_owned());
    expected.sort();
    assert_eq!(export_names(&packed.wasm), expected);
    assert_eq!(packed.callbacks, ["proxy_on_request_headers"]);
    assert_eq!(packed.imports, ["env.proxy_get_property", "wasi_snapshot_preview1.random_get"]);
    let names = function_names(&packed.wasm);
    assert!(names.contains(&"shared".to_owned()), "reached by what stays: {names:?}");
    assert!(!names.contains(&"log_only".to_owned()), "reached by what went: {names:?}");
}

#[test]
fn used_callbacks_keep_all_that_they_reach() {
    let both = [Callback::RequestHeaders, Callback::Log];
    let packed = pack(&linked(&declares(&both), "")).unwrap();
    assert_eq!(packed.callbacks, ["proxy_on_request_headers", "proxy_on_log"]);
    assert!(packed.imports.contains(&"env.proxy_log".to_owned()));
    assert!(function_names(&packed.wasm).contains(&"log_only".to_owned()));
}

#[test]
fn a_function_reached_only_through_the_table_stays() {
    let declaration = declares(&[Callback::RequestHeaders])
        + r#"(type $void (func))
             (table 1 1 funcref) (elem (i32.const 0) $virtual)
             (func $virtual)
             (func $dispatch (call_indirect (type $void) (i32.const 0)))
             (start $dispatch)"#;
    let packed = pack(&linked(&declaration, "")).unwrap();
    assert!(function_names(&packed.wasm).contains(&"virtual".to_owned()));
}

#[test]
fn names_stay_and_the_declaration_goes() {
    let packed = pack(&linked(&declares(&[Callback::Log]), "")).unwrap();
    let module = walrus::Module::from_buffer(&packed.wasm).unwrap();
    assert!(module.customs.iter().all(|(_, section)| section.name() != Callbacks::SECTION));
    assert!(function_names(&packed.wasm).contains(&"on_log".to_owned()));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let linked = linked(&declares(&[Callback::Log]), "");
    assert_eq!(pack(&linked).unwrap(), pack(&linked).unwrap());
}

#[test]
fn an_import_that_envoy_lacks_is_refused_by_name() {
    let extra = r#"
        (import "env" "clock" (func $a))
        (import "wasi_snapshot_preview1" "fd_write" (func $b))
        (import "__wbindgen_placeholder__" "proxy_log" (func $c))"#;
    let calls = declares(&[]) + "(func $start (call $a) (call $b) (call $c)) (start $start)";
    assert_eq!(
        pack(&linked(&calls, extra)).unwrap_err().to_string(),
        "imports __wbindgen_placeholder__.proxy_log, env.clock, wasi_snapshot_preview1.fd_write; \
         allowed are env.proxy_* and wasi_snapshot_preview1.{random_get,clock_time_get}"
    );
}

#[test]
fn an_unused_import_is_dropped_before_imports_are_judged() {
    let extra = r#"(import "wasi_snapshot_preview1" "fd_write" (func $b))"#;
    assert!(pack(&linked(&declares(&[]), extra)).is_ok());
}

#[test]
fn a_module_that_declares_nothing_is_refused() {
    assert_eq!(
        pack(&linked("", "")).unwrap_err().to_string(),
        "no custom section \"weir.callbacks\"; \
         build the crate with its feature \"module\" and name its filter in kit's `module!`"
    );
}

#[test]
fn a_declaration_of_the_wrong_length_is_refused() {
    assert_eq!(
        pack(&linked(&section(&[0; 8]), "")).unwrap_err().to_string(),
        "the custom section \"weir.callbacks\" has 8 bytes, exactly 4 are allowed; \
         a module names one filter only"
    );
}

#[test]
fn bits_that_mean_nothing_are_refused() {
    assert_eq!(
        pack(&linked(&section(&[0, 0, 0, 0x80]), "")).unwrap_err().to_string(),
        "the custom section \"weir.callbacks\" has unknown bits 0x80000000; \
         build weir-pack from the tree that the module is from"
    );
}

#[test]
fn a_declared_callback_must_be_there() {
    assert_eq!(
        pack(&linked(&declares(&[Callback::Tick]), "")).unwrap_err().to_string(),
        "no export proxy_on_tick: the module declares that it uses it"
    );
}

#[test]
fn what_every_module_needs_must_be_there() {
    let bare = wat::parse_str(format!("(module {})", declares(&[]))).unwrap();
    assert_eq!(
        pack(&bare).unwrap_err().to_string(),
        "no export memory: the host reads and writes it"
    );
}

#[test]
fn bytes_that_are_no_module_are_refused() {
    assert!(pack(b"<html>").unwrap_err().to_string().starts_with("not a valid WebAssembly module"));
}
