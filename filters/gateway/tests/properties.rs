//! For all filters and whatever they do: the chain is what Envoy makes of a list of filters.
//!
//! The model is that list and one number, how far in the request came.
#![cfg(test)]
#![cfg(not(target_arch = "wasm32"))]

mod traced;

use kit::Flow;
use proptest::prelude::*;
use traced::{Does, NAMES, Run, Script};

/// Envoy's rules over a list.
struct Model {
    scripts: [Script; 3],
    /// Filters that saw the request: the last of them waits, answered, or let it pass.
    n_asked: usize,
    trace: Vec<String>,
}

impl Model {
    fn request(&mut self) -> Does {
        while let Some(script) = self.scripts.get(self.n_asked) {
            self.trace.push(format!("{} request, whole", NAMES[self.n_asked]));
            self.n_asked += 1;
            if script.request != Does::Continue {
                return script.request;
            }
        }
        Does::Continue
    }

    fn wake(&mut self) -> Does {
        let waiting = self.n_asked - 1;
        self.trace.push(format!("{} wake", NAMES[waiting]));
        match self.scripts[waiting].wake {
            Does::Continue => self.request(),
            does @ (Does::Pause | Does::Reply) => does,
        }
    }

    fn response(&mut self) -> Does {
        for depth in (0..self.n_asked).rev() {
            self.trace.push(format!("{} response", NAMES[depth]));
            if self.scripts[depth].response != Does::Continue {
                return self.scripts[depth].response;
            }
        }
        Does::Continue
    }
}

fn kind(flow: &Flow) -> Does {
    match flow {
        Flow::Continue => Does::Continue,
        Flow::Pause => Does::Pause,
        Flow::Reply(_) => Does::Reply,
    }
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![3 => Just(Does::Continue), 1 => Just(Does::Pause), 1 => Just(Does::Reply)]
}

fn script() -> impl Strategy<Value = Script> {
    let response = prop_oneof![2 => Just(Does::Continue), 1 => Just(Does::Reply)];
    (does(), does(), response).prop_map(|(request, wake, response)| Script {
        request,
        wake,
        response,
    })
}

proptest! {
    #[test]
    fn a_chain_is_a_list_of_filters(scripts: [Script; 3], n_wakes in 0..5_usize) {
        let mut run = Run::new(scripts);
        let mut model = Model { scripts, n_asked: 0, trace: Vec::new() };
        let mut state = model.request();
        prop_assert_eq!(kind(&run.request(true)), state);
        for _ in 0..n_wakes {
            if state == Does::Pause {
                state = model.wake();
                prop_assert_eq!(kind(&run.wake()), state);
            }
        }
        if state != Does::Pause {
            prop_assert_eq!(kind(&run.response()), model.response());
        }
        prop_assert_eq!(run.trace.take(), model.trace);
        run.log();
        prop_assert_eq!(run.trace.take().len(), 3);
    }
}

impl Arbitrary for Script {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        script().boxed()
    }
}
