//! A part of an answer that is too large to be copied, on its way into the socket as DATA frames.

use std::io::IoSlice;

use h2::frame::HEADER_LEN;

use super::super::exchange::Outgoing;

/// Frames that are written at once: of the usual size, all of what a stream may send in its turn.
const FRAMES: usize = 4;

const END_STREAM: u8 = 1;

/// The header of a DATA frame (RFC 9113, sections 4.1 and 6.1).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DataHead(pub(super) [u8; HEADER_LEN]);

impl DataHead {
    /// `length` is less than 2^24.
    pub(super) fn new(length: usize, id: u32, ends: bool) -> Self {
        let [.., a, b, c] = length.to_be_bytes();
        let [d, e, f, g] = id.to_be_bytes();
        Self([a, b, c, 0, if ends { END_STREAM } else { 0 }, d, e, f, g])
    }
}

/// Some of a chunk, as its client has granted it.
pub(super) struct Payload<D> {
    id: u32,
    chunk: D,
    /// The stream ends with it.
    ends: bool,
    max_frame: usize,
    /// The header of the frame under way, and how much of it isn't written.
    head: DataHead,
    head_left: usize,
    /// What is left of that frame, and of all that was granted.
    frame_left: usize,
    granted: usize,
    has_begun: bool,
}

impl<D: Outgoing> Payload<D> {
    /// `granted` is at least 1 and no more than the chunk has; the chunk's last byte is granted if the stream `ends`.
    pub(super) fn new(id: u32, chunk: D, granted: usize, ends: bool, max_frame: usize) -> Self {
        let mut payload = Self {
            id,
            chunk,
            ends,
            max_frame,
            head: DataHead::default(),
            head_left: 0,
            frame_left: 0,
            granted,
            has_begun: false,
        };
        payload.begin_frame();
        payload
    }

    fn begin_frame(&mut self) {
        (self.head, self.frame_left) = self.frame(self.granted);
        self.head_left = HEADER_LEN;
    }

    /// The header and the length of the frame that begins when as much is left.
    fn frame(&self, left: usize) -> (DataHead, usize) {
        let length = left.min(self.max_frame);
        (DataHead::new(length, self.id, self.ends && length == left), length)
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Whether something of it has been written.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    pub(super) fn is_done(&self) -> bool {
        self.granted == 0 && self.head_left == 0
    }

    /// How much of what was granted isn't written.
    pub(super) fn granted(&self) -> usize {
        self.granted
    }

    /// What wasn't granted, and whether the stream has ended.
    pub(super) fn into_rest(self) -> (D, bool) {
        (self.chunk, self.ends)
    }

    /// Lists what is to be written next, after `before`. Answers how many parts that are.
    pub(super) fn parts<'a>(
        &'a self,
        before: &'a [u8],
        heads: &'a mut [DataHead; FRAMES],
        parts: &mut [IoSlice<'a>],
    ) -> usize {
        let mut lengths = [self.frame_left; FRAMES];
        let (mut frames, mut left) = (1, self.granted - self.frame_left);
        while frames < FRAMES && left > 0 {
            (heads[frames], lengths[frames]) = self.frame(left);
            left -= lengths[frames];
            frames += 1;
        }
        heads[0] = self.head;
        let heads: &'a [DataHead; FRAMES] = heads;

        let mut count = 0;
        let mut add = |part: &'a [u8]| {
            let Some(place) = parts.get_mut(count) else { return false };
            if !part.is_empty() {
                *place = IoSlice::new(part);
                count += 1;
            }
            true
        };
        add(before);
        let (mut part, mut next) = (&[][..], 0);
        for (frame, head) in heads[..frames].iter().enumerate() {
            let skipped = if frame == 0 { HEADER_LEN - self.head_left } else { 0 };
            if !add(&head.0[skipped..]) {
                break;
            }
            let mut left = lengths[frame];
            while left > 0 {
                if part.is_empty() {
                    let Some(more) = self.chunk.part(next) else { break };
                    (part, next) = (more, next + 1);
                }
                let (taken, rest) = part.split_at(part.len().min(left));
                if !add(taken) {
                    break;
                }
                left -= taken.len();
                part = rest;
            }
        }
        count
    }

    /// As much has been written.
    pub(super) fn advance(&mut self, mut written: usize) {
        self.has_begun |= written > 0;
        while written > 0 {
            let head = written.min(self.head_left);
            let data = (written - head).min(self.frame_left);
            self.head_left -= head;
            self.frame_left -= data;
            self.granted -= data;
            if data > 0 {
                self.chunk.advance(data);
            }
            written -= head + data;
            if self.head_left == 0 && self.frame_left == 0 && self.granted > 0 {
                self.begin_frame();
            }
        }
    }

    /// Takes back all but the frame under way. Answers how much that was.
    pub(super) fn cut(&mut self) -> usize {
        let is_under_way = self.head_left < HEADER_LEN;
        if !is_under_way {
            (self.head_left, self.frame_left) = (0, 0);
        }
        self.ends = false;
        std::mem::replace(&mut self.granted, self.frame_left) - self.frame_left
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::stream::Chunk;

    const ID: u32 = 5;

    /// Writes as much of what the payload lists as the socket takes.
    fn write(payload: &mut Payload<Chunk>, before: &mut &[u8], room: usize, socket: &mut Vec<u8>) {
        let mut heads = Default::default();
        let mut parts = [IoSlice::new(&[]); 8];
        let left = if payload.has_begun() { &[] } else { *before };
        let count = payload.parts(left, &mut heads, &mut parts);
        let listed: Vec<u8> = parts[..count].iter().flat_map(|part| part.to_vec()).collect();
        let written = room.min(listed.len());
        socket.extend_from_slice(&listed[..written]);
        let of_before = written.min(left.len());
        *before = &before[of_before..];
        payload.advance(written - of_before);
    }

    /// The lengths of DATA frames, the last one's flag, and all that they carry.
    fn read(mut frames: &[u8]) -> (Vec<usize>, u8, Vec<u8>) {
        let (mut lengths, mut last, mut data) = (Vec::new(), 0, Vec::new());
        while let [a, b, c, kind, flags, id @ ..] = frames {
            let (id, rest) = id.split_at(4);
            assert_eq!((*kind, last, id), (0, 0, &ID.to_be_bytes()[..]));
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            lengths.push(length);
            last = *flags;
            data.extend_from_slice(&rest[..length]);
            frames = &rest[length..];
        }
        (lengths, last, data)
    }

    fn chunk(parts: &[Vec<u8>]) -> Chunk {
        let mut chunk = Chunk::from(Bytes::copy_from_slice(&parts[0]));
        parts[1..].iter().for_each(|part| chunk.push(Bytes::copy_from_slice(part)));
        chunk
    }

    proptest! {
        #[test]
        fn what_is_granted_arrives_in_whole_frames_however_it_is_written(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..12),
            max_frame in 1_usize..50,
            grant in 1_usize..500,
            ends: bool,
            rooms in prop::collection::vec(1_usize..60, 1..20),
            cut in prop::option::of(0_usize..30),
        ) {
            let whole = parts.concat();
            prop_assume!(!whole.is_empty());
            let granted = grant.min(whole.len());
            let ends = ends && granted == whole.len();
            let mut payload = Payload::new(ID, chunk(&parts), granted, ends, max_frame);
            let (mut before, mut socket, mut unused) = (&b"earlier"[..], Vec::new(), 0);
            for (turn, &room) in rooms.iter().cycle().enumerate() {
                if cut == Some(turn) {
                    unused = payload.cut();
                }
                if payload.is_done() {
                    break;
                }
                write(&mut payload, &mut before, room, &mut socket);
            }
            let frames = socket.strip_prefix(&b"earlier"[..]).unwrap_or_default();
            let (lengths, last, data) = read(frames);
            prop_assert_eq!(&data[..], &whole[..granted - unused]);
            prop_assert!(lengths.iter().all(|&length| length <= max_frame));
            prop_assert!(lengths.iter().rev().skip(1).all(|&length| length == max_frame));
            prop_assert!(unused > 0 || last == u8::from(ends));
            let (rest, _) = payload.into_rest();
            prop_assert_eq!(bytes::Buf::remaining(&rest), whole.len() - data.len());
        }
    }
}
