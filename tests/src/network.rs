//! A network of its own for clients, whose cable can be cut.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, SocketAddr},
    os::fd::AsFd as _,
    process::{Command, Stdio},
    sync::atomic::{AtomicU8, Ordering},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::net::TcpStream;

/// A machine beside this one: a network namespace of Linux (network_namespaces(7)), with a cable to here. Dropping it
/// takes it away.
#[derive(Debug)]
pub struct Elsewhere {
    name: String,
    number: u8,
}

impl Elsewhere {
    /// Sets it up, or says on standard output why the test is skipped: it needs root, and the command `ip`.
    #[must_use]
    pub fn new() -> Option<Self> {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let elsewhere = Self { name: format!("poke{}x{number}", std::process::id()), number };
        match elsewhere.set_up() {
            Ok(()) => Some(elsewhere),
            Err(why) => {
                println!("skipped: no network namespace can be made here ({why}); run it as root, with iproute2");
                None
            }
        }
    }

    fn set_up(&self) -> Result<(), String> {
        let Self { name, .. } = self;
        let (ours, theirs) = (format!("{name}a"), format!("{name}b"));
        ip(&["netns", "add", name])?;
        ip(&["link", "add", &ours, "type", "veth", "peer", "name", &theirs])?;
        ip(&["link", "set", &theirs, "netns", name])?;
        ip(&["addr", "add", &format!("{}/24", self.here()), "dev", &ours])?;
        ip(&["link", "set", &ours, "up"])?;
        for host in [2, 3] {
            ip(&["-n", name, "addr", "add", &format!("{}/24", self.address(host)), "dev", &theirs])?;
        }
        ip(&["-n", name, "link", "set", &theirs, "up"])
    }

    /// Networks of documentation and benchmarks, one for each of a process's (RFC 2544, appendix C.2.2).
    fn address(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.number.wrapping_add(std::process::id().to_le_bytes()[0]), host)
    }

    /// This machine's address on the cable.
    #[must_use]
    pub fn here(&self) -> Ipv4Addr {
        self.address(1)
    }

    /// Connects from there, from the first or the second of its addresses.
    ///
    /// # Errors
    /// When nobody accepts.
    ///
    /// # Panics
    /// When the namespace is gone.
    pub async fn connect(&self, to: SocketAddr, from: u8) -> io::Result<TcpStream> {
        let (name, from) = (self.name.clone(), self.address(2 + from));
        // A socket belongs to the namespace that its thread was in when it was made.
        let made = tokio::task::spawn_blocking(move || {
            thread::spawn(move || {
                let namespace = File::open(format!("/var/run/netns/{name}")).expect("the namespace is there");
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
                let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
                socket.bind(&SocketAddr::from((from, 0)).into())?;
                socket.connect(&to.into())?;
                socket.set_nonblocking(true)?;
                Ok(socket.into())
            })
            .join()
            .expect("connecting doesn't panic")
        });
        let made: io::Result<std::net::TcpStream> = made.await.expect("connecting doesn't panic");
        TcpStream::from_std(made?)
    }

    /// Cuts the cable: from now on every packet is lost, and neither side is told.
    ///
    /// # Panics
    /// When that isn't possible.
    pub fn cut(&self) {
        // Without its addresses the other side takes no packet for its own.
        ip(&["-n", &self.name, "addr", "flush", "dev", &format!("{}b", self.name)]).expect("the namespace is there");
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // The cable goes with it. There may be nothing to take away.
        let _ = ip(&["netns", "del", &self.name]);
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().into()) }
}
