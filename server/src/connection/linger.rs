//! How a connection of HTTP/1.1 is closed, so that its client gets the last answer.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::Connection;

/// What is read at once of what nobody wants.
const PART_BYTES: usize = 16 << 10;

/// What of a request that was refused is read at most: some of those that were too large by mistake.
const LEFT_BYTES: usize = 8 << 20;

/// A socket that is closed in steps (RFC 9112, section 9.6). A socket with something unread that is closed at once sends a
/// reset, by which a client that is still sending loses the answer before it has read it. So first the server says that it
/// has no more to say, and then it hears the client out.
pub(super) struct Lingering<T> {
    socket: T,
    connection: Arc<Connection>,
    timeout: Duration,
    /// How long the client is heard out, and how much more of it.
    left: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<T> Lingering<T> {
    /// A client that has been answered is heard for this time at most.
    pub(super) fn new(socket: T, connection: Arc<Connection>, timeout: Duration) -> Self {
        Self { socket, connection, timeout, left: None }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Lingering<T> {
    /// Ready when the client has closed its side or has been heard long enough. Nobody is waited for who owes nothing.
    fn poll_hear_out(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut part = [0; PART_BYTES];
        loop {
            let mut part = ReadBuf::new(&mut part);
            let polled = Pin::new(&mut self.socket).poll_read(cx, &mut part);
            let read = part.filled().len();
            if polled.is_pending() && self.left.is_none() && !self.connection.is_left_unread() {
                return Poll::Ready(());
            }
            if polled.is_ready() && read == 0 {
                return Poll::Ready(());
            }
            let timeout = self.timeout;
            let (end, left) = self.left.get_or_insert_with(|| (Box::pin(sleep(timeout)), LEFT_BYTES));
            *left = left.saturating_sub(read);
            if *left == 0 || end.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            ready!(polled.map(drop));
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Lingering<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.left.is_none() {
            // It has had an answer: its deadline is another one from here.
            self.connection.greet();
            ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
        }
        self.poll_hear_out(cx).map(Ok)
    }
}
