//! An HTTP/2 connection that has been greeted: what comes, and what goes (RFC 9113).

use std::{
    hint::black_box,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_util::Stream as _;
use h2::{
    Codec, Reason,
    frame::{DEFAULT_SETTINGS_HEADER_TABLE_SIZE, Frame, GoAway, Ping, Reset, Settings, StreamId, WindowUpdate},
    proto,
};
use http::Request;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    super::{
        Connection, abuse::Abuse, exchange::Outgoing, gate::Gate, greeting::Watched, life::end_of, orders::Order,
        request::Inbound,
    },
    INCOMING,
    concurrency::Concurrency,
    payload::Payload,
    sides::{Receiver, Sender},
    stream::STREAM_WINDOW,
    streams::{CONNECTION_WINDOW, FIRST_WINDOW, Fault, Note, Opened, Part, Received, Streams},
    wire::{FULL, Wire},
};
use crate::{
    limits::Limits,
    metrics::{ConnectionEnd, RequestRefused},
};

/// The ping by which a client is asked whether it is there.
const PROBE: [u8; 8] = *b"poke/1.0";

/// Notes about streams that wait until nothing more is read: a few for each request that is begun at once.
const NOTES: usize = 64;

/// How many requests are taken before their exchanges get a turn: who opens streams and resets them at once doesn't make
/// the server keep them all.
const BEGUN_AT_ONCE: usize = 8;

/// Both sides of an HTTP/2 connection. In this order, as in [`super::Serving`].
#[repr(C)]
pub(super) struct Session<T, D: Outgoing> {
    streams: Arc<Mutex<Streams<D>>>,
    connection: Arc<Connection>,
    gate: Arc<Gate>,
    /// It was read as far as it may be before something has been written.
    is_holding_back: bool,
    farewell: Farewell,
    concurrency: Concurrency,
    /// The longest frame that the client takes. The codec has it too, where a delivery has no other business.
    max_frame: usize,
    codec: Codec<Wire<T, D>, Bytes>,
}

/// How far a connection is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    /// Far.
    Unsaid,
    /// The client has been told to open no more streams, and may not have heard it.
    Said,
    /// It has, or has said so itself: the connection ends, in this way, with the last stream.
    Heard(ConnectionEnd),
    /// Nothing is taken any more; what has to be said is still written.
    Over(ConnectionEnd),
}

impl<T: AsyncRead + AsyncWrite + Unpin, D: Outgoing> Session<T, D> {
    /// Tells the client the limits.
    pub(super) fn new(socket: Watched<T>, limits: &Limits, connection: Arc<Connection>, gate: Arc<Gate>) -> Self {
        let mut codec = Codec::new(Wire::new(socket));
        codec.set_max_recv_header_list_size(limits.largest_header() as usize);
        let is_unix = connection.peer().is_unix();
        let streams = Streams::new(limits, is_unix, Arc::clone(&gate));
        let streams = Arc::new(Mutex::new(streams));
        let mut session = Self {
            max_frame: codec.max_send_frame_size(),
            codec,
            streams,
            connection,
            gate,
            is_holding_back: false,
            farewell: Farewell::Unsaid,
            concurrency: Concurrency::new(limits.streams_per_connection),
        };
        let mut settings = Settings::default();
        settings.set_max_concurrent_streams(Some(limits.streams_per_connection));
        settings.set_initial_window_size(Some(STREAM_WINDOW));
        settings.set_max_header_list_size(Some(limits.header_bytes));
        session.put(settings);
        session.put(WindowUpdate::new(StreamId::ZERO, CONNECTION_WINDOW - FIRST_WINDOW));
        session
    }

    /// See `Exchange::warm`.
    pub(super) fn warm(&self) {
        black_box(self.farewell);
        self.codec.get_ref().warm();
    }

    /// Does as told. Answers how the connection ends, if it does.
    pub(super) fn obey(&mut self, order: Order) -> Option<ConnectionEnd> {
        match order {
            Order::End(end) => return Some(end),
            // It is written before all that is sent from now on, and leaves open streams alone.
            Order::Retire => {
                if self.farewell == Farewell::Unsaid {
                    self.farewell = Farewell::Said;
                    self.put(GoAway::new(StreamId::MAX, Reason::NO_ERROR));
                    // Its answer shows that the client has read this, and which stream was its last (section 6.8).
                    self.put(Ping::new(Ping::SHUTDOWN));
                }
                self.connection.set_retired();
            }
            Order::LimitStreams => self.limit_streams(),
            // That the answer has come is seen where the socket is read.
            Order::Probe => self.put(Ping::new(PROBE)),
        }
        None
    }

    /// Announces another limit of streams, if one holds now. A client that was told to go opens none.
    fn limit_streams(&mut self) {
        if self.farewell == Farewell::Unsaid
            && let Some(limit) = self.concurrency.announce(self.connection.moving())
        {
            self.streams.lock().raise_limit(limit);
            let mut settings = Settings::default();
            settings.set_max_concurrent_streams(Some(limit));
            self.put(settings);
        }
    }

    /// Reads, if there may be something to read, and writes what there is to write. Gives each new request to `begin`, and
    /// answers when the connection has ended.
    pub(super) fn poll(
        &mut self,
        may_read: bool,
        wakers: &Wakers,
        begin: impl FnMut(Request<Inbound>, Sender<D>),
    ) -> Poll<ConnectionEnd> {
        self.codec.get_mut().begin_turn();
        if may_read {
            self.read(&mut Context::from_waker(&wakers.incoming), begin);
        }
        let polled = self.poll_write(&mut Context::from_waker(&wakers.outgoing));
        self.codec.get_mut().end_turn();
        polled.map(|polled| match polled.unwrap_or_else(|error| end_of(&error)) {
            // Who was told to go may leave as it likes.
            end if end != ConnectionEnd::Abuse && self.connection.is_retired() => ConnectionEnd::Closed,
            end => end,
        })
    }

    fn read(&mut self, cx: &mut Context<'_>, mut begin: impl FnMut(Request<Inbound>, Sender<D>)) {
        let mut begun = 0;
        self.is_holding_back = false;
        loop {
            if let Some(abuse) = self.connection.abuse() {
                let text = Bytes::from_static(abuse.debug_data());
                self.part(Reason::ENHANCE_YOUR_CALM, text, ConnectionEnd::Abuse);
                if abuse != Abuse::IdleFrames {
                    self.codec.get_mut().linger();
                }
            }
            if self.is_over() {
                return;
            }
            if begun == BEGUN_AT_ONCE || self.must_hold_back() {
                self.is_holding_back = true;
                return;
            }
            let frame = match Pin::new(&mut self.codec).poll_next(cx) {
                Poll::Ready(Some(frame)) => frame.map_err(Trouble::from),
                Poll::Ready(None) => {
                    self.farewell = Farewell::Over(ConnectionEnd::Closed);
                    return;
                }
                Poll::Pending if self.connection.abuse().is_some() => continue,
                Poll::Pending => return,
            };
            match frame.and_then(|frame| self.receive(frame).map_err(Trouble::Fault)) {
                Ok(None) => {}
                Ok(Some((id, request))) => {
                    begun += 1;
                    let receiver = Receiver::new(id, &self.streams);
                    begin(request.map(|length| Inbound::http2(receiver, length)), Sender::new(id, &self.streams));
                }
                Err(Trouble::Fault(fault)) => self.blame(fault),
                Err(Trouble::Socket(error)) => self.farewell = Farewell::Over(end_of(&error)),
            }
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.farewell, Farewell::Over(_))
    }

    /// Whether so much is to be said to the client that no more is taken of it.
    fn must_hold_back(&self) -> bool {
        self.codec.get_ref().is_overfull() || self.streams.lock().notes() >= NOTES
    }

    /// Takes a frame. Answers a request that begins with it, on its stream.
    fn receive(&mut self, frame: Frame) -> Result<Option<Opened>, Fault> {
        match frame {
            Frame::Headers(headers) => {
                let received = self.streams.lock().receive_headers(headers)?;
                return Ok(match received {
                    Some(Received::Request(opened)) => Some(opened),
                    Some(Received::TooLarge) => {
                        self.connection.metrics().requests_refused.inc(RequestRefused::HeaderBytes);
                        None
                    }
                    None => None,
                });
            }
            Frame::Data(data) => {
                let length = if data.is_padded() { self.codec.get_mut().next_padded() } else { None };
                self.streams.lock().receive_data(&data, length.unwrap_or(data.payload().len()))?;
            }
            Frame::Reset(reset) => self.streams.lock().receive_reset(reset.stream_id().into())?,
            Frame::WindowUpdate(update) => {
                self.streams.lock().receive_credit(update.stream_id().into(), update.size_increment())?;
            }
            Frame::Settings(settings) => self.receive_settings(&settings)?,
            Frame::Ping(ping) if !ping.is_ack() => self.put(Ping::pong(ping.into_payload())),
            Frame::Ping(pong) => {
                if self.farewell == Farewell::Said && *pong.payload() == Ping::SHUTDOWN {
                    self.say_last(ConnectionEnd::Closed);
                }
            }
            Frame::GoAway(goaway) => {
                let is_well = goaway.reason() == Reason::NO_ERROR;
                let end = if is_well { ConnectionEnd::Closed } else { ConnectionEnd::Protocol };
                if !matches!(self.farewell, Farewell::Heard(_)) {
                    self.say_last(end);
                }
            }
            Frame::PushPromise(_) => return Err(Reason::PROTOCOL_ERROR.into()),
            Frame::Priority(_) => {}
        }
        Ok(None)
    }

    /// Tells the client which stream was the last. The connection ends with it, in this way.
    fn say_last(&mut self, end: ConnectionEnd) {
        let last = self.streams.lock().refuse_more();
        self.put(GoAway::new(last.into(), Reason::NO_ERROR));
        self.farewell = Farewell::Heard(end);
    }

    fn receive_settings(&mut self, settings: &Settings) -> Result<(), Fault> {
        if settings.is_ack() {
            let limit = self.concurrency.acknowledge().ok_or(Reason::PROTOCOL_ERROR)?;
            self.streams.lock().set_limit(limit);
            self.limit_streams();
            return Ok(());
        }
        if let Some(size) = settings.header_table_size() {
            // A larger one saves nothing: answers have few fields.
            self.codec.set_send_header_table_size(DEFAULT_SETTINGS_HEADER_TABLE_SIZE.min(size as usize));
        }
        // What was granted by the old ones must not follow the answer.
        if let Some(payload) = self.codec.get_mut().take_back() {
            let (id, granted) = (payload.id(), payload.granted());
            self.streams.lock().take_back(id, payload.into_rest().0, granted);
        }
        if let Some(size) = settings.max_frame_size() {
            self.codec.set_max_send_frame_size(size as usize);
            self.max_frame = size as usize;
        }
        if let Some(credit) = settings.initial_window_size() {
            self.streams.lock().set_first_credit(credit)?;
        }
        self.put(Settings::ack());
        Ok(())
    }

    /// Tells the client what is wrong.
    fn blame(&mut self, fault: Fault) {
        // The codec ends a connection so for header fields alone: of too many frames, or far too large once unpacked.
        if matches!(fault, Fault::Connection(Reason::ENHANCE_YOUR_CALM, _)) {
            self.codec.get_mut().linger();
        }
        if matches!(fault, Fault::Stream(_, Reason::REFUSED_STREAM)) {
            self.connection.metrics().requests_refused.inc(RequestRefused::Streams);
        }
        let blamed = match fault {
            Fault::Stream(id, reason) => self.streams.lock().punish(id, reason),
            fault => Err(fault),
        };
        if let Err(Fault::Connection(reason, text)) = blamed {
            tracing::debug!(connection = self.connection.id(), ?reason, ?text, "a client breaks the protocol");
            self.part(reason, text, ConnectionEnd::Protocol);
        }
    }

    /// Ends the connection with a word. What is open on it is dropped.
    fn part(&mut self, reason: Reason, text: Bytes, end: ConnectionEnd) {
        if !self.is_over() {
            // Its streams are dropped, so nothing needs the credit.
            self.codec.get_mut().cut();
            let last = self.streams.lock().last();
            self.put(GoAway::with_debug_data(last.into(), reason, text));
            self.farewell = Farewell::Over(end);
        }
    }

    /// Writes until nothing is left to write or the socket takes no more. Ready at the connection's end.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ConnectionEnd>> {
        loop {
            self.cut();
            // What a blocked socket leaves is written first: a chunk that is taken counts as read by its client.
            let was_blocked = self.codec.get_ref().is_blocked();
            let is_full = !was_blocked && self.fill();
            match self.codec.get_mut().poll_out(cx)? {
                Poll::Ready(Some(payload)) => {
                    let id = payload.id();
                    let (rest, ended) = payload.into_rest();
                    self.streams.lock().sent(id, rest, ended);
                }
                Poll::Ready(None) if is_full || was_blocked => {}
                Poll::Ready(None) => break,
                Poll::Pending => {
                    self.resume();
                    return Poll::Pending;
                }
            }
        }
        self.resume();
        if let Farewell::Heard(end) = self.farewell
            && self.streams.lock().is_empty()
        {
            self.farewell = Farewell::Over(end);
        }
        let Farewell::Over(end) = self.farewell else { return Poll::Pending };
        // However the socket closes, the connection is over.
        self.codec.get_mut().poll_close(cx).map(|_| Ok(end))
    }

    /// Reads on, if there is room again for what that brings.
    fn resume(&mut self) {
        if self.is_holding_back && !self.must_hold_back() {
            self.gate.ring(INCOMING);
        }
    }

    /// A stream that was closed has nothing to send any more.
    fn cut(&mut self) {
        if let Some(id) = self.codec.get_ref().carries() {
            let mut streams = self.streams.lock();
            if streams.get(id).is_none() {
                streams.gain(self.codec.get_mut().cut());
            }
        }
    }

    /// Has what is to be sent wait to be written. Says whether that is as much as may.
    fn fill(&mut self) -> bool {
        if self.is_over() {
            return false;
        }
        let mut streams = self.streams.lock();
        loop {
            if self.codec.get_ref().is_full() {
                return true;
            }
            let frame: Frame = match streams.next_note() {
                Some(Note::Reset(id, reason)) => Reset::new(id.into(), reason).into(),
                Some(Note::Credit(id, more)) => WindowUpdate::new(id.into(), more).into(),
                None => match streams.next() {
                    None => return false,
                    Some(Part::Headers(headers)) => (*headers).into(),
                    Some(Part::Data { id, chunk, granted, ends }) if granted > FULL => {
                        self.codec.get_mut().carry(Payload::new(id, chunk, granted, ends, self.max_frame));
                        continue;
                    }
                    Some(Part::Data { id, mut chunk, granted, ends }) => {
                        self.codec.get_mut().copy(id, &mut chunk, granted, ends, self.max_frame);
                        streams.sent(id, chunk, ends);
                        continue;
                    }
                },
            };
            put(&mut self.codec, frame);
        }
    }

    fn put(&mut self, frame: impl Into<Frame>) {
        put(&mut self.codec, frame.into());
    }
}

/// Has a frame other than DATA wait to be written.
fn put<T: AsyncRead + AsyncWrite + Unpin, D: Outgoing>(codec: &mut Codec<Wire<T, D>, Bytes>, frame: Frame) {
    let buffered = codec.buffer(frame);
    debug_assert!(buffered.is_ok(), "only DATA can be too large");
    let flushed = codec.flush(&mut Context::from_waker(Waker::noop()));
    debug_assert!(matches!(flushed, Poll::Ready(Ok(()))), "the wire takes everything");
}

impl<T, D: Outgoing> Drop for Session<T, D> {
    fn drop(&mut self) {
        self.streams.lock().close_all();
    }
}

/// Who is woken when the socket has something, and when it takes something.
pub(super) struct Wakers {
    pub(super) incoming: Waker,
    pub(super) outgoing: Waker,
}

/// Why reading doesn't go on as it should.
enum Trouble {
    Fault(Fault),
    Socket(io::Error),
}

impl From<proto::Error> for Trouble {
    fn from(error: proto::Error) -> Self {
        match error {
            proto::Error::Reset(id, reason, _) => Self::Fault(Fault::Stream(id.into(), reason)),
            proto::Error::GoAway(text, reason, _) => Self::Fault(Fault::Connection(reason, text)),
            proto::Error::Io(kind, text) => {
                Self::Socket(text.map_or_else(|| kind.into(), |text| io::Error::new(kind, text)))
            }
        }
    }
}
