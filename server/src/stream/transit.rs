//! What a stream has handed to its connection, until that has taken it.

use std::{collections::VecDeque, io::IoSlice, sync::Arc};

use bytes::{Buf, Bytes};

use super::entry::Entry;

/// Bytes of an answer on their way to the client. A stream has at most one such, and while it exists its client owes a
/// read: it is gone when it has been written, or copied to be written next. The latter doesn't happen again before the
/// socket has taken that.
#[derive(Debug)]
pub struct Chunk {
    first: Bytes,
    /// What follows, so that several large frames travel together without being copied.
    #[expect(clippy::box_collection, reason = "mostly nothing follows, and each stream has room for a chunk")]
    rest: Option<Box<VecDeque<Bytes>>>,
    length: usize,
    stream: Option<Arc<Entry>>,
    /// The stream has more to say already.
    is_followed: bool,
}

impl Chunk {
    /// Bytes that a stream sends.
    pub(super) fn of(stream: &Arc<Entry>, bytes: Bytes) -> Self {
        stream.departs();
        let mut chunk = Self::from(bytes);
        chunk.stream = Some(Arc::clone(stream));
        chunk
    }

    /// The stream has more to say already, and will say so when it is asked again.
    pub(super) fn set_followed(&mut self) {
        self.is_followed = true;
    }

    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.length += bytes.len();
        self.rest.get_or_insert_default().push_back(bytes);
    }

    /// Whether a stream waits until it has been written.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.stream.is_some()
    }

    /// Whether its stream has more to say already. One that hasn't wakes its connection when it has.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.is_followed || self.stream.is_none()
    }

    /// The bytes that are left, in parts.
    #[must_use]
    pub fn part(&self, number: usize) -> Option<&[u8]> {
        match number.checked_sub(1) {
            None => Some(&self.first),
            Some(number) => self.rest.as_ref()?.get(number).map(|part| &part[..]),
        }
    }
}

/// Bytes of an answer that is known as a whole.
impl From<Bytes> for Chunk {
    fn from(bytes: Bytes) -> Self {
        Self { length: bytes.len(), first: bytes, rest: None, stream: None, is_followed: false }
    }
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.length
    }

    fn chunk(&self) -> &[u8] {
        &self.first
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = (0..).map_while(|number| self.part(number)).filter(|part| !part.is_empty());
        let filled = slices.iter_mut().zip(parts).map(|(slice, part)| *slice = IoSlice::new(part));
        filled.count()
    }

    fn advance(&mut self, mut count: usize) {
        self.length -= count;
        while count >= self.first.len() {
            count -= self.first.len();
            match self.rest.as_mut().and_then(|rest| rest.pop_front()) {
                Some(next) => self.first = next,
                None => {
                    self.first.clear();
                    break;
                }
            }
        }
        self.first.advance(count);
        if let Some(stream) = &self.stream {
            stream.moves();
        }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            stream.arrives();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut as _;

    use super::*;

    #[test]
    fn parts_are_read_as_one_in_whatever_steps() {
        let parts = [&b"abc"[..], b"d", b"", b"efghij"];
        for step in 1..=10 {
            let mut chunk = Chunk::from(Bytes::from_static(parts[0]));
            parts[1..].iter().for_each(|part| chunk.push(Bytes::from_static(part)));
            let mut read = Vec::new();
            while chunk.has_remaining() {
                let size = step.min(chunk.remaining());
                read.put((&mut chunk).take(size));
            }
            assert_eq!(read, b"abcdefghij", "{step}");
        }
        let mut chunk = Chunk::from(Bytes::from_static(b"ab"));
        chunk.push(Bytes::from_static(b"cd"));
        let mut slices = [IoSlice::new(&[]); 3];
        assert_eq!(chunk.chunks_vectored(&mut slices), 2);
        assert_eq!((&*slices[0], &*slices[1]), (&b"ab"[..], &b"cd"[..]));
    }
}
