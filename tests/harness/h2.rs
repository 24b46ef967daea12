//! A raw HTTP/2 client without TLS, as much of it as tests need: many GETs on one connection, and resets; gRPC calls.
//!
//! Header compression is switched off in both directions: a request's fields are literals,
//! and of a response to a GET only whether it is a 200 is read, which is one byte.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::client::connect;
use crate::hpack;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A setting of two bytes' number and four bytes' value: no dynamic table for header fields.
const NO_TABLE: [u8; 6] = [0, 1, 0, 0, 0, 0];
/// What may be received on the whole connection before more is granted: as much as there can be.
const WINDOW: u32 = (1 << 31) - 1 - 65_535;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// The reason of a client that wants no answer any more.
const CANCEL: u32 = 8;

/// Methods of the static table.
const GET: u8 = 0x82;
const POST: u8 = 0x83;
/// The status 200, of the static table.
const OK: Option<u8> = Some(0x88);

/// One connection.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    /// Frames that wait for [`Connection::flush`].
    out: Vec<u8>,
    next: u32,
    /// The streams whose status is known and whose end is not: whether it is a 200.
    statuses: BTreeMap<u32, bool>,
}

/// A stream that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Its number.
    pub stream: u32,
    /// Whether it was answered with 200; false as well if it was reset.
    pub is_ok: bool,
}

/// A frame as it came.
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Connection {
    /// Connects, with HTTP/2 from the first byte.
    pub fn open(address: SocketAddr) -> Self {
        let mut connection = Self {
            stream: BufReader::new(connect(address)),
            out: PREFACE.to_vec(),
            next: 1,
            statuses: BTreeMap::new(),
        };
        connection.frame(SETTINGS, 0, 0, &NO_TABLE);
        connection.frame(WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes());
        connection
    }

    /// Writes a GET for this target of `example.com` to what waits, and returns its stream's number.
    pub fn get(&mut self, target: &str, fields: &[(&str, &str)]) -> u32 {
        self.head(GET, target, fields, END_STREAM)
    }

    /// Writes a gRPC call with an empty message to what waits, and returns its stream's number.
    pub fn call(&mut self, target: &str) -> u32 {
        let fields = [("content-type", "application/grpc"), ("te", "trailers")];
        let stream = self.head(POST, target, &fields, 0);
        self.frame(DATA, END_STREAM, stream, &[0; 5]);
        stream
    }

    fn head(&mut self, method: u8, target: &str, fields: &[(&str, &str)], flags: u8) -> u32 {
        // Of the static table: the method, http, and the names of the path and of the authority.
        let mut block = vec![method, 0x86, 0x04];
        text(&mut block, target);
        block.push(0x01);
        text(&mut block, "example.com");
        for (name, value) in fields {
            block.push(0x00);
            text(&mut block, name);
            text(&mut block, value);
        }
        let stream = self.next;
        self.next += 2;
        self.frame(HEADERS, flags | END_HEADERS, stream, &block);
        stream
    }

    /// Writes to what waits that no answer is wanted any more.
    pub fn reset(&mut self, stream: u32) {
        self.frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
    }

    /// Sends what waits.
    ///
    /// # Errors
    /// A connection that the other side has closed.
    pub fn flush(&mut self) -> io::Result<()> {
        self.stream.get_mut().write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    /// Sends what waits, and reads until a stream has ended.
    ///
    /// # Errors
    /// A connection that ends, or nothing in time.
    pub fn receive(&mut self) -> io::Result<Ended> {
        loop {
            let Frame { kind, flags, stream, payload } = self.next_frame()?;
            match kind {
                RST_STREAM => {
                    self.statuses.remove(&stream);
                    return Ok(Ended { stream, is_ok: false });
                }
                HEADERS => {
                    // The table's new size may stand in front; trailers come after the status.
                    let status = payload.iter().find(|byte| **byte >> 5 != 0b001).copied();
                    self.statuses.entry(stream).or_insert(status == OK);
                }
                _ => {}
            }
            if matches!(kind, 0 | HEADERS) && flags & END_STREAM != 0 {
                let is_ok = self.statuses.remove(&stream) == Some(true);
                return Ok(Ended { stream, is_ok });
            }
        }
    }

    /// Sends what waits, and reads until a stream's fields have come.
    ///
    /// # Errors
    /// A connection that ends, a stream that is reset, or nothing in time.
    pub fn receive_fields(&mut self, stream: u32) -> io::Result<Vec<(String, String)>> {
        loop {
            let frame = self.next_frame()?;
            match frame.kind {
                HEADERS if frame.stream == stream => return Ok(hpack::fields(&frame.payload)),
                RST_STREAM if frame.stream == stream => {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                _ => {}
            }
        }
    }

    /// Sends what waits, and reads a frame; what a connection needs to live is answered.
    fn next_frame(&mut self) -> io::Result<Frame> {
        self.flush()?;
        let mut head = [0; 9];
        self.stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(0)];
        self.stream.read_exact(&mut payload)?;
        match kind {
            SETTINGS if flags & ACK == 0 => self.frame(SETTINGS, ACK, 0, &[]),
            PING if flags & ACK == 0 => self.frame(PING, ACK, 0, &payload),
            GOAWAY => return Err(io::ErrorKind::ConnectionAborted.into()),
            _ => {}
        }
        let stream = u32::from_be_bytes(stream) & (u32::MAX >> 1);
        Ok(Frame { kind, flags, stream, payload })
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let len = u32::try_from(payload.len()).expect("a frame of the tests is short");
        let [_, len @ ..] = len.to_be_bytes();
        self.out.extend_from_slice(&len);
        self.out.extend_from_slice(&[kind, flags]);
        self.out.extend_from_slice(&stream.to_be_bytes());
        self.out.extend_from_slice(payload);
    }
}

/// A string of fewer than 127 bytes as header compression has it.
fn text(block: &mut Vec<u8>, text: &str) {
    let len = u8::try_from(text.len()).ok().filter(|len| *len < 127);
    block.push(len.expect("texts of the tests are short"));
    block.extend_from_slice(text.as_bytes());
}
