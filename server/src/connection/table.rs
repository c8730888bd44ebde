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
use crate::metrics::{ConnectionEnd, ConnectionRefused, Metrics};

/// The open connections of this server.
#[derive(Debug)]
pub struct Connections {
    limit: usize,
    metrics: Arc<Metrics>,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    /// Woken when the last one is gone.
    empty: Notify,
}

impl Connections {
    /// None yet, and `limit` at most. They are counted in `metrics`.
    #[must_use]
    pub fn new(limit: usize, metrics: Arc<Metrics>) -> Self {
        Self { limit, metrics, next: AtomicU64::new(1), open: Mutex::default(), empty: Notify::new() }
    }

    /// Adds a connection; `None` if there is no room.
    pub(super) fn register(self: &Arc<Self>, peer: Peer) -> Option<Registration> {
        let mut open = self.open.lock();
        if open.len() >= self.limit {
            self.metrics.connections_refused.inc(ConnectionRefused::Limit);
            return None;
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection::new(id, peer));
        open.insert(id, Arc::clone(&connection));
        self.metrics.connections_opened.inc();
        self.metrics.connections_open.inc();
        Some(Registration { connection, end: ConnectionEnd::Lost, table: Arc::clone(self) })
    }

    /// Asks all of them to retire.
    pub fn retire_all(&self) {
        self.open.lock().values().for_each(|connection| connection.retire());
    }

    /// Closes all of them.
    pub fn close_all(&self) {
        self.open.lock().values().for_each(|connection| connection.close());
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open.lock().len()
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
        open.remove(&self.connection.id());
        if open.is_empty() {
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
