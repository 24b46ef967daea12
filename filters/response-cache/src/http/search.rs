//! No-Vary-Search: which differences of a query do not matter.
