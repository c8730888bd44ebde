//! Listening: TCP over IPv4, IPv6 or both, and UNIX sockets.

use std::{
    fmt, fs, io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::{
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    time::{Instant, sleep},
};
use tokio_util::either::Either;

use crate::{config::Address, limits::Source};

/// Connections that the system holds until they are accepted: enough for the return of a dead server's clients. The
/// system has a bound of its own (net.core.somaxconn).
const BACKLOG: i32 = 4096;

/// A connection, before anything is known of it.
pub(super) type Socketed = Either<TcpStream, UnixStream>;

/// An address that can't be listened on.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}: {source}")]
pub struct BindError {
    address: Address,
    source: io::Error,
}

impl BindError {
    /// Returns true if another process has the address.
    pub(crate) fn is_in_use(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }
}

/// Pause before an address that was taken is tried again. While nobody has it, clients are refused.
const RETRY: Duration = Duration::from_millis(5);

/// A bound address. Dropping it closes it, and removes the file of a UNIX socket.
#[derive(Debug)]
pub struct Listener {
    address: Address,
    socket: ListeningSocket,
}

#[derive(Debug)]
enum ListeningSocket {
    Tcp(TcpListener),
    Unix(UnixListener, #[expect(dead_code, reason = "removes the file when it is dropped")] SocketFile),
}

impl Listener {
    /// Binds an address.
    ///
    /// # Errors
    /// When another process has the address, or it isn't this machine's. A UNIX socket's file that no process listens on
    /// any more is replaced; any other file is left alone.
    pub async fn bind(address: &Address) -> Result<Self, BindError> {
        let bound = match address {
            Address::Tcp(address) => bind_tcp(*address),
            Address::Unix(path) => bind_unix(path).await,
        };
        bound.map_err(|source| BindError { address: address.clone(), source })
    }

    /// Binds all of these addresses. If another process has one of them, waits so long for that to leave. Meanwhile none
    /// stays bound: the system would let clients connect to it although nobody accepts them.
    ///
    /// # Errors
    /// See [`Self::bind`].
    pub async fn bind_all(addresses: &[Address], wait: Duration) -> Result<Vec<Self>, BindError> {
        let until = Instant::now() + wait;
        let mut is_waiting = false;
        loop {
            match Self::try_bind_all(addresses).await {
                Err(error) if error.is_in_use() && Instant::now() < until => {
                    if !std::mem::replace(&mut is_waiting, true) {
                        tracing::info!(address = %error.address, ?wait, "waiting for another process to leave the address");
                    }
                }
                bound => return bound,
            }
            // The system tells nobody when an address becomes free.
            sleep(RETRY).await;
        }
    }

    async fn try_bind_all(addresses: &[Address]) -> Result<Vec<Self>, BindError> {
        let mut listeners = Vec::new();
        for address in addresses {
            listeners.push(Self::bind(address).await?);
        }
        Ok(listeners)
    }

    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    pub(super) async fn accept(&self) -> io::Result<(Socketed, Peer)> {
        match &self.socket {
            ListeningSocket::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Either::Left(stream), Peer(Some(peer))))
            }
            ListeningSocket::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Either::Right(stream), Peer(None)))
            }
        }
    }
}

/// Who connected: an IP address and a port, or a process of this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer(Option<SocketAddr>);

impl Peer {
    /// With whom it shares the limits by address, if there are any for it.
    #[must_use]
    pub fn source(self) -> Option<Source> {
        self.0.and_then(Source::of)
    }

    /// Returns true if it is connected by a UNIX socket.
    pub(super) fn is_unix(self) -> bool {
        self.0.is_none()
    }

    /// As if it had come over TCP from there.
    #[cfg(test)]
    pub(super) fn at(address: &str) -> Self {
        Self(address.parse().ok())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("unix"),
        }
    }
}

/// Prepares an accepted socket: small frames go out at once, and the system gives up on a peer that has left something
/// unacknowledged for `patience`. It also does so for HTTP/1.1, which has no pings, and where a ping itself can't be
/// sent since everything before it is stuck.
pub(super) fn prepare(socket: &Socketed, patience: Duration) -> io::Result<()> {
    let Either::Left(stream) = socket else { return Ok(()) };
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    // The system takes whole seconds, and refuses none.
    let interval = (patience / 4).max(Duration::from_secs(1));
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(patience).with_interval(interval))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(patience))?;
    Ok(())
}

fn bind_tcp(address: SocketAddr) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // So that a restart needn't wait for the connections of the last run to be forgotten.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // Dual-stack for [::], whatever the system's default.
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    Ok(Listener { address: Address::Tcp(listener.local_addr()?), socket: ListeningSocket::Tcp(listener) })
}

async fn bind_unix(path: &Path) -> io::Result<Listener> {
    remove_stale(path).await?;
    let listener = UnixListener::bind(path)?;
    let file = SocketFile { path: path.into(), inode: inode(path)? };
    Ok(Listener { address: Address::Unix(path.into()), socket: ListeningSocket::Unix(listener, file) })
}

/// Removes the file of a socket that nobody listens on: what a killed process leaves behind.
async fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of another kind"));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        // Only this says for sure that nobody listens; a full backlog, for one, is a sign of life.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens on it")),
    }
}

/// The file of a UNIX socket. Dropping it removes the file, if it is still the same one: another process may have
/// replaced it.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|inode| inode == self.inode)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the socket's file stays behind");
        }
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// A path that no other test uses. UNIX sockets' paths have at most 107 bytes.
    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("poke-{}-{name}.sock", std::process::id()))
    }

    async fn bind(text: &str) -> Result<Listener, BindError> {
        Listener::bind(&text.parse().unwrap()).await
    }

    fn port(listener: &Listener) -> u16 {
        let Address::Tcp(address) = listener.address() else { unreachable!("it listens on TCP") };
        address.port()
    }

    #[tokio::test]
    async fn both_families_reach_a_dual_stack_listener() {
        let listener = bind("[::]:0").await.unwrap();
        for host in ["127.0.0.1", "::1"] {
            let (accepted, connected) = tokio::join!(listener.accept(), TcpStream::connect((host, port(&listener))));
            connected.unwrap();
            assert!(matches!(accepted.unwrap(), (Either::Left(_), Peer(Some(_)))));
        }
    }

    #[tokio::test]
    async fn a_taken_address_is_named() {
        let first = bind("127.0.0.1:0").await.unwrap();
        let again = Listener::bind(first.address()).await.unwrap_err();
        assert!(again.to_string().starts_with(&format!("can't listen on {}: ", first.address())), "{again}");
    }

    #[tokio::test]
    async fn a_successor_waits_until_the_address_is_free() {
        let path = path("waits");
        for address in ["127.0.0.1:0".parse().unwrap(), Address::Unix(path)] {
            let first = Listener::bind(&address).await.unwrap();
            let address = first.address().clone();
            let wait = Duration::from_secs(20);
            let successor = tokio::spawn(async move {
                Listener::bind_all(&[address], wait).await.map(|bound| bound[0].address().clone())
            });
            tokio::task::yield_now().await;
            assert!(!successor.is_finished());
            let address = first.address().clone();
            drop(first);
            assert_eq!(successor.await.unwrap().unwrap(), address);
        }
    }

    #[tokio::test]
    async fn while_one_of_several_addresses_is_taken_nobody_can_connect_to_the_others() {
        let (first, taken) = (bind("127.0.0.1:0").await.unwrap(), bind("127.0.0.1:0").await.unwrap());
        let addresses = [first.address().clone(), taken.address().clone()];
        let free = port(&first);
        drop(first);
        let error = Listener::bind_all(&addresses, Duration::ZERO).await.unwrap_err();
        assert!(error.is_in_use(), "{error}");
        assert!(TcpStream::connect(("127.0.0.1", free)).await.is_err());
        drop(taken);
        let bound = Listener::bind_all(&addresses, Duration::ZERO).await.unwrap();
        assert!(bound.iter().map(Listener::address).eq(&addresses));
    }

    #[tokio::test]
    async fn a_stale_socket_is_taken_over_and_a_live_one_is_not() {
        let path = path("takeover");
        // What kill -9 leaves behind: a file that nobody listens on.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let address = Address::Unix(path.clone());
        let live = Listener::bind(&address).await.unwrap();
        let refused = Listener::bind(&address).await.unwrap_err();
        assert!(refused.to_string().contains("another process listens on it"), "{refused}");
        // The attempt did the live one no harm: only its probe waits to be accepted.
        let (accepted, connected) = tokio::join!(live.accept(), UnixStream::connect(&path));
        assert!(accepted.is_ok() && connected.is_ok());
        drop(live);
        assert!(!path.exists(), "the file stays behind");
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let path = path("file");
        fs::write(&path, "precious").unwrap();
        assert!(Listener::bind(&Address::Unix(path.clone())).await.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();
    }

    #[tokio::test]
    async fn a_socket_that_another_process_has_replaced_is_left_alone() {
        let path = path("replaced");
        let old = Listener::bind(&Address::Unix(path.clone())).await.unwrap();
        fs::remove_file(&path).unwrap();
        let new = Listener::bind(&Address::Unix(path.clone())).await.unwrap();
        drop(old);
        assert!(path.exists());
        drop(new);
        assert!(!path.exists());
    }
}
