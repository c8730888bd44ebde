//! As much of HTTP/2 (RFC 9113) as a gRPC client needs that ignores the header fields of responses.
//!
//! It announces the windows and frame sizes of a client built on hyper, gives credit back when half is used, and
//! answers SETTINGS and PING. It sends no more than the server's windows allow.

use std::collections::VecDeque;

use super::{
    Event,
    grpc::{Contract, Messages},
    header_block::{HeaderEncoder, Headers, Request},
};
use crate::Fault;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADER_BYTES: usize = 9;
const DEFAULT_WINDOW: i64 = 65_535;
/// What hyper's client gives a stream, and a connection.
pub(crate) const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 5 << 20;
/// The most bytes of a frame that nobody has to agree on.
const FRAME_BYTES: usize = 16_384;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const SETTINGS_HEADER_TABLE_SIZE: u16 = 1;
const SETTINGS_INITIAL_WINDOW_SIZE: u16 = 4;
/// What a back end gives a call by default, in microseconds.
const DEADLINE_MICROS: u32 = 10_000_000;
/// How far the rest of a deadline differs from call to call when it is encoded, in microseconds.
const DEADLINE_SPREAD_MICROS: u32 = 97;

#[derive(Debug, Default)]
struct Stream {
    messages: Messages,
    /// Bytes that were read since credit was given.
    read: u32,
    /// What the server lets us send.
    window: i64,
    ended: bool,
}

/// A request body that waits for room in the server's windows.
#[derive(Debug)]
struct Body {
    stream: u32,
    bytes: Vec<u8>,
    sent: usize,
}

pub(super) struct Session {
    contract: Contract,
    publishes: bool,
    /// `None` once a subscriber has sent its requests: thousands of encoders would take the load's own memory.
    encoder: Option<Box<HeaderEncoder>>,
    /// Requests that wait for the server's SETTINGS, if the library has them wait.
    waiting: Option<Vec<(Vec<u8>, Messages)>>,
    header: Vec<u8>,
    /// Bytes of the current frame that haven't come.
    left: usize,
    control: Vec<u8>,
    /// By stream id, without those in front that have ended.
    streams: VecDeque<Stream>,
    /// How many have ended in front.
    gone: usize,
    next_id: u32,
    read: u32,
    window: i64,
    stream_window: i64,
    credit: u32,
    bodies: VecDeque<Body>,
}

impl Session {
    fn new(contract: Contract, headers: Headers, publishes: bool, credit: u32) -> (Self, Vec<u8>) {
        let mut opening = PREFACE.to_vec();
        let id = SETTINGS_INITIAL_WINDOW_SIZE.to_be_bytes();
        put(&mut opening, SETTINGS, 0, 0, &[&id[..], &credit.to_be_bytes()].concat());
        put(&mut opening, WINDOW_UPDATE, 0, 0, &(CONNECTION_WINDOW - 65_535).to_be_bytes());
        let session = Self {
            contract,
            publishes,
            encoder: Some(Box::new(HeaderEncoder::new(headers))),
            waiting: headers.library.awaits_settings().then(Vec::new),
            header: Vec::with_capacity(HEADER_BYTES),
            left: 0,
            control: Vec::new(),
            streams: VecDeque::new(),
            gone: 0,
            next_id: 1,
            read: 0,
            window: DEFAULT_WINDOW,
            stream_window: DEFAULT_WINDOW,
            credit,
            bodies: VecDeque::new(),
        };
        (session, opening)
    }

    pub(super) fn subscribe(
        contract: Contract,
        headers: Headers,
        streams: &[Vec<String>],
        credit: u32,
    ) -> (Self, Vec<u8>) {
        let (mut session, mut opening) = Self::new(contract, headers, false, credit);
        for filters in streams {
            let messages = Messages::new(filters.len());
            session.request(contract.subscribe(filters), messages, &mut opening);
        }
        session.forget_encoder();
        (session, opening)
    }

    pub(super) fn publisher(contract: Contract, headers: Headers) -> (Self, Vec<u8>) {
        Self::new(contract, headers, true, STREAM_WINDOW)
    }

    /// Where a stream is among `streams`, unless it has ended.
    fn slot(&self, id: u32) -> Option<usize> {
        let slot = ((id as usize).checked_sub(1)? / 2).checked_sub(self.gone)?;
        self.streams.get(slot).filter(|stream| !stream.ended).map(|_| slot)
    }

    fn request(&mut self, body: Vec<u8>, messages: Messages, out: &mut Vec<u8>) {
        if let Some(waiting) = &mut self.waiting {
            return waiting.push((body, messages));
        }
        let id = self.next_id;
        self.next_id += 2;
        let path = if self.publishes { self.contract.publish_path() } else { self.contract.subscribe_path() };
        let left = DEADLINE_MICROS - id % DEADLINE_SPREAD_MICROS;
        let unary = self.publishes.then_some((body.len(), left));
        let encoder = self.encoder.as_mut().expect("a subscriber sends no more requests");
        let block = encoder.block(Request { path, unary });
        self.streams.push_back(Stream { messages, window: self.stream_window, ..Stream::default() });
        put(out, HEADERS, END_HEADERS, id, &block);
        self.bodies.push_back(Body { stream: id, bytes: body, sent: 0 });
        self.send(out);
    }

    fn forget_encoder(&mut self) {
        if !self.publishes && self.waiting.is_none() {
            self.encoder = None;
        }
    }

    /// Sends bodies in turn, as far as the windows allow.
    fn send(&mut self, out: &mut Vec<u8>) {
        while let Some(body) = self.bodies.front_mut() {
            // A call can end before its body was sent: as an error, which ends the run.
            let Some(stream) = (body.stream as usize / 2).checked_sub(self.gone) else { return };
            let room = self.window.min(self.streams[stream].window).max(0);
            let rest = &body.bytes[body.sent..];
            let length = rest.len().min(FRAME_BYTES).min(usize::try_from(room).unwrap_or(0));
            if length == 0 {
                return;
            }
            let last = length == rest.len();
            put(out, DATA, if last { END_STREAM } else { 0 }, body.stream, &rest[..length]);
            body.sent += length;
            self.window -= length as i64;
            self.streams[stream].window -= length as i64;
            if last {
                self.bodies.pop_front();
            }
        }
    }

    fn kind(&self) -> (u8, u8, u32) {
        let id = u32::from_be_bytes([self.header[5] & 0x7f, self.header[6], self.header[7], self.header[8]]);
        (self.header[3], self.header[4], id)
    }

    /// A piece of a DATA frame.
    fn data(&mut self, id: u32, part: &[u8], each: &mut dyn FnMut(Event)) -> Result<(), Fault> {
        let slot = self.slot(id).ok_or("DATA of a stream that has ended")?;
        let stream = &mut self.streams[slot];
        let read = u32::try_from(part.len()).expect("reads are small");
        self.read += read;
        stream.read += read;
        if self.publishes {
            // Its messages need no look: one that came whole is the answer.
            stream.messages.count = 1;
            return Ok(());
        }
        stream.messages.read(self.contract, part, &mut |event| {
            each(if let Event::Delivery { bytes, .. } = event {
                Event::Delivery { stream: slot, bytes }
            } else {
                event
            });
        })
    }

    fn frame_ended(&mut self, out: &mut Vec<u8>, each: &mut dyn FnMut(Event)) -> Result<(), Fault> {
        let (kind, flags, id) = self.kind();
        match kind {
            SETTINGS if flags & ACK == 0 => {
                self.settings()?;
                put(out, SETTINGS, ACK, 0, &[]);
                for (body, messages) in self.waiting.take().into_iter().flatten() {
                    self.request(body, messages, out);
                }
                self.forget_encoder();
                self.send(out);
            }
            PING if flags & ACK == 0 => put(out, PING, ACK, 0, &self.control),
            WINDOW_UPDATE => {
                let credit = i64::from(u32::from_be_bytes(*self.control.first_chunk().ok_or("a cut WINDOW_UPDATE")?));
                if id == 0 {
                    self.window += credit;
                } else if let Some(slot) = self.slot(id) {
                    self.streams[slot].window += credit;
                }
                self.send(out);
            }
            RST_STREAM => return Err(format!("stream {id} was reset: {:?}", self.control).into()),
            GOAWAY => return Err(format!("GOAWAY: {}", String::from_utf8_lossy(&self.control)).into()),
            DATA => self.give_credit(id, out),
            _ => {}
        }
        if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
            let stream = self.slot(id).map(|slot| &mut self.streams[slot]);
            let Some(stream) = stream.filter(|stream| self.publishes && stream.messages.count > 0) else {
                return Err(format!("stream {id} has ended: {}", String::from_utf8_lossy(&self.control)).into());
            };
            stream.ended = true;
            while self.streams.front().is_some_and(|stream| stream.ended) {
                self.streams.pop_front();
                self.gone += 1;
            }
            each(Event::Answer);
        }
        Ok(())
    }

    fn settings(&mut self) -> Result<(), Fault> {
        for setting in self.control.chunks(6) {
            let [a, b, c, d, e, f] = *setting else { return Err("a cut SETTINGS".into()) };
            let value = u32::from_be_bytes([c, d, e, f]);
            match u16::from_be_bytes([a, b]) {
                SETTINGS_HEADER_TABLE_SIZE => {
                    if let Some(encoder) = &mut self.encoder {
                        encoder.resize(value);
                    }
                }
                SETTINGS_INITIAL_WINDOW_SIZE => {
                    for stream in &mut self.streams {
                        stream.window += i64::from(value) - self.stream_window;
                    }
                    self.stream_window = i64::from(value);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn give_credit(&mut self, id: u32, out: &mut Vec<u8>) {
        if self.read >= CONNECTION_WINDOW / 2 {
            put(out, WINDOW_UPDATE, 0, 0, &std::mem::take(&mut self.read).to_be_bytes());
        }
        let (slot, credit) = (self.slot(id), self.credit);
        let Some(stream) = slot.map(|slot| &mut self.streams[slot]) else { return };
        if !self.publishes && stream.read >= credit / 2 {
            put(out, WINDOW_UPDATE, 0, id, &std::mem::take(&mut stream.read).to_be_bytes());
        }
    }
}

impl super::Session for Session {
    fn read(&mut self, mut bytes: &[u8], out: &mut Vec<u8>, each: &mut dyn FnMut(Event)) -> Result<(), Fault> {
        while !bytes.is_empty() {
            if self.header.len() < HEADER_BYTES {
                let (part, after) = bytes.split_at(bytes.len().min(HEADER_BYTES - self.header.len()));
                self.header.extend_from_slice(part);
                bytes = after;
                if self.header.len() < HEADER_BYTES {
                    return Ok(());
                }
                self.left =
                    usize::from(self.header[0]) << 16 | usize::from(self.header[1]) << 8 | usize::from(self.header[2]);
                self.control.clear();
            }
            let (part, after) = bytes.split_at(bytes.len().min(self.left));
            bytes = after;
            self.left -= part.len();
            match self.kind() {
                (DATA, flags, _) if flags & PADDED != 0 => return Err("padding, which no server here sends".into()),
                (DATA, _, id) => self.data(id, part, each)?,
                _ => self.control.extend_from_slice(part),
            }
            if self.left == 0 {
                self.frame_ended(out, each)?;
                self.header.clear();
            }
        }
        Ok(())
    }

    fn publish(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        self.request(self.contract.publish(payload), Messages::default(), out);
    }
}

/// Appends a frame.
fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("frames are below 16 MiB");
    out.extend_from_slice(&length.to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}
