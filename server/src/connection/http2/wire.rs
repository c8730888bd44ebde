//! The socket of an HTTP/2 connection, and what is about to be written to it.

use std::{
    cell::Cell,
    hint::black_box,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    super::{exchange::Outgoing, greeting::Watched},
    payload::{DataHead, Payload},
};

/// Bytes that wait to be written before nothing is added to them. What is larger than that isn't copied at all: to copy
/// so much costs more than to tell the kernel of it as a part of its own.
pub(super) const FULL: usize = 8 << 10;

/// Room for what waits that a thread keeps at most.
const SPARE_BYTES: usize = 64 << 10;

/// Parts of one write, by which a large chunk of small pokes still goes at once.
const PARTS: usize = 64;

thread_local! {
    /// Room for what one connection after the other writes. It is warm, and no connection holds any while it is silent.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A socket, before it the frames that wait to be written, and among them at most one payload that isn't copied.
///
/// The codec reads through it, and writes its frames among those that wait, which always succeeds.
///
/// In this order: what every chunk touches comes first, in as few lines of the processor's cache as it takes.
#[repr(C)]
pub(super) struct Wire<T, D> {
    /// Whole frames. A payload of which something has been written goes before them, any other after them.
    waiting: Vec<u8>,
    /// How much of `waiting` has been written.
    written: usize,
    /// Bytes that were written since something was read.
    told: usize,
    /// The socket took no more.
    is_blocked: bool,
    /// `waiting` is the thread's.
    is_borrowed: bool,
    /// Boxed, as mostly there is none.
    payload: Option<Box<Payload<D>>>,
    socket: Watched<T>,
}

impl<T: AsyncRead + AsyncWrite + Unpin, D: Outgoing> Wire<T, D> {
    pub(super) fn new(socket: Watched<T>) -> Self {
        Self { waiting: Vec::new(), written: 0, told: 0, is_blocked: false, is_borrowed: false, payload: None, socket }
    }

    /// See `Exchange::warm`.
    pub(super) fn warm(&self) {
        black_box((self.is_blocked, self.payload.is_some()));
        self.socket.warm();
    }

    /// Whether as much waits as may.
    pub(super) fn is_full(&self) -> bool {
        self.payload.is_some() || self.waiting.len() - self.written >= FULL
    }

    /// Whether so much waits that not even answers to what is read are added: a client that doesn't read has some 1,500
    /// pings answered, and is then not read itself.
    pub(super) fn is_overfull(&self) -> bool {
        self.waiting.len() - self.written >= 4 * FULL
    }

    /// The stream of the payload.
    pub(super) fn carries(&self) -> Option<u32> {
        self.payload.as_ref().map(|payload| payload.id())
    }

    /// The length of the next DATA frame that was padded, in the order in which they come.
    pub(super) fn next_padded(&mut self) -> Option<usize> {
        self.socket.next_padded()
    }

    /// Whether the socket has left something that it was given.
    pub(super) fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Makes room for a turn of the connection.
    pub(super) fn begin_turn(&mut self) {
        if self.waiting.capacity() == 0 {
            self.waiting = SPARE.take();
            self.is_borrowed = true;
        }
    }

    /// Gives the room back, and keeps no more than what waits.
    pub(super) fn end_turn(&mut self) {
        if !self.is_borrowed && self.written == 0 && !self.waiting.is_empty() {
            return;
        }
        let rest = self.waiting[self.written..].to_vec();
        let mut spare = std::mem::replace(&mut self.waiting, rest);
        (self.written, self.is_borrowed) = (0, false);
        if spare.capacity() <= SPARE_BYTES {
            spare.clear();
            SPARE.set(spare);
        }
    }

    /// Adds DATA frames of some of a chunk, by a copy.
    pub(super) fn copy(&mut self, id: u32, chunk: &mut D, mut granted: usize, ends: bool, max_frame: usize) {
        loop {
            let mut left = granted.min(max_frame);
            granted -= left;
            self.waiting.extend_from_slice(&DataHead::new(left, id, ends && granted == 0).0);
            while left > 0 {
                let part = chunk.chunk();
                let length = part.len().min(left);
                self.waiting.extend_from_slice(&part[..length]);
                chunk.advance(length);
                left -= length;
            }
            if granted == 0 {
                return;
            }
        }
    }

    /// Adds a payload. There must be none.
    pub(super) fn carry(&mut self, payload: Payload<D>) {
        self.payload = Some(Box::new(payload));
    }

    /// Drops the payload, but for a frame under way. Answers the credit that isn't used.
    pub(super) fn cut(&mut self) -> usize {
        let Some(payload) = &mut self.payload else { return 0 };
        let unused = payload.cut();
        if payload.is_done() {
            self.payload = None;
        }
        unused
    }

    /// The payload, if nothing of it has been written.
    pub(super) fn take_back(&mut self) -> Option<Box<Payload<D>>> {
        self.payload.take_if(|payload| !payload.has_begun())
    }

    /// Writes what waits. Ready when all of it is on its way, or with a payload that is.
    pub(super) fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Box<Payload<D>>>>> {
        let polled = self.poll_socket(cx);
        self.is_blocked = polled.is_pending();
        polled
    }

    fn poll_socket(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Box<Payload<D>>>>> {
        loop {
            let waiting = &self.waiting[self.written..];
            let written = match &self.payload {
                Some(payload) => {
                    let mut heads = Default::default();
                    let mut parts = [IoSlice::new(&[]); PARTS];
                    let before = if payload.has_begun() { &[] } else { waiting };
                    let count = payload.parts(before, &mut heads, &mut parts);
                    ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, &parts[..count]))?
                }
                None if waiting.is_empty() => break,
                None => ready!(Pin::new(&mut self.socket).poll_write(cx, waiting))?,
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.told += written;
            if let Some(done) = self.advance(written) {
                return Poll::Ready(Ok(Some(done)));
            }
        }
        // Also if nothing was written now: something that was may have come back.
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        Poll::Ready(Ok(None))
    }

    /// As much has been written. Answers a payload that is done with it.
    fn advance(&mut self, mut written: usize) -> Option<Box<Payload<D>>> {
        if self.payload.as_ref().is_none_or(|payload| !payload.has_begun()) {
            let before = written.min(self.waiting.len() - self.written);
            self.written += before;
            written -= before;
            if self.written == self.waiting.len() {
                self.waiting.clear();
                self.written = 0;
            }
        }
        let payload = self.payload.as_mut()?;
        payload.advance(written);
        if payload.is_done() { self.payload.take() } else { None }
    }

    /// See [`Watched::linger`].
    pub(super) fn linger(&mut self) {
        self.socket.linger();
    }

    /// Says that nothing more comes.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl<T: AsyncRead + Unpin, D: Unpin> AsyncRead for Wire<T, D> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let told = std::mem::take(&mut self.told);
        self.socket.tell(told);
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

/// Never waits and never fails, by which the codec can always take one more frame.
impl<T: Unpin, D: Unpin> AsyncWrite for Wire<T, D> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.waiting.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::{future::poll_fn, io::Read as _, sync::Arc, time::Duration};

    use bytes::Bytes;
    use socket2::SockRef;
    use tokio::{net::UnixStream, task::spawn_blocking, time::timeout};
    use tokio_util::either::Either;

    use super::{
        super::super::{Connection, Peer, greeting::greet, outbox::Turns, plain::Plain},
        *,
    };
    use crate::{limits::Limits, runtime};

    const FRAME: [u8; 1000] = [7; 1000];

    /// Writes a frame, and rests.
    async fn write(wire: &mut Wire<Plain, Bytes>) {
        let mut is_added = false;
        poll_fn(|cx| {
            wire.begin_turn();
            if !std::mem::replace(&mut is_added, true) {
                let _ = Pin::new(&mut *wire).poll_write(cx, &FRAME).is_ready();
            }
            // It may have to wait for the client: then it goes on when it is woken.
            let out = wire.poll_out(cx).map(Result::unwrap).map(drop);
            wire.end_turn();
            Poll::Ready(out.is_ready())
        })
        .await;
        spawn_blocking(|| ()).await.unwrap();
    }

    #[test]
    fn what_the_socket_did_not_take_is_written_when_it_does_though_nothing_follows() {
        // The last of some of these is the one for which there is no room.
        for frames in 1..16 {
            let mut builder = runtime::builder();
            let runtime = builder.worker_threads(1).build().unwrap();
            let connection = async move {
                let (ours, theirs) = UnixStream::pair().unwrap();
                SockRef::from(&ours).set_send_buffer_size(1).unwrap();
                theirs.try_write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
                let socket = Plain::new(Either::Right(ours));
                let peer = Arc::new(Connection::new(1, Peer::default(), Arc::default()));
                let (_, socket) = greet(socket, &peer, &Limits::default()).await.unwrap();
                let mut wire = Wire::new(socket);
                for _ in 0..frames {
                    write(&mut wire).await;
                }
                let mut theirs = theirs.into_std().unwrap();
                theirs.set_nonblocking(false).unwrap();
                let mut reading = spawn_blocking(move || {
                    let mut read = vec![0; frames * FRAME.len()];
                    theirs.read_exact(&mut read).map(|()| read)
                });
                // Whatever is left goes by wakes alone.
                let read = poll_fn(|cx| {
                    wire.begin_turn();
                    let _ = wire.poll_out(cx).map(Result::unwrap).is_ready();
                    wire.end_turn();
                    Pin::new(&mut reading).poll(cx)
                });
                let read = timeout(Duration::from_secs(20), read).await.expect("all of it").unwrap().unwrap();
                assert!(read == FRAME.repeat(frames), "{frames}: others");
            };
            runtime.block_on(runtime.spawn(Turns { connection })).unwrap();
        }
    }
}
