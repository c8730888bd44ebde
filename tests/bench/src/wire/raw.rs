//! The floor's language: messages with a length of four bytes before them.

use super::{Event, Rest};
use crate::Fault;

/// The first byte of a connection that listens. An empty message answers it.
pub(crate) const SUBSCRIBE: u8 = b'S';
/// The first byte of a connection that publishes.
pub(crate) const PUBLISH: u8 = b'P';
/// Bytes of the length.
pub(crate) const PREFIX_BYTES: usize = 4;

#[derive(Default)]
pub(super) struct Session {
    prefix: Vec<u8>,
    bytes: usize,
    rest: Rest,
}

impl Session {
    pub(super) fn subscribe() -> (Self, Vec<u8>) {
        (Self::default(), vec![SUBSCRIBE])
    }

    pub(super) fn publisher() -> (Self, Vec<u8>) {
        (Self::default(), vec![PUBLISH])
    }
}

impl super::Session for Session {
    fn read(&mut self, mut bytes: &[u8], _: &mut Vec<u8>, each: &mut dyn FnMut(Event)) -> Result<(), Fault> {
        while !bytes.is_empty() {
            if self.prefix.len() < PREFIX_BYTES {
                let (prefix, after) = bytes.split_at(bytes.len().min(PREFIX_BYTES - self.prefix.len()));
                self.prefix.extend_from_slice(prefix);
                bytes = after;
                let Ok(length) = <[u8; PREFIX_BYTES]>::try_from(self.prefix.as_slice()) else { return Ok(()) };
                self.bytes = u32::from_be_bytes(length) as usize;
                self.rest = Rest(self.bytes);
                if self.rest.0 == 0 {
                    self.prefix.clear();
                    each(Event::Live(1));
                }
                continue;
            }
            let (after, ended) = self.rest.skip(bytes);
            bytes = after;
            if ended {
                self.prefix.clear();
                each(Event::Delivery { stream: 0, bytes: self.bytes });
            }
        }
        Ok(())
    }

    fn publish(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        let length = u32::try_from(payload.len()).expect("payloads are far below 4 GiB");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(payload);
    }
}
