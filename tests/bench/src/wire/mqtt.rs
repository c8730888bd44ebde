//! MQTT 3.1.1 at QoS 0 (<https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/>).

use std::sync::atomic::{AtomicU32, Ordering};

use super::{DOMAIN, Event, Rest, SHARED};
use crate::Fault;

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;

#[derive(Default)]
pub(super) struct Session {
    /// The fixed header, as far as it has come.
    header: Vec<u8>,
    bytes: usize,
    rest: Rest,
    interests: usize,
}

impl Session {
    pub(super) fn subscribe(streams: &[Vec<String>]) -> (Self, Vec<u8>) {
        let (_, mut opening) = Self::publisher();
        // A broker joins equal subscriptions of a connection, so there is one stream.
        let filters = streams.first().map_or(&[][..], Vec::as_slice);
        let mut subscribe = vec![0, 1];
        for filter in filters {
            subscribe.extend(text(&format!("{DOMAIN}/{filter}")));
            subscribe.push(0);
        }
        opening.extend(packet(SUBSCRIBE, &subscribe));
        (Self { interests: filters.len(), ..Self::default() }, opening)
    }

    pub(super) fn publisher() -> (Self, Vec<u8>) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let id = format!("bench-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        // Protocol level 4, a clean session, no keep-alive.
        let connect = [&text("MQTT")[..], &[4, 2, 0, 0], &text(&id)].concat();
        (Self::default(), packet(CONNECT, &connect))
    }

    /// The length after the type, once it is complete: seven bits a byte, the lowest first (section 2.2.3).
    fn remaining(&self) -> Option<usize> {
        let digits = self.header.get(1..)?;
        digits.last().filter(|&&last| last < 0x80)?;
        Some(digits.iter().rev().fold(0, |length, &digit| length << 7 | usize::from(digit & 0x7f)))
    }

    fn ended(&mut self, each: &mut dyn FnMut(Event)) -> Result<(), Fault> {
        match self.header[0] & 0xf0 {
            CONNACK => {}
            SUBACK => each(Event::Live(self.interests)),
            PUBLISH => each(Event::Delivery { stream: 0, bytes: self.bytes }),
            other => return Err(format!("an MQTT packet of type {other:#x}").into()),
        }
        self.header.clear();
        Ok(())
    }
}

impl super::Session for Session {
    fn read(&mut self, mut bytes: &[u8], _: &mut Vec<u8>, each: &mut dyn FnMut(Event)) -> Result<(), Fault> {
        while let Some((&first, others)) = bytes.split_first() {
            if self.rest.0 > 0 {
                let (after, ended) = self.rest.skip(bytes);
                bytes = after;
                if ended {
                    self.ended(each)?;
                }
                continue;
            }
            self.header.push(first);
            bytes = others;
            if let Some(length) = self.remaining() {
                self.bytes = length;
                self.rest = Rest(length);
                if length == 0 {
                    self.ended(each)?;
                }
            }
        }
        Ok(())
    }

    fn publish(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        let topic = text(&format!("{DOMAIN}/{SHARED}"));
        out.extend(packet(PUBLISH, &[&topic, payload].concat()));
    }
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("topics are short");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![kind];
    // Seven bits a byte, as protobuf has it too.
    prost::encoding::encode_varint(body.len() as u64, &mut packet);
    packet.extend_from_slice(body);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_they_are_written() {
        for length in [0, 127, 128, 16_383, 16_384, 131_072] {
            let packet = packet(PUBLISH, &vec![0; length]);
            let session = Session { header: packet[..packet.len() - length].to_vec(), ..Session::default() };
            assert_eq!(session.remaining(), Some(length));
        }
    }
}
