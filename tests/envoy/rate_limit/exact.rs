//! Clients of one key get exactly its quota, whichever workers serve them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use harness::client::{Connection, Request};
use harness::gateway::Setup;
use harness::origin::Origin;
use serde_json::json;

#[test]
fn concurrent_clients_of_one_key_get_exactly_the_quota() {
    let origin = Origin::plain();
    for workers in [1, 4] {
        let configuration = json!({"rules": [
            {"name": "round", "key": ["header:x-round"], "limits": [{"quota": 20, "window": "1h"}]},
        ]});
        let gateway =
            Setup::new("rate-limit", &configuration, origin.address()).workers(workers).start();
        for round in 0..25 {
            let n_admitted = AtomicU32::new(0);
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        let mut connection = Connection::open(gateway.address());
                        let request = Request::get("/").field("x-round", round.to_string());
                        for _ in 0..5 {
                            let status = connection.ask(&request).unwrap().status();
                            assert!(matches!(status, 200 | 429), "{status}");
                            n_admitted.fetch_add(u32::from(status == 200), Ordering::SeqCst);
                        }
                    });
                }
            });
            assert_eq!(n_admitted.into_inner(), 20, "{workers} workers, round {round}");
        }
        let limited = "weir_rate_limit_requests_total;rule=round;decision=";
        assert_eq!(gateway.metric(&format!("{limited}admit")), 500);
        assert_eq!(gateway.metric(&format!("{limited}limit")), 500);
    }
    assert_eq!(origin.hits(), 1000, "what is refused does not reach the service");
}
