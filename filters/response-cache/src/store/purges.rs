//! What was purged, by tag, pattern or altogether, known to all workers at once.
