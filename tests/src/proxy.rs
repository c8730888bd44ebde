//! The network between a client and a server, with its faults.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Forwards TCP connections, until told otherwise. Dropping it ends them all.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    /// Counts the cuts: each connection ends when it changes.
    cuts: watch::Sender<u64>,
    mute: Arc<AtomicBool>,
}

impl Proxy {
    /// A proxy on a free port in front of a server.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (cuts, seen) = watch::channel(0);
        let mute = Arc::new(AtomicBool::new(false));
        tokio::spawn(accept(listener, server, seen, Arc::clone(&mute)));
        Self { address, cuts, mute }
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Breaks every connection that is open now.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// From now on, or no longer, swallows what the server says.
    pub fn mute(&self, mute: bool) {
        self.mute.store(mute, Ordering::SeqCst);
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, mut cuts: watch::Receiver<u64>, mute: Arc<AtomicBool>) {
    loop {
        let client = tokio::select! {
            accepted = listener.accept() => accepted,
            // The proxy has been dropped.
            () = async { while cuts.changed().await.is_ok() {} } => return,
        };
        let Ok((client, _)) = client else { continue };
        let (mut cuts, mute) = (cuts.clone(), Arc::clone(&mute));
        cuts.mark_unchanged();
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(server).await else { return };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::select! {
                () = forward(from_client, to_server, || false) => {}
                () = forward(from_server, to_client, || mute.load(Ordering::SeqCst)) => {}
                _ = cuts.changed() => {}
            }
        });
    }
}

async fn forward(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, swallow: impl Fn() -> bool) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if !swallow() && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
