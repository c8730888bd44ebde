//! Events in JSON, for the few who want them so.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::wire;

/// Bytes that are kept: the events that are on their way to several streams just now. An event takes 128 KiB in protobuf
/// and up to six times as much in JSON, where each byte of its text is escaped.
const KEPT_BYTES: usize = 4 << 20;

/// How many are kept at most, as they are searched one by one.
const KEPT: usize = 128;

/// What the newest events are in JSON: each is translated once, for the first stream that wants it.
#[derive(Debug, Default)]
pub(super) struct Translations(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    translations: VecDeque<Translation>,
    bytes: usize,
}

#[derive(Debug)]
struct Translation {
    /// Held, so that nothing else can take its place in memory.
    frame: Bytes,
    json: Bytes,
}

impl Translations {
    /// An event's frame in JSON.
    pub(super) fn of(&self, frame: &Bytes) -> Bytes {
        // A stream's own event, or one that nobody else will ask for.
        if frame.is_unique() {
            return wire::event_in_json(frame);
        }
        if let Some(json) = self.0.lock().find(frame) {
            return json;
        }
        // Not under the lock: a large one takes its time, and two streams at once may both do it.
        let json = wire::event_in_json(frame);
        self.0.lock().keep(Translation { frame: frame.clone(), json: json.clone() });
        json
    }
}

impl Kept {
    /// The newest ones first, as most want those.
    fn find(&self, frame: &Bytes) -> Option<Bytes> {
        let is_same = |known: &&Translation| known.frame.as_ptr() == frame.as_ptr() && known.frame.len() == frame.len();
        self.translations.iter().rev().find(is_same).map(|known| known.json.clone())
    }

    fn keep(&mut self, translation: Translation) {
        self.bytes += translation.size();
        self.translations.push_back(translation);
        while self.translations.len() > KEPT || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.translations.pop_front() else { return };
            self.bytes -= oldest.size();
        }
    }
}

impl Translation {
    /// What is held for it, also when nobody else does any more.
    fn size(&self) -> usize {
        self.frame.len() + self.json.len()
    }
}

#[cfg(test)]
mod tests {
    use poke_proto::{Data, v1};

    use super::*;
    use crate::frame;

    fn poke(data: Data) -> Bytes {
        let poke = v1::Poke { domain: "D".into(), filter: "f".into(), data: Some(data), ..Default::default() };
        frame::event(v1::subscribe_response::Event::Poke(poke))
    }

    /// Of an event that others hold as well.
    fn translate(translations: &Translations, frame: &Bytes) -> Bytes {
        translations.of(&frame.clone())
    }

    #[test]
    fn an_event_is_translated_once_and_few_are_kept() {
        let translations = Translations::default();
        let first = poke(Data::null());
        let json = translate(&translations, &first);
        assert_eq!(json, wire::event_in_json(&first));
        assert_eq!(translate(&translations, &first).as_ptr(), json.as_ptr(), "the same");
        for _ in 0..KEPT {
            translate(&translations, &poke(Data::null()));
        }
        assert_eq!(translations.0.lock().translations.len(), KEPT);
        assert_ne!(translate(&translations, &first).as_ptr(), json.as_ptr(), "forgotten");
    }

    #[test]
    fn large_ones_are_kept_within_a_bound() {
        let translations = Translations::default();
        let large = |_| poke(Data::string(&"\0".repeat(130_000)));
        let frames: Vec<_> = (0..10).map(large).collect();
        frames.iter().for_each(|frame| drop(translate(&translations, frame)));
        let Kept { translations, bytes } = &*translations.0.lock();
        assert_eq!(translations.len(), 4, "of 130,000 and 780,000 bytes each");
        assert_eq!(*bytes, translations.iter().map(Translation::size).sum::<usize>());
        assert!(*bytes <= KEPT_BYTES);
    }

    #[test]
    fn a_streams_own_event_takes_no_place() {
        let translations = Translations::default();
        let heartbeat = frame::event(v1::subscribe_response::Event::Heartbeat(v1::Heartbeat::default()));
        assert_eq!(translations.of(&heartbeat), wire::event_in_json(&heartbeat));
        assert!(translations.0.lock().translations.is_empty());
    }
}
