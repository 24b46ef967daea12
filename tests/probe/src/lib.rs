//! A filter for tests only.
