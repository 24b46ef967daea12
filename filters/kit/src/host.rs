//! The host side: the only code that knows Envoy, the proxy-wasm ABI and its SDK.
//!
//! The SDK dispatches the ABI's callbacks to contexts; everything that crosses the border in the other direction
//! goes through [`abi`], which never panics and takes every value as bytes
//! (the SDK's own getters panic on a header that is not UTF-8, which any client can send).
//!
//! Three parts, from the outside in:
//! [`plugin`] is the root context (configuration, ticks, messages, background calls),
//! [`stream`] the context of one exchange, [`envoy`] what both offer to filters as [`crate::Host`].

pub mod abi;
mod envoy;
mod plugin;
mod queue;
mod stream;

pub use plugin::start;

/// Makes the calling crate a module of its own: the ABI's entry point and the list of callbacks it uses.
///
/// Use it once per crate, in `module.rs`, with the type that implements [`crate::Filter`].
#[macro_export]
macro_rules! module {
    ($filter:ty) => {
        /// Which callbacks this module uses; the build drops the others and this section.
        #[unsafe(link_section = "weir.callbacks")]
        #[used]
        static CALLBACKS: [u8; 4] = (<$filter as $crate::Filter>::CALLBACKS
            .union($crate::host::START_CALLBACKS))
        .0
        .to_le_bytes();

        /// The host calls this once per VM, before anything else.
        #[unsafe(no_mangle)]
        extern "C" fn _initialize() {
            $crate::host::start::<$filter>();
        }
    };
}

/// What every module needs besides its filter's callbacks: nothing.
pub const START_CALLBACKS: crate::callbacks::Callbacks = crate::callbacks::Callbacks(0);
