//! Nothing is fetched that no condition needs, and nothing twice that is known to fail.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use super::*;
use crate::exchange::{Host, Map, Waker};
use crate::headers::Headers;

/// An exchange that remembers what was asked of it.
struct Watched {
    inner: FakeExchange,
    asked: RefCell<Vec<String>>,
}

impl Exchange for Watched {
    fn host(&self) -> &dyn Host {
        self.inner.host()
    }
    fn headers(&self, map: Map) -> Rc<Headers> {
        let mut asked = self.asked.borrow_mut();
        let word = format!("{map:?}");
        if !asked.contains(&word) {
            asked.push(word);
        }
        self.inner.headers(map)
    }
    fn set_header(&self, map: Map, name: &str, value: &[u8]) {
        self.inner.set_header(map, name, value);
    }
    fn add_header(&self, map: Map, name: &str, value: &[u8]) {
        self.inner.add_header(map, name, value);
    }
    fn remove_header(&self, map: Map, name: &str) {
        self.inner.remove_header(map, name);
    }
    fn attribute(&self, attribute: Attribute) -> Option<Rc<[u8]>> {
        self.asked.borrow_mut().push(format!("{attribute:?}"));
        self.inner.attribute(attribute)
    }
    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        self.asked.borrow_mut().push(path.join("|"));
        self.inner.property(path)
    }
    fn publish(&self, name: &str, value: &[u8]) {
        self.inner.publish(name, value);
    }
    fn body(&self, len: usize) -> Vec<u8> {
        self.inner.body(len)
    }
    fn waker(&self) -> Waker {
        self.inner.waker()
    }
    fn note(&self, filter: &'static str, word: &'static str) {
        self.inner.note(filter, word);
    }
    fn detail(&self, filter: &'static str, name: &'static str, value: &dyn fmt::Display) {
        self.inner.detail(filter, name, value);
    }
    fn notes(&self) -> Vec<(&'static str, &'static str)> {
        self.inner.notes()
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_rule_fetches_only_what_it_needs_to_know() {
    let metadata = json!([{"namespace": "weir", "path": "tier", "exact": "gold"}]);
    for (rule, asked) in [
        (json!({}), &[][..]),
        (json!({"clusters": "users"}), &["Cluster"]),
        (json!({"source": "10.0.0.0/8"}), &["SourceAddress"]),
        (json!({"methods": "GET", "path": {"prefix": "/api"}}), &["Request"]),
        // A cheap condition that fails saves the dear ones, wherever it is written.
        (json!({"route_metadata": metadata, "source": "::/0", "methods": "POST"}), &["Request"]),
        (json!({"route_metadata": metadata, "clusters": "orders"}), &["Cluster"]),
        (
            json!({"claims": [{"path": "a", "exact": "x"}, {"path": "b", "exact": "x"}]}),
            &["metadata|filter_metadata|envoy.filters.http.jwt_authn|jwt_payload|a"],
        ),
        (json!({"any": [{"clusters": "users"}], "methods": "POST"}), &["Request"]),
        (
            json!({"route_metadata": metadata, "source": "::/0", "methods": "GET", "clusters": "users"}),
            &[
                "Request",
                "Cluster",
                "SourceAddress",
                "xds|route_metadata|filter_metadata|weir|tier",
            ],
        ),
    ] {
        let x = Watched { inner: request(), asked: RefCell::default() };
        let _ = matcher(&rule).matches(&x);
        assert_eq!(x.asked.take(), asked, "{rule}");
    }
}
