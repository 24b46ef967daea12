//! New configurations over ECDS: what is kept of the counts, and what starts afresh.
