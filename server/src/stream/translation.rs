//! Events in JSON, for the few who want them so.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::wire;

/// How many are kept: those that are on their way to several streams just now.
const KEPT: usize = 64;

/// What the newest events are in JSON: each is translated once, for the first stream that wants it.
#[derive(Debug, Default)]
pub(super) struct Translations(Mutex<VecDeque<Translation>>);

#[derive(Debug)]
struct Translation {
    /// Held, so that nothing else can take its place in memory.
    frame: Bytes,
    json: Bytes,
}

impl Translations {
    /// An event's frame in JSON.
    pub(super) fn of(&self, frame: &Bytes) -> Bytes {
        let is_same = |known: &&Translation| known.frame.as_ptr() == frame.as_ptr() && known.frame.len() == frame.len();
        if let Some(known) = self.0.lock().iter().find(is_same) {
            return known.json.clone();
        }
        // Not under the lock: a large one takes its time, and two streams at once may both do it.
        let json = wire::event_in_json(frame);
        let mut kept = self.0.lock();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Translation { frame: frame.clone(), json: json.clone() });
        json
    }
}

#[cfg(test)]
mod tests {
    use poke_proto::v1;

    use super::*;
    use crate::frame;

    #[test]
    fn an_event_is_translated_once_and_few_are_kept() {
        let translations = Translations::default();
        let heartbeat = || frame::event(v1::subscribe_response::Event::Heartbeat(v1::Heartbeat::default()));
        let first = heartbeat();
        let json = translations.of(&first);
        assert_eq!(json, wire::event_in_json(&first));
        assert_eq!(translations.of(&first.clone()).as_ptr(), json.as_ptr(), "the same");
        (0..KEPT).for_each(|_| drop(translations.of(&heartbeat())));
        assert_eq!(translations.0.lock().len(), KEPT);
        assert_ne!(translations.of(&first).as_ptr(), json.as_ptr(), "forgotten");
    }
}
