//! The size of a header block, while its frames come.

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Counts the bytes of the header block that is under way on an HTTP/2 connection (RFC 9113, section 4.3).
#[derive(Debug)]
pub(super) struct HeaderBlock {
    limit: u32,
    /// Size of the frames so far of a block that is incomplete, in bytes.
    partial: Option<u32>,
}

impl HeaderBlock {
    /// A block may have `limit` bytes.
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, partial: None }
    }

    /// Notes the header of a frame. Returns true if the block is larger than it may be.
    pub(super) fn add(&mut self, kind: u8, flags: u8, length: u32) -> bool {
        let before = match kind {
            HEADERS => 0,
            CONTINUATION => self.partial.unwrap_or(0),
            // Anything else within a block breaks the protocol, which the codec finds out.
            _ => return false,
        };
        let size = before.saturating_add(length);
        self.partial = (flags & END_HEADERS == 0).then_some(size);
        size > self.limit
    }

    /// Returns true if frames have to come until the block is whole.
    pub(super) fn is_partial(&self) -> bool {
        self.partial.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_measured_over_its_frames_and_the_next_one_anew() {
        let mut block = HeaderBlock::new(100);
        for _ in 0..3 {
            assert!(!block.add(HEADERS, 0, 60));
            assert!(block.is_partial());
            assert!(!block.add(CONTINUATION, END_HEADERS, 40));
            assert!(!block.is_partial());
        }
        assert!(!block.add(HEADERS, END_HEADERS, 100));
        assert!(!block.add(0, 0, 1000), "DATA");
        assert!(!block.add(HEADERS, 0, 100));
        assert!(block.add(CONTINUATION, 0, 1));
        assert!(HeaderBlock::new(u32::MAX).add(HEADERS, 0, u32::MAX) != block.add(CONTINUATION, 0, u32::MAX));
    }
}
