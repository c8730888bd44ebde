//! How much an HTTP/2 client says that moves nothing: pings, settings, priorities, resets, empty DATA, unknown frames.
//!
//! Each is cheap, and each is taken for ever by a server that doesn't count (CVE-2019-9512, -9515, -9518,
//! CVE-2023-44487).

use std::collections::VecDeque;

use h2::frame::HEADER_LEN;

use super::{abuse::Abuse, header_block::HeaderBlock};
use crate::limits::Limits;

/// What a client earns one such frame by: many ping as often as something comes, to learn how fast their network is.
const EARNED_BY: usize = 64;

const DATA: u8 = 0;
const END_STREAM: u8 = 1;
const PADDED: u8 = 8;
const ACK: u8 = 1;

/// Counts them as they are read.
#[derive(Debug)]
pub(super) struct Chatter {
    /// How many there may be in a second, and as many more as were earned.
    limit: u32,
    /// The second that is counted, from the connection's beginning.
    second: u64,
    count: u32,
    /// By what was written in this second, and in the one before: an answer to that may take its time.
    earned: u32,
    earned_before: u32,
    /// The header of a frame that has come in part, and how much of it is there.
    header: [u8; HEADER_LEN],
    have: usize,
    /// What is left of the payload of the last one.
    payload: usize,
    /// The lengths of DATA frames with padding that haven't been asked for.
    padded: VecDeque<usize>,
    header_block: HeaderBlock,
}

impl Chatter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            limit: limits.idle_frames,
            second: 0,
            count: 0,
            earned: 0,
            earned_before: 0,
            header: [0; HEADER_LEN],
            have: 0,
            payload: 0,
            padded: VecDeque::new(),
            header_block: HeaderBlock::new(limits.largest_header()),
        }
    }

    /// The length of the next DATA frame with padding, in the order in which they came.
    pub(super) fn next_padded(&mut self) -> Option<usize> {
        self.padded.pop_front()
    }

    /// As much was written to the client.
    pub(super) fn earn(&mut self, bytes: usize) {
        self.earned = self.earned.saturating_add(u32::try_from(bytes / EARNED_BY).unwrap_or(u32::MAX));
    }

    /// Returns true if a request's header fields have come in part.
    pub(super) fn has_partial_header(&self) -> bool {
        self.header_block.is_partial()
    }

    /// Takes what was read next, this many milliseconds after the connection began. Returns what it was too much of.
    pub(super) fn hear(&mut self, mut bytes: &[u8], at: u64) -> Option<Abuse> {
        let second = at / 1000;
        if second != self.second {
            self.earned_before = if second == self.second + 1 { self.earned } else { 0 };
            (self.second, self.count, self.earned) = (second, 0, 0);
        }
        loop {
            let skipped = self.payload.min(bytes.len());
            self.payload -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                let limit = self.limit.saturating_add(self.earned).saturating_add(self.earned_before);
                return (self.count > limit).then_some(Abuse::IdleFrames);
            }
            let taken = (HEADER_LEN - self.have).min(bytes.len());
            self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == HEADER_LEN {
                self.have = 0;
                let [a, b, c, kind, flags, ..] = self.header;
                let length = u32::from_be_bytes([0, a, b, c]);
                self.payload = length as usize;
                if self.header_block.add(kind, flags, length) {
                    return Some(Abuse::HeaderBytes);
                }
                self.count += u32::from(is_chatter(kind, flags, self.payload));
                if kind == DATA && flags & PADDED != 0 {
                    self.padded.push_back(self.payload);
                }
            }
        }
    }
}

/// By the types of RFC 9113, section 6. Other DATA, HEADERS and CONTINUATION have bounds of their own, and credit is
/// earned.
fn is_chatter(kind: u8, flags: u8, length: usize) -> bool {
    const PRIORITY: u8 = 2;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    const GOAWAY: u8 = 7;
    const CONTINUATION: u8 = 9;
    match kind {
        // With as much padding as there may be, a frame may still be empty.
        DATA if flags & PADDED != 0 => length <= 256 && flags & END_STREAM == 0,
        DATA => length == 0 && flags & END_STREAM == 0,
        // The server has asked for each acknowledgement; another one is an error of the connection.
        SETTINGS => flags & ACK == 0,
        PRIORITY | RST_STREAM | PING | GOAWAY => true,
        kind => kind > CONTINUATION,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_limit(idle_frames: u32) -> Chatter {
        Chatter::new(&Limits { idle_frames, ..Limits::default() })
    }

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        [vec![0, 0, length, kind, 0, 0, 0, 0, 0], vec![6; usize::from(length)]].concat()
    }

    #[test]
    fn frames_are_counted_however_they_are_cut() {
        let said: Vec<u8> =
            [frame(6, 8), frame(0, 200), frame(4, 0), frame(1, 30), frame(0x55, 3), frame(3, 4)].concat();
        for cut in 1..said.len() {
            let mut chatter = with_limit(3);
            let parts: Vec<_> = said.chunks(cut).collect();
            let (last, first) = parts.split_last().expect("something is said");
            assert!(!first.iter().any(|part| chatter.hear(part, 0).is_some() && chatter.count < 4), "{cut}");
            assert_eq!(chatter.hear(last, 0), Some(Abuse::IdleFrames), "{cut}");
            assert_eq!(chatter.count, 4, "{cut}");
        }
    }

    #[test]
    fn it_is_too_much_only_within_a_second_and_without_answers() {
        let mut chatter = with_limit(10);
        let ten = frame(6, 8).repeat(10);
        for second in 0..100 {
            assert_eq!(chatter.hear(&ten, second * 1000), None);
        }
        assert!(chatter.hear(&frame(6, 8), 99_999).is_some());

        // Who is told much may ping as often as it likes; the answers to pings don't pay for them.
        let mut chatter = with_limit(10);
        for _ in 0..1000 {
            chatter.earn(700);
            assert_eq!(chatter.hear(&ten, 0), None);
        }
        // Nobody saves up.
        chatter.earn(1 << 20);
        assert_eq!(chatter.hear(&ten.repeat(2), 1000), None);
        assert!(chatter.hear(&ten.repeat(2), 3000).is_some());
        let mut chatter = with_limit(10);
        let too_much = (0..1000).find(|_| {
            chatter.earn(17);
            chatter.hear(&frame(6, 8), 0).is_some()
        });
        assert!(too_much.is_some());
    }
}
