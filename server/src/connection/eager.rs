//! A socket that is written to before anybody asks whether it takes something.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::coop::poll_proceed,
};
use tokio_util::either::Either;

use super::listener::Socketed;

/// Passes everything through, but tries at once to write what is in one piece, as pokes are.
///
/// The runtime keeps what it knows of a socket's readiness in memory of its own, which a delivery would have to fetch only
/// to learn what nearly always holds: an idle client's socket takes a poke. A socket that doesn't is left to the runtime,
/// which finds that out by itself and waits.
pub(super) struct Eager(pub(super) Socketed);

impl AsyncWrite for Eager {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        // Who writes for ever lets other tasks run, as with the runtime's own sockets.
        let turn = ready!(poll_proceed(cx));
        let sent = match &self.0 {
            Either::Left(tcp) => SockRef::from(tcp).send(buf),
            Either::Right(unix) => SockRef::from(unix).send(buf),
        };
        match sent {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                drop(turn);
                Pin::new(&mut self.0).poll_write(cx, buf)
            }
            sent => {
                turn.made_progress();
                Poll::Ready(sent)
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl AsyncRead for Eager {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream, UnixStream},
    };

    use super::*;

    #[tokio::test]
    async fn a_socket_that_takes_no_more_is_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connecting = TcpStream::connect(listener.local_addr().unwrap());
        let (theirs, ours) = tokio::join!(connecting, listener.accept());
        let tcp = (Either::Left(ours.unwrap().0), Either::Left(theirs.unwrap()));
        let (ours, theirs) = UnixStream::pair().unwrap();
        for (ours, mut theirs) in [tcp, (Either::Right(ours), Either::Right(theirs))] {
            let sent: Vec<u8> = (0..4_u32 << 20).flat_map(u32::to_be_bytes).collect();
            let mut eager = Eager(ours);
            // Nobody reads until the socket is full.
            let mut written = 0;
            let full = std::future::poll_fn(|cx| {
                Poll::Ready(loop {
                    match Pin::new(&mut eager).poll_write(cx, &sent[written..]) {
                        Poll::Ready(count) => written += count.unwrap(),
                        Poll::Pending => break written,
                    }
                })
            });
            assert!((1..sent.len()).contains(&full.await));
            let rest = async {
                eager.write_all(&sent[written..]).await.unwrap();
                eager.shutdown().await.unwrap();
            };
            let mut read = Vec::new();
            let (_, ()) = tokio::join!(theirs.read_to_end(&mut read), rest);
            assert!(read == sent, "{} of {} bytes, or others", read.len(), sent.len());
        }
    }

    #[tokio::test]
    async fn a_client_that_has_gone_is_an_error() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let mut eager = Eager(Either::Right(ours));
        assert_eq!(eager.write(b"poke").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
