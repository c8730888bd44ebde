//! What a topic retains: a ring of pokes, and its end.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

/// What a retained poke costs besides its bytes: its place in the ring, room that the ring has ahead, what shares the
/// bytes, and what the allocator adds.
pub(crate) const POKE_OVERHEAD: usize = 160;

/// What a topic that retains anything costs besides its pokes: itself, its key, and its places in the registry's table
/// and in the queue of ages.
pub(crate) const TOPIC_OVERHEAD: usize = 352;

/// What a topic may retain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Pokes, at least 1.
    pub pokes: usize,
    /// Bytes of them. The newest poke is retained whatever its size.
    pub bytes: usize,
}

/// A retained poke.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its place in the shared history.
    pub sequence: i64,
    /// What goes to subscribers, ready to be sent. Opaque here.
    pub frame: Bytes,
    accepted: Instant,
}

impl Item {
    fn cost(&self) -> usize {
        self.frame.len() + POKE_OVERHEAD
    }
}

/// The end of a topic: nothing is appended while it stands.
#[derive(Debug)]
struct End {
    sequence: i64,
    frame: Bytes,
    accepted: Instant,
}

impl End {
    fn cost(&self) -> usize {
        self.frame.len() + POKE_OVERHEAD + TOPIC_OVERHEAD
    }
}

/// Where a subscriber wants to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what comes next.
    New,
    /// After this sequence.
    After(i64),
    /// With the newest retained poke.
    Latest,
    /// After a position of another history.
    Unknown,
}

/// Why a subscriber misses something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Its position isn't of this history.
    EpochChanged,
    /// Its position is older than what is retained.
    Evicted,
    /// It read too slowly.
    Lagged,
}

/// Where a subscriber starts, as it turned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Everything after this sequence follows.
    pub position: i64,
    /// Whether it goes on exactly after what was asked for.
    pub recovered: bool,
    /// Why something is missing, if so.
    pub loss: Option<Loss>,
}

/// How far one subscriber has read: an ordinal in the ring, and the sequence up to which it is complete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    next: u64,
    seen: i64,
}

/// What a subscriber reads.
#[derive(Debug)]
pub enum Entry<'a> {
    /// It was overrun: `missed` pokes up to and including `position` are lost.
    Lost {
        /// The sequence of the last one.
        position: i64,
        /// How many. An end that nobody reads for the window counts as one.
        missed: u64,
    },
    /// A poke.
    Poke(&'a Item),
    /// The end, ready to be sent. Nothing follows.
    End(&'a Bytes),
}

/// How many pokes left a log, and what they cost; the last one takes the topic's own cost with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Freed {
    pub(crate) pokes: usize,
    pub(crate) bytes: usize,
}

/// The ring of a topic.
#[derive(Debug)]
pub(crate) struct Log {
    items: VecDeque<Item>,
    /// The ordinal of `items[0]`: how many pokes and ends have left. An end's ordinal follows the last poke's.
    first: u64,
    /// The highest sequence of this interest that may have been forgotten.
    floor: i64,
    /// The cost of `items`.
    bytes: usize,
    end: Option<Box<End>>,
    /// It waits in the registry's queue of ages.
    pub(crate) queued: bool,
    /// The topic has left the registry: whoever still holds it must look it up again.
    pub(crate) gone: bool,
}

impl Log {
    pub(crate) fn new(floor: i64) -> Self {
        Self { items: VecDeque::new(), first: 0, floor, bytes: 0, end: None, queued: false, gone: false }
    }

    pub(crate) fn floor(&self) -> i64 {
        self.floor
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.end.is_none()
    }

    pub(crate) fn end(&self) -> Option<i64> {
        self.end.as_ref().map(|end| end.sequence)
    }

    /// Since when it retains anything.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.oldest_poke().or(self.end.as_ref().map(|end| end.accepted))
    }

    /// Since when it retains pokes.
    pub(crate) fn oldest_poke(&self) -> Option<Instant> {
        self.items.front().map(|item| item.accepted)
    }

    /// Appends a poke. Answers what it costs; the first one pays for the topic. There must be no end.
    pub(crate) fn append(&mut self, sequence: i64, frame: Bytes, accepted: Instant) -> usize {
        debug_assert!(self.end.is_none(), "nothing follows an end");
        let topic = if self.items.is_empty() { TOPIC_OVERHEAD } else { 0 };
        let item = Item { sequence, frame, accepted };
        let cost = item.cost();
        self.bytes += cost;
        if self.items.len() == self.items.capacity() {
            // By itself it would begin with room for four: most topics hold one.
            self.items.reserve_exact(self.items.len().max(1));
        }
        self.items.push_back(item);
        cost + topic
    }

    /// Ends it. Answers what the end costs.
    pub(crate) fn finish(&mut self, sequence: i64, frame: Bytes, accepted: Instant) -> usize {
        let end = Box::new(End { sequence, frame, accepted });
        let cost = end.cost();
        self.end = Some(end);
        cost
    }

    /// Lets the oldest go until one more poke of `len` bytes keeps to `retention`, or stands alone.
    pub(crate) fn make_room(&mut self, len: usize, retention: Retention) -> Freed {
        let mut freed = Freed::default();
        let cost = len + POKE_OVERHEAD;
        while self.items.len() >= retention.pokes.max(1) || self.bytes + cost > retention.bytes {
            if self.items.is_empty() {
                break;
            }
            self.evict(&mut freed);
        }
        freed
    }

    /// Lets the oldest poke go.
    pub(crate) fn evict_oldest(&mut self) -> Freed {
        let mut freed = Freed::default();
        self.evict(&mut freed);
        freed
    }

    /// Lets go what has been here for `window`. Answers what left, and what an end that left had cost.
    pub(crate) fn expire(&mut self, now: Instant, window: Duration) -> (Freed, Option<usize>) {
        let mut freed = Freed::default();
        while self.items.front().is_some_and(|item| now.duration_since(item.accepted) >= window) {
            self.evict(&mut freed);
        }
        // Not before the pokes: times are read before the lock is had, so an end's can be a little earlier than theirs.
        let due = |end: &mut Box<End>| self.items.is_empty() && now.duration_since(end.accepted) >= window;
        let ended = self.end.take_if(due);
        if let Some(end) = &ended {
            self.first += 1;
            self.floor = end.sequence;
        }
        (freed, ended.map(|end| end.cost()))
    }

    fn evict(&mut self, freed: &mut Freed) {
        if let Some(item) = self.items.pop_front() {
            self.first += 1;
            self.floor = item.sequence;
            self.bytes -= item.cost();
            freed.pokes += 1;
            freed.bytes += item.cost();
            if self.items.is_empty() {
                freed.bytes += TOPIC_OVERHEAD;
                self.items = VecDeque::new();
            }
        }
    }

    /// Finds the place of a new subscriber. `head` is the newest sequence of the shared history, read under this log's
    /// lock. A replay takes from `budget` bytes; what doesn't fit is missing at the front. The newest poke alone always
    /// fits: it is bounded by its own size.
    pub(crate) fn place(&self, start: Start, head: i64, budget: &mut usize) -> (Mark, Place) {
        let len = self.items.len();
        let (wanted, recovered, mut loss) = match start {
            Start::New => (len, false, None),
            Start::Latest => (len.saturating_sub(1), false, None),
            Start::After(after) if after > head || after < 0 => (0, false, Some(Loss::EpochChanged)),
            Start::After(after) if after < self.floor => (0, false, Some(Loss::Evicted)),
            Start::After(after) => (self.items.partition_point(|item| item.sequence <= after), true, None),
            Start::Unknown => (0, false, Some(Loss::EpochChanged)),
        };
        let from = if start == Start::Latest { wanted } else { self.fit(wanted, budget) };
        if from > wanted {
            loss = loss.or(Some(Loss::Evicted));
        }
        let position = match start {
            Start::After(after) if loss.is_none() => self.end().map_or(after, |end| after.min(end - 1)),
            _ => self.before(from, head),
        };
        let mark = Mark { next: self.first + from as u64, seen: position };
        (mark, Place { position, recovered: recovered && loss.is_none(), loss })
    }

    /// The first index at or after `wanted` from where a replay fits into the budget.
    fn fit(&self, wanted: usize, budget: &mut usize) -> usize {
        let mut from = self.items.len();
        while from > wanted && self.items[from - 1].frame.len() <= *budget {
            from -= 1;
            *budget -= self.items[from].frame.len();
        }
        from
    }

    /// The highest sequence after which `items[index]` and all that comes later follows.
    fn before(&self, index: usize, head: i64) -> i64 {
        match (self.items.get(index), &self.end) {
            (Some(item), _) => item.sequence - 1,
            (None, Some(end)) => end.sequence - 1,
            (None, None) => head,
        }
    }

    /// Reads what is new after `mark`, about `budget` bytes of it. Says whether there is more.
    pub(crate) fn read(&self, mark: &mut Mark, budget: usize, mut each: impl FnMut(Entry<'_>)) -> bool {
        if mark.next < self.first {
            each(Entry::Lost { position: self.floor, missed: self.first - mark.next });
            *mark = Mark { next: self.first, seen: self.floor };
        }
        let mut taken = 0;
        let unread = usize::try_from(mark.next - self.first).expect("an unread place lies within the ring");
        for item in self.items.iter().skip(unread) {
            if taken >= budget {
                return true;
            }
            taken += item.frame.len();
            *mark = Mark { next: mark.next + 1, seen: item.sequence };
            each(Entry::Poke(item));
        }
        if let Some(end) = &self.end
            && mark.next == self.first + self.items.len() as u64
        {
            *mark = Mark { next: mark.next + 1, seen: end.sequence };
            each(Entry::End(&end.frame));
        }
        false
    }

    /// Up to where everything of this interest has been read, if the shared history stood at `head` before this log's
    /// lock was taken.
    pub(crate) fn complete(&self, mark: &Mark, head: i64) -> i64 {
        let total = self.first + self.items.len() as u64 + u64::from(self.end.is_some());
        if mark.next == total { head.max(mark.seen) } else { mark.seen }
    }
}

#[cfg(test)]
mod tests;
