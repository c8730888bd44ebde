//! The interests that `poke subscribe` was asked for, and how each of them fares.

use std::collections::HashSet;

use poke_client::{Event, Interest};

/// The interests of the command line.
pub(crate) struct Interests {
    asked: usize,
    /// Those that have neither ended nor been refused for good.
    wanted: HashSet<Interest>,
    /// Those of them that the server hasn't answered since the connection was made.
    waiting: HashSet<Interest>,
    /// Those that are refused, for good or for now.
    refused: HashSet<Interest>,
    ended: usize,
}

/// What an event changes for a person who waits for pokes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing that a person has to be told.
    None,
    /// Each interest is answered, and some are live.
    Settled,
    /// An interest that was refused for now is live after all.
    Admitted,
}

impl Interests {
    pub(crate) fn new(asked: impl IntoIterator<Item = Interest>) -> Self {
        let wanted: HashSet<_> = asked.into_iter().collect();
        Self { asked: wanted.len(), waiting: wanted.clone(), wanted, refused: HashSet::new(), ended: 0 }
    }

    /// Notes what an event says of its interest.
    pub(crate) fn note(&mut self, event: &Event) -> Change {
        let Some(interest) = event.interest() else { return Change::None };
        let was_refused = match event {
            Event::Live(_) => self.refused.remove(interest),
            Event::Rejected(rejected) => {
                if rejected.is_final {
                    self.wanted.remove(interest);
                }
                self.refused.insert(interest.clone());
                false
            }
            Event::Ended(_) => {
                self.wanted.remove(interest);
                self.refused.remove(interest);
                self.ended += 1;
                false
            }
            _ => return Change::None,
        };
        let is_answer = self.waiting.remove(interest);
        if is_answer && self.waiting.is_empty() && self.live() > 0 {
            Change::Settled
        } else if was_refused && !is_answer {
            Change::Admitted
        } else {
            Change::None
        }
    }

    /// Notes that the connection is lost. What is refused for now may stay so without another word.
    pub(crate) fn lost(&mut self) {
        self.waiting = self.wanted.difference(&self.refused).cloned().collect();
    }

    /// The number of interests that were asked for.
    pub(crate) fn asked(&self) -> usize {
        self.asked
    }

    /// The number of interests that are live, once all are answered.
    pub(crate) fn live(&self) -> usize {
        self.wanted.difference(&self.refused).count()
    }

    /// The number of interests that are refused, for good or for now.
    pub(crate) fn refused(&self) -> usize {
        self.refused.len()
    }

    /// The number of interests that have ended.
    pub(crate) fn ended(&self) -> usize {
        self.ended
    }
}
