//! Bounds of the server's threads: core, log, snapshots, words.
//!
//! # Invariants
//!
//! * A queue or a batch between two threads is bounded.

/// Longest sleep of the core thread, ms: it looks at sessions and expiries at least so often.
pub const CORE_TICK_MS: u64 = 1000;

/// Most transactions that the core writes by itself when the log is at rest: a lone
/// writer is served without two thread switches, a crowd is written beside admission.
pub const INLINE_APPENDS: usize = 4;

/// Most connections whose answers the core thread sends by itself after a batch: few synchronous
/// writers are spared a thread switch each, a crowd is written to by the threads of the runtime.
pub const SENT_BY_CORE: usize = 4;

/// Records of admitted changes whose memory is kept for the next ones when nothing is under way: what a
/// pipeline of clients needs, not what the end of a session with a million ephemerals did.
pub const CHANGES_KEPT: usize = 4096;

/// Transactions of multis whose lists of parts, and parts of one list, that are kept for the next ones.
pub const PARTS_KEPT: usize = 64;

/// Paths of transactions that are over, whose memory is kept for the next ones: as many as a full pipeline of
/// clients has under way.
pub const PATHS_KEPT: usize = 4096;

/// Longest memory of a path that is kept, bytes: 1 MiB in all.
pub const PATH_KEPT: usize = 256;

/// Requests on their way to the core, and entries on their way to the log, share pieces of memory of
/// this size; what is larger than a quarter of it has one of its own.
pub const ARENA_BYTES: usize = 64 << 10;

/// After so long without work the log's durable marks are made exact and its room is
/// looked at, ms.
pub const LOG_IDLE_MS: u64 = 1000;

/// Bytes of znodes that a snapshot encodes while it holds the tree for reading: bounds
/// how long an apply waits for it (a fraction of a millisecond).
pub const SNAPSHOT_STEP: usize = 128 << 10;

/// Bytes a second that a snapshot writes at most: leaves the disk to the log.
pub const SNAPSHOT_BYTES_PER_SECOND: u64 = 64 << 20;

/// How long one step of a snapshot waits for a sync of the log, ms; then it goes on
/// anyway, so that a busy log cannot starve it.
pub const SNAPSHOT_YIELD_MS: u64 = 20;

/// Threads that answer four-letter words; further words wait.
pub const BLOCKING_THREADS: usize = 8;

/// At SIGTERM: how long a leader tries to hand its leadership over, ms. It takes two round trips
/// and a sync where all is well.
pub const HAND_OVER_MS: u64 = 1500;

/// At SIGTERM: how long requests under way may take to end, ms.
pub const FINISH_MS: u64 = 4000;

/// Then: how long connections may take to send their last replies, ms.
pub const FLUSH_MS: u64 = 1500;

/// The process has ended this long after SIGTERM whatever hangs, ms.
pub const LAST_RESORT_MS: u64 = 9000;

/// A service manager's watchdog is fed this many times in its time: two may be late.
pub const WATCHDOG_FEEDS: u32 = 3;

/// How often the status line of the service manager is looked at, ms.
pub const STATUS_LOOK_MS: u64 = 1000;

/// A status whose numbers alone have changed is told after so many looks: the manager has other work.
pub const STATUS_PATIENCE: u32 = 10;

/// How often a member that becomes ready with the quorum looks whether it serves, ms.
pub const READY_LOOK_MS: u64 = 50;

/// How long a restore waits for requests that are under way, ms; past it nothing is changed, and it says so.
pub const RESTORE_QUIET_MS: u64 = 30_000;

/// By how many transactions the number of a restored state is beyond the present one, where the snapshot's own
/// is not: those that may come while it is read. A counter holds four billion.
pub const RESTORE_ZXIDS: i64 = 1_000_000;
