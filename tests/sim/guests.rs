//! Small guests in WebAssembly text, for facts about the host that no real filter is needed for.
//!
//! A guest notes the status of each host call as a letter (`a` is 0, `b` is 1, and so on)
//! and logs the letters at the end of a callback: `reqh:aac`.

use harness::sim::Module;

/// What every guest has: a memory, a bump allocator, notes, the callbacks that take no decision.
const COMMON: &str = r#"
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (global $heap (mut i32) (i32.const 65536))
  (global $notes (mut i32) (i32.const 4096))
  (func (export "malloc") (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $heap))
    (global.set $heap (i32.add (global.get $heap) (local.get $size)))
    (local.get $at))
  (func $note (param $status i32)
    (i32.store8 (global.get $notes) (i32.add (i32.const 97) (local.get $status)))
    (global.set $notes (i32.add (global.get $notes) (i32.const 1))))
  (func $say
    (drop (call $log (i32.const 2) (i32.const 4096)
      (i32.sub (global.get $notes) (i32.const 4096))))
    (global.set $notes (i32.const 4096)))
"#;

/// A guest with these imports and functions after the common ones.
///
/// **Shape** of `data`: pairs of a place in memory (below 4096) and a text.
pub(crate) fn guest(imports: &str, data: &[(u32, &str)], functions: &str) -> Module {
    let data: String =
        data.iter().map(|(at, text)| format!("(data (i32.const {at}) \"{text}\")")).collect();
    let text = format!("(module {imports} {COMMON} {data} {functions})");
    Module::compile("guest", text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}
