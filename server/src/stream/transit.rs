//! What a stream has handed to its connection, until that has written it.

use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::entry::Entry;

/// Bytes of an answer on their way to the client. A stream has at most one, and while it exists its client owes a read.
#[derive(Debug)]
pub struct Chunk {
    bytes: Bytes,
    stream: Option<Arc<Entry>>,
}

impl Chunk {
    /// Bytes that a stream sends.
    pub(super) fn of(stream: &Arc<Entry>, bytes: Bytes) -> Self {
        stream.departs();
        Self { bytes, stream: Some(Arc::clone(stream)) }
    }
}

/// Bytes of an answer that is known as a whole.
impl From<Bytes> for Chunk {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, stream: None }
    }
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
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
