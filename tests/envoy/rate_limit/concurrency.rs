//! Requests in flight: exactly as many as the quota, given back however a stream ends.
