//! The thread that writes the log, and the bounded queue before it.
//!
//! # Invariants
//!
//! * At most [`LOG_QUEUE`] bytes wait; lines beyond are dropped, counted, and the count
//!   is logged as soon as there is room.
//! * A target that fails is left at that: logging never ends the server.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::rolling::Rolling;
use crate::limits::LOG_QUEUE;

#[derive(Debug, Default)]
struct State {
    lines: String,
    lost: u64,
    writing: bool,
}

/// Lines on their way to the log.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
}

impl Queue {
    /// A writer of one line.
    pub fn line(self: &Arc<Self>) -> Line {
        Line(Arc::clone(self))
    }

    fn push(&self, line: &str) {
        let mut state = self.state.lock();
        if state.lines.len() + line.len() > LOG_QUEUE {
            state.lost += 1;
            return;
        }
        if state.lines.is_empty() {
            self.filled.notify_one();
        }
        state.lines.push_str(line);
    }

    /// Everything that waits, and how many lines were lost before.
    #[cfg(test)]
    pub(super) fn take(&self) -> (String, u64) {
        let mut state = self.state.lock();
        (std::mem::take(&mut state.lines), std::mem::take(&mut state.lost))
    }

    /// Waits until nothing waits, at most for `patience`.
    pub fn flush(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut state = self.state.lock();
        while (!state.lines.is_empty() || state.writing)
            && !self.emptied.wait_until(&mut state, deadline).timed_out()
        {}
    }

    fn next(&self) -> (String, u64) {
        let mut state = self.state.lock();
        state.writing = false;
        while state.lines.is_empty() {
            self.emptied.notify_all();
            self.filled.wait(&mut state);
        }
        state.writing = true;
        (std::mem::take(&mut state.lines), std::mem::take(&mut state.lost))
    }
}

/// Takes the text of one event.
#[derive(Debug)]
pub struct Line(Arc<Queue>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts the thread; without a file it writes to standard error.
pub fn start(mut file: Option<Rolling>) -> io::Result<Arc<Queue>> {
    let queue = Arc::new(Queue::default());
    let lines = Arc::clone(&queue);
    let work = move || {
        loop {
            let (text, lost) = lines.next();
            let _ = write_out(file.as_mut(), text.as_bytes());
            if lost > 0 {
                let note = format!("WARN  os::log: {lost} lines were lost: the log was written too slowly\n");
                let _ = write_out(file.as_mut(), note.as_bytes());
            }
        }
    };
    std::thread::Builder::new().name("log-lines".to_owned()).spawn(work)?;
    Ok(queue)
}

fn write_out(file: Option<&mut Rolling>, text: &[u8]) -> io::Result<()> {
    match file {
        Some(file) => file.append(text),
        None => io::stderr().lock().write_all(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_is_full_drops_lines_and_counts_them() {
        let queue = Queue::default();
        let line = "x".repeat(1000);
        for _ in 0..LOG_QUEUE / 1000 + 5 {
            queue.push(&line);
        }
        let (text, lost) = queue.take();
        assert!(text.len() <= LOG_QUEUE && lost == 5);
        queue.push("after\n");
        assert_eq!(queue.take(), ("after\n".to_owned(), 0));
    }

    #[test]
    fn a_flush_waits_for_the_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log");
        let queue = start(Some(Rolling::open(&path, 1 << 20, 1).expect("a file"))).expect("a thread");
        for i in 0..100 {
            let _ = writeln!(queue.line(), "line {i}");
        }
        queue.flush(Duration::from_secs(10));
        assert_eq!(std::fs::read_to_string(&path).expect("a text").lines().count(), 100);
    }
}
