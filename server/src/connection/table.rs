//! All open connections: how many there may be, and what a drain asks of them.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Connection, Peer};
use crate::{
    limits::{Memory, Source, Tallies},
    metrics::{ConnectionEnd, ConnectionRefused, Metrics, Shed},
};

/// The open connections of this server.
#[derive(Debug)]
pub struct Connections {
    limit: usize,
    memory: Option<Arc<Memory>>,
    metrics: Arc<Metrics>,
    next: AtomicU64,
    open: Mutex<Open>,
    /// Woken when the last one is gone.
    empty: Notify,
}

#[derive(Debug)]
struct Open {
    connections: HashMap<u64, Arc<Connection>>,
    by_source: Tallies<Source>,
}

impl Connections {
    /// None yet, and `limit` at most. They are counted in `metrics`.
    #[must_use]
    pub fn new(limit: usize, metrics: Arc<Metrics>) -> Self {
        let open = Mutex::new(Open { connections: HashMap::new(), by_source: Tallies::new(None) });
        Self { limit, memory: None, metrics, next: AtomicU64::new(1), open, empty: Notify::new() }
    }

    /// With a bound for each address.
    #[must_use]
    pub fn with_limit_per_address(mut self, limit: Option<usize>) -> Self {
        self.open.get_mut().by_source = Tallies::new(limit);
        self
    }

    /// Refuses connections while memory is short.
    #[must_use]
    pub fn with_memory(self, memory: Arc<Memory>) -> Self {
        Self { memory: Some(memory), ..self }
    }

    /// Adds a connection; `None` if there is no room.
    pub(super) fn register(self: &Arc<Self>, peer: Peer) -> Option<Registration> {
        let source = peer.source();
        let mut open = self.open.lock();
        let refused = if open.connections.len() >= self.limit {
            Some(ConnectionRefused::Limit)
        } else if source.is_some_and(|source| !open.by_source.has_room(&source)) {
            Some(ConnectionRefused::Address)
        } else if self.memory.as_ref().is_some_and(|memory| !memory.has_room_for(Shed::Connection)) {
            Some(ConnectionRefused::Memory)
        } else {
            None
        };
        if let Some(reason) = refused {
            self.metrics.connections_refused.inc(reason);
            return None;
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection::new(id, peer, Arc::clone(&self.metrics)));
        open.connections.insert(id, Arc::clone(&connection));
        source.into_iter().for_each(|source| open.by_source.add(source));
        self.metrics.connections_opened.inc();
        self.metrics.connections_open.inc();
        Some(Registration { connection, end: ConnectionEnd::Lost, table: Arc::clone(self) })
    }

    /// Asks all of them to retire.
    pub fn retire_all(&self) {
        self.open.lock().connections.values().for_each(|connection| connection.retire());
    }

    /// Closes all of them.
    pub fn close_all(&self) {
        self.open.lock().connections.values().for_each(|connection| connection.close());
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open.lock().connections.len()
    }

    /// Waits until there are none.
    pub async fn gone(&self) {
        loop {
            // Before the look: whoever leaves after it finds us waiting.
            let empty = self.empty.notified();
            if self.count() == 0 {
                return;
            }
            empty.await;
        }
    }
}

/// A connection's place in the table, until it is dropped.
pub(super) struct Registration {
    connection: Arc<Connection>,
    end: ConnectionEnd,
    table: Arc<Connections>,
}

impl Registration {
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// The connection has ended in this way.
    pub(super) fn end(mut self, end: ConnectionEnd) {
        self.end = end;
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.table.metrics.connections_open.dec();
        self.table.metrics.connections_closed.inc(self.end);
        let mut open = self.table.open.lock();
        open.connections.remove(&self.connection.id());
        self.connection.peer().source().iter().for_each(|source| open.by_source.remove(source));
        if open.connections.is_empty() {
            self.table.empty.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn a_full_table_takes_one_more_when_one_has_left() {
        let table = Arc::new(Connections::new(2, Arc::default()));
        let (first, second) = (table.register(Peer::default()).unwrap(), table.register(Peer::default()).unwrap());
        assert_ne!(first.connection().id(), second.connection().id());
        assert!(table.register(Peer::default()).is_none());
        drop(first);
        let third = table.register(Peer::default()).unwrap();
        assert_eq!(table.count(), 2);
        let gone = tokio::spawn({
            let table = Arc::clone(&table);
            async move { table.gone().await }
        });
        drop((second, third));
        gone.await.unwrap();
        table.gone().await;
    }

    #[test]
    fn each_address_has_its_share_and_this_machine_any() {
        let metrics = Arc::new(Metrics::new());
        let table = Arc::new(Connections::new(100, Arc::clone(&metrics)).with_limit_per_address(Some(1)));
        let connect = |address: &str| table.register(Peer::at(address));
        let first = connect("192.0.2.1:1").unwrap();
        assert!(connect("192.0.2.1:2").is_none());
        let _others = ["192.0.2.2:1", "[2001:db8:1:2::1]:1", "[::1]:1", "[::1]:2"].map(|other| connect(other).unwrap());
        assert!(connect("[2001:db8:1:2::ffff]:1").is_none(), "a network has one share");
        drop(first);
        assert!(connect("192.0.2.1:3").is_some());
        assert_eq!(metrics.connections_refused.get(ConnectionRefused::Address), 2);
    }

    #[test]
    fn what_is_asked_of_all_reaches_each() {
        let table = Arc::new(Connections::new(2, Arc::default()));
        let open = [table.register(Peer::default()).unwrap(), table.register(Peer::default()).unwrap()];
        table.retire_all();
        for registration in open {
            let asked = futures_util::FutureExt::now_or_never(registration.connection().asked());
            assert_eq!(asked, Some(super::super::handle::Ask::Retire));
        }
    }
}
