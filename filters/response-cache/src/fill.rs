//! A response on its way into the store: a copy that grows while the chunks pass, and the memory it may take.
//!
//! Nothing is held back from the client. A copy that would go beyond its own limit, or beyond what all copies
//! of this worker may take together, is given up at once. Stored responses that are kept at hand while the origin
//! is asked about them count among these copies.

use std::cell::Cell;
use std::rc::Rc;

use kit::Nanos;

use crate::http::response::Length;
use crate::signals::Refusal;
use crate::store::stored::Stored;

/// The bytes that all copies of one worker may take together.
#[derive(Debug, Clone)]
pub struct Budget {
    left: Rc<Cell<u64>>,
}

impl Budget {
    /// A budget of this many bytes.
    pub fn new(bytes: u64) -> Self {
        Self { left: Rc::new(Cell::new(bytes)) }
    }

    /// A share of this many bytes.
    ///
    /// # Errors
    /// [`Refusal::FillMemory`] if so many are not free.
    pub fn lease(&self, bytes: u64) -> Result<Lease, Refusal> {
        let mut lease = Lease { budget: self.clone(), held: 0 };
        lease.grow_to(bytes)?;
        Ok(lease)
    }

    /// Bytes that are free now.
    pub fn left(&self) -> u64 {
        self.left.get()
    }
}

/// A share of a [`Budget`], given back when it is dropped, however the exchange ended.
#[derive(Debug)]
pub struct Lease {
    budget: Budget,
    held: u64,
}

impl Lease {
    fn grow_to(&mut self, bytes: u64) -> Result<(), Refusal> {
        let more = bytes.saturating_sub(self.held);
        let left = self.budget.left.get().checked_sub(more).ok_or(Refusal::FillMemory)?;
        self.budget.left.set(left);
        self.held = self.held.saturating_add(more);
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.left.set(self.budget.left.get().saturating_add(self.held));
    }
}

/// One response being copied.
#[derive(Debug)]
pub struct Fill {
    stored: Stored,
    asked: Nanos,
    length: Length,
    max_bytes: u64,
    /// Bytes of everything but the body.
    head: u64,
    lease: Lease,
}

impl Fill {
    /// Begins to copy: `stored` has everything but the body.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] or [`Refusal::FillMemory`], also when the announced length says so already.
    pub fn begin(
        stored: Stored,
        asked: Nanos,
        length: Length,
        max_bytes: u64,
        budget: &Budget,
    ) -> Result<Self, Refusal> {
        let head = as_u64(stored.encode().len());
        let lease = Lease { budget: budget.clone(), held: 0 };
        let mut this = Self { stored, asked, length, max_bytes, head, lease };
        let announced = match length {
            Length::Bytes(bytes) => bytes,
            Length::Unknown | Length::Invalid => 0,
        };
        this.reserve(announced)?;
        Ok(this)
    }

    /// Whether it takes the place of what is stored under this key for these values of these fields.
    pub fn overwrites(&self, key: &[u8], names: &[u8], variant: &[u8]) -> bool {
        let Stored { key: own, names: own_names, variant: own_variant, .. } = &self.stored;
        (&**own, &**own_names, &**own_variant) == (key, names, variant)
    }

    /// Makes room for the next chunk of this many bytes.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`], [`Refusal::FillMemory`], or [`Refusal::Incomplete`] if more comes than was announced.
    pub fn make_room(&mut self, chunk: usize) -> Result<(), Refusal> {
        let body = as_u64(self.stored.body.len()).saturating_add(as_u64(chunk));
        if let Length::Bytes(announced) = self.length
            && body > announced
        {
            return Err(Refusal::Incomplete);
        }
        let room = as_u64(self.stored.body.capacity());
        if body <= room {
            return Ok(());
        }
        // What is leased is what is allocated: all of an announced body, else twice what there was.
        let wanted = match self.length {
            Length::Bytes(announced) => announced,
            Length::Unknown | Length::Invalid => {
                room.saturating_mul(2).min(self.max_bytes.saturating_sub(self.head)).max(body)
            }
        };
        self.reserve(wanted)?;
        let more = wanted.saturating_sub(as_u64(self.stored.body.len()));
        self.stored.body.reserve_exact(usize::try_from(more).unwrap_or(0));
        Ok(())
    }

    /// Takes a chunk, for which room was made; `size` is what it should have.
    ///
    /// # Errors
    /// [`Refusal::Incomplete`] if the host did not hand over all of it.
    pub fn push(&mut self, chunk: &[u8], size: usize) -> Result<(), Refusal> {
        if chunk.len() != size {
            return Err(Refusal::Incomplete);
        }
        self.stored.body.extend_from_slice(chunk);
        Ok(())
    }

    /// Ends the copy: the response and when it was asked for.
    ///
    /// # Errors
    /// [`Refusal::Incomplete`] if less came than was announced.
    pub fn end(self) -> Result<(Stored, Nanos), Refusal> {
        match self.length {
            Length::Bytes(announced) if announced != as_u64(self.stored.body.len()) => {
                Err(Refusal::Incomplete)
            }
            Length::Bytes(_) | Length::Unknown | Length::Invalid => Ok((self.stored, self.asked)),
        }
    }

    fn reserve(&mut self, body: u64) -> Result<(), Refusal> {
        let whole = self.head.saturating_add(body);
        if whole > self.max_bytes {
            return Err(Refusal::TooLarge);
        }
        self.lease.grow_to(whole)
    }
}

fn as_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
