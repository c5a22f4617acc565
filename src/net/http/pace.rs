//! What a connection may take its time for.
//!
//! # Invariants
//!
//! * There is always an end: of the head, of the answer, of the pause between two requests.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::limits::{
    HTTP_ANSWER_MS, HTTP_BODY_MS, HTTP_HEAD_MS, HTTP_STALL_MS, HTTP_STREAM_MS, HTTP_TURN_MS,
};

/// When a connection is given up.
#[derive(Debug)]
pub(super) struct Pace {
    idle: Duration,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    deadline: Instant,
    /// Was anything asked yet?
    asked: bool,
}

impl Pace {
    /// Of a connection that may be idle so long between two requests.
    pub fn new(idle: Duration) -> Pace {
        let deadline = Instant::now() + Duration::from_millis(HTTP_HEAD_MS);
        Pace { idle, now: Mutex::new(Now { deadline, asked: false }) }
    }

    fn until(&self, limit: Duration) {
        let mut now = self.now.lock();
        *now = Now { deadline: Instant::now() + limit, asked: true };
    }

    /// A head was read.
    pub fn asked(&self, streams: bool) {
        self.until(Duration::from_millis(match streams {
            true => HTTP_STREAM_MS,
            false => HTTP_BODY_MS + HTTP_TURN_MS + HTTP_ANSWER_MS,
        }));
    }

    /// A part of a streamed answer was handed over.
    pub fn streams(&self) {
        self.until(Duration::from_millis(HTTP_STALL_MS));
    }

    /// An answer was handed over: the rest of it, and the next head, come within the idle time.
    pub fn answered(&self) {
        self.until(self.idle);
    }

    /// Waits until the time is over; was anything asked before?
    pub async fn over(&self) -> bool {
        loop {
            let deadline = self.now.lock().deadline;
            tokio::time::sleep_until(deadline).await;
            let now = self.now.lock();
            if now.deadline <= Instant::now() {
                return now.asked;
            }
        }
    }
}
