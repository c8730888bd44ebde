//! Parting from a client so that it hears the last word.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy, sink},
    net::TcpStream,
};

/// What a client may still send before the connection is closed under it.
const REST: u64 = 64 << 10;

/// Says that nothing more comes, and waits until the client leaves: a socket that is closed with something unread takes
/// back what the client hasn't read yet.
pub(super) async fn part(mut socket: TcpStream) {
    if socket.shutdown().await.is_ok() {
        // However it ends, the connection is over.
        let _ = copy(&mut socket.take(REST), &mut sink()).await;
    }
}
