//! A raw HTTP/1.1 client: sends exactly the bytes it is told, keeps what comes back as it came.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::http::{Message, read_body, read_head};

/// No answer takes longer than this unless the test is about waiting.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A socket that is patient, but not for ever.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream =
        TcpStream::connect_timeout(&address, TIMEOUT).expect("a listener on loopback answers");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout above zero is taken");
    stream.set_nodelay(true).expect("a socket takes the option");
    stream
}

/// One connection, kept alive from request to request.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Self {
        Self { stream: BufReader::new(connect(address)) }
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// A connection that the other side has closed.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads one response; `to_head` says that it has no body whatever its fields say.
    ///
    /// # Errors
    /// A connection that is cut, or an answer that does not come in time.
    pub fn receive(&mut self, to_head: bool) -> io::Result<Message> {
        loop {
            let mut message = read_head(&mut self.stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            match message.status() {
                100..=199 if message.status() != 101 => {}
                101 | 204 | 304 => return Ok(message),
                _ if to_head => return Ok(message),
                _ => {
                    read_body(&mut self.stream, &mut message, true)?;
                    return Ok(message);
                }
            }
        }
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// As [`Connection::send`] and [`Connection::receive`].
    pub fn ask(&mut self, request: &Request) -> io::Result<Message> {
        self.send(&request.to_bytes())?;
        self.receive(request.method == "HEAD")
    }
}

/// A request to be written as it is.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    target: String,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

impl Request {
    /// A request for this target of `example.com`.
    pub fn new(method: &str, target: &str) -> Self {
        let host = (b"host".to_vec(), b"example.com".to_vec());
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            fields: vec![host],
            body: Vec::new(),
        }
    }

    /// A GET.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// With one more field.
    #[must_use]
    pub fn field(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Without the fields of this name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(found, _)| found != name.as_bytes());
        self
    }

    /// With a body and its length.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        let len = self.body.len().to_string();
        self.field("content-length", len)
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.fields {
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Asks on a connection of its own; panics if there is no answer, which says what was asked.
    pub fn ask(&self, address: SocketAddr) -> Message {
        match self.try_ask(address) {
            Ok(message) => message,
            Err(error) => panic!("{} {}: {error}", self.method, self.target),
        }
    }

    /// Asks on a connection of its own.
    ///
    /// # Errors
    /// A connection that is cut, or no answer in time.
    pub fn try_ask(&self, address: SocketAddr) -> io::Result<Message> {
        Connection::open(address).ask(self)
    }
}
