//! One task with several sources of work, woken once for all of them.
//!
//! Within a connection one thing wakes another all the time: a stream hands over a chunk, and HTTP wants to write it.
//! By itself each of these would schedule the task again although it runs just now. The gate remembers who was woken,
//! and schedules the task only if it doesn't run.

use std::task::{Context, Poll, Wake, Waker};

use crate::sync::{Arc, AtomicU64, Mutex, Ordering};

/// The task runs: whoever is woken is seen before it rests.
const RUNNING: u64 = 1 << 63;

/// The source that most wakes are for, the exchange that most connections have: its waker is the gate itself, without a step between.
pub(super) const FIRST: u64 = 1 << 3;

/// How often the sources may wake each other before other tasks of this thread get their turn.
const TURNS: usize = 8;

/// What may be woken, as bits. Aligned so that it lies in one line of the processor's cache, with the counts before it.
#[repr(align(32))]
pub(super) struct Gate {
    /// The sources that were woken, and whether the task runs.
    state: AtomicU64,
    task: Mutex<Waker>,
}

impl Gate {
    /// A gate at which all these sources count as woken.
    pub(super) fn new(sources: u64) -> Arc<Self> {
        Arc::new(Self { state: AtomicU64::new(sources), task: Mutex::new(Waker::noop().clone()) })
    }

    /// What wakes one source.
    pub(super) fn waker(self: &Arc<Self>, source: u64) -> Waker {
        match source {
            FIRST => Arc::clone(self).into(),
            _ => std::sync::Arc::new(Bell { gate: Arc::clone(self), source }).into(),
        }
    }

    /// Notes that a source has something to do.
    pub(super) fn ring(&self, source: u64) {
        // Whoever set the bit before has scheduled the task, or it runs and will look.
        if self.state.fetch_or(source, Ordering::AcqRel) & (RUNNING | source) == 0 {
            self.task.lock().wake_by_ref();
        }
    }

    /// Whether the task runs just now.
    pub(super) fn is_running(&self) -> bool {
        self.state.load(Ordering::Relaxed) & RUNNING != 0
    }

    /// Gives turns to the sources that were woken, as bits, until none is left.
    pub(super) fn poll<T>(&self, cx: &Context<'_>, mut turn: impl FnMut(u64) -> Poll<T>) -> Poll<T> {
        self.task.lock().clone_from(cx.waker());
        for _ in 0..TURNS {
            let woken = self.state.swap(RUNNING, Ordering::AcqRel) & !RUNNING;
            if woken != 0
                && let Poll::Ready(done) = turn(woken)
            {
                return Poll::Ready(done);
            }
            // It fails if anybody was woken since.
            if self.state.compare_exchange(RUNNING, 0, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return Poll::Pending;
            }
        }
        self.state.fetch_and(!RUNNING, Ordering::AcqRel);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Wake for Gate {
    fn wake(self: std::sync::Arc<Self>) {
        self.ring(FIRST);
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        self.ring(FIRST);
    }
}

/// Wakes another source of a gate.
struct Bell {
    gate: Arc<Gate>,
    source: u64,
}

impl Wake for Bell {
    fn wake(self: std::sync::Arc<Self>) {
        self.gate.ring(self.source);
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        self.gate.ring(self.source);
    }
}

#[cfg(all(test, not(poke_loom)))]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Polls once. Answers whose turns came, and how often the task has been scheduled so far.
    fn poll(gate: &Gate, task: &Arc<Task>, mut act: impl FnMut(u64)) -> (Vec<u64>, usize) {
        let mut turns = Vec::new();
        let done = gate.poll(&Context::from_waker(&Arc::clone(task).into()), |woken| {
            turns.push(woken);
            act(woken);
            Poll::<()>::Pending
        });
        assert!(done.is_pending());
        (turns, task.0.load(Ordering::Relaxed))
    }

    #[test]
    fn only_who_was_woken_gets_a_turn_and_the_task_is_scheduled_once() {
        let (gate, task) = (Gate::new(0b01 | FIRST), Arc::new(Task::default()));
        let wakers = [gate.waker(0b01), gate.waker(FIRST)];
        assert_eq!(poll(&gate, &task, |_| {}), (vec![0b01 | FIRST], 0));
        wakers[1].wake_by_ref();
        wakers[1].wake_by_ref();
        assert_eq!(poll(&gate, &task, |_| {}), (vec![FIRST], 1));
        assert_eq!(poll(&gate, &task, |_| {}), (vec![], 1));
    }

    #[test]
    fn who_is_woken_by_another_comes_next_without_a_new_schedule() {
        let (gate, task) = (Gate::new(0b01), Arc::new(Task::default()));
        let second = gate.waker(FIRST);
        let woken = poll(&gate, &task, |woken| {
            if woken == 0b01 {
                second.wake_by_ref();
            }
        });
        assert_eq!(woken, (vec![0b01, FIRST], 0));
    }

    #[test]
    fn who_wakes_itself_for_ever_lets_others_run() {
        let (gate, task) = (Gate::new(0b01), Arc::new(Task::default()));
        let own = gate.waker(0b01);
        assert_eq!(poll(&gate, &task, |_| own.wake_by_ref()), (vec![0b01; TURNS], 1));
        assert_eq!(poll(&gate, &task, |_| {}), (vec![0b01], 1), "and goes on");
    }
}

#[cfg(all(test, poke_loom))]
mod loom_models {
    use std::future::poll_fn;

    use loom::{future::block_on, thread};

    use super::*;

    #[test]
    fn loom_a_source_that_is_woken_gets_its_turn() {
        let mut model = loom::model::Builder::new();
        // Without a bound it takes longer than anybody waits. What goes wrong does so by fewer switches.
        model.preemption_bound = Some(3);
        model.check(|| {
            let gate = Gate::new(0b01 | FIRST);
            let work = Arc::new(AtomicU64::new(0));
            let workers = [0b01, FIRST].map(|source| {
                let (waker, work) = (gate.waker(source), Arc::clone(&work));
                thread::spawn(move || {
                    work.fetch_or(source, Ordering::Release);
                    waker.wake();
                })
            });
            let mut found = 0;
            block_on(poll_fn(|cx| {
                gate.poll(cx, |woken| {
                    found |= work.load(Ordering::Acquire) & woken;
                    if found == 0b01 | FIRST { Poll::Ready(()) } else { Poll::Pending }
                })
            }));
            workers.into_iter().for_each(|worker| worker.join().expect("no panic"));
        });
    }
}
