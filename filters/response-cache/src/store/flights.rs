//! Requests under way for one key: one goes to the origin, the others wait for it.
