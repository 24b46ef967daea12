//! A simulated Envoy for the shipped modules: what Envoy gives, what it refuses, and what things cost.
//!
//! [`World`] is a process, [`Vm`] a module in one of its threads, [`Stream`] a request in a VM,
//! and [`Outcome`] what came of it. Time passes only when a test says so.
//!
//! It does not route, balance, retry or parse HTTP: the upstream is a value that a test writes down.
//! Every rule was measured on Envoy 1.40; the files name where it came from.

mod abi;
mod clusters;
mod conflicts;
mod cost;
mod events;
mod exchange;
mod fleet;
mod flow;
mod headers;
mod host;
mod metrics;
mod module;
mod outcome;
mod properties;
mod queues;
mod reply;
mod request;
mod shared;
mod status;
mod stream;
mod vm;
mod world;

pub use clusters::{Answer, Call, CallResponse, MAX_CALL_BODY};
pub use cost::{Cost, ENTRY_NANOS, FUEL_PICOS, PLAIN_REQUEST_NANOS};
pub use fleet::{Fleet, VM_ID};
pub use headers::{Headers, MAX_PAIRS, MAX_PAIRS_BYTES};
pub use module::{Module, SHIPPED, root};
pub use outcome::{Action, Ended, LocalReply, LogLine, Outcome, Received, Trap};
pub use request::{Request, Response, Upstream};
pub use stream::Stream;
pub use vm::{Refusal, Vm};
pub use world::World;
