//! What every module owes Envoy, whatever it does for its operator: run on each of the five.

use std::collections::BTreeSet;
use std::time::Duration;

use harness::filters::{callbacks, configuration};
use harness::sim::{Ended, Fleet, Module, Outcome, VM_ID, Vm, World};

use super::hostile;

/// Requests of the test for leaks.
const MANY: usize = 100_000;

/// What a module may import: the ABI as the SDK declares it, and two functions of WASI.
const IMPORTS: &str = include_str!("imports.txt");

/// Callbacks outside of a request's life, which the SDK's dispatcher needs.
const LIFE: [&str; 6] =
    ["context_create", "vm_start", "configure", "done", "delete", "memory_allocate"];

fn fleet(module: &str, workers: usize) -> Fleet {
    let world = World::new(1);
    let module_file = Module::shipped(module);
    Fleet::start(&world, &module_file, workers, configuration(module))
        .unwrap_or_else(|lines| panic!("{module} refuses its configuration: {lines:?}"))
}

fn imports_only_what_envoy_provides(module: &str) {
    let allowed: BTreeSet<&str> = IMPORTS.lines().collect();
    let imports = Module::shipped(module).imports();
    let others: Vec<_> = imports.iter().filter(|name| !allowed.contains(name.as_str())).collect();
    assert!(others.is_empty(), "{module} imports {others:?}");
}

fn exports_only_the_callbacks_that_it_uses(module: &str) {
    let expected: BTreeSet<&str> = callbacks(module).iter().copied().collect();
    let exports = Module::shipped(module).exports();
    let exported: BTreeSet<&str> = exports
        .iter()
        .filter_map(|name| name.strip_prefix("proxy_on_"))
        .filter(|name| !LIFE.contains(name))
        .collect();
    assert_eq!(exported, expected, "{module}");
}

fn nothing_that_a_client_or_an_upstream_sends_can_trap(module: &str) {
    let fleet = fleet(module, 1);
    let vm = fleet.worker(0);
    for (what, request) in hostile::requests() {
        for (how, upstream) in hostile::upstreams() {
            let outcome = vm.request(request.clone()).run(|| upstream.clone());
            assert_eq!(outcome.trap, None, "{module}: {what}, {how}");
            assert_ne!(outcome.ended, Ended::Hung, "{module}: {what}, {how}");
            fleet.world.advance(Duration::from_millis(7));
        }
    }
    assert_eq!((vm.trap(), fleet.main.trap()), (None, None));
}

fn streams_that_end_anywhere_leave_no_trap(module: &str) {
    let fleet = fleet(module, 1);
    for (what, request) in hostile::requests() {
        for (how, end) in hostile::ENDS {
            let outcome = end(fleet.worker(0).request(request.clone()));
            assert_eq!(outcome.trap, None, "{module}: {what}, {how}");
        }
    }
}

/// Memory that is never given back ends a VM at 1 GiB: nothing may grow with the number of requests.
fn neither_memory_nor_shared_state_grows_with_requests(module: &str) {
    let fleet = fleet(module, 1);
    let vm = fleet.worker(0);
    let run = |turn: usize| -> Outcome {
        let request = hostile::varied(turn);
        let outcome = vm.request(request).run(|| hostile::varied_answer(turn));
        if turn.is_multiple_of(100) {
            fleet.world.advance(Duration::from_millis(50));
        }
        outcome
    };
    for turn in 0..MANY / 5 {
        run(turn);
    }
    let (pages, keys) = (vm.pages(), fleet.world.shared_keys(VM_ID).len());
    let series = fleet.world.metrics().len();
    for turn in MANY / 5..MANY {
        let outcome = run(turn);
        assert_eq!(outcome.trap, None, "{module}: request {turn}");
    }
    assert_eq!(vm.pages(), pages, "{module}: pages of memory");
    assert_eq!(fleet.world.shared_keys(VM_ID).len(), keys, "{module}: keys of shared data");
    assert_eq!(fleet.world.metrics().len(), series, "{module}: metrics");
}

fn an_update_leaves_streams_in_peace(module: &str) {
    let fleet = fleet(module, 1);
    let vm = fleet.worker(0);
    let mut before = vm.request(hostile::varied(1));
    before.request_headers();
    fleet.update(format!(" {}", configuration(module))).expect("the same, with a blank in front");
    assert_eq!(vm.roots(), 2, "the old configuration lives as long as its stream");
    assert_eq!(vm.request(hostile::varied(2)).run(|| hostile::varied_answer(2)).trap, None);
    let outcome = before.complete(|| hostile::varied_answer(1));
    assert_eq!((outcome.trap, outcome.ended), (None, Ended::Answered));
    assert_eq!(vm.roots(), 1, "and no longer");
    fleet.world.advance(Duration::from_secs(5));
    assert_eq!(vm.trap(), None, "no timer of the old configuration is left");
}

fn a_bad_configuration_is_refused_with_a_reason(module: &str) {
    let fleet = fleet(module, 1);
    for bad in
        [&b"{"[..], b"[]", b"\xff\xfe", b"{\"nosuch\": 1}", b"\x0a\xff\xff\xff\xff\x0f", b"7"]
    {
        let lines = fleet.update(bad).expect_err("this is no configuration");
        assert!(lines.iter().any(|line| line.level == 4), "{module}: {bad:?} gave {lines:?}");
    }
    assert_eq!(fleet.worker(0).request(hostile::varied(1)).run_ok("").status(), 200);
}

fn a_lost_vm_starts_again_on_the_same_state(module: &str) {
    let fleet = fleet(module, 2);
    let keys = fleet.world.shared_keys(VM_ID).len();
    fleet.worker(0).reload().expect("the configuration was good before");
    assert_eq!(fleet.world.shared_keys(VM_ID).len(), keys);
    assert_eq!(fleet.worker(0).request(hostile::varied(1)).run_ok("").status(), 200);
}

fn other_filters_may_share_the_vm_id(module: &str) {
    let fleet = fleet(module, 1);
    let neighbour = Vm::new(&fleet.world, &Module::shipped(module), VM_ID);
    neighbour
        .configure(configuration(module))
        .expect("started as an operator would start it twice");
    assert_eq!(neighbour.request(hostile::varied(1)).run_ok("").trap, None);
}

/// Makes each check a test of each module.
macro_rules! on_every_module {
    ($($module:ident),+: $checks:tt) => { $(on_every_module!(@ $module $checks);)+ };
    (@ $module:ident ($($check:ident),+ $(,)?)) => {
        mod $module {
            $(#[test] fn $check() { super::$check(stringify!($module)); })+
        }
    };
}

on_every_module!(
    weir_rate_limit, weir_response_cache, weir_circuit_breaker, weir_metrics, weir_gateway:
    (
        imports_only_what_envoy_provides,
        exports_only_the_callbacks_that_it_uses,
        nothing_that_a_client_or_an_upstream_sends_can_trap,
        streams_that_end_anywhere_leave_no_trap,
        neither_memory_nor_shared_state_grows_with_requests,
        an_update_leaves_streams_in_peace,
        a_bad_configuration_is_refused_with_a_reason,
        a_lost_vm_starts_again_on_the_same_state,
        other_filters_may_share_the_vm_id,
    )
);
