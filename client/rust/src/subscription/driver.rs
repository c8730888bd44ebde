//! The task of a subscription: it carries events to the [`State`](super::state::State), and does what comes out.

use std::{collections::BTreeMap, sync::Arc};

use tokio::select;
use tokio_stream::{StreamExt as _, StreamMap};

use super::{
    Shared,
    call::CallId,
    incoming::{self, Incoming, Signal},
    state::Action,
};
use crate::{Client, clock::Moment, connection::Share};

/// Runs a subscription until it is over.
pub(super) async fn drive(client: Client, shared: Arc<Shared>) {
    let _over = Over(&shared);
    let mut calls = Calls { client: &client, incoming: StreamMap::new(), shares: BTreeMap::new() };
    loop {
        let Step { actions, deadline, is_reading, is_over } = Step::take(&shared);
        shared.reader.wake();
        if is_over {
            return;
        }
        for action in actions {
            calls.apply(action);
        }
        // A call that waits for a slow user isn't polled, so that HTTP/2 makes the server wait.
        let may_read = is_reading && !calls.incoming.is_empty();
        select! {
            biased;
            Some((id, signal)) = calls.incoming.next(), if may_read => shared.on_signal(id, signal),
            () = shared.changed.notified() => {}
            () = shared.clock.sleep_until(deadline) => {}
        }
    }
}

/// What the state wants next.
struct Step {
    actions: Vec<Action>,
    deadline: Option<Moment>,
    is_reading: bool,
    is_over: bool,
}

impl Step {
    fn take(shared: &Shared) -> Self {
        let mut state = shared.state.lock();
        state.on_time(shared.clock.now());
        Self {
            actions: state.take_actions(),
            deadline: state.deadline(),
            is_reading: state.is_reading(),
            is_over: state.is_over(),
        }
    }
}

/// The calls that are open, at most two.
struct Calls<'a> {
    client: &'a Client,
    incoming: StreamMap<CallId, Incoming>,
    shares: BTreeMap<CallId, Share>,
}

impl Calls<'_> {
    fn apply(&mut self, action: Action) {
        match action {
            Action::Open { id, request, stale_token } => {
                // Only what is open can be asked to move.
                self.shares.retain(|id, _| self.incoming.contains_key(id));
                let share = self.client.connector().share();
                let channel = share.connection().channel.clone();
                self.shares.insert(id, share);
                self.incoming.insert(id, incoming::open(self.client.clone(), channel, request, stale_token));
            }
            Action::Close(id) => {
                self.incoming.remove(&id);
                self.shares.remove(&id);
            }
            Action::Retire(id) => {
                if let Some(share) = self.shares.get(&id) {
                    self.client.connector().retire(share.connection());
                }
            }
        }
    }
}

impl Shared {
    fn on_signal(&self, id: CallId, signal: Signal) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        match signal {
            Signal::Message(message) => state.on_message(now, id, message),
            Signal::Undecodable(error) => state.on_undecodable(now, id, error),
            Signal::Closed => state.on_close(now, id),
            Signal::Failed(failure) => state.on_end(now, id, failure),
        }
    }
}

/// However the task ends, also with its runtime: nobody waits for it for ever.
struct Over<'a>(&'a Shared);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.state.lock().stop();
        self.0.reader.wake();
    }
}
