//! A subscriber's place in a topic.

use super::{Entry, Place, Registry, Start, Watcher};
use crate::{
    interest::Interest,
    sync::Arc,
    topic::{Mark, Topic},
};

/// One interest of one stream: registered from its making until it is dropped, which is the only way out.
#[derive(Debug)]
pub struct Cursor {
    registry: Arc<Registry>,
    topic: Arc<Topic>,
    watcher: Watcher,
    mark: Mark,
}

impl Registry {
    /// Registers a subscriber and finds its place, in one atomic step: whatever is published from now on reaches it,
    /// and nothing is missed or seen twice in between. A replay takes from `budget` bytes; the oldest pokes that don't
    /// fit are a loss.
    pub fn attach(
        self: &Arc<Self>,
        interest: &Interest,
        start: Start,
        watcher: &Watcher,
        budget: &mut usize,
    ) -> (Cursor, Place) {
        loop {
            let topic = self.topic(interest);
            topic.watchers.lock().insert(watcher.clone());
            let log = topic.log.lock();
            if log.gone {
                continue;
            }
            let (mark, place) = log.place(start, self.head(), budget);
            drop(log);
            return (Cursor { registry: Arc::clone(self), topic, watcher: watcher.clone(), mark }, place);
        }
    }
}

impl Cursor {
    /// The interest.
    #[must_use]
    pub fn interest(&self) -> &Interest {
        &self.topic.interest
    }

    /// Reads about `budget` bytes of what is new: `each` gets the interest and the entry. Says whether there is more.
    pub fn read(&mut self, budget: usize, mut each: impl FnMut(&Interest, Entry<'_>)) -> bool {
        let Topic { interest, log, .. } = &*self.topic;
        log.lock().read(&mut self.mark, budget, |entry| each(interest, entry))
    }

    /// Up to which sequence this subscriber has read everything of its interest. `head` is [`Registry::head`], read
    /// before this call.
    #[must_use]
    pub fn complete(&self, head: i64) -> i64 {
        self.topic.log.lock().complete(&self.mark, head)
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        self.topic.watchers.lock().remove(&self.watcher);
        self.registry.forget_if_idle(&self.topic);
    }
}
