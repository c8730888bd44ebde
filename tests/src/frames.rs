//! HTTP/2 frames by hand (RFC 9113): what a client library hides is what some tests look at, such as GOAWAY, and a
//! client library costs more than the load that it makes.
//!
//! Only what a well-behaved server needs is here: no header decoding, and no limits on the server.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use prost::Message;
use std::{io, net::SocketAddr};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::within;

/// Frame types (RFC 9113, section 6).
pub mod kind {
    /// Carries messages.
    pub const DATA: u8 = 0;
    /// Opens a stream, and carries trailers.
    pub const HEADERS: u8 = 1;
    /// Weighs streams against each other; without effect since RFC 9113.
    pub const PRIORITY: u8 = 2;
    /// Ends one stream.
    pub const RST_STREAM: u8 = 3;
    /// Announces parameters.
    pub const SETTINGS: u8 = 4;
    /// Asks for an answer.
    pub const PING: u8 = 6;
    /// Says that the connection takes no new streams.
    pub const GOAWAY: u8 = 7;
    /// Allows more data.
    pub const WINDOW_UPDATE: u8 = 8;
    /// Goes on with the block of headers that HEADERS began.
    pub const CONTINUATION: u8 = 9;
}

/// Flag on DATA and HEADERS: the end of the stream.
pub const END_STREAM: u8 = 1;
/// Flag on SETTINGS and PING: an answer.
pub const ACK: u8 = 1;
/// Flag on HEADERS and CONTINUATION: the block of headers is whole.
pub const END_HEADERS: u8 = 4;
const HEAD: usize = 9;
/// The largest frame that a server takes without saying more.
const CHUNK: usize = 16 << 10;
/// The largest window that the protocol knows.
pub const WIDEST: u32 = (1 << 31) - 1;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// One of [`kind`].
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream, 0 for the connection.
    pub stream: u32,
    /// What it carries.
    pub payload: Bytes,
}

/// One HTTP/2 connection, over TCP or over what is given.
#[derive(Debug)]
pub struct Connection<T = TcpStream> {
    socket: T,
    input: BytesMut,
    output: BytesMut,
    next_stream: u32,
    unacknowledged: u32,
}

impl Connection {
    /// Connects, with windows so wide that the server never waits for one.
    ///
    /// # Panics
    /// When the server doesn't accept.
    pub async fn open(address: SocketAddr) -> Self {
        Self::open_with_window(address, WIDEST).await
    }

    /// As [`Connection::open`], with a given window for each stream.
    ///
    /// # Panics
    /// When the server doesn't accept.
    pub async fn open_with_window(address: SocketAddr, window: u32) -> Self {
        let socket = within("a connection", TcpStream::connect(address)).await.expect("the server accepts");
        socket.set_nodelay(true).expect("a TCP socket");
        Self::over(socket, window).await
    }

    /// As [`Connection::open`], and waits until the server has said how much it takes: whoever sends more than 65,535 bytes
    /// before that breaks the protocol.
    ///
    /// # Panics
    /// When the server says nothing.
    pub async fn open_with_credit(address: SocketAddr) -> Self {
        let mut connection = Self::open(address).await;
        loop {
            let frame = connection.next().await.expect("the server lets clients send");
            if frame.kind == kind::WINDOW_UPDATE && frame.stream == 0 {
                return connection;
            }
        }
    }

    /// Ends the connection by RST, as a crashed phone's network does, or by FIN.
    pub fn close(self, abruptly: bool) {
        if abruptly {
            self.socket.set_zero_linger().expect("a TCP socket");
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    /// On an open socket, with a given window for each stream.
    ///
    /// # Panics
    /// When the server is gone already.
    pub async fn over(socket: T, window: u32) -> Self {
        let (input, output) = (BytesMut::with_capacity(64 << 10), BytesMut::new());
        let mut connection = Self { socket, input, output, next_stream: 1, unacknowledged: 0 };
        connection.output.put_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        // No dynamic table for headers, since nobody here decodes them; no push; the window.
        let mut settings = BytesMut::new();
        for (id, value) in [(1, 0), (2, 0), (4, window)] {
            settings.put_u16(id);
            settings.put_u32(value);
        }
        connection.put(kind::SETTINGS, 0, 0, &settings);
        connection.put(kind::WINDOW_UPDATE, 0, 0, &(WIDEST - 65_535).to_be_bytes());
        connection.flush().await.expect("a new connection takes a few bytes");
        connection
    }

    /// Starts a call of a method of `poke.v1.PokeService`, and gives its stream. Nothing is sent before
    /// [`Connection::flush`].
    pub fn call(&mut self, method: &str, message: &impl Message) -> u32 {
        let stream = self.begin(method);
        let mut body = BytesMut::new();
        body.put_u8(0);
        body.put_u32(u32::try_from(message.encoded_len()).expect("test messages are small"));
        message.encode(&mut body).expect("the buffer grows");
        for (start, chunk) in body.chunks(CHUNK).enumerate() {
            let last = (start + 1) * CHUNK >= body.len();
            self.put(kind::DATA, if last { END_STREAM } else { 0 }, stream, chunk);
        }
        stream
    }

    /// Starts a call whose message is begun and never finished: `bytes` of it are put.
    ///
    /// # Panics
    /// With 1 MiB or more, for which the server would have to open its windows.
    pub fn call_unfinished(&mut self, method: &str, bytes: usize) -> u32 {
        assert!(bytes < 1 << 20, "the server's first window");
        let stream = self.begin(method);
        let body = [&[0, 0, 0xf, 0xff, 0xff], vec![0; bytes].as_slice()].concat();
        body.chunks(CHUNK).for_each(|chunk| self.put(kind::DATA, 0, stream, chunk));
        stream
    }

    /// Starts a call of a method in JSON, whose answer can be read without decoding headers.
    pub fn call_json(&mut self, method: &str, body: &str) -> u32 {
        let stream = self.begin_as(method, "application/json");
        self.put(kind::DATA, END_STREAM, stream, body.as_bytes());
        stream
    }

    fn begin(&mut self, method: &str) -> u32 {
        self.begin_as(method, "application/grpc")
    }

    fn begin_as(&mut self, method: &str, content_type: &str) -> u32 {
        self.open_stream(END_HEADERS, &head(method, content_type))
    }

    /// Puts HEADERS with these flags and this block, and gives their stream.
    pub fn open_stream(&mut self, flags: u8, block: &[u8]) -> u32 {
        let stream = self.next_stream;
        self.next_stream += 2;
        self.put(kind::HEADERS, flags, stream, block);
        stream
    }

    /// Appends a frame to what is to be sent.
    pub fn put(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a frame holds at most 16 MiB");
        self.output.put_uint(length.into(), 3);
        self.output.put_slice(&[kind, flags]);
        self.output.put_u32(stream);
        self.output.put_slice(payload);
    }

    /// Sends what was put.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn flush(&mut self) -> io::Result<()> {
        self.socket.write_all_buf(&mut self.output).await
    }

    /// The next frame, `None` at the end of the connection. Settings and pings are answered, windows kept open.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.buffered() {
                self.flush().await.ok()?;
                return Some(frame);
            }
            // An error is an end too: the server may reset the connection.
            if within("a frame", self.socket.read_buf(&mut self.input)).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// Waits until something has arrived, without a limit; false at the end of the connection.
    pub async fn fill(&mut self) -> bool {
        self.input.reserve(64 << 10);
        self.socket.read_buf(&mut self.input).await.unwrap_or(0) > 0
    }

    /// The next frame that has arrived as a whole. Answers are put, not sent.
    pub fn buffered(&mut self) -> Option<Frame> {
        let frame = self.parse()?;
        self.answer(&frame);
        Some(frame)
    }

    /// As [`Connection::buffered`], but nothing is answered.
    pub fn buffered_unanswered(&mut self) -> Option<Frame> {
        self.parse()
    }

    /// As [`Connection::next`], but nothing is answered: as by a client that is slow to.
    pub async fn next_unanswered(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.parse() {
                return Some(frame);
            }
            if !within("a frame", self.fill()).await {
                return None;
            }
        }
    }

    fn parse(&mut self) -> Option<Frame> {
        let head: [u8; HEAD] = self.input.get(..HEAD)?.try_into().ok()?;
        let length = usize::try_from(u32::from_be_bytes([0, head[0], head[1], head[2]])).ok()?;
        if self.input.len() < HEAD + length {
            return None;
        }
        self.input.advance(HEAD);
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        let payload = self.input.split_to(length).freeze();
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    fn answer(&mut self, frame: &Frame) {
        match frame.kind {
            kind::SETTINGS if frame.flags & ACK == 0 => self.put(kind::SETTINGS, ACK, 0, &[]),
            kind::PING if frame.flags & ACK == 0 => self.put(kind::PING, ACK, 0, &frame.payload),
            kind::DATA => {
                // Streams' windows are as wide as can be; the connection's is topped up.
                self.unacknowledged += u32::try_from(frame.payload.len()).unwrap_or(WIDEST);
                if self.unacknowledged > 1 << 20 {
                    let read = std::mem::take(&mut self.unacknowledged);
                    self.put(kind::WINDOW_UPDATE, 0, 0, &read.to_be_bytes());
                }
            }
            _ => {}
        }
    }
}

impl Frame {
    /// The reason of a GOAWAY or RST_STREAM (RFC 9113, section 7).
    #[must_use]
    pub fn reason(&self) -> Option<u32> {
        let at = match self.kind {
            kind::RST_STREAM => 0,
            kind::GOAWAY => 4,
            _ => return None,
        };
        Some(u32::from_be_bytes(self.payload.get(at..at + 4)?.try_into().ok()?))
    }
}

/// The block of headers of a call of `poke.v1.PokeService`.
#[must_use]
pub fn head(method: &str, content_type: &str) -> Bytes {
    let path = format!("/poke.v1.PokeService/{method}");
    let head =
        [(":path", path.as_str()), (":authority", "localhost"), ("te", "trailers"), ("content-type", content_type)];
    // POST and http are in HPACK's static table.
    [&[0x83, 0x86], &block(&head)[..]].concat().into()
}

/// A block of headers, each as a literal that no table remembers (RFC 7541, section 6.2.2).
#[must_use]
pub fn block(headers: &[(&str, &str)]) -> Bytes {
    let mut block = BytesMut::new();
    for (name, value) in headers {
        block.put_u8(0);
        string(&mut block, name);
        string(&mut block, value);
    }
    block.freeze()
}

/// A string as it is: its length in HPACK's integers (RFC 7541, section 5.1), then its bytes.
fn string(block: &mut BytesMut, text: &str) {
    match u8::try_from(text.len()) {
        Ok(length) if length < 127 => block.put_u8(length),
        _ => {
            block.put_u8(127);
            let mut rest = text.len() - 127;
            while rest > 127 {
                block.put_u8(128 | u8::try_from(rest % 128).expect("below 128"));
                rest /= 128;
            }
            block.put_u8(u8::try_from(rest).expect("below 128"));
        }
    }
    block.put_slice(text.as_bytes());
}

/// The messages of one stream, put together from its DATA frames.
#[derive(Clone, Debug, Default)]
pub struct Messages(BytesMut);

impl Messages {
    /// Adds what a DATA frame carried.
    pub fn push(&mut self, payload: &[u8]) {
        self.0.extend_from_slice(payload);
    }

    /// The next message that is complete.
    ///
    /// # Panics
    /// When the server sent something else.
    pub fn pop<M: Message + Default>(&mut self) -> Option<M> {
        let head: [u8; 5] = self.0.get(..5)?.try_into().ok()?;
        let length = usize::try_from(u32::from_be_bytes([head[1], head[2], head[3], head[4]])).ok()?;
        if self.0.len() < 5 + length {
            return None;
        }
        self.0.advance(5);
        Some(M::decode(self.0.split_to(length)).expect("the server sends the contract's messages"))
    }
}
