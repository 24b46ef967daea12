//! Header values that mean the same, written the same way.

use kit::config::Fields;

/// What a rule normalises; nothing by default.
#[derive(Debug, Clone, Default)]
pub struct Normal {}

impl Normal {
    /// Reads the object `normalize` of a rule.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        fields.know(&["accept_encoding", "accept_language", "device"]);
        Self {}
    }
}
