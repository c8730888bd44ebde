//! The floor: one thread, epoll, and one `write` of the poke to each subscriber. No server on TCP does less.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
};

use rustix::event::epoll::{self, EventData, EventFlags};

use crate::{
    Fault,
    wire::raw::{PREFIX_BYTES, PUBLISH, SUBSCRIBE},
};

/// Connections that may wait for `accept`.
const BACKLOG: i32 = 4096;
/// The listener's place among what epoll reports.
const LISTENER: u64 = u64::MAX;
const READ_BYTES: usize = 256 << 10;

/// A listening socket that doesn't block.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener, Fault> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

struct Peer {
    socket: TcpStream,
    subscribes: bool,
    /// What a publisher has sent that isn't whole yet, its first byte included.
    received: Vec<u8>,
    /// What a slow subscriber hasn't taken.
    waiting: Vec<u8>,
    /// epoll tells when it can take more.
    armed: bool,
}

struct Floor {
    epoll: OwnedFd,
    listener: TcpListener,
    peers: Vec<Option<Peer>>,
    buffer: Box<[u8]>,
}

/// Serves until it is killed.
///
/// # Errors
/// When it can't listen.
pub fn floor(address: SocketAddr) -> Result<(), Fault> {
    crate::machine::raise_descriptors()?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let listener = listen(address)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut floor = Floor { epoll, listener, peers: Vec::new(), buffer: vec![0; READ_BYTES].into() };
    let mut events = Vec::with_capacity(1024);
    loop {
        epoll::wait(&floor.epoll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            match event.data.u64() {
                LISTENER => floor.accept()?,
                index => floor.serve(usize::try_from(index)?, event.flags)?,
            }
        }
    }
}

impl Floor {
    fn accept(&mut self) -> Result<(), Fault> {
        while let Ok((socket, _)) = self.listener.accept() {
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            epoll::add(&self.epoll, &socket, EventData::new_u64(self.peers.len() as u64), EventFlags::IN)?;
            let (received, waiting) = (Vec::new(), Vec::new());
            self.peers.push(Some(Peer { socket, subscribes: false, received, waiting, armed: false }));
        }
        Ok(())
    }

    fn serve(&mut self, index: usize, flags: EventFlags) -> Result<(), Fault> {
        let Some(peer) = &mut self.peers[index] else { return Ok(()) };
        if flags.contains(EventFlags::OUT) {
            let waiting = std::mem::take(&mut peer.waiting);
            self.write(index, &waiting)?;
        }
        let Some(peer) = &mut self.peers[index] else { return Ok(()) };
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            match peer.socket.read(&mut self.buffer) {
                Ok(length @ 1..) => peer.received.extend_from_slice(&self.buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                _ => {
                    self.peers[index] = None;
                    return Ok(());
                }
            }
            if peer.received.first() == Some(&SUBSCRIBE) {
                peer.received = Vec::new();
                peer.subscribes = true;
                return self.write(index, &[0; PREFIX_BYTES]);
            }
            let pokes = whole(&mut peer.received);
            self.fan_out(&pokes)?;
        }
        Ok(())
    }

    fn fan_out(&mut self, pokes: &[u8]) -> Result<(), Fault> {
        for index in 0..self.peers.len() {
            if self.peers[index].as_ref().is_some_and(|peer| peer.subscribes) && !pokes.is_empty() {
                self.write(index, pokes)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, index: usize, bytes: &[u8]) -> Result<(), Fault> {
        let Some(peer) = &mut self.peers[index] else { return Ok(()) };
        let written = if peer.waiting.is_empty() { peer.socket.write(bytes).unwrap_or(0) } else { 0 };
        peer.waiting.extend_from_slice(&bytes[written..]);
        let armed = !peer.waiting.is_empty();
        if armed != std::mem::replace(&mut peer.armed, armed) {
            let flags = if armed { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            epoll::modify(&self.epoll, &peer.socket, EventData::new_u64(index as u64), flags)?;
        }
        Ok(())
    }
}

/// Takes the messages that have come whole, and leaves what is cut. The publisher's first byte stays in front.
fn whole(received: &mut Vec<u8>) -> Vec<u8> {
    if received.first() != Some(&PUBLISH) {
        return Vec::new();
    }
    let mut end = 1;
    while let Some(length) = received[end..].first_chunk::<PREFIX_BYTES>() {
        let next = end + PREFIX_BYTES + u32::from_be_bytes(*length) as usize;
        if next > received.len() {
            break;
        }
        end = next;
    }
    received.drain(1..end).collect()
}
