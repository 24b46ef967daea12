//! A scripted origin: answers as the test says, cuts, hangs, and counts what reaches it.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::http::{Message, read_body, read_head};

/// What the origin does with one request.
#[derive(Debug, Clone)]
pub enum Act {
    /// Answers with these bytes and keeps the connection.
    Answer(Vec<u8>),
    /// Sends these bytes and closes the connection.
    Cut(Vec<u8>),
    /// Says nothing until the origin ends.
    Hang,
}

impl Act {
    /// A whole response with a length.
    pub fn response(status: u16, fields: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut bytes =
            format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n", body.len()).into_bytes();
        for (name, value) in fields {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        Self::Answer(bytes)
    }
}

/// The script: called for each request, in whatever thread its connection has.
pub type Script = dyn Fn(&Message) -> Act + Send + Sync;

/// A running origin; it ends when dropped.
pub struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Mutex<Arc<Script>>,
    hits: Mutex<BTreeMap<String, u64>>,
    n_hits: AtomicU64,
    over: AtomicBool,
}

impl Origin {
    /// Starts an origin that answers by this script.
    pub fn start(script: impl Fn(&Message) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            script: Mutex::new(Arc::new(script)),
            hits: Mutex::default(),
            n_hits: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        let served = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if served.over.load(Ordering::SeqCst) {
                    return;
                }
                let served = Arc::clone(&served);
                if let Ok(stream) = stream {
                    thread::spawn(move || served.serve(&stream));
                }
            }
        });
        Self { address, shared }
    }

    /// An origin that answers everything with 200, no freshness, and its path as body.
    pub fn plain() -> Self {
        Self::start(|request| Act::response(200, &[], request.target()))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers by another script from now on.
    pub fn play(&self, script: impl Fn(&Message) -> Act + Send + Sync + 'static) {
        *lock(&self.shared.script) = Arc::new(script);
    }

    /// Requests so far.
    pub fn hits(&self) -> u64 {
        self.shared.n_hits.load(Ordering::SeqCst)
    }

    /// Requests for this target so far.
    pub fn hits_of(&self, target: &str) -> u64 {
        lock(&self.shared.hits).get(target).copied().unwrap_or(0)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts, which then ends.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut writer = stream;
        while let Ok(Some(mut request)) = read_head(&mut reader) {
            if read_body(&mut reader, &mut request, false).is_err() {
                return;
            }
            self.n_hits.fetch_add(1, Ordering::SeqCst);
            *lock(&self.hits).entry(request.target().to_owned()).or_default() += 1;
            let script = Arc::clone(&lock(&self.script));
            match script(&request) {
                Act::Answer(bytes) => {
                    if writer.write_all(&bytes).is_err() {
                        return;
                    }
                }
                Act::Cut(bytes) => {
                    let _ = writer.write_all(&bytes);
                    return;
                }
                // The peer gives up first; until then there is nothing to read.
                Act::Hang => drop(read_head(&mut reader)),
            }
        }
    }
}

/// Plays somebody slow, a service or a client, where slowness is what a test is about; never to wait for something.
#[expect(clippy::disallowed_methods, reason = "the time itself is what is tested")]
pub fn dawdle(time: Duration) {
    thread::sleep(time);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
