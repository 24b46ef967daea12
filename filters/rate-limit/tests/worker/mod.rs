//! The filter of one worker on the in-memory host, and what it makes of a request.
#![allow(unreachable_pub, reason = "a module of several test programs")]

use kit::config;
use kit::fake::{FakeExchange, FakeHost};
use kit::{Filter, Flow, Reply};
use weir_rate_limit::RateLimit;
use weir_rate_limit::filter::Stream;

pub fn worker(host: &FakeHost, config: &str) -> RateLimit {
    match config::load("rate-limit", config.as_bytes(), RateLimit::read) {
        Ok(config) => RateLimit::new(config, host),
        Err(problems) => panic!("{problems}"),
    }
}

pub fn begin(worker: &RateLimit, x: &FakeExchange, stream: &mut Stream) -> Option<Reply> {
    match worker.on_request_headers(stream, x, true) {
        Flow::Continue => None,
        Flow::Reply(reply) => Some(*reply),
        Flow::Pause => panic!("the limiter never waits"),
    }
}
