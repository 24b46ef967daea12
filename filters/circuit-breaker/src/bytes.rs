//! Numbers and texts in entries of a fixed size.

use kit::Nanos;

/// What is not read yet.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    pub(crate) fn nanos(&mut self) -> Option<Nanos> {
        self.u64().map(Nanos)
    }

    /// What [`Writer::put_text`] put, with this room for it.
    pub(crate) fn text(&mut self, room: usize) -> Option<Vec<u8>> {
        let [len] = self.take()?;
        let (place, rest) = self.0.split_at_checked(room)?;
        self.0 = rest;
        place.get(..usize::from(len)).map(<[u8]>::to_vec)
    }
}

/// What is not written yet; bytes that do not fit any more are dropped.
pub(crate) struct Writer<'a>(pub(crate) &'a mut [u8]);

impl Writer<'_> {
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        if let Some((place, rest)) = std::mem::take(&mut self.0).split_at_mut_checked(bytes.len()) {
            place.copy_from_slice(bytes);
            self.0 = rest;
        }
    }

    /// One byte length, then a text in a room of this size, at most 255; what is longer is cut.
    pub(crate) fn put_text(&mut self, text: &[u8], room: usize) {
        let text = cut(text, room);
        self.put(&[u8::try_from(text.len()).unwrap_or(0)]);
        self.put(text);
        if let Some((_, rest)) =
            std::mem::take(&mut self.0).split_at_mut_checked(room.saturating_sub(text.len()))
        {
            self.0 = rest;
        }
    }
}

/// At most so many bytes of a text, cut between characters.
pub(crate) fn cut(text: &[u8], room: usize) -> &[u8] {
    let is_inside = |at: usize| text.get(at).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000);
    let mut end = room.min(text.len());
    while end > 0 && is_inside(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}
