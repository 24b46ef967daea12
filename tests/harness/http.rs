//! HTTP/1.1 messages as bytes: what the client and the origin of the tests share.
//!
//! Order, duplicates and bytes are kept as they come: tests are about what proxies do to them.

use std::io::{self, BufRead};

/// A message's header lines, in order, names in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, Vec<u8>)>);

impl Fields {
    /// The first value of a name, as text.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value);
        value.and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All values of a name, as text.
    pub fn all(&self, name: &str) -> Vec<String> {
        let values = self.0.iter().filter(|(found, _)| found == name);
        values.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }
}

/// One message: its first line, its fields, its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The request line or the status line.
    pub start: String,
    /// Header fields.
    pub fields: Fields,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Message {
    /// The status of a response.
    pub fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// The method of a request.
    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// The target of a request.
    pub fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The first value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Reads the first line and the fields; `None` at the end of the stream.
///
/// # Errors
/// A connection that is cut, or too slow for its read timeout.
pub fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Message>> {
    let Some(start) = read_line(reader)? else { return Ok(None) };
    let mut message =
        Message { start: String::from_utf8_lossy(&start).into_owned(), ..Message::default() };
    loop {
        let line = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(Some(message));
        }
        let mut halves = line.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (halves.next(), halves.next()) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        message.fields.0.push((name, value.trim_ascii().to_vec()));
    }
}

/// Reads the body that the fields announce; of a response with neither length nor chunks, all until the end.
///
/// # Errors
/// A body that is cut short.
pub fn read_body(
    reader: &mut impl BufRead,
    message: &mut Message,
    until_end: bool,
) -> io::Result<()> {
    if message
        .field("transfer-encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    {
        return read_chunks(reader, message);
    }
    match message.field("content-length").map(str::parse) {
        Some(Ok(len)) => {
            message.body = vec![0; len];
            reader.read_exact(&mut message.body)
        }
        Some(Err(_)) => Err(io::ErrorKind::InvalidData.into()),
        None if until_end => reader.read_to_end(&mut message.body).map(|_n| ()),
        None => Ok(()),
    }
}

fn read_chunks(reader: &mut impl BufRead, message: &mut Message) -> io::Result<()> {
    loop {
        let line = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let digits = String::from_utf8_lossy(&line);
        let digits = digits.split(';').next().unwrap_or_default().trim();
        let len = usize::from_str_radix(digits, 16).map_err(|_bad| io::ErrorKind::InvalidData)?;
        let mut chunk = vec![0; len];
        reader.read_exact(&mut chunk)?;
        message.body.append(&mut chunk);
        if len == 0 {
            while !read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?.is_empty() {}
            return Ok(());
        }
        read_line(reader)?;
    }
}

/// A line without its end; `None` at the end of the stream.
fn read_line(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    while line.last().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
        line.pop();
    }
    Ok(Some(line))
}
