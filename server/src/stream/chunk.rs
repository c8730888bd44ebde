//! What waits to be sent on one stream, and how it is cut.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// The most that several frames are put together to: HTTP/2's default frame size (RFC 9113, 4.2). A flood of small DATA
/// frames makes clients answer ENHANCE_YOUR_CALM, and each costs a write.
const CHUNK_BYTES: usize = 16 * 1024;

/// What a stream hands to its connection at once: enough that a fast client never waits for the next turn. Large frames
/// are handed over as they are, and not copied.
pub(super) const HANDED_OVER_BYTES: usize = 2 * CHUNK_BYTES;

/// Frames in order. It is filled only while it holds less than is handed over at once, so it is bounded by that and one
/// frame, and the events of the stream's opening.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Apart, since mostly there is one frame at a time, and a queue for it would be allocated each time. Empty if there
    /// is none.
    first: Bytes,
    rest: VecDeque<Bytes>,
    bytes: usize,
    /// How many are in JSON already.
    translated: usize,
}

impl Queue {
    pub(super) fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        if self.first.is_empty() {
            self.first = frame;
        } else {
            self.rest.push_back(frame);
        }
    }

    /// How many bytes are missing to what is handed over at once.
    pub(super) fn room(&self) -> usize {
        HANDED_OVER_BYTES.saturating_sub(self.bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Puts in the place of each frame what it is in JSON.
    pub(super) fn translate(&mut self, translate: impl Fn(&Bytes) -> Bytes) {
        let all = usize::from(!self.first.is_empty()) + self.rest.len();
        let frames = std::iter::once(&mut self.first).chain(&mut self.rest);
        for frame in frames.take(all).skip(self.translated) {
            let translation = translate(frame);
            self.bytes = self.bytes - frame.len() + translation.len();
            *frame = translation;
        }
        self.translated = all;
    }

    /// Takes the next chunk: one frame as it is, whatever its size, or several small ones copied together.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        if self.first.is_empty() {
            return None;
        }
        let first = std::mem::take(&mut self.first);
        let mut size = first.len();
        let joined = self.rest.iter().take_while(|frame| {
            size += frame.len();
            size <= CHUNK_BYTES
        });
        let count = joined.count();
        let chunk = if count == 0 { first } else { self.join(&first, count) };
        self.bytes -= chunk.len();
        self.translated = self.translated.saturating_sub(1 + count);
        match self.rest.pop_front() {
            Some(next) => self.first = next,
            // What a burst needed isn't kept.
            None if self.rest.capacity() > 0 => self.rest = VecDeque::new(),
            None => {}
        }
        Some(chunk)
    }

    /// A copy of a frame and the `count` that follow it.
    fn join(&mut self, first: &Bytes, count: usize) -> Bytes {
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES.min(self.bytes));
        chunk.extend_from_slice(first);
        self.rest.drain(..count).for_each(|frame| chunk.extend_from_slice(&frame));
        chunk.freeze()
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
