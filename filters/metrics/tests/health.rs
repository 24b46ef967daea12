//! Readiness, and what Envoy's admin interface may answer: tables, and bytes of any kind.
#![cfg(test)]

use kit::Nanos;
use kit::units::Ratio;
use serde_json::{Value, json};
use weir_metrics::health::admin::{MAX_ANSWER, Question, Said, Unusable};
use weir_metrics::health::readiness::{Reason, Trouble, reasons};
use weir_metrics::health::report::{Cluster, Memory, Report, Server};
use weir_metrics::health::settings::Asking;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const NOW: Nanos = Nanos::from_secs(100);

fn asking(min_healthy: Option<u32>) -> Asking {
    Asking {
        admin_cluster: "admin".to_owned(),
        clusters: vec!["api".to_owned()],
        min_healthy: min_healthy.map(Ratio::from_percent),
        interval: Nanos::from_secs(2),
        timeout: Nanos::SECOND,
        max_age: Nanos::from_secs(10),
    }
}

fn report(n_healthy: u64, n_hosts: u64) -> Report {
    let cluster = Cluster { name: "api".to_owned(), n_hosts, n_healthy, hosts: Vec::new() };
    let server = Server { version: "1.40.0".to_owned(), state: "LIVE".to_owned() };
    Report {
        clusters: Some((NOW, vec![cluster])),
        server: Some((NOW, server)),
        ..Report::default()
    }
}

#[test]
fn a_cluster_is_ready_by_one_host_or_by_the_share() {
    for (min_healthy, n_healthy, n_hosts, is_ready) in [
        (None, 1, 10, true),
        (None, 0, 10, false),
        (None, 0, 0, false),
        (Some(50), 5, 10, true),
        (Some(50), 4, 10, false),
        (Some(100), 10, 10, true),
        (Some(1), 0, 0, false),
    ] {
        let found = reasons(Some(&asking(min_healthy)), &report(n_healthy, n_hosts), NOW);
        assert_eq!(found.is_empty(), is_ready, "{min_healthy:?} {n_healthy}/{n_hosts}: {found:?}");
    }
}

#[test]
fn what_is_not_known_is_not_ready() {
    let asking = asking(None);
    let good = report(1, 1);
    let unknown = [
        Report::default(),
        Report { server: None, ..good.clone() },
        Report { clusters: None, ..good.clone() },
    ];
    for report in unknown {
        assert_eq!(reasons(Some(&asking), &report, NOW), [Reason::Unknown]);
    }
    let later = |secs| NOW.saturating_add(Nanos::from_secs(secs));
    assert!(reasons(Some(&asking), &good, later(10)).is_empty());
    let old = Reason::Old { age: Nanos::from_secs(11) };
    assert_eq!(reasons(Some(&asking), &good, later(11)), [old]);
    assert!(reasons(Some(&asking), &good, Nanos::ZERO).is_empty(), "a clock that jumped back");
    let nobody = Report { clusters: Some((NOW, Vec::new())), ..good.clone() };
    let missing = Reason::Cluster { name: "api".to_owned(), what: Trouble::Missing };
    assert_eq!(reasons(Some(&asking), &nobody, NOW), [missing]);
    let mut draining = good.clone();
    draining.server.as_mut().unwrap().1.state = "DRAINING".to_owned();
    assert_eq!(
        reasons(Some(&asking), &draining, NOW),
        [Reason::Server { state: "DRAINING".to_owned() }]
    );
    let of_envoy_alone = Asking { clusters: Vec::new(), ..asking };
    assert!(reasons(Some(&of_envoy_alone), &Report { clusters: None, ..good }, NOW).is_empty());
    assert!(reasons(None, &Report::default(), NOW).is_empty(), "nothing is asked");
}

fn read(question: Question, body: &Value) -> Result<Said, Unusable> {
    question.read(200, body.to_string().as_bytes())
}

#[test]
fn a_host_is_healthy_unless_envoy_keeps_traffic_from_it() {
    let rows = [
        (json!({"eds_health_status": "HEALTHY"}), ""),
        (json!({"eds_health_status": "UNKNOWN"}), ""),
        (json!({"eds_health_status": "DEGRADED"}), ""),
        (json!({}), ""),
        (json!({"eds_health_status": "DRAINING"}), "eds_draining"),
        (json!({"eds_health_status": "TIMEOUT"}), "eds_timeout"),
        (
            json!({"failed_active_health_check": true, "active_hc_timeout": true}),
            "failed_active_health_check active_hc_timeout",
        ),
        (json!({"failed_outlier_check": true}), "failed_outlier_check"),
        (json!({"pending_active_hc": true}), "pending_active_hc"),
        (json!({"failed_active_degraded_check": true}), ""),
    ];
    for (status, troubles) in rows {
        let body = json!({"cluster_statuses": [{"name": "a", "host_statuses": [
            {"address": {"pipe": {"path": "/run/x.sock"}}, "health_status": status, "weight": 1},
        ]}]});
        let Ok(Said::Clusters(clusters)) = read(Question::Clusters, &body) else {
            panic!("{body}")
        };
        let host = &clusters[0].hosts[0];
        assert_eq!(
            (host.address.as_str(), host.troubles.join(" ").as_str()),
            ("/run/x.sock", troubles)
        );
        assert_eq!(clusters[0].n_healthy, u64::from(troubles.is_empty()));
    }
}

#[test]
fn hosts_beyond_the_bound_are_counted() {
    let hosts: Vec<Value> = (0..1_000).map(|_| json!({})).collect();
    let body = json!({"cluster_statuses": [{"name": "a", "host_statuses": hosts}]});
    let Ok(Said::Clusters(clusters)) = read(Question::Clusters, &body) else { panic!() };
    assert_eq!(
        (clusters[0].n_hosts, clusters[0].n_healthy, clusters[0].hosts.len()),
        (1_000, 1_000, 64)
    );
}

#[test]
fn answers_that_are_of_no_use_are_told_apart() {
    assert_eq!(Question::Server.read(503, b"{}"), Err(Unusable::Status(503)));
    assert_eq!(Question::Server.read(200, b"<html>"), Err(Unusable::Unreadable));
    assert_eq!(Question::Memory.read(200, &vec![b' '; MAX_ANSWER + 1]), Err(Unusable::Long));
    assert_eq!(read(Question::Clusters, &json!({})), Ok(Said::Clusters(Vec::new())));
    assert_eq!(
        read(Question::Memory, &json!({"allocated": "12", "heap_size": "x", "more": "1"})),
        Ok(Said::Memory(Memory { allocated: 12, heap: 0, physical: 0 }))
    );
    let server = Server { version: "odd".to_owned(), state: String::new() };
    assert_eq!(read(Question::Server, &json!({"version": "odd"})), Ok(Said::Server(server)));
}

#[test]
fn another_layout_is_no_report() {
    let kept = report(1, 2);
    assert_eq!(Report::read(&kept.to_bytes()), kept);
    assert_eq!(Report::read(&[0, 1, 2]), Report::default());
    assert_eq!(Report::read(&[]), Report::default());
}

#[cfg(not(target_arch = "wasm32"))]
mod laws {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_answer_is_read_without_a_panic(status in 0_u16..700, body: Vec<u8>) {
            for question in Question::ALL {
                let _ = question.read(status, &body);
            }
            let _ = Report::read(&body);
        }

        #[test]
        fn any_names_make_a_path_of_plain_characters(names in prop::collection::vec("\\PC{1,20}", 1..5)) {
            let path = Question::Clusters.path(&names);
            prop_assert!(path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'), "{}", path);
            prop_assert_eq!(path.matches('?').count(), 1);
            prop_assert_eq!(path.matches('&').count(), 1);
        }
    }
}
