//! A connection's socket without TLS.

use std::{
    io::{self, IoSlice},
    net::Shutdown,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Waker, ready},
};

use parking_lot::Mutex;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::coop::poll_proceed,
};
use tokio_util::either::Either;

use super::{listener::Socketed, outbox};

/// Passes everything through, but writes what is in one piece, as pokes are, at once or by the thread's [`outbox`].
///
/// The runtime keeps what it knows of a socket's readiness in memory of its own, which a delivery would have to fetch only
/// to learn what nearly always holds: an idle client's socket takes a poke. A socket that doesn't is left to the runtime,
/// which finds that out by itself and waits.
///
/// What was posted counts as written, as what is in the kernel's buffer does. If the socket takes less of it, the rest comes
/// back, and is written before anything else.
pub(super) struct Plain(Arc<Socket>);

/// A socket, shared with whoever sends what was posted. In this order, so that a write meets few lines of the processor's
/// cache.
#[repr(C)]
pub(super) struct Socket {
    /// In which outbox the last write is, or one of the following.
    last: AtomicU8,
    rest: Mutex<Rest>,
    socket: Socketed,
}

/// All was written.
const GONE: u8 = u8::MAX;
/// Something of the last write has come back.
const BACK: u8 = u8::MAX - 1;

/// What the socket didn't take.
struct Rest {
    /// Who writes it.
    waker: Waker,
    error: Option<io::Error>,
    bytes: Vec<u8>,
}

/// The same with either kind of socket.
macro_rules! with {
    ($socket:expr, $inner:ident => $act:expr) => {
        match &$socket {
            Either::Left($inner) => $act,
            Either::Right($inner) => $act,
        }
    };
}

impl Plain {
    pub(super) fn new(socket: Socketed) -> Self {
        let rest = Rest { waker: Waker::noop().clone(), error: None, bytes: Vec::new() };
        Self(Arc::new(Socket { last: AtomicU8::new(GONE), rest: Mutex::new(rest), socket }))
    }

    /// Ready when nothing of what was sent is left to be written.
    fn poll_rest(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.last.load(Ordering::Acquire) != BACK {
            return Poll::Ready(Ok(()));
        }
        let mut rest = self.0.rest.lock();
        if let Some(error) = rest.error.take() {
            return Poll::Ready(Err(error));
        }
        while !rest.bytes.is_empty() {
            let written = ready!(self.0.poll_send(&[IoSlice::new(&rest.bytes)], cx))?;
            rest.bytes.drain(..written);
        }
        rest.bytes = Vec::new();
        self.0.last.store(GONE, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    /// Ready when what is written now comes after all that was written before.
    fn poll_settled(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.settle();
        self.poll_rest(cx)
    }

    /// What was posted is sent now, if it wasn't yet.
    fn settle(&self) {
        match self.0.last.load(Ordering::Acquire) {
            GONE | BACK => {}
            place => outbox::settle(place, || self.0.last.load(Ordering::Relaxed) == place),
        }
    }
}

impl Drop for Plain {
    /// Its descriptor is closed with it.
    fn drop(&mut self) {
        self.settle();
    }
}

impl Socket {
    /// Something goes by this outbox. If some of it comes back, this is woken.
    pub(super) fn posted(&self, place: u8, waker: &Waker) {
        self.rest.lock().waker.clone_from(waker);
        self.last.store(place, Ordering::Relaxed);
    }

    /// Sends what was posted, with the outbox locked: whoever locks it and finds `last` changed knows that it was sent.
    pub(super) fn send(&self, bytes: &[u8]) {
        let (sent, error) = match self.try_send(bytes) {
            Ok(sent) if sent == bytes.len() => return self.last.store(GONE, Ordering::Release),
            Ok(sent) => (sent, None),
            Err(error) if is_passing(&error) => (0, None),
            Err(error) => (0, Some(error)),
        };
        let mut rest = self.rest.lock();
        (rest.bytes, rest.error) = (bytes[sent..].to_vec(), error);
        self.last.store(BACK, Ordering::Release);
        rest.waker.wake_by_ref();
    }

    /// Asks nobody whether the socket takes something.
    fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        with!(self.socket, socket => SockRef::from(socket).send(bytes))
    }

    fn poll_send(&self, parts: &[IoSlice<'_>], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            ready!(with!(self.socket, socket => socket.poll_write_ready(cx)))?;
            match with!(self.socket, socket => socket.try_write_vectored(parts)) {
                Err(error) if is_passing(&error) => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    /// It takes one call more than the runtime's own read to learn that there is nothing left. To save that without unsafe
    /// code would mean to write zeros into the whole buffer first: 4 KiB resident for each idle connection.
    fn poll_receive(&self, mut buf: &mut ReadBuf<'_>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(with!(self.socket, socket => socket.poll_read_ready(cx)))?;
            match with!(self.socket, socket => socket.try_read_buf(&mut buf)) {
                Err(error) if is_passing(&error) => {}
                received => return Poll::Ready(received.map(drop)),
            }
        }
    }
}

/// Whether it goes on later.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl AsyncWrite for Plain {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_settled(cx))?;
        // Who writes for ever lets other tasks run, as with the runtime's own sockets.
        let budget = ready!(poll_proceed(cx));
        if outbox::post(&self.0, buf, cx.waker()) {
            budget.made_progress();
            return Poll::Ready(Ok(buf.len()));
        }
        match self.0.try_send(buf) {
            Err(error) if is_passing(&error) => {
                drop(budget);
                self.0.poll_send(&[IoSlice::new(buf)], cx)
            }
            sent => {
                budget.made_progress();
                Poll::Ready(sent)
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_settled(cx))?;
        self.0.poll_send(bufs, cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What was posted goes by itself: this is ready unless some of it has come back.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_rest(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_settled(cx))?;
        match with!(self.0.socket, socket => SockRef::from(socket).shutdown(Shutdown::Write)) {
            // The client was faster.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            done => Poll::Ready(done),
        }
    }
}

impl AsyncRead for Plain {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.poll_receive(buf, cx)
    }
}
