//! The root context: one configured filter on one worker.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use proxy_wasm::hostcalls::dispatch_http_call;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{ContextType, LogLevel, Status};

use super::abi::{self, BufferType, MapType};
use super::envoy::Envoy;
use super::queue::{self, Caller};
use super::stream::Stream;
use crate::callbacks::Callback;
use crate::clusters;
use crate::config;
use crate::exchange::{Answer, Call, CallId, Host};
use crate::filter::Filter;
use crate::headers::Headers;
use crate::units::Nanos;

/// Hands this VM to the SDK's dispatcher. Runs in `_initialize`, where the host allows almost nothing else.
pub fn start<F: Filter>() {
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|context| Box::new(Plugin::<F>::new(context)));
}

struct Plugin<F: Filter> {
    context: u32,
    filter: Option<Rc<F>>,
    envoy: Envoy,
    /// Calls that this root has started: the root whose filter wants the answer, and which call of its own it is.
    calls: RefCell<BTreeMap<u32, (u32, CallId)>>,
    /// The clusters that were called; of those that do not exist, when that was noted last.
    clusters: RefCell<BTreeMap<String, Option<Nanos>>>,
    filter_type: PhantomData<F>,
}

impl<F: Filter> Plugin<F> {
    fn new(context: u32) -> Self {
        Self {
            context,
            filter: None,
            envoy: Envoy::of(context),
            calls: RefCell::new(BTreeMap::new()),
            clusters: RefCell::new(BTreeMap::new()),
            filter_type: PhantomData,
        }
    }

    /// The filter that this configuration describes; every problem is logged, a line each.
    fn configured(&self, bytes: &[u8]) -> Option<F> {
        match config::load(F::NAME, bytes, F::read) {
            Ok(resolved) => Some(F::new(resolved, &self.envoy)),
            Err(problems) => {
                for line in problems.lines() {
                    log::error!("{line}");
                }
                None
            }
        }
    }

    fn start_call(&self, caller: u32, call: &Call) {
        let headers =
            call.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let timeout = Duration::from_nanos(call.timeout.0.max(1_000_000));
        match dispatch_http_call(&call.cluster, headers, Some(&call.body), vec![], timeout) {
            Ok(token) => {
                self.found(&call.cluster);
                self.calls.borrow_mut().insert(token, (caller, call.id));
            }
            // The call has all that a call must have: what is bad about its arguments is the cluster.
            Err(Status::BadArgument) => {
                self.missed(call);
                answered(caller, call.id, Answer::NoCluster);
            }
            Err(status) => {
                log::warn!(
                    "{}: call not started cluster={} status={}",
                    F::NAME,
                    call.cluster,
                    status as u32
                );
                answered(caller, call.id, Answer::Failed);
            }
        }
    }
}

impl<F: Filter> Plugin<F> {
    /// A cluster that was called exists.
    fn found(&self, cluster: &str) {
        let mut clusters = self.clusters.borrow_mut();
        if clusters.get(cluster) == Some(&None) {
            return;
        }
        clusters.insert(cluster.to_owned(), None);
        // Also the first time: another VM, which is gone, may have missed it.
        clusters::note_found(&self.envoy, cluster);
    }

    /// A cluster that was called does not exist.
    fn missed(&self, call: &Call) {
        let (now, cluster) = (self.envoy.now(), &call.cluster);
        let mut clusters = self.clusters.borrow_mut();
        let before = clusters.get(cluster).copied().flatten();
        if before.is_some_and(|noted_at| now.saturating_sub(noted_at) < Nanos::MINUTE) {
            return;
        }
        clusters.insert(cluster.clone(), Some(now));
        clusters::note_missing(&self.envoy, cluster, call.id.filter);
        if before.is_none() {
            log::warn!(
                "{}: no such cluster: \"{cluster}\"; add it to the clusters of Envoy, or correct its name in the configuration of this filter",
                call.id.filter
            );
        }
    }
}

/// In `proxy_on_delete`, which every module exports; `proxy_on_done` would cost each stream a callback.
impl<F: Filter> Drop for Plugin<F> {
    fn drop(&mut self) {
        if let Some(filter) = &self.filter {
            self.envoy.begin();
            filter.on_retire(&self.envoy);
        }
        // Envoy does not stop the timer of a root context that goes away.
        if F::TICK.is_some() {
            abi::set_tick_period(0);
        }
        if F::CALLBACKS.contains(Callback::QueueReady) {
            queue::abandon(self.context);
        }
        // Envoy cancels what a root that goes away has called, and tells nobody.
        for (caller, id) in self.calls.take().into_values() {
            answered(caller, id, Answer::Failed);
        }
    }
}

impl<F: Filter> Context for Plugin<F> {
    fn on_http_call_response(
        &mut self,
        token: u32,
        n_headers: usize,
        body_size: usize,
        _n_trailers: usize,
    ) {
        self.envoy.begin();
        let Some((caller, id)) = self.calls.borrow_mut().remove(&token) else { return };
        let answer = if n_headers == 0 {
            Answer::Failed
        } else {
            Answer::Response {
                headers: Headers::from_pairs(abi::header_map(MapType::CallResponse)),
                body: abi::buffer(BufferType::CallResponseBody, 0, body_size),
            }
        };
        answered(caller, id, answer);
    }
}

impl<F: Filter> RootContext for Plugin<F> {
    fn on_configure(&mut self, size: usize) -> bool {
        self.envoy.begin();
        set_log_level();
        let Some(filter) = self.configured(&abi::buffer(BufferType::PluginConfiguration, 0, size))
        else {
            return false;
        };
        for line in filter.summary() {
            log::info!("{}: configured {line}", F::NAME);
        }
        let filter = Rc::new(filter);
        if F::CALLBACKS.contains(Callback::QueueReady) {
            let caller: Rc<dyn Caller> = Rc::<F>::clone(&filter);
            queue::register(self.context, Rc::downgrade(&caller));
        }
        self.filter = Some(filter);
        if let Some(period) = F::TICK {
            abi::set_tick_period(u32::try_from(period.0 / 1_000_000).unwrap_or(u32::MAX));
        }
        true
    }

    fn on_tick(&mut self) {
        self.envoy.begin();
        set_log_level();
        if let Some(filter) = &self.filter {
            filter.on_tick(&self.envoy);
        }
    }

    fn on_queue_ready(&mut self, queue: u32) {
        self.envoy.begin();
        queue::drain(queue, self.context, |caller, call| self.start_call(caller, &call));
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::<F>::new(context, self.context, self.filter.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// Hands an answer to the filter of the root that wanted it; nothing happens if that is gone.
fn answered(caller: u32, id: CallId, answer: Answer) {
    if let Some(filter) = queue::caller(caller) {
        filter.answered(&Envoy::of(caller), id, answer);
    }
}

/// Takes over Envoy's log level for Wasm, so that nothing below it is even formatted.
fn set_log_level() {
    proxy_wasm::set_log_level(match abi::log_level() {
        0 => LogLevel::Trace,
        1 => LogLevel::Debug,
        2 => LogLevel::Info,
        3 => LogLevel::Warn,
        4 => LogLevel::Error,
        _ => LogLevel::Critical,
    });
}
