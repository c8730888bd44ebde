//! How a client begins, and a socket that remembers it.

use std::{
    cell::RefCell,
    hint::black_box,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::{Connection, abuse::Abuse, chatter::Chatter, linger::Linger};
use crate::limits::Limits;

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The header of the SETTINGS frame that must follow the preface: a client that sends less isn't one.
const SETTINGS_HEADER: usize = 9;

/// What is joined to be written at once: most pokes, and not the copy of a large one.
const JOINED_BYTES: usize = 8 << 10;

/// Time for which the server goes on reading after it has told a client why its connection is closed.
const LAST_WORD: Duration = Duration::from_secs(1);

thread_local! {
    /// What is joined, for as long as it takes to write it.
    static JOINED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// In what a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// HTTP/2, with prior knowledge or by ALPN.
    Http2,
    /// HTTP/1.1, or nothing that is known.
    Http1,
}

/// Reads until it is clear what the client speaks.
///
/// # Errors
/// Those of the socket.
pub(super) async fn greet<T>(
    mut socket: T,
    connection: &Arc<Connection>,
    limits: &Limits,
) -> io::Result<(Language, Watched<T>)>
where
    T: AsyncRead + Unpin,
{
    let mut said = [0; PREFACE.len()];
    let mut length = 0;
    let language = loop {
        match socket.read(&mut said[length..]).await? {
            0 => break Language::Http1,
            more => length += more,
        }
        if said[..length] != PREFACE[..length] {
            break Language::Http1;
        }
        if length == PREFACE.len() {
            break Language::Http2;
        }
    };
    let said = match language {
        // It has said its part: frames follow.
        Language::Http2 => Bytes::new(),
        Language::Http1 => Bytes::copy_from_slice(&said[..length]),
    };
    let (connection, chatter) = (Arc::clone(connection), Chatter::new(limits));
    // What a request leaves unread has the time to come that one on its way to a retired connection has.
    let linger = (language == Language::Http1).then(|| Box::new(Linger::new(limits.handshake_timeout)));
    let partial_headers = limits.partial_headers();
    Ok((language, Watched { socket, connection, said, language, linger, heard: 0, chatter, partial_headers }))
}

/// Passes everything through, and what a client of HTTP/1.1 said at first again. Tells the connection once an HTTP/2
/// client has greeted, and from then on whenever it says something. A client of HTTP/1.1 greets by its first request,
/// which others see, and has nothing to say while it waits.
#[repr(C)]
pub(super) struct Watched<T> {
    // What is written goes by it alone: the rest is needed only to read.
    socket: T,
    connection: Arc<Connection>,
    /// What was read before it was known who is there.
    said: Bytes,
    language: Language,
    /// Closing that reads on for a while. HTTP/1.1 always closes so; HTTP/2, whose GOAWAY names the last stream, only if a
    /// reset would lose that.
    linger: Option<Box<Linger>>,
    /// What came after the preface, up to the length of what has to.
    heard: usize,
    chatter: Chatter,
    /// Maximum number of incomplete header blocks, over all connections.
    partial_headers: i64,
}

impl<T> Watched<T> {
    /// This has come.
    fn hear(&mut self, bytes: &[u8]) {
        if self.language == Language::Http1 {
            if !bytes.is_empty() {
                self.connection.owe();
            }
        } else {
            self.heard = (self.heard + bytes.len()).min(SETTINGS_HEADER);
            if self.heard == SETTINGS_HEADER {
                self.connection.greet();
            }
            let at = self.connection.hear();
            let had_partial = self.chatter.has_partial_header();
            if let Some(abuse) = self.chatter.hear(bytes, at) {
                self.connection.accuse(abuse);
            }
            match (had_partial, self.chatter.has_partial_header()) {
                (false, true) => self.begin_partial_header(at),
                (true, false) => self.end_partial_header(),
                _ => {}
            }
        }
    }

    /// Counts a header block that has come in part among those of all connections.
    fn begin_partial_header(&mut self, at: u64) {
        if self.connection.metrics().partial_headers.inc() >= self.partial_headers {
            self.connection.accuse(Abuse::HeaderMemory);
        }
        self.connection.set_header_since(Some(at));
    }

    fn end_partial_header(&mut self) {
        self.connection.metrics().partial_headers.dec();
        self.connection.set_header_since(None);
    }

    /// Reads for a moment what the client still sends, once the last word has been written: if the socket were closed with
    /// something unread, a reset would take that word back.
    pub(super) fn linger(&mut self) {
        self.linger.get_or_insert_with(|| Box::new(Linger::new(LAST_WORD)));
    }

    /// See `Exchange::warm`.
    pub(super) fn warm(&self) {
        // It lies right behind the socket, which can't be looked at whatever it is.
        black_box(Arc::as_ptr(&self.connection));
    }

    /// The length of the next DATA frame that was padded, in the order in which they come: whoever takes the frame is not
    /// told how much of it was padding.
    pub(super) fn next_padded(&mut self) -> Option<usize> {
        self.chatter.next_padded()
    }

    /// As many bytes of HTTP/2 were written since this was last called, which must be before it is read again.
    pub(super) fn tell(&mut self, bytes: usize) {
        self.chatter.earn(bytes);
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.said.has_remaining() {
            let length = self.said.len().min(buf.remaining());
            let said = self.said.split_to(length);
            buf.put_slice(&said);
            self.hear(&said);
            return Poll::Ready(Ok(()));
        }
        if self.connection.abuse().is_some() {
            // Nothing of it is taken any more. Whoever serves it is about to see to its end.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        self.hear(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // HTTP/1.1 gives each chunk's size, data and end apart. Joining small ones costs less than telling the kernel of
        // each.
        let size: usize = bufs.iter().map(|buf| buf.len()).sum();
        if bufs.len() < 2 || size > JOINED_BYTES {
            Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
        } else {
            JOINED.with_borrow_mut(|joined| {
                joined.clear();
                bufs.iter().for_each(|buf| joined.extend_from_slice(buf));
                Pin::new(&mut self.socket).poll_write(cx, joined)
            })
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { socket, connection, linger, language, .. } = &mut *self;
        let Some(linger) = linger else { return Pin::new(socket).poll_shutdown(cx) };
        if !linger.has_begun() {
            // It has had an answer: its deadline is another one from here.
            connection.greet();
            ready!(Pin::new(&mut *socket).poll_shutdown(cx))?;
        }
        let owes = *language == Language::Http2 || connection.owes();
        linger.poll(Pin::new(socket), owes, cx).map(Ok)
    }
}

impl<T> Drop for Watched<T> {
    fn drop(&mut self) {
        if self.chatter.has_partial_header() {
            self.end_partial_header();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use crate::connection::Peer;

    /// In what a client speaks that writes these, one after the other; whether it has greeted; and all that is read.
    async fn greeting(writes: &[&[u8]]) -> (Language, bool, Vec<u8>) {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let connection = Arc::new(Connection::new(1, Peer::default(), Arc::default()));
        let writing = async {
            for bytes in writes {
                theirs.write_all(bytes).await.unwrap();
                tokio::task::yield_now().await;
            }
            drop(theirs);
        };
        let reading = async {
            let (language, mut socket) = greet(ours, &connection, &Limits::default()).await.unwrap();
            let mut read = Vec::new();
            socket.read_to_end(&mut read).await.unwrap();
            (language, read)
        };
        let ((), (language, read)) = tokio::join!(writing, reading);
        (language, connection.has_greeted(), read)
    }

    #[tokio::test]
    async fn a_preface_with_a_frame_after_it_greets_however_it_is_cut() {
        let whole = [&PREFACE[..], &[0; 9]].concat();
        let bytes: Vec<_> = whole.chunks(1).collect();
        for writes in [&[&whole[..]][..], &bytes, &[&whole[..20], &whole[20..]], &[&whole[..24], &whole[24..]]] {
            assert_eq!(greeting(writes).await, (Language::Http2, true, whole[24..].to_vec()));
        }
        let (language, greeted, read) = greeting(&[&whole[..24], &whole[24..], b"more"]).await;
        assert!(language == Language::Http2 && greeted && read.ends_with(b"more"));
    }

    #[tokio::test]
    async fn less_does_not_and_nothing_of_it_is_lost() {
        let early = [&PREFACE[..], &[0; 8]].concat();
        assert_eq!(greeting(&[&early]).await, (Language::Http2, false, early[24..].to_vec()));
        for said in [
            &b""[..],
            &PREFACE[..10],
            b"PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n12345678901234567890",
            b"GET / HTTP/1.1\r\nhost: a-name-that-is-long-enough\r\n",
        ] {
            assert_eq!(greeting(&[said]).await, (Language::Http1, false, said.to_vec()));
        }
    }
}
