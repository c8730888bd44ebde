//! The threads that serve.

use tokio::runtime::Builder;

use crate::connection::send_together;

/// Of so many turns of a thread one goes to the tasks that wait for any thread. A poke to a thousand wakes more than a
/// thread's own queue holds, and the others wait there. By tokio's own rule, one each 200 us, they wait for so long while
/// pokes queue that some of them miss what their topic retains.
const SHARED_TURN: u32 = 3;

/// A runtime that is fair to the subscribers of large topics, and sends what they get together.
#[must_use]
pub fn builder() -> Builder {
    let mut builder = Builder::new_multi_thread();
    send_together(builder.enable_all().global_queue_interval(SHARED_TURN));
    builder
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::{
        future::poll_fn,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Poll,
    };

    use tokio::task::JoinSet;

    use super::*;

    /// More than a thread's own queue holds.
    const CROWD: usize = 600;

    #[test]
    fn a_crowd_gets_its_turns_beside_those_who_never_rest() {
        let runtime = builder().worker_threads(1).build().unwrap();
        let (turns, served) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let all = Arc::clone(&turns);
        let tasks = runtime.spawn(async move {
            let mut tasks = JoinSet::new();
            for _ in 0..20 {
                let (turns, served) = (Arc::clone(&turns), Arc::clone(&served));
                tasks.spawn(poll_fn(move |cx| {
                    turns.fetch_add(1, Ordering::Relaxed);
                    cx.waker().wake_by_ref();
                    if served.load(Ordering::Relaxed) == CROWD { Poll::Ready(()) } else { Poll::Pending }
                }));
            }
            for _ in 0..CROWD {
                let served = Arc::clone(&served);
                tasks.spawn(async move {
                    served.fetch_add(1, Ordering::Relaxed);
                });
            }
            tasks.join_all().await;
        });
        runtime.block_on(tasks).unwrap();
        let turns = all.load(Ordering::Relaxed);
        assert!(turns <= 2 * CROWD * SHARED_TURN as usize, "others had {turns} turns meanwhile");
    }
}
