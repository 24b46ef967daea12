//! The operations endpoints of the cache: purge, explain, statistics, warming.
