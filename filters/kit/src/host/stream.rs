//! The context of one exchange: fetches lazily, calls the filter, does what it decided.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::abi::{self, BufferType, MapType};
use super::envoy::Envoy;
use super::queue::{self, Sleep, Sleeper};
use crate::callbacks::Callback;
use crate::exchange::{Attribute, Exchange, Host, Map, Waker};
use crate::filter::{Filter, Flow, Reply};
use crate::headers::{Headers, encode_pairs};
use crate::notes::Notes;

/// What the SDK holds of a stream; the rest is shared with the registry of sleepers.
pub(super) struct Stream<F: Filter>(Rc<Live<F>>);

struct Live<F: Filter> {
    /// Absent only if the host creates a stream on a root that was never configured: such a stream passes.
    filter: Option<Rc<F>>,
    state: RefCell<F::Stream>,
    view: View,
}

/// The exchange as Envoy shows it now, and what was already fetched of it.
#[derive(Default)]
struct View {
    context: u32,
    envoy: Envoy,
    phase: Cell<Phase>,
    request: RefCell<Option<Rc<Headers>>>,
    response: RefCell<Option<Rc<Headers>>>,
    attributes: RefCell<[Option<Fetched>; Attribute::COUNT]>,
    notes: RefCell<Notes>,
    /// Whether the record comes to anything: a filter without a log phase has nowhere to publish it.
    keeps_notes: bool,
}

/// What the host answered for an attribute.
type Fetched = Option<Rc<[u8]>>;

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Request,
    RequestBody,
    Response,
    ResponseBody,
    Log,
}

impl<F: Filter> Stream<F> {
    /// The stream of this context, for the filter of this root.
    pub(super) fn new(context: u32, root: u32, filter: Option<Rc<F>>) -> Self {
        let keeps_notes = F::CALLBACKS.contains(Callback::Log);
        let view = View { context, envoy: Envoy::of(root), keeps_notes, ..View::default() };
        Self(Rc::new(Live { filter, state: RefCell::default(), view }))
    }

    /// One callback: `call` the filter, do what it decided.
    fn run(&self, phase: Phase, call: impl FnOnce(&F, &mut F::Stream, &View) -> Flow) -> Action {
        let live = &self.0;
        let Some(filter) = &live.filter else { return Action::Continue };
        // Only a callback within a callback of the same stream could hold the state: Envoy makes none.
        let Ok(mut state) = live.state.try_borrow_mut() else { return Action::Continue };
        live.view.begin(phase);
        match call(filter, &mut state, &live.view) {
            Flow::Continue => Action::Continue,
            Flow::Pause => {
                if F::CALLBACKS.contains(Callback::QueueReady) {
                    let sleeper: Rc<dyn Sleeper> = Rc::<Live<F>>::clone(live);
                    queue::sleep(live.view.context, &sleeper);
                }
                Action::Pause
            }
            Flow::Reply(reply) => {
                send(&reply, &live.view);
                Action::Pause
            }
        }
    }
}

impl<F: Filter> Context for Stream<F> {}

impl<F: Filter> HttpContext for Stream<F> {
    fn on_http_request_headers(&mut self, _n_headers: usize, end: bool) -> Action {
        self.run(Phase::Request, |filter, state, x| filter.on_request_headers(state, x, end))
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        self.run(Phase::RequestBody, |filter, state, x| filter.on_request_body(state, x, size, end))
    }

    fn on_http_response_headers(&mut self, _n_headers: usize, end: bool) -> Action {
        self.run(Phase::Response, |filter, state, x| filter.on_response_headers(state, x, end))
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        self.run(Phase::ResponseBody, |filter, state, x| {
            filter.on_response_body(state, x, size, end)
        })
    }

    fn on_http_response_trailers(&mut self, _n_trailers: usize) -> Action {
        self.run(Phase::ResponseBody, |filter, state, x| filter.on_response_trailers(state, x))
    }

    fn on_log(&mut self) {
        self.run(Phase::Log, |filter, state, x| {
            filter.on_log(state, x);
            x.publish_notes(F::NAME, F::ROUTINE);
            Flow::Continue
        });
    }
}

impl<F: Filter> Sleeper for Live<F> {
    fn wake(&self) -> Sleep {
        let Some(filter) = &self.filter else { return Sleep::Over };
        let Ok(mut state) = self.state.try_borrow_mut() else { return Sleep::Goes };
        self.view.begin(Phase::Request);
        match filter.on_wake(&mut state, &self.view) {
            Flow::Continue => abi::continue_request(),
            Flow::Pause => return Sleep::Goes,
            Flow::Reply(reply) => send(&reply, &self.view),
        }
        Sleep::Over
    }
}

impl<F: Filter> Drop for Live<F> {
    fn drop(&mut self) {
        if F::CALLBACKS.contains(Callback::QueueReady) {
            queue::forget(self.view.context);
        }
    }
}

/// Only an answer with a message of its own for gRPC looks at the request.
fn send(reply: &Reply, x: &View) {
    let has_message = reply.grpc_message.is_some();
    let content_type = if has_message { x.request_header("content-type") } else { None };
    let headers: Vec<(&str, &[u8])> =
        reply.headers.iter().map(|(name, value)| (name.as_ref(), value.as_slice())).collect();
    let grpc_status = reply.grpc_status.and_then(|status| i32::try_from(status).ok()).unwrap_or(-1);
    abi::reply(
        u32::from(reply.status),
        reply.details,
        reply.body_for(content_type.as_deref()),
        &encode_pairs(&headers),
        grpc_status,
    );
}

impl View {
    fn begin(&self, phase: Phase) {
        self.envoy.begin();
        if self.phase.replace(phase) != phase {
            self.response.take();
            // A map that was not there may be there in this phase.
            self.request.borrow_mut().take_if(|headers| headers.is_empty());
            for attribute in self.attributes.borrow_mut().iter_mut().skip(Attribute::N_SETTLED) {
                *attribute = None;
            }
        }
    }

    fn publish_notes(&self, module: &str, routine: &[&str]) {
        let notes = self.notes.borrow();
        let is_routine = notes.only_of(module).is_some_and(|word| routine.contains(&word));
        if !notes.is_empty() && !is_routine {
            abi::set_property(&["weir.", module].concat(), notes.to_string().as_bytes());
        }
    }

    fn fetched(&self, map: Map) -> Option<&RefCell<Option<Rc<Headers>>>> {
        match map {
            Map::Request => Some(&self.request),
            Map::Response => Some(&self.response),
            Map::Trailers => None,
        }
    }

    /// The host has edited a map: what was fetched of it is no longer so.
    ///
    /// A later phase has no way to the request's headers, so their copy is edited alike;
    /// the response's are fetched anew by the next who asks, which is mostly nobody.
    fn edit(&self, map: Map, edit: impl FnOnce(&Headers) -> Headers) {
        match map {
            Map::Request => {
                let mut fetched = self.request.borrow_mut();
                *fetched = fetched.take().map(|headers| Rc::new(edit(&headers)));
            }
            Map::Response => {
                self.response.take();
            }
            Map::Trailers => {}
        }
    }
}

const fn map_type(map: Map) -> MapType {
    match map {
        Map::Request => MapType::Request,
        Map::Response => MapType::Response,
        Map::Trailers => MapType::Trailers,
    }
}

impl Exchange for View {
    fn host(&self) -> &dyn Host {
        &self.envoy
    }

    fn headers(&self, map: Map) -> Rc<Headers> {
        let fetch = || Rc::new(Headers::from_pairs(abi::header_map(map_type(map))));
        match self.fetched(map) {
            Some(fetched) => Rc::clone(fetched.borrow_mut().get_or_insert_with(fetch)),
            None => fetch(),
        }
    }

    fn set_header(&self, map: Map, name: &str, value: &[u8]) {
        abi::set_header(map_type(map), name, value);
        self.edit(map, |headers| headers.with(name, Some(value)));
    }

    fn add_header(&self, map: Map, name: &str, value: &[u8]) {
        abi::add_header(map_type(map), name, value);
        self.edit(map, |headers| headers.with_added(name, value));
    }

    fn remove_header(&self, map: Map, name: &str) {
        abi::remove_header(map_type(map), name);
        self.edit(map, |headers| headers.with(name, None));
    }

    fn attribute(&self, attribute: Attribute) -> Option<Rc<[u8]>> {
        let mut attributes = self.attributes.borrow_mut();
        let fetch = || abi::property(attribute.joined_path().as_bytes()).map(Rc::from);
        match attributes.get_mut(attribute as usize) {
            Some(place) => place.get_or_insert_with(fetch).clone(),
            None => fetch(),
        }
    }

    fn header(&self, map: Map, name: &str) -> Option<Rc<[u8]>> {
        let fetched = self.fetched(map).and_then(|fetched| fetched.borrow().clone());
        match fetched {
            Some(headers) => headers.get(name).map(Rc::from),
            None => abi::header(map_type(map), name).map(Rc::from),
        }
    }

    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        abi::property(path.join("\0").as_bytes())
    }

    fn publish(&self, name: &str, value: &[u8]) {
        abi::set_property(name, value);
    }

    fn body(&self, len: usize) -> Vec<u8> {
        let buffer = match self.phase.get() {
            Phase::Request | Phase::RequestBody => BufferType::RequestBody,
            Phase::Response | Phase::ResponseBody | Phase::Log => BufferType::ResponseBody,
        };
        abi::buffer(buffer, 0, len)
    }

    fn waker(&self) -> Waker {
        queue::waker(self.context)
    }

    fn note(&self, filter: &'static str, word: &'static str) {
        if self.keeps_notes {
            self.notes.borrow_mut().put(filter, word);
        }
    }

    fn detail(&self, filter: &'static str, name: &'static str, value: &dyn fmt::Display) {
        if self.keeps_notes {
            self.notes.borrow_mut().detail(filter, name, value);
        }
    }

    fn notes(&self) -> Vec<(&'static str, &'static str)> {
        self.notes.borrow().words()
    }
}
