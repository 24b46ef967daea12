//! The probe as a filter.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use kit::callbacks::{Callback, Callbacks};
use kit::config::Fields;
use kit::exchange::{Answer, Call, CallId, Waker};
use kit::shared::{Change, update};
use kit::{Exchange, Filter, Flow, Host, Nanos, Reply};

use crate::order::{Order, Phase};

/// The shared counter.
const COUNTER: &str = "weir/probe/counter";
/// Beds are few and fixed: no key is made of what a client sends.
const N_BEDS: u32 = 16;

/// The probe, configured.
#[derive(Debug, Default)]
pub struct Probe {
    next_call: Cell<u64>,
    asleep: RefCell<BTreeMap<u64, Waker>>,
    answers: RefCell<BTreeMap<Waker, Answer>>,
}

/// What the probe remembers of an exchange.
#[derive(Debug, Default)]
pub struct Stream {
    order: Option<Order>,
}

impl Filter for Probe {
    const NAME: &'static str = "probe";
    const CALLBACKS: Callbacks = Callbacks::of(&[
        Callback::RequestHeaders,
        Callback::ResponseHeaders,
        Callback::ResponseBody,
        Callback::Log,
        Callback::QueueReady,
        Callback::CallAnswered,
    ]);
    type Config = ();
    type Stream = Stream;

    fn read(fields: &mut Fields<'_>) {
        let _ = fields.optional_text("note");
    }

    fn new((): (), host: &dyn Host) -> Self {
        for bed in 0..N_BEDS {
            create(host, &bed_key(bed));
        }
        create(host, COUNTER);
        Self::default()
    }

    fn summary(&self) -> Vec<String> {
        vec!["for tests only".to_owned()]
    }

    fn on_request_headers(&self, stream: &mut Stream, x: &dyn Exchange, _end: bool) -> Flow {
        let order = Order::of(&x.request());
        stream.order = Some(order.clone());
        match order {
            Order::Pass | Order::Trap(Phase::Response | Phase::Body | Phase::Log) => Flow::Continue,
            Order::Trap(Phase::Request) => trap(),
            Order::Count => answer(&count(x.host(), 1)),
            Order::Read => answer(&count(x.host(), 0)),
            Order::Headers => answer(&x.request().len()),
            Order::Sleep(bed) => self.sleep(x, bed),
            Order::Wake(bed) => wake(x.host(), bed),
            Order::Call(path) => self.call(x, path),
        }
    }

    fn on_response_headers(&self, stream: &mut Stream, _x: &dyn Exchange, _end: bool) -> Flow {
        trap_if(stream, Phase::Response)
    }

    fn on_response_body(
        &self,
        stream: &mut Stream,
        _x: &dyn Exchange,
        _size: usize,
        _end: bool,
    ) -> Flow {
        trap_if(stream, Phase::Body)
    }

    fn on_log(&self, stream: &mut Stream, x: &dyn Exchange) {
        trap_if(stream, Phase::Log);
        self.answers.borrow_mut().remove(&x.waker());
    }

    fn on_wake(&self, stream: &mut Stream, x: &dyn Exchange) -> Flow {
        match (&stream.order, self.answers.borrow_mut().remove(&x.waker())) {
            (Some(Order::Call(_)), Some(Answer::Response { headers, body })) => {
                let status =
                    headers.text(":status").and_then(|status| status.parse().ok()).unwrap_or(500);
                Reply { status, body, details: "probe_call", ..Reply::default() }.into_flow()
            }
            (Some(Order::Call(_)), Some(Answer::NoCluster | Answer::Failed)) => answer("failed"),
            _ => answer("woken"),
        }
    }

    fn on_answer(&self, host: &dyn Host, id: CallId, answer: Answer) {
        if let Some(waker) = self.asleep.borrow_mut().remove(&id.number) {
            self.answers.borrow_mut().insert(waker, answer);
            host.wake(&waker);
        }
    }
}

impl Probe {
    fn sleep(&self, x: &dyn Exchange, bed: u32) -> Flow {
        let waker = x.waker();
        let bytes = [waker.queue.to_le_bytes(), waker.stream.to_le_bytes()].concat();
        match update(x.host(), &bed_key(bed % N_BEDS), |old| {
            old.clone_from(&bytes);
            (Change::Store, ())
        }) {
            Ok(_) => Flow::Pause,
            Err(error) => answer(&error),
        }
    }

    fn call(&self, x: &dyn Exchange, path: String) -> Flow {
        let number = self.next_call.get() + 1;
        self.next_call.set(number);
        self.asleep.borrow_mut().insert(number, x.waker());
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        x.host().call(Call {
            id: CallId { filter: Self::NAME, number },
            cluster: "upstream".to_owned(),
            headers: vec![
                header(":method", "GET"),
                (":path".to_owned(), path),
                header(":authority", "probe"),
            ],
            body: Vec::new(),
            timeout: Nanos::from_secs(2),
        });
        Flow::Pause
    }
}

fn create(host: &dyn Host, key: &str) {
    if host.shared_get(key).is_none() {
        let _ = host.shared_set(key, &[], None);
    }
}

fn bed_key(bed: u32) -> String {
    format!("weir/probe/bed/{bed}")
}

fn count(host: &dyn Host, by: u64) -> String {
    let counted = update(host, COUNTER, |bytes| {
        let old = bytes.as_slice().try_into().map_or(0, u64::from_le_bytes);
        let new = old.saturating_add(by);
        *bytes = new.to_le_bytes().to_vec();
        (if by == 0 { Change::Keep } else { Change::Store }, new)
    });
    match counted {
        Ok(counted) => counted.value.to_string(),
        Err(error) => error.to_string(),
    }
}

fn wake(host: &dyn Host, bed: u32) -> Flow {
    let sleeper = host.shared_get(&bed_key(bed % N_BEDS)).and_then(|found| {
        let (queue, stream) = found.value.split_first_chunk::<4>()?;
        Some(Waker {
            queue: u32::from_le_bytes(*queue),
            stream: u32::from_le_bytes(stream.try_into().ok()?),
        })
    });
    match sleeper {
        Some(sleeper) => {
            host.wake(&sleeper);
            answer("waking")
        }
        None => answer("empty"),
    }
}

fn answer(body: &(impl ToString + ?Sized)) -> Flow {
    Reply { status: 200, body: body.to_string().into_bytes(), details: "probe", ..Reply::default() }
        .into_flow()
}

fn trap_if(stream: &Stream, phase: Phase) -> Flow {
    if stream.order == Some(Order::Trap(phase)) { trap() } else { Flow::Continue }
}

/// Ends this VM the way a bug would.
fn trap() -> Flow {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort();
}
