//! The NATS client protocol (<https://docs.nats.io/reference/reference-protocols/nats-protocol>).

use super::{DOMAIN, Event, Rest, SHARED};
use crate::Fault;

/// The longest control line that the bench reads: INFO is under 1 KiB.
const MAX_LINE_BYTES: usize = 4096;

#[derive(Default)]
pub(super) struct Session {
    line: Vec<u8>,
    rest: Rest,
    stream: usize,
    bytes: usize,
    interests: usize,
}

impl Session {
    pub(super) fn subscribe(streams: &[Vec<String>]) -> (Self, Vec<u8>) {
        let mut opening = b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n".to_vec();
        for (stream, filters) in streams.iter().enumerate() {
            for filter in filters {
                opening.extend_from_slice(format!("SUB {DOMAIN}.{filter} {stream}\r\n").as_bytes());
            }
        }
        opening.extend_from_slice(b"PING\r\n");
        (Self { interests: streams.iter().map(Vec::len).sum(), ..Self::default() }, opening)
    }

    pub(super) fn publisher() -> (Self, Vec<u8>) {
        Self::subscribe(&[])
    }

    fn line(&mut self, out: &mut Vec<u8>, each: &mut dyn FnMut(Event)) -> Result<(), Fault> {
        let line = std::str::from_utf8(&self.line)?.trim_end();
        let mut words = line.split(' ');
        match words.next() {
            Some("MSG") => {
                self.stream = words.nth(1).ok_or("MSG without a subscription")?.parse()?;
                self.bytes = words.next_back().ok_or("MSG without a size")?.parse()?;
                self.rest = Rest(self.bytes + 2);
            }
            Some("PONG") => each(Event::Live(std::mem::take(&mut self.interests))),
            Some("PING") => out.extend_from_slice(b"PONG\r\n"),
            Some("INFO" | "+OK") => {}
            _ => return Err(format!("nats-server says {line:?}").into()),
        }
        self.line.clear();
        Ok(())
    }
}

impl super::Session for Session {
    fn read(&mut self, mut bytes: &[u8], out: &mut Vec<u8>, each: &mut dyn FnMut(Event)) -> Result<(), Fault> {
        while !bytes.is_empty() {
            if self.rest.0 > 0 {
                let (after, ended) = self.rest.skip(bytes);
                bytes = after;
                if ended {
                    each(Event::Delivery { stream: self.stream, bytes: self.bytes });
                }
                continue;
            }
            let end = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| at + 1);
            self.line.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end..];
            if self.line.len() > MAX_LINE_BYTES {
                return Err("a line of NATS without an end".into());
            }
            if self.line.ends_with(b"\n") {
                self.line(out, each)?;
            }
        }
        Ok(())
    }

    fn publish(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(format!("PUB {DOMAIN}.{SHARED} {}\r\n", payload.len()).as_bytes());
        out.extend_from_slice(payload);
        out.extend_from_slice(b"\r\n");
    }
}
