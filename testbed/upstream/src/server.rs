//! Speaks HTTP/1.1 for the demo upstream: one task per connection, all on one thread.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::{TcpListener, TcpStream};

use super::answer::{Answer, Asked, Moment, decide};
use super::body::PaddedBody;
use super::ledger::Ledger;
use super::switches::Switches;

/// The largest request body that is read, in bytes; a larger one is answered with 413.
const LARGEST_REQUEST: usize = 8 << 20;
/// Pause after a failed accept, which means that the process has no file handles left.
const BREATH: Duration = Duration::from_millis(50);

struct Instance {
    name: String,
    started_at: Instant,
    switches: RefCell<Switches>,
    ledger: RefCell<Ledger>,
}

/// Serves on `listener` until the process ends.
///
/// # Errors
/// The runtime cannot be made, or the listener cannot be used.
pub fn serve(listener: std::net::TcpListener, name: &str) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let instance = Rc::new(Instance {
        name: name.to_owned(),
        started_at: Instant::now(),
        switches: RefCell::default(),
        ledger: RefCell::default(),
    });
    let connections = tokio::task::LocalSet::new();
    connections.block_on(&runtime, async {
        let listener = TcpListener::from_std(listener)?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::task::spawn_local(converse(stream, Rc::clone(&instance)));
                }
                Err(_) => tokio::time::sleep(BREATH).await,
            }
        }
    })
}

async fn converse(stream: TcpStream, instance: Rc<Instance>) {
    let service = service_fn(move |request| {
        let instance = Rc::clone(&instance);
        async move { instance.respond(request).await }
    });
    // A client that leaves, or a cut that was asked for, ends the connection: nothing to report.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Instance {
    async fn respond(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<PaddedBody>, hyper::Error> {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, LARGEST_REQUEST).collect().await else {
            return Ok(self.text(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the request body is too large\n".to_owned(),
            ));
        };
        let body = body.to_bytes();
        let path = head.uri.path();
        match (&head.method, path) {
            (method, "/_control") => Ok(self.control(method, &body)),
            (method, "/_control/counts") => Ok(self.counts(method)),
            _ => Ok(self
                .answer(&head.method, path, head.uri.query().unwrap_or(""), &head.headers, &body)
                .await),
        }
    }

    async fn answer(
        &self,
        method: &Method,
        path: &str,
        query: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Response<PaddedBody> {
        let text_of = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let asked = Asked {
            method: method.as_str(),
            path,
            query,
            if_none_match: text_of(header::IF_NONE_MATCH),
            if_modified_since: text_of(header::IF_MODIFIED_SINCE),
        };
        // Health checks come every second and would drown what a person or a test sent.
        let serial = if path == "/healthz" { 0 } else { self.ledger.borrow_mut().record(path) };
        let moment = Moment {
            instance: &self.name,
            serial,
            up_for: self.started_at.elapsed(),
            now: SystemTime::now(),
            dice: [fastrand::f64(), fastrand::f64()],
        };
        let decided = decide(&asked, &self.switches.borrow(), &moment);
        let mut answer = match decided {
            Ok(answer) => answer,
            Err(reason) => return self.text(StatusCode::BAD_REQUEST, format!("{reason}\n")),
        };
        if answer.hang {
            return std::future::pending().await;
        }
        if path.ends_with("/echo") {
            answer.text = self.echo(&asked, serial, headers, body);
            answer.size = u64::try_from(answer.text.len()).unwrap_or_default();
            answer.headers.push(("content-type", "application/json".to_owned()));
        }
        if !answer.delay.is_zero() {
            tokio::time::sleep(answer.delay).await;
        }
        self.send(answer)
    }

    /// What came in, as JSON: for looking at what a gateway adds to a request.
    fn echo(&self, asked: &Asked<'_>, serial: u64, headers: &HeaderMap, body: &Bytes) -> String {
        let mut listed: Map<String, Value> = Map::new();
        for (name, value) in headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            match listed.get_mut(name.as_str()).and_then(Value::as_array_mut) {
                Some(values) => values.push(value.into()),
                None => {
                    listed.insert(name.to_string(), json!([value]));
                }
            }
        }
        let report = json!({
            "instance": self.name,
            "request": serial,
            "method": asked.method,
            "path": asked.path,
            "query": asked.query,
            "headers": listed,
            "body_bytes": body.len(),
        });
        format!("{report:#}\n")
    }

    fn control(&self, method: &Method, body: &Bytes) -> Response<PaddedBody> {
        let changed = match *method {
            Method::GET => Ok(self.switches.borrow().clone()),
            Method::DELETE => Ok(Switches::default()),
            Method::POST | Method::PATCH => serde_json::from_slice(body)
                .map_err(|e| format!("the body is no JSON: {e}"))
                .and_then(|change: Value| {
                    self.switches.borrow().changed(&change).map_err(|e| e.to_string())
                }),
            _ => {
                return self
                    .text(StatusCode::METHOD_NOT_ALLOWED, "GET, POST or DELETE\n".to_owned());
            }
        };
        match changed {
            Ok(switches) => {
                let report = json!({ "instance": self.name, "switches": switches });
                *self.switches.borrow_mut() = switches;
                self.text(StatusCode::OK, format!("{report:#}\n"))
            }
            Err(reason) => self.text(StatusCode::BAD_REQUEST, format!("{reason}\n")),
        }
    }

    fn counts(&self, method: &Method) -> Response<PaddedBody> {
        match *method {
            Method::GET => {}
            Method::DELETE => *self.ledger.borrow_mut() = Ledger::default(),
            _ => return self.text(StatusCode::METHOD_NOT_ALLOWED, "GET or DELETE\n".to_owned()),
        }
        let report = self.ledger.borrow().report(&self.name);
        self.text(StatusCode::OK, format!("{report:#}\n"))
    }

    fn text(&self, status: StatusCode, text: String) -> Response<PaddedBody> {
        let size = u64::try_from(text.len()).unwrap_or_default();
        let headers = Vec::new();
        self.send(Answer {
            hang: false,
            delay: Duration::ZERO,
            status: status.as_u16(),
            headers,
            text,
            size,
            cut: None,
        })
    }

    fn send(&self, answer: Answer) -> Response<PaddedBody> {
        let mut response = Response::new(PaddedBody::new(answer.text, answer.size, answer.cut));
        *response.status_mut() =
            StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        let named = answer.headers.into_iter().chain([("x-upstream", self.name.clone())]);
        for (name, value) in named {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}
