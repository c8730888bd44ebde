//! One connection of the load: what a session says and hears, with TLS or without.

use std::{
    io::{BufRead as _, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    os::fd::OwnedFd,
    time::Duration,
};

use rustix::{
    event::epoll::{self, EventData, EventFlags},
    net::sockopt::set_tcp_quickack,
};
use tokio_rustls::rustls::ClientConnection;

use crate::{Fault, tls::Identity};

pub(crate) struct Channel {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// What the socket hasn't taken.
    out: Vec<u8>,
    token: EventData,
    /// epoll tells when the socket can take more.
    armed: bool,
}

impl Channel {
    /// Has epoll report what comes by `token`.
    pub(crate) fn open(socket: TcpStream, tls: Option<&Identity>, epoll: &OwnedFd, token: u64) -> Result<Self, Fault> {
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        // Closing resets the connection: thousands of them leave no port in TIME_WAIT behind.
        socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
        let token = EventData::new_u64(token);
        epoll::add(epoll, &socket, token, EventFlags::IN)?;
        let tls = tls.map(Identity::connect).transpose()?.map(Box::new);
        Ok(Self { socket, tls, out: Vec::new(), token, armed: false })
    }

    #[cfg(test)]
    pub(crate) fn port(&self) -> Result<u16, Fault> {
        Ok(self.socket.local_addr()?.port())
    }

    /// Has epoll report nothing any more, so that nothing is read.
    pub(crate) fn ignore(&self, epoll: &OwnedFd) -> Result<(), Fault> {
        Ok(epoll::delete(epoll, &self.socket)?)
    }

    /// Reads once, and hands on what can be understood of it.
    ///
    /// The kernel may send an acknowledgement within a read, on this program's time, or when the next segment comes or a timer
    /// ends, on the sender's. By default it decides by whether the client has lately sent anything, so it decides differently
    /// for each protocol. Here it is the sender's time for all of them.
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        each: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        set_tcp_quickack(&self.socket, false)?;
        let length = match self.socket.read(buffer) {
            Ok(0) => return Err("the server has closed a connection".into()),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let Some(tls) = &mut self.tls else { return each(&buffer[..length]) };
        let mut records = &buffer[..length];
        while !records.is_empty() {
            tls.read_tls(&mut records)?;
            tls.process_new_packets()?;
            let mut reader = tls.reader();
            loop {
                let taken = match reader.fill_buf() {
                    Ok([]) => return Err("the server has closed a connection".into()),
                    Ok(text) => {
                        each(text)?;
                        text.len()
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                };
                reader.consume(taken);
            }
        }
        Ok(())
    }

    /// Says so as soon as the socket takes it, and what it didn't take before.
    pub(crate) fn send(&mut self, text: &[u8], epoll: &OwnedFd) -> Result<(), Fault> {
        match &mut self.tls {
            None => self.out.extend_from_slice(text),
            Some(tls) => {
                tls.writer().write_all(text)?;
                while tls.wants_write() {
                    tls.write_tls(&mut self.out)?;
                }
            }
        }
        let mut written = 0;
        while written < self.out.len() {
            match self.socket.write(&self.out[written..]) {
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.out.drain(..written);
        let armed = !self.out.is_empty();
        if armed != std::mem::replace(&mut self.armed, armed) {
            let flags = if armed { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            epoll::modify(epoll, &self.socket, self.token, flags)?;
        }
        Ok(())
    }
}
