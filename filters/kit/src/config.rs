//! Reads a filter's configuration: from the bytes that Envoy hands over to a value that cannot be wrong.
//!
//! Two stages. [`parse`] turns the bytes, JSON text or a `google.protobuf.Struct`, into one JSON value.
//! [`read`] lets the filter take that value apart through [`Fields`], which checks kinds, units and ranges
//! and collects every [`Problems`] line instead of stopping at the first.
//! [`load`] does both.
//!
//! Nothing is ignored: a field that nobody asked for, a key given twice, a null and a bare number
//! where a unit belongs are all refused. Zero never means off. What [`Fields::secret`] reads is never quoted.
//!
//! ```
//! use kit::config::{self, Fields};
//! use kit::units::Nanos;
//!
//! struct Config {
//!     window: Nanos,
//!     burst: u64,
//! }
//!
//! fn read(fields: &mut Fields<'_>) -> Config {
//!     Config {
//!         window: fields.duration("window", Nanos::MILLISECOND..=Nanos::from_hours(24)),
//!         burst: fields.optional_integer("burst", 1..=1_000).unwrap_or(1),
//!     }
//! }
//!
//! let config = config::load("rate-limit", br#"{"window": "1s"}"#, read)?;
//! assert_eq!((config.window, config.burst), (Nanos::SECOND, 1));
//!
//! let refused = config::load("rate-limit", br#"{"window": "0s"}"#, read).err().map(|problems| problems.to_string());
//! assert_eq!(refused.as_deref(), Some(concat!(
//!     "rate-limit: window: found \"0s\", allowed 1ms to 24h; raise it to at least 1ms, zero does not mean off\n",
//!     "rate-limit: configuration rejected (1 problem); ",
//!     "the filter will not start, Envoy keeps its previous configuration or refuses to boot",
//! )));
//! # Ok::<(), config::Problems>(())
//! ```

mod any;
mod digest;
mod fields;
mod json;
mod kinds;
mod lists;
mod mixed;
mod names;
mod objects;
mod problems;
mod protobuf;
mod quote;
mod secret;
mod source;
mod suggest;

pub use fields::Fields;
pub use names::{MAX_NAME, Names};
pub use problems::Problems;
pub use quote::quoted;
pub use secret::Secret;
pub use serde_json::Value;
pub use source::{MAX_BYTES, parse};
pub use suggest::closest;

/// Parses `bytes` and reads them, with every problem under the name of `filter`.
///
/// # Errors
/// All that is wrong: the one problem of [`parse`], or every problem that [`read`] finds.
pub fn load<T>(
    filter: &'static str,
    bytes: &[u8],
    take: impl FnOnce(&mut Fields<'_>) -> T,
) -> Result<T, Problems> {
    let value = parse(bytes).map_err(|problems| problems.of(filter))?;
    read(filter, &value, take)
}

/// Reads a parsed configuration: `take` asks for each field, and what it did not ask for is unknown.
///
/// # Errors
/// Every problem found, if there is one; what `take` returned is then dropped.
pub fn read<T>(
    filter: &'static str,
    value: &Value,
    take: impl FnOnce(&mut Fields<'_>) -> T,
) -> Result<T, Problems> {
    let mut problems = Problems::default().of(filter);
    let taken = match value.as_object() {
        Some(object) => Some(fields::read_object(object, "", &mut problems, take)),
        None => {
            problems.add(
                "configuration",
                format_args!(
                    "found {}, allowed an object; put the fields in {{ }}",
                    quote::kind_of(value)
                ),
            );
            None
        }
    };
    match taken {
        Some(config) if problems.is_empty() => Ok(config),
        Some(_) | None => Err(problems),
    }
}
