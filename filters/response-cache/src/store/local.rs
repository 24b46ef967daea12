//! The first level: hot objects in the memory of one worker.
