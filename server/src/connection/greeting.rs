//! A socket that watches how the client begins.

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Connection;

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The preface, and the header of the SETTINGS frame that must follow: a client that sends less isn't one.
const GREETING: usize = PREFACE.len() + 9;

/// What is joined to be written at once: most pokes, and not the copy of a large one.
const JOINED_BYTES: usize = 8 << 10;

thread_local! {
    /// What is joined, for as long as it takes to write it.
    static JOINED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Passes everything through. Tells the connection once an HTTP/2 client has greeted, and from then on whenever it says
/// something. A client of HTTP/1.1 greets by its first request, which others see, and has nothing to say while it waits.
pub(super) struct Watched<T> {
    socket: T,
    connection: Arc<Connection>,
    client: Client,
}

/// Who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    /// It has sent this much of an HTTP/2 greeting, and nothing else.
    Unknown { seen: usize },
    /// It speaks HTTP/2.
    Http2,
    /// It speaks something else.
    Other,
}

impl<T> Watched<T> {
    pub(super) fn new(socket: T, connection: Arc<Connection>) -> Self {
        Self { socket, connection, client: Client::Unknown { seen: 0 } }
    }
}

impl Client {
    /// Looks at what has come.
    fn look(self, bytes: &[u8]) -> Self {
        let Self::Unknown { seen } = self else { return self };
        let expected = PREFACE.get(seen..).unwrap_or_default();
        if bytes.iter().zip(expected).any(|(a, b)| a != b) {
            return Self::Other;
        }
        let seen = seen + bytes.len();
        if seen < GREETING { Self::Unknown { seen } } else { Self::Http2 }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        self.client = self.client.look(&buf.filled()[before..]);
        if self.client == Client::Http2 {
            self.connection.greet();
            self.connection.hear();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // HTTP/2 gives each frame's head and payload apart. Joining small ones costs less than telling the kernel of each.
        let size: usize = bufs.iter().map(|buf| buf.len()).sum();
        if bufs.len() < 2 || size > JOINED_BYTES {
            return Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        }
        JOINED.with_borrow_mut(|joined| {
            joined.clear();
            bufs.iter().for_each(|buf| joined.extend_from_slice(buf));
            Pin::new(&mut self.socket).poll_write(cx, joined)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether these reads are those of an HTTP/2 client.
    fn greets(reads: &[&[u8]]) -> bool {
        reads.iter().fold(Client::Unknown { seen: 0 }, |client, read| client.look(read)) == Client::Http2
    }

    #[test]
    fn a_preface_with_a_frame_after_it_greets_however_it_is_cut() {
        let whole = [PREFACE, &[0; 9]].concat();
        assert!(greets(&[&whole]));
        let bytes: Vec<_> = whole.chunks(1).collect();
        assert!(greets(&bytes));
        assert!(greets(&[&whole[..24], &whole[24..], b"more"]));
    }

    #[test]
    fn less_does_not() {
        assert!(!greets(&[]));
        assert!(!greets(&[&PREFACE[..10]]));
        assert!(!greets(&[PREFACE, &[0; 8]]));
        assert!(!greets(&[b"PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n", &[0; 20]]));
        assert!(!greets(&[b"GET / HTTP/1.1\r\nhost: a-name-that-is-long-enough\r\n"]));
    }
}
