//! What an append to the log cost, as metrics and, where it took long, as a log line.
//!
//! # Invariants
//!
//! * One look at the clock a batch; what waited longer is counted by its own wait.

use std::time::Duration;

use tracing::warn;

use crate::config::settings::Storage;
use crate::metrics::Metrics;
use crate::os::clock;
use crate::types::Instant;

/// `count` transactions were written and synced since `begun`. `since`: when those that waited for a
/// thread were handed over; the others were written as soon as they were made.
pub fn measure(metrics: &Metrics, settings: &Storage, count: usize, begun: Instant, since: &[Instant]) {
    let took = clock::mono().since(begun);
    let millis = millis(took);
    metrics.sync_processor_batch_size.record_len(count);
    metrics.sync_processor_queue_size.record_len(since.len());
    metrics.fsynctime.record(millis);
    metrics.sync_processor_queue_flush_time_ms.record(millis);
    metrics.sync_process_time.record_share(took, count);
    metrics.stages.fsync.record_many(took, count);
    let at_once = count.saturating_sub(since.len());
    metrics.sync_processor_queue_time_ms.record_many(0, at_once);
    metrics.sync_processor_queue_and_flush_time_ms.record_many(millis, at_once);
    for since in since {
        let waited = begun.since(*since);
        metrics.sync_processor_queue_time_ms.record(self::millis(waited));
        metrics.sync_processor_queue_and_flush_time_ms.record(self::millis(waited + took));
    }
    if took > Duration::from_millis(settings.fsync_warning_threshold_ms) {
        metrics.stats.fsync_threshold_exceeded.inc();
        warn!(took_ms = millis, transactions = count, "disk: writing and syncing the log took long");
    }
}

fn millis(took: Duration) -> i64 {
    i64::try_from(took.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    #[test]
    fn waits_are_counted_one_by_one_and_the_rest_at_once() {
        let metrics = Metrics::default();
        let now = clock::mono();
        let begun = Instant(now.0 + 5_000_000_000); // the flush took no time, waits are exact
        let since = [Instant(begun.0 - 30_000_000), Instant(begun.0 - 10_000_000)];
        measure(&metrics, &Settings::default().storage, 5, begun, &since);
        let read = |s: &crate::metrics::Summary| (s.read().count, s.read().sum);
        assert_eq!(read(&metrics.sync_processor_queue_time_ms), (5, 40));
        assert_eq!(read(&metrics.sync_processor_queue_and_flush_time_ms), (5, 40));
        assert_eq!(read(&metrics.sync_processor_batch_size), (1, 5));
        assert_eq!((read(&metrics.fsynctime).0, read(&metrics.sync_process_time).0), (1, 5));
    }
}
