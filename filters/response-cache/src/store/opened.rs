//! How a store was found.

/// In what state a store was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// With what it held before.
    AsItWas,
    /// Empty: new, or of another size before.
    Empty,
}
