//! Header values that mean the same, written the same way.
