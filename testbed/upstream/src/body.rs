//! A body of any size that costs no memory, and that can break off in the middle.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// What fills a body behind its text.
const PADDING: &[u8] = &[b'.'; 16 << 10];

/// A text, cut or padded with dots to the size that was asked for.
///
/// The size is announced in `Content-Length`; when the body is to be cut, an error after so many bytes makes the server
/// close the connection in the middle of the message.
#[derive(Debug)]
pub struct PaddedBody {
    text: Bytes,
    left: u64,
    until_cut: Option<u64>,
    flushed: bool,
}

impl PaddedBody {
    /// A body of `size` bytes that starts with `text` and is cut off after `cut` bytes, if at all.
    #[must_use]
    pub fn new(text: String, size: u64, cut: Option<u64>) -> Self {
        Self { text: Bytes::from(text), left: size, until_cut: cut, flushed: false }
    }
}

impl Body for PaddedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if self.until_cut == Some(0) && !self.flushed {
            // The server writes out what it holds when the body makes it wait, and drops it when the body fails.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.until_cut == Some(0) {
            return Poll::Ready(Some(Err(io::Error::other("the body is cut here, as asked"))));
        }
        let mut source = if self.text.is_empty() {
            Bytes::from_static(PADDING)
        } else {
            std::mem::take(&mut self.text)
        };
        let room = self.left.min(self.until_cut.unwrap_or(u64::MAX));
        source.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        let sent = u64::try_from(source.len()).unwrap_or(self.left);
        self.left -= sent;
        self.until_cut = self.until_cut.map(|until| until - sent);
        Poll::Ready(Some(Ok(Frame::data(source))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn read(mut body: PaddedBody) -> (Vec<u8>, bool) {
        let mut all = Vec::new();
        loop {
            let polled = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
            match polled {
                Poll::Ready(Some(Ok(frame))) => all.extend_from_slice(&frame.into_data().unwrap()),
                Poll::Ready(Some(Err(_))) => return (all, true),
                Poll::Ready(None) => return (all, false),
                Poll::Pending => {}
            }
        }
    }

    #[test]
    fn the_text_is_cut_or_padded_to_the_size() {
        assert_eq!(read(PaddedBody::new("hello".into(), 5, None)), (b"hello".to_vec(), false));
        assert_eq!(read(PaddedBody::new("hello".into(), 2, None)), (b"he".to_vec(), false));
        assert_eq!(read(PaddedBody::new("hi".into(), 4, None)), (b"hi..".to_vec(), false));
        assert_eq!(read(PaddedBody::new("hi".into(), 100_000, None)).0.len(), 100_000);
        assert_eq!(read(PaddedBody::new("hi".into(), 0, None)), (Vec::new(), false));
    }

    #[test]
    fn a_cut_ends_in_an_error_after_so_many_bytes() {
        assert_eq!(
            read(PaddedBody::new("hello".into(), 100, Some(7))),
            (b"hello..".to_vec(), true)
        );
        assert_eq!(read(PaddedBody::new("hello".into(), 100, Some(0))), (Vec::new(), true));
    }
}
