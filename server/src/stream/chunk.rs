//! What waits to be sent on one stream, and how it is cut.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// The most that several frames are put together to: HTTP/2's default frame size (RFC 9113, 4.2). A flood of small DATA
/// frames makes clients answer ENHANCE_YOUR_CALM, and each costs a write.
const CHUNK_BYTES: usize = 16 * 1024;

/// Frames in order. It is filled only while it holds less than a chunk, so it is bounded by a chunk and one frame, and
/// the events of the stream's opening.
#[derive(Debug, Default)]
pub(super) struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
}

impl Queue {
    pub(super) fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    /// How many bytes are missing to a chunk.
    pub(super) fn room(&self) -> usize {
        CHUNK_BYTES.saturating_sub(self.bytes)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes the next chunk: one frame as it is, whatever its size, or several small ones copied together.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let first = self.frames.pop_front()?;
        let mut size = first.len();
        let joined = self.frames.iter().take_while(|frame| {
            size += frame.len();
            size <= CHUNK_BYTES
        });
        let count = joined.count();
        self.bytes -= first.len();
        if count == 0 {
            if self.frames.is_empty() {
                self.clear();
            }
            return Some(first);
        }
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES.min(first.len() + self.bytes));
        chunk.extend_from_slice(&first);
        for frame in self.frames.drain(..count) {
            self.bytes -= frame.len();
            chunk.extend_from_slice(&frame);
        }
        if self.frames.is_empty() {
            self.clear();
        }
        Some(chunk.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(frames: &[usize]) -> Vec<usize> {
        let mut queue = Queue::default();
        for &size in frames {
            queue.push(Bytes::from(vec![0; size]));
        }
        std::iter::from_fn(|| queue.pop()).map(|chunk| chunk.len()).collect()
    }

    #[test]
    fn small_frames_travel_together_and_large_ones_alone() {
        assert_eq!(sizes(&[100, 200, 300]), [600]);
        assert_eq!(sizes(&[16_384, 1]), [16_384, 1]);
        assert_eq!(sizes(&[16_000, 384, 1]), [16_384, 1]);
        assert_eq!(sizes(&[10, 131_072, 10, 10]), [10, 131_072, 20]);
        assert_eq!(sizes(&[]), [0; 0]);
    }
}
