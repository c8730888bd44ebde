//! A bounded queue of log lines, which a thread of its own writes.
//!
//! `tracing-appender` 0.2.5 does the same, but its bound is in lines and not in bytes, it neither counts nor tells of
//! lines that a failed write lost, and it prints to standard output as it ends, which panics when that is closed.

use std::{
    io::{self, ErrorKind, Write},
    mem,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use crate::metrics::{LogLoss, Metrics};

/// Pause before a descriptor in non-blocking mode is tried again.
const RETRY: Duration = Duration::from_millis(10);

/// Capacity of a buffer that is kept after a burst.
const KEPT: usize = 64 << 10;

/// Bytes of one write, so that a slow reader makes room in small steps.
const CHUNK: usize = 16 << 10;

/// Lines that wait to be written.
pub(super) struct LineQueue {
    state: Mutex<State>,
    /// Wakes the writer.
    filled: Condvar,
    /// Wakes whoever waits for the writer's end.
    finished: Condvar,
    /// Maximum number of bytes that wait.
    limit: usize,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Bytes that the writer has taken and not yet written.
    writing: usize,
    /// Dropped lines of which the log doesn't tell yet.
    untold: u64,
    /// The thread that adds a line about dropped ones, even if the queue is closed or full.
    teller: Option<thread::ThreadId>,
    closed: bool,
    finished: bool,
}

impl LineQueue {
    /// An empty queue that holds at most `limit` bytes.
    pub(super) fn new(limit: usize, metrics: Arc<Metrics>) -> Self {
        let (state, filled, finished) = (Mutex::default(), Condvar::new(), Condvar::new());
        Self { state, filled, finished, limit, metrics }
    }

    /// Adds a line, or drops it if there is no room. Never waits for the writer.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.state.lock();
        // What tells of dropped lines must not be dropped itself, or their number would be lost.
        let is_teller = state.teller.is_some_and(|teller| teller == thread::current().id());
        let is_full = state.waiting.len() + state.writing + line.len() > self.limit;
        if !is_teller && (state.closed || is_full) {
            state.untold += 1;
            drop(state);
            self.metrics.log_lines_dropped.inc(LogLoss::Full);
            return;
        }
        state.waiting.extend_from_slice(line);
        drop(state);
        self.filled.notify_one();
    }

    /// Accepts no more lines, and waits until all are written; at most for `patience`, because the reader of a full pipe
    /// may never come back.
    pub(super) fn close(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut state = self.state.lock();
        state.closed = true;
        self.filled.notify_one();
        while !state.finished && !self.finished.wait_until(&mut state, until).timed_out() {}
    }

    /// Writes lines to `output` until the queue is closed and empty.
    pub(super) fn write_all_to(&self, output: &mut impl Write) {
        let mut batch = Vec::new();
        // The last line was cut short by an error.
        let mut is_torn = false;
        while self.take(&mut batch) {
            match self.write(output, &batch, &mut is_torn) {
                Ok(()) => self.tell(),
                Err(lines) => {
                    self.metrics.log_lines_dropped.inc_by(LogLoss::Failed, lines);
                    self.state.lock().untold += lines;
                }
            }
        }
        self.state.lock().finished = true;
        self.finished.notify_all();
    }

    /// Waits for lines and moves them into `batch`. Returns false if the queue is closed and empty.
    fn take(&self, batch: &mut Vec<u8>) -> bool {
        batch.clear();
        if batch.capacity() > KEPT {
            *batch = Vec::new();
        }
        let mut state = self.state.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return false;
            }
            self.filled.wait(&mut state);
        }
        mem::swap(&mut state.waiting, batch);
        state.writing = batch.len();
        true
    }

    /// Writes a batch. On an error, returns how many of its lines are lost.
    fn write(&self, output: &mut impl Write, batch: &[u8], is_torn: &mut bool) -> Result<(), u64> {
        let mut rest = batch;
        while !rest.is_empty() {
            let chunk = if *is_torn { b"\n" } else { &rest[..rest.len().min(CHUNK)] };
            match output.write(chunk) {
                Ok(written) if written > 0 => {
                    if !mem::take(is_torn) {
                        rest = &rest[written..];
                        self.state.lock().writing = rest.len();
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY),
                Ok(_) | Err(_) => {
                    let written = &batch[..batch.len() - rest.len()];
                    *is_torn |= written.last().is_some_and(|last| *last != b'\n');
                    self.state.lock().writing = 0;
                    return Err(rest.iter().fold(0, |lines, byte| lines + u64::from(*byte == b'\n')));
                }
            }
        }
        Ok(())
    }

    /// Tells in the log how many lines it lacks.
    fn tell(&self) {
        let mut state = self.state.lock();
        let lines = mem::take(&mut state.untold);
        state.teller = (lines > 0).then(|| thread::current().id());
        drop(state);
        if lines > 0 {
            tracing::warn!(lines, "log lines were dropped, because they couldn't be written in time or at all");
            self.state.lock().teller = None;
        }
    }
}

impl Write for &LineQueue {
    /// Adds one event, which the formatter writes in one call. Never fails: a dropped line is counted.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::mpsc;

    use super::*;

    /// An output that does with each write what its test says, and then takes everything.
    struct Scripted {
        script: mpsc::Receiver<io::Result<usize>>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = self.script.recv().unwrap_or(Ok(usize::MAX))?.min(bytes.len());
            self.written.lock().extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn scripted(script: impl IntoIterator<Item = io::Result<usize>>) -> Scripted {
        let (send, receive) = mpsc::channel();
        script.into_iter().for_each(|step| send.send(step).unwrap());
        Scripted { script: receive, written: Arc::default() }
    }

    fn queue(limit: usize) -> (Arc<LineQueue>, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::new());
        (Arc::new(LineQueue::new(limit, Arc::clone(&metrics))), metrics)
    }

    /// Writes `lines`, with a log that goes to the queue as well, until the output ends with `last`. Returns the output
    /// and how many lines were dropped.
    fn write(limit: usize, lines: &[&str], script: Vec<io::Result<usize>>, last: &str) -> (String, [u64; 2]) {
        let (queue, metrics) = queue(limit);
        lines.iter().for_each(|line| queue.push(line.as_bytes()));
        let mut output = scripted(script);
        let written = Arc::clone(&output.written);
        let log = tracing_subscriber::fmt().with_writer(Arc::clone(&queue)).without_time().with_ansi(false).finish();
        thread::scope(|scope| {
            scope.spawn(|| tracing::subscriber::with_default(log, || queue.write_all_to(&mut output)));
            while !written.lock().ends_with(last.as_bytes()) {
                thread::yield_now();
            }
            queue.close(Duration::from_secs(20));
        });
        let text = String::from_utf8(written.lock().clone()).unwrap();
        (text, [LogLoss::Full, LogLoss::Failed].map(|loss| metrics.log_lines_dropped.get(loss)))
    }

    #[test]
    fn lines_arrive_in_order_however_little_one_write_takes() {
        let script = vec![Ok(1), Err(ErrorKind::Interrupted.into()), Err(ErrorKind::WouldBlock.into()), Ok(2)];
        assert_eq!(write(100, &["one\n", "two\n"], script, "two\n"), ("one\ntwo\n".into(), [0, 0]));
    }

    #[test]
    fn a_line_without_room_is_counted_and_told_once_there_is_room() {
        let (text, dropped) = write(300, &["x\n"; 200], vec![], "lines=50\n");
        assert!(text.starts_with(&"x\n".repeat(150)) && text.contains("WARN"), "{text}");
        assert_eq!(dropped, [50, 0]);
    }

    #[test]
    fn under_a_flood_each_dropped_line_is_told() {
        /// Fills the queue again with each of its first writes.
        struct Flooded(Arc<LineQueue>, usize, Vec<u8>);

        impl Write for Flooded {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let pushed = if self.1 > 0 { 500 } else { 0 };
                self.1 = self.1.saturating_sub(1);
                (0..pushed).for_each(|_| self.0.push(b"x\n"));
                self.2.extend_from_slice(bytes);
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let (queue, metrics) = queue(300);
        queue.push(b"x\n");
        let mut output = Flooded(Arc::clone(&queue), 20, Vec::new());
        let log = tracing_subscriber::fmt().with_writer(Arc::clone(&queue)).with_ansi(false).finish();
        tracing::subscriber::with_default(log, || {
            thread::scope(|scope| {
                let closing = scope.spawn(|| {
                    while metrics.log_lines_dropped.get(LogLoss::Full) < 20 * 300 {
                        thread::yield_now();
                    }
                    queue.close(Duration::from_secs(20));
                });
                queue.write_all_to(&mut output);
                closing.join().unwrap();
            });
        });
        let text = String::from_utf8(output.2).unwrap();
        let told: u64 =
            text.split("lines=").skip(1).map(|rest| rest.lines().next().unwrap().parse::<u64>().unwrap()).sum();
        assert_eq!(told, metrics.log_lines_dropped.get(LogLoss::Full), "{text}");
    }

    #[test]
    fn a_queue_that_is_closed_still_tells_what_it_dropped() {
        let (queue, _) = queue(300);
        (0..200).for_each(|_| queue.push(b"x\n"));
        queue.close(Duration::ZERO);
        let mut output = scripted([]);
        let log = tracing_subscriber::fmt().with_writer(Arc::clone(&queue)).with_ansi(false).finish();
        tracing::subscriber::with_default(log, || queue.write_all_to(&mut output));
        assert!(output.written.lock().ends_with(b"lines=50\n"));
    }

    #[test]
    fn lines_that_a_full_disk_refused_are_counted_and_the_next_line_begins_a_line() {
        let (queue, _) = queue(100);
        let mut is_torn = false;
        let mut output = scripted([Ok(2), Err(ErrorKind::StorageFull.into())]);
        assert_eq!(queue.write(&mut output, b"one\ntwo\n", &mut is_torn), Err(2));
        assert_eq!(queue.write(&mut output, b"three\n", &mut is_torn), Ok(()));
        assert_eq!(*output.written.lock(), b"on\nthree\n");

        let failing = vec![Err(ErrorKind::BrokenPipe.into())];
        let (queue, metrics) = self::queue(100);
        queue.push(b"one\n");
        queue.push(b"two\n");
        queue.close(Duration::ZERO);
        queue.write_all_to(&mut scripted(failing));
        assert_eq!(metrics.log_lines_dropped.get(LogLoss::Failed), 2);
    }

    #[test]
    fn a_reader_that_never_reads_delays_neither_a_line_nor_the_end() {
        let (queue, metrics) = queue(100);
        let (hold, script) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| queue.write_all_to(&mut Scripted { script, written: Arc::default() }));
            for _ in 0..1000 {
                queue.push(b"a line\n");
            }
            assert!(metrics.log_lines_dropped.get(LogLoss::Full) >= 900);
            queue.close(Duration::from_millis(50));
            drop(hold);
        });
    }
}
