//! How a connection of HTTP/1.1 is closed, so that its client gets the last answer.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Sleep, sleep},
};

/// What is read at once of what nobody wants.
const PART_BYTES: usize = 16 << 10;

/// What of a request that was refused is read at most: some of those that were too large by mistake.
const LEFT_BYTES: usize = 8 << 20;

/// The close in steps (RFC 9112, section 9.6). A socket with something unread that is closed at once sends a reset, by
/// which a client that is still sending loses the answer before it has read it. So first the server says that it has no
/// more to say, and then it hears the client out.
pub(super) struct Linger {
    timeout: Duration,
    /// How long the client is heard out, and how much more of it.
    left: Option<(Pin<Box<Sleep>>, usize)>,
}

impl Linger {
    /// A client that has been answered is heard for this time at most.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, left: None }
    }

    /// Whether the client is being heard out: nothing more is said to it.
    pub(super) fn has_begun(&self) -> bool {
        self.left.is_some()
    }

    /// Ready when the client has closed its side or has been heard long enough. It is waited for if it `owes` something,
    /// or else if something of it is there.
    pub(super) fn poll(&mut self, mut socket: Pin<&mut impl AsyncRead>, owes: bool, cx: &mut Context<'_>) -> Poll<()> {
        let mut part = [0; PART_BYTES];
        loop {
            let mut part = ReadBuf::new(&mut part);
            let polled = socket.as_mut().poll_read(cx, &mut part);
            let read = part.filled().len();
            if polled.is_pending() && self.left.is_none() && !owes {
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
