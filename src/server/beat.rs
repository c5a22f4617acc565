//! What the core's batches cost, as metrics: one look at the clock a step and a batch.
//!
//! # Invariants
//!
//! * Nothing is measured for a batch that made no transaction and answered nobody.
//! * A step's time is shared among the requests of its batch: counts are counts of requests.

use std::sync::Arc;
use std::time::Duration;

use crate::metrics::Metrics;
use crate::os::clock;
use crate::types::{Instant, Zxid};

/// The clock of a core thread.
pub struct Beat {
    metrics: Arc<Metrics>,
    /// The last zxid that was handed out.
    proposed: Zxid,
    /// When the last measured step ended.
    mark: Instant,
    /// Transactions of this batch whose hand-over is not measured yet.
    unmeasured: usize,
}

impl Beat {
    /// A core that begins behind this zxid.
    pub fn new(metrics: Arc<Metrics>, proposed: Zxid) -> Beat {
        Beat { metrics, proposed, mark: Instant::default(), unmeasured: 0 }
    }

    /// A batch that began at `begun` is handled. `decides`: zxids up to `proposed` were handed out here,
    /// not by a leader.
    pub fn handled(&mut self, messages: usize, begun: Instant, proposed: Zxid, decides: bool) {
        let before = std::mem::replace(&mut self.proposed, proposed);
        if messages > 0 {
            let size = if decides {
                &self.metrics.prep_processor_queue_size
            } else {
                &self.metrics.learner_request_processor_queue_size
            };
            size.record_len(messages);
        }
        let same_epoch = before.epoch() == proposed.epoch();
        let made = proposed.0.saturating_sub(before.0);
        self.unmeasured = match usize::try_from(made) {
            Ok(made) if decides && same_epoch => made,
            _ => 0,
        };
        if self.unmeasured > 0 {
            self.mark = clock::mono();
            let took = self.mark.since(begun);
            self.metrics.prep_process_time.record_share(took, self.unmeasured);
            self.metrics.stages.admit.record_share(took, self.unmeasured);
        }
    }

    /// The transactions of the batch are on their way to links and log.
    pub fn handed_over(&mut self) {
        let made = std::mem::take(&mut self.unmeasured);
        if made > 0 {
            let took = clock::mono().since(self.mark);
            self.metrics.proposal_process_time.record_share(took, made);
        }
    }

    /// Answers leave on this thread, for so many connections.
    pub fn sends(&mut self, connections: usize, send: impl FnOnce()) {
        if connections == 0 {
            return send();
        }
        let begun = clock::mono();
        send();
        self.metrics.stages.reply.record_share(clock::mono().since(begun), connections);
    }

    /// The thread slept since then for `patience`, and nothing woke it: what is more was a pause of the
    /// machine or of the process (`JvmPauseMonitor`).
    pub fn slept(&self, since: Instant, patience: Duration) {
        let pause = clock::mono().since(since).saturating_sub(patience);
        self.metrics.jvm_pause_time_ms.record_ms(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_shared_among_its_transactions() {
        let metrics = Arc::new(Metrics::default());
        let mut beat = Beat::new(metrics.clone(), Zxid::new(1, 4));
        let begun = clock::mono();
        beat.handled(5, begun, Zxid::new(1, 7), true);
        beat.handed_over();
        beat.handed_over();
        beat.handled(2, begun, Zxid::new(1, 7), true);
        beat.handled(0, begun, Zxid::new(2, 0), true);
        beat.handled(9, begun, Zxid::new(2, 8), false);
        beat.handed_over();
        let count = |summary: &crate::metrics::Summary| summary.read().count;
        assert_eq!(count(&metrics.prep_process_time), 3);
        assert_eq!(count(&metrics.proposal_process_time), 3);
        assert_eq!(count(&metrics.stages.admit.summary), 3);
        assert_eq!(metrics.prep_processor_queue_size.read().sum, 7);
        assert_eq!(metrics.learner_request_processor_queue_size.read().sum, 9);
    }

    #[test]
    fn only_sent_answers_and_overslept_time_are_measured() {
        let metrics = Arc::new(Metrics::default());
        let mut beat = Beat::new(metrics.clone(), Zxid::ZERO);
        let mut sent = 0;
        beat.sends(0, || sent += 1);
        beat.sends(4, || sent += 1);
        beat.slept(clock::mono(), Duration::from_secs(3600));
        assert_eq!((sent, metrics.stages.reply.summary.read().count), (2, 4));
        assert_eq!((metrics.jvm_pause_time_ms.read().count, metrics.jvm_pause_time_ms.read().max), (1, 0));
    }
}
