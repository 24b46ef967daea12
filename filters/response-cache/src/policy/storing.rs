//! May this response be stored, on which terms, and for how long?
