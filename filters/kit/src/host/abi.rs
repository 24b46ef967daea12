//! The proxy-wasm ABI, 0.2.1, as total functions over bytes.
//!
//! Why not the SDK's own calls: many panic on a status they do not expect, and a panic takes the worker's whole VM
//! down; they copy every header into an allocation of its own, twice; and a local reply cannot carry its details.
//! What is here answers `Option`, `Result` or nothing, and takes over the host's buffer without a copy.
//!
//! The two WASI imports are declared here because this target's std has neither clock nor entropy.

/// The host's status codes that something here depends on.
const OK: u32 = 0;
const CAS_MISMATCH: u32 = 8;

/// The wall clock and the monotonic clock, as WASI numbers them.
pub(crate) const CLOCK_WALL: u32 = 0;
pub(crate) const CLOCK_MONOTONIC: u32 = 1;

/// Header maps, as the ABI numbers them.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub(crate) enum MapType {
    Request = 0,
    Response = 2,
    Trailers = 3,
    CallResponse = 6,
}

/// Buffers, as the ABI numbers them.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub(crate) enum BufferType {
    RequestBody = 0,
    ResponseBody = 1,
    CallResponseBody = 4,
    PluginConfiguration = 7,
}

mod wasi {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        pub(super) fn random_get(buffer: *mut u8, len: usize) -> u32;
        pub(super) fn clock_time_get(id: u32, precision: u64, time: *mut u64) -> u32;
    }
}

mod env {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub(super) fn proxy_get_log_level(level: *mut u32) -> u32;
        pub(super) fn proxy_get_header_map_pairs(
            map: u32,
            data: *mut *mut u8,
            len: *mut usize,
        ) -> u32;
        pub(super) fn proxy_get_header_map_value(
            map: u32,
            name: *const u8,
            name_len: usize,
            data: *mut *mut u8,
            len: *mut usize,
        ) -> u32;
        pub(super) fn proxy_replace_header_map_value(
            map: u32,
            name: *const u8,
            name_len: usize,
            value: *const u8,
            value_len: usize,
        ) -> u32;
        pub(super) fn proxy_add_header_map_value(
            map: u32,
            name: *const u8,
            name_len: usize,
            value: *const u8,
            value_len: usize,
        ) -> u32;
        pub(super) fn proxy_remove_header_map_value(
            map: u32,
            name: *const u8,
            name_len: usize,
        ) -> u32;
        pub(super) fn proxy_get_property(
            path: *const u8,
            path_len: usize,
            data: *mut *mut u8,
            len: *mut usize,
        ) -> u32;
        pub(super) fn proxy_set_property(
            path: *const u8,
            path_len: usize,
            value: *const u8,
            len: usize,
        ) -> u32;
        pub(super) fn proxy_get_buffer_bytes(
            buffer: u32,
            start: usize,
            max_len: usize,
            data: *mut *mut u8,
            len: *mut usize,
        ) -> u32;
        pub(super) fn proxy_get_shared_data(
            key: *const u8,
            key_len: usize,
            data: *mut *mut u8,
            len: *mut usize,
            cas: *mut u32,
        ) -> u32;
        pub(super) fn proxy_set_shared_data(
            key: *const u8,
            key_len: usize,
            value: *const u8,
            len: usize,
            cas: u32,
        ) -> u32;
        pub(super) fn proxy_register_shared_queue(
            name: *const u8,
            name_len: usize,
            queue: *mut u32,
        ) -> u32;
        pub(super) fn proxy_enqueue_shared_queue(queue: u32, value: *const u8, len: usize) -> u32;
        pub(super) fn proxy_dequeue_shared_queue(
            queue: u32,
            data: *mut *mut u8,
            len: *mut usize,
        ) -> u32;
        pub(super) fn proxy_define_metric(
            kind: u32,
            name: *const u8,
            name_len: usize,
            id: *mut u32,
        ) -> u32;
        pub(super) fn proxy_get_metric(id: u32, value: *mut u64) -> u32;
        pub(super) fn proxy_increment_metric(id: u32, offset: i64) -> u32;
        pub(super) fn proxy_record_metric(id: u32, value: u64) -> u32;
        pub(super) fn proxy_continue_stream(stream: u32) -> u32;
        pub(super) fn proxy_set_effective_context(context: u32) -> u32;
        pub(super) fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        pub(super) fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_len: usize,
            body: *const u8,
            body_len: usize,
            headers: *const u8,
            headers_len: usize,
            grpc_status: i32,
        ) -> u32;
    }
}

/// A host call that fills a buffer: its bytes, if the host had some.
fn returned(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Option<Vec<u8>> {
    let mut data = std::ptr::null_mut();
    let mut len = 0;
    if call(&mut data, &mut len) != OK {
        return None;
    }
    if data.is_null() || len == 0 {
        return Some(Vec::new());
    }
    // SAFETY: the host wrote `len` bytes to memory that it got from this module's exported allocator, which hands
    // out a boxed slice of exactly `len` bytes and gives up ownership; nobody else frees it.
    Some(unsafe { Vec::from_raw_parts(data, len, len) })
}

/// Nanoseconds on a clock; zero if the host has no such clock.
pub(crate) fn clock(id: u32) -> u64 {
    let mut time = 0;
    // SAFETY: the host writes eight bytes to `time`, which outlives the call.
    unsafe { wasi::clock_time_get(id, 1, &raw mut time) };
    time
}

/// Sixty-four bits of the host's entropy.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: the host writes at most the eight bytes that it is told of.
    unsafe { wasi::random_get(bytes.as_mut_ptr(), bytes.len()) };
    u64::from_le_bytes(bytes)
}

/// Envoy's log level for Wasm, 0 (trace) to 5 (critical).
pub(crate) fn log_level() -> u32 {
    let mut level = 2;
    // SAFETY: the host writes four bytes to `level`, which outlives the call.
    unsafe { env::proxy_get_log_level(&raw mut level) };
    level
}

/// A whole header map in the ABI's pairs form; empty where there is none now.
pub(crate) fn header_map(map: MapType) -> Vec<u8> {
    // SAFETY: both pointers are to locals of `returned`, which outlive the call.
    returned(|data, len| unsafe { env::proxy_get_header_map_pairs(map as u32, data, len) })
        .unwrap_or_default()
}

/// The first value of a header; `None` if there is none.
///
/// Envoy finds one header in less than a third of the time that it takes to look a property up.
pub(crate) fn header(map: MapType, name: &str) -> Option<Vec<u8>> {
    // SAFETY: `name` is readable for its length; the host writes a pointer and a length to the two places given.
    returned(|data, len| unsafe {
        env::proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, len)
    })
}

/// Replaces every value of a header; nothing happens where there is no such map now.
pub(crate) fn set_header(map: MapType, name: &str, value: &[u8]) {
    // SAFETY: the host only reads, within the lengths given.
    unsafe {
        env::proxy_replace_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        );
    }
}

/// Adds one more value of a header; nothing happens where there is no such map now.
pub(crate) fn add_header(map: MapType, name: &str, value: &[u8]) {
    // SAFETY: the host only reads, within the lengths given.
    unsafe {
        env::proxy_add_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        );
    }
}

/// Removes every value of a header.
pub(crate) fn remove_header(map: MapType, name: &str) {
    // SAFETY: the host only reads, within the lengths given.
    unsafe { env::proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) };
}

/// A property by its path, segments joined by NUL.
pub(crate) fn property(path: &[u8]) -> Option<Vec<u8>> {
    // SAFETY: the host reads `path` within its length and writes to locals of `returned`.
    returned(|data, len| unsafe { env::proxy_get_property(path.as_ptr(), path.len(), data, len) })
}

/// Sets a property of this stream; Envoy keeps it as filter state `wasm.<name>`.
pub(crate) fn set_property(name: &str, value: &[u8]) {
    // SAFETY: the host only reads, within the lengths given.
    unsafe { env::proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
}

/// Up to `max_len` bytes of a buffer, from `start` on.
pub(crate) fn buffer(buffer: BufferType, start: usize, max_len: usize) -> Vec<u8> {
    // SAFETY: both pointers are to locals of `returned`, which outlive the call.
    returned(|data, len| unsafe {
        env::proxy_get_buffer_bytes(buffer as u32, start, max_len, data, len)
    })
    .unwrap_or_default()
}

/// A shared value and its version; `None` if nothing was ever stored under the key.
pub(crate) fn shared_get(key: &str) -> Option<(Vec<u8>, u32)> {
    let mut cas = 0;
    // SAFETY: the host reads `key` within its length and writes to locals that outlive the call.
    let value = returned(|data, len| unsafe {
        env::proxy_get_shared_data(key.as_ptr(), key.len(), data, len, &raw mut cas)
    })?;
    Some((value, cas))
}

/// Stores a shared value; `cas` zero stores whatever is there. `Err(true)` says that the version was another.
pub(crate) fn shared_set(key: &str, value: &[u8], cas: u32) -> Result<(), bool> {
    // SAFETY: the host only reads, within the lengths given.
    let status = unsafe {
        env::proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas)
    };
    if status == OK { Ok(()) } else { Err(status == CAS_MISMATCH) }
}

/// Opens the queue of this name and asks for its messages from now on.
pub(crate) fn register_queue(name: &str) -> Option<u32> {
    let mut queue = 0;
    // SAFETY: the host reads `name` within its length and writes four bytes to `queue`.
    let status =
        unsafe { env::proxy_register_shared_queue(name.as_ptr(), name.len(), &raw mut queue) };
    (status == OK).then_some(queue)
}

/// Sends a message to whoever registered the queue.
pub(crate) fn enqueue(queue: u32, message: &[u8]) -> bool {
    // SAFETY: the host only reads, within the length given.
    unsafe { env::proxy_enqueue_shared_queue(queue, message.as_ptr(), message.len()) == OK }
}

/// The oldest message of a queue.
pub(crate) fn dequeue(queue: u32) -> Option<Vec<u8>> {
    // SAFETY: both pointers are to locals of `returned`, which outlive the call.
    returned(|data, len| unsafe { env::proxy_dequeue_shared_queue(queue, data, len) })
}

/// The id of the metric of this name, made if there is none.
pub(crate) fn define_metric(kind: u32, name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: the host reads `name` within its length and writes four bytes to `id`.
    let status = unsafe { env::proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) };
    (status == OK).then_some(id)
}

/// A counter's or gauge's value; zero for any other id.
pub(crate) fn read_metric(id: u32) -> u64 {
    let mut value = 0;
    // SAFETY: the host writes eight bytes to `value`, which outlives the call.
    unsafe { env::proxy_get_metric(id, &raw mut value) };
    value
}

/// Adds to a counter or gauge.
pub(crate) fn add_metric(id: u32, offset: i64) {
    // SAFETY: no pointers.
    unsafe { env::proxy_increment_metric(id, offset) };
}

/// Records in a histogram, or sets a gauge.
pub(crate) fn record_metric(id: u32, value: u64) {
    // SAFETY: no pointers.
    unsafe { env::proxy_record_metric(id, value) };
}

/// Lets the request of the effective context go on.
pub(crate) fn continue_request() {
    const HTTP_REQUEST: u32 = 0;
    // SAFETY: no pointers.
    unsafe { env::proxy_continue_stream(HTTP_REQUEST) };
}

/// Makes the following calls act on this context; false if it is gone, and then nothing changed.
pub(crate) fn set_effective_context(context: u32) -> bool {
    // SAFETY: no pointers.
    unsafe { env::proxy_set_effective_context(context) == OK }
}

/// Starts the timer, or stops it with zero.
pub(crate) fn set_tick_period(milliseconds: u32) {
    // SAFETY: no pointers.
    unsafe { env::proxy_set_tick_period_milliseconds(milliseconds) };
}

/// Answers the effective context's request. `headers` in the ABI's pairs form; `grpc_status` below zero for none.
pub(crate) fn reply(status: u32, details: &str, body: &[u8], headers: &[u8], grpc_status: i32) {
    // SAFETY: the host only reads, within the lengths given.
    unsafe {
        env::proxy_send_local_response(
            status,
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status,
        );
    }
}
