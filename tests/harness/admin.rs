//! A way to the admin interface of an Envoy that is not started yet, and a switch in it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::client::Request;
use crate::origin::{Act, Origin};

/// Passes requests on to the admin interface once it is known where that is.
///
/// Envoy takes a free port for it when it starts, so no cluster of its own configuration can name it.
pub struct Way {
    origin: Origin,
    to: Arc<Mutex<Option<SocketAddr>>>,
}

impl Way {
    /// A way that leads nowhere yet: it answers 503.
    pub fn start() -> Self {
        let to = Arc::new(Mutex::new(None));
        let address = Arc::clone(&to);
        let origin = Origin::start(move |request| {
            let address = *address.lock().unwrap_or_else(PoisonError::into_inner);
            match address.map(|address| Request::get(request.target()).try_ask(address)) {
                Some(Ok(answer)) => Act::response(answer.status(), &[], answer.body),
                Some(Err(_)) | None => Act::response(503, &[], ""),
            }
        });
        Self { origin, to }
    }

    /// Leads to this admin interface from now on, or nowhere.
    pub fn lead(&self, to: Option<SocketAddr>) {
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// The cluster `admin`, which takes this way.
    pub fn cluster(&self) -> Value {
        cluster("admin", self.origin.address())
    }

    /// What was asked on it, and how often.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// A cluster of this one host.
pub fn cluster(name: &str, host: SocketAddr) -> Value {
    let address = json!({"address": host.ip().to_string(), "port_value": host.port()});
    json!({
        "name": name,
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{
            "endpoint": {"address": {"socket_address": address}},
        }]}]},
    })
}
