//! What waits for a link.
//!
//! # Invariants
//!
//! * Order of leaving is order of coming.
//! * Bytes that wait are bounded by [`LINK_OUTBOX_BYTES`]; buffers are shared by all links that they go to.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::face::{Chunks, LinkOut};
use crate::limits::{LINK_MARK_EVERY, LINK_OUTBOX_BYTES};
use crate::metrics::Metrics;
use crate::types::ServerId;

/// The queue of one link.
#[derive(Default)]
pub struct Outbox {
    state: Mutex<State>,
    filled: Notify,
    meter: Option<Meter>,
}

/// Where the queue to a learner is measured.
pub struct Meter {
    metrics: Arc<Metrics>,
    /// The learner's id, as a key of metrics.
    learner: String,
}

impl Meter {
    /// The queue to this learner.
    pub fn new(metrics: Arc<Metrics>, learner: ServerId) -> Meter {
        Meter { metrics, learner: learner.0.to_string() }
    }
}

/// Something in the queue whose wait is measured.
struct Mark {
    since: Instant,
    /// What stands before it.
    ahead: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<LinkOut>,
    bytes: usize,
    connected: bool,
    hung_up: bool,
    /// Puts since the last mark.
    unmarked: u32,
    mark: Option<Mark>,
}

impl State {
    /// Has the marked one left with these? How long it waited.
    fn left(&mut self, taken: usize) -> Option<Duration> {
        let mark = self.mark.as_mut()?;
        if mark.ahead >= taken {
            mark.ahead -= taken;
            return None;
        }
        self.mark.take().map(|mark| mark.since.elapsed())
    }
}

/// What a sender takes out at once.
pub enum Taken {
    /// Packets.
    Bytes(Vec<Bytes>),
    /// A stream.
    Stream(Box<dyn Chunks>),
    /// There is nothing, and nothing will come.
    End,
}

impl Outbox {
    /// One whose queue is measured, from the first put on.
    pub fn measured(meter: Option<Meter>) -> Outbox {
        let state = State { unmarked: LINK_MARK_EVERY, ..State::default() };
        Outbox { meter, state: Mutex::new(state), ..Outbox::default() }
    }

    /// Puts something in.
    ///
    /// # Errors
    ///
    /// Too much waits already: the other end does not keep up.
    pub fn push(&self, out: LinkOut) -> Result<(), String> {
        let mut state = self.state.lock();
        if state.hung_up {
            return Ok(());
        }
        if let LinkOut::Bytes(bytes) = &out {
            state.bytes += bytes.len();
            if state.bytes > LINK_OUTBOX_BYTES {
                let mib = LINK_OUTBOX_BYTES >> 20;
                return Err(format!("the other end does not keep up: more than {mib} MiB wait for it"));
            }
        }
        state.unmarked += 1;
        if self.meter.is_some() && state.unmarked >= LINK_MARK_EVERY && state.mark.is_none() {
            state.mark = Some(Mark { since: Instant::now(), ahead: state.waiting.len() });
            state.unmarked = 0;
        }
        state.waiting.push_back(out);
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// The connection stands: what was put in can leave.
    pub fn connected(&self) {
        self.state.lock().connected = true;
    }

    /// Nothing more will come. False if nothing can leave, for there is no connection yet.
    pub fn hang_up(&self) -> bool {
        let mut state = self.state.lock();
        state.hung_up = true;
        let connected = state.connected;
        drop(state);
        self.filled.notify_one();
        connected
    }

    /// Was it?
    pub fn was_hung_up(&self) -> bool {
        self.state.lock().hung_up
    }

    /// Waits for something and takes it: all packets up to the next stream, about `most` bytes.
    pub async fn take(&self, most: usize) -> Taken {
        loop {
            if let Some(taken) = self.take_now(most) {
                return taken;
            }
            self.filled.notified().await;
        }
    }

    fn take_now(&self, most: usize) -> Option<Taken> {
        let mut state = self.state.lock();
        let (mut packets, mut sum) = (Vec::new(), 0usize);
        while sum < most {
            match state.waiting.pop_front() {
                Some(LinkOut::Bytes(bytes)) => {
                    sum += bytes.len();
                    packets.push(bytes);
                }
                Some(LinkOut::Stream(stream)) if packets.is_empty() => {
                    let _ = state.left(1); // a stream's wait is not a packet's
                    return Some(Taken::Stream(stream));
                }
                Some(stream) => {
                    state.waiting.push_front(stream);
                    break;
                }
                None => break,
            }
        }
        state.bytes = state.bytes.saturating_sub(sum);
        if let Some(meter) = self.meter.as_ref().filter(|_| !packets.is_empty()) {
            let metrics = &meter.metrics;
            let waiting = i64::try_from(state.waiting.len()).unwrap_or(i64::MAX);
            metrics.learner_handler_qp_size.record(&meter.learner, waiting);
            if let Some(waited) = state.left(packets.len()) {
                let millis = i64::try_from(waited.as_millis()).unwrap_or(i64::MAX);
                metrics.learner_handler_qp_time_ms.record(&meter.learner, millis);
            }
        }
        match packets.is_empty() {
            false => Some(Taken::Bytes(packets)),
            true => state.hung_up.then_some(Taken::End),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Chunks for Nothing {
        fn next(&mut self, _: &mut Vec<u8>) -> Result<bool, String> {
            Ok(false)
        }
    }

    fn shown(taken: Option<Taken>) -> String {
        match taken {
            Some(Taken::Bytes(list)) => {
                list.iter().map(|b| String::from_utf8_lossy(b).into_owned()).collect()
            }
            Some(Taken::Stream(_)) => "stream".to_owned(),
            Some(Taken::End) => "end".to_owned(),
            None => "nothing".to_owned(),
        }
    }

    #[test]
    fn packets_and_streams_leave_in_order() {
        let outbox = Outbox::default();
        outbox.connected();
        for out in ["a", "b", "-", "c", "d"] {
            let out = match out {
                "-" => LinkOut::Stream(Box::new(Nothing)),
                text => LinkOut::Bytes(Bytes::from_static(text.as_bytes())),
            };
            outbox.push(out).unwrap();
        }
        assert!(outbox.hang_up());
        outbox.push(LinkOut::Bytes(Bytes::from_static(b"late"))).unwrap();
        let order: Vec<String> = (0..5).map(|_| shown(outbox.take_now(1))).collect();
        assert_eq!(order, ["a", "b", "stream", "c", "d"]);
        assert_eq!(shown(outbox.take_now(1)), "end");
    }

    #[test]
    fn the_queue_to_a_learner_is_measured() {
        let metrics = Arc::new(Metrics::default());
        let outbox = Outbox::measured(Some(Meter::new(metrics.clone(), ServerId(3))));
        let puts = LINK_MARK_EVERY as usize + 2;
        for _ in 0..puts {
            outbox.push(LinkOut::Bytes(Bytes::from_static(b"x"))).unwrap();
        }
        let of = |set: &crate::metrics::SummarySet| {
            let read = set.entry("3").read();
            (read.count, read.max)
        };
        assert_eq!(shown(outbox.take_now(1)), "x");
        assert_eq!(of(&metrics.learner_handler_qp_size), (1, puts as i64 - 1));
        assert_eq!(of(&metrics.learner_handler_qp_time_ms).0, 1, "the first one is timed");
        outbox.push(LinkOut::Bytes(Bytes::from_static(b"y"))).unwrap();
        assert_eq!(shown(outbox.take_now(40)).len(), 40);
        assert_eq!(of(&metrics.learner_handler_qp_time_ms).0, 1, "the next one waits");
        assert_eq!(shown(outbox.take_now(100)).len(), puts - 40);
        assert_eq!(of(&metrics.learner_handler_qp_size).0, 3);
        assert_eq!(of(&metrics.learner_handler_qp_time_ms).0, 2);
    }

    #[test]
    fn what_waits_is_bounded() {
        let outbox = Outbox::default();
        assert_eq!(shown(outbox.take_now(1)), "nothing");
        let half = Bytes::from(vec![0; LINK_OUTBOX_BYTES / 2]);
        outbox.push(LinkOut::Bytes(half.clone())).unwrap();
        outbox.push(LinkOut::Bytes(half.clone())).unwrap();
        assert!(outbox.push(LinkOut::Bytes(Bytes::from_static(b"x"))).is_err());
        assert!(!outbox.hang_up(), "nothing can leave without a connection");
    }
}
