//! A text that is made at most once a second, however many ask for it.

use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;

/// For how long one answer serves all who ask.
const FRESH: Duration = Duration::from_secs(1);

/// What a snapshot is taken of.
pub(super) trait Subject {
    type Picture<'a>: Serialize
    where
        Self: 'a;

    fn picture(&self) -> Self::Picture<'_>;
}

/// The JSON of something that changes.
pub(super) struct Snapshot<S> {
    subject: S,
    last: Mutex<Option<(Instant, Bytes)>>,
}

impl<S: Subject> Snapshot<S> {
    pub(super) fn new(subject: S) -> Self {
        Self { subject, last: Mutex::new(None) }
    }

    /// At most a second old.
    pub(super) fn json(&self) -> Bytes {
        let now = Instant::now();
        let mut last = self.last.lock();
        match &*last {
            Some((taken, text)) if now < *taken + FRESH => text.clone(),
            _ => {
                let text = Bytes::from(serde_json::to_vec(&self.subject.picture()).unwrap_or_default());
                *last = Some((now, text.clone()));
                text
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::advance;

    use super::*;

    struct Calls(Cell<u32>);

    impl Subject for Calls {
        type Picture<'a> = u32;

        fn picture(&self) -> u32 {
            self.0.set(self.0.get() + 1);
            self.0.get()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_often_gets_the_same_and_costs_nothing() {
        let snapshot = Snapshot::new(Calls(Cell::new(0)));
        assert_eq!([snapshot.json(), snapshot.json()], ["1", "1"]);
        advance(FRESH).await;
        assert_eq!([snapshot.json(), snapshot.json()], ["2", "2"]);
    }
}
