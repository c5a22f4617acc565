//! The numbers of `srvr` and `stat` (`ServerStats`, `BufferStats`).
//!
//! # Invariants
//!
//! * `srst` resets packets, latency, and sizes of replies and proposals; the other counts live as
//!   long as the server, as in ZooKeeper.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;

use super::kinds::{Counter, Detail, SUMMARY_CELLS, Summary};
use super::slots::Pool;

/// Last, smallest and largest size of a buffer; -1 before the first.
#[derive(Debug)]
pub struct BufferStats {
    last: AtomicI64,
    min: AtomicI64,
    max: AtomicI64,
}

/// What ZooKeeper prints before the first buffer.
const NONE: i64 = -1;

impl Default for BufferStats {
    fn default() -> Self {
        Self { last: AtomicI64::new(NONE), min: AtomicI64::new(NONE), max: AtomicI64::new(NONE) }
    }
}

impl BufferStats {
    /// Records the size of one buffer. Stores only what changes, so that equal
    /// sizes from many threads do not fight for a cache line.
    #[inline]
    pub fn record(&self, size: usize) {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        if self.last.load(Relaxed) != size {
            self.last.store(size, Relaxed);
        }
        let min = self.min.load(Relaxed);
        if min == NONE || size < min {
            self.lower(size);
        }
        if size > self.max.load(Relaxed) {
            self.max.fetch_max(size, Relaxed);
        }
    }

    #[cold]
    fn lower(&self, size: i64) {
        let lower = |now| (now == NONE || size < now).then_some(size);
        let _ = self.min.fetch_update(Relaxed, Relaxed, lower);
    }

    /// (last, min, max).
    pub fn read(&self) -> BufferSizes {
        BufferSizes {
            last: self.last.load(Relaxed),
            min: self.min.load(Relaxed),
            max: self.max.load(Relaxed),
        }
    }

    /// Forgets all sizes.
    pub fn reset(&self) {
        for size in [&self.last, &self.min, &self.max] {
            size.store(NONE, Relaxed);
        }
    }
}

/// Sizes in bytes, -1 before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferSizes {
    /// The last one.
    pub last: i64,
    /// The smallest one.
    pub min: i64,
    /// The largest one.
    pub max: i64,
}

impl std::fmt::Display for BufferSizes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.last, self.min, self.max)
    }
}

/// What the server counts for `srvr`, `stat` and the gauges.
pub struct ServerStats {
    /// Frames and four-letter words received from clients.
    pub packets_received: Counter,
    /// Replies and events sent to clients.
    pub packets_sent: Counter,
    /// Milliseconds from frame to reply, reads and writes.
    pub request_latency: Summary,
    /// Sizes of replies to clients.
    pub client_responses: BufferStats,
    /// Sizes of proposals, on a leader (`proposalStats`).
    pub proposals: BufferStats,
    /// Syncs of the log that took longer than `fsync.warningthresholdms`.
    pub fsync_threshold_exceeded: LifelongCount,
    /// TLS client authentications that failed.
    pub auth_failed: LifelongCount,
    /// Plain connections from other machines while TLS is expected.
    pub non_mtls_remote_connections: LifelongCount,
    /// Plain connections from this machine while TLS is expected.
    pub non_mtls_local_connections: LifelongCount,
    pool: Arc<Pool>,
}

/// A rare event, counted as long as the server lives.
#[derive(Debug, Default)]
pub struct LifelongCount(AtomicI64);

impl LifelongCount {
    /// Counts one more.
    pub fn inc(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// What was counted since the start.
    pub fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

impl Default for ServerStats {
    fn default() -> Self {
        let pool = Arc::new(Pool::new(2 + SUMMARY_CELLS, 0));
        Self {
            packets_received: Counter::in_pool(&pool),
            packets_sent: Counter::in_pool(&pool),
            request_latency: Summary::in_pool(&pool, Detail::Basic, false),
            client_responses: BufferStats::default(),
            proposals: BufferStats::default(),
            fsync_threshold_exceeded: LifelongCount::default(),
            auth_failed: LifelongCount::default(),
            non_mtls_remote_connections: LifelongCount::default(),
            non_mtls_local_connections: LifelongCount::default(),
            pool,
        }
    }
}

impl ServerStats {
    /// What `srst` resets of these numbers.
    pub fn reset(&self) {
        self.pool.reset();
        self.client_responses.reset();
        self.proposals.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffer_sizes_start_at_minus_one_and_reset_there() {
        let stats = BufferStats::default();
        assert_eq!(stats.read().to_string(), "-1/-1/-1");
        for size in [40, 12, 99, 30] {
            stats.record(size);
        }
        assert_eq!(stats.read().to_string(), "30/12/99");
        stats.record(0);
        assert_eq!(stats.read().to_string(), "0/0/99");
        stats.reset();
        assert_eq!(stats.read().to_string(), "-1/-1/-1");
    }

    #[test]
    fn a_reset_keeps_lifelong_counts() {
        let stats = ServerStats::default();
        stats.packets_sent.inc();
        stats.auth_failed.inc();
        stats.client_responses.record(5);
        stats.reset();
        assert_eq!(stats.packets_sent.get(), 0);
        assert_eq!(stats.client_responses.read().last, -1);
        assert_eq!(stats.auth_failed.get(), 1);
    }
}
