//! Bounds of metrics: cells, keys, lists, samples.
//!
//! # Invariants
//!
//! * As in [`super`].

/// Threads that count in cells of their own; further threads share one set of
/// cells with atomic additions (slower, never wrong). At most 64.
pub const METRIC_THREAD_SLOTS: usize = 48;

/// Bits of the largest value (milliseconds, bytes, counts) that the percentile
/// buckets of a summary tell apart; larger values count in the last bucket.
pub const METRIC_HISTOGRAM_MAX_BITS: u32 = 40;

/// Keys (top-level paths, server ids) that a keyed metric tells apart. Clients
/// choose top-level paths, so the number is bounded; values of further keys
/// are kept together under the key `*`.
pub const METRIC_SET_KEYS: usize = 512;

/// Seconds between two marks of the exposition's window, as ZooKeeper's
/// summaries rotate.
pub const METRIC_WINDOW_MARK_SECONDS: u64 = 120;

/// Marks that the exposition's window reaches back: ten minutes, as ZooKeeper's.
pub const METRIC_WINDOW_MARKS: usize = 5;

/// Slow operations that are kept for the operator to look at; older ones go.
pub const SLOW_KEPT: usize = 64;

/// Longest path and principal of a slow operation that is kept, bytes; the rest is cut off.
pub const SLOW_TEXT: usize = 256;

/// Keys of the sketch of who asks most: whoever asks more than one request in so many is in it.
pub const TOP_KEYS: usize = 128;

/// Longest key of that sketch, bytes; the rest is cut off.
pub const TOP_TEXT: usize = 96;

/// Keys of it that are printed.
pub const TOP_PRINTED: usize = 10;

/// One of so many requests goes into it: the others cost a thread's own counter.
pub const TOP_SAMPLE: u32 = 32;

/// A count of it that reaches this halves them all: what is printed tells of the last hours, not of the
/// first ones.
pub const TOP_HALVED_AT: u64 = 1 << 24;

/// One of so many reads on a connection's thread is timed for `read_final_proc_time_ms`.
pub const READ_SAMPLE: u32 = 64;

/// Principals of the keytab that metrics tell of. A server's keytab has one or two.
pub const KEYTAB_PRINTED: usize = 16;

/// A look into the keytab is as good for so long, ms: scrapes come more often than keys change.
pub const KEYTAB_LOOK_MS: u64 = 30_000;

/// How long a scraper's connection may rest between two scrapes, ms: longer than the usual intervals.
pub const METRICS_IDLE_MS: u64 = 90_000;
