//! Bounds of backup, restore, comparison and ACL plans.
//!
//! # Invariants
//!
//! * What an archive, a plan or an ensemble may say is bounded before it is kept.

/// Bytes of a member that one checksum of the manifest covers: damage is named to this block.
pub const ARCHIVE_BLOCK: usize = 1 << 20;

/// Most members of an archive: a log segment each, months of hourly runs; past it the archive is refused.
pub const ARCHIVE_MEMBERS: usize = 100_000;

/// Largest manifest, bytes: a terabyte of members has 12 MiB of block checksums.
pub const ARCHIVE_MANIFEST_BYTES: usize = 32 << 20;

/// Bytes a second that a backup reads, unless told otherwise: leaves disk and processor to the server. A
/// million znodes of 100 bytes take half a minute.
pub const BACKUP_BYTES_PER_SECOND: u64 = 16 << 20;

/// Niceness of a backup: a server on the same machine goes first.
pub const BACKUP_NICENESS: i32 = 10;

/// Bytes of a backup or a restored file after which it is synced: as for snapshots, the sync of a log
/// on the same disk never finds a long queue before itself.
pub const BACKUP_SYNC_BYTES: u64 = 256 << 10;

/// How often a backup begins anew when the server purged a file under it.
pub const BACKUP_ATTEMPTS: usize = 4;

/// How often the end of a log that is being written is looked at again before what lies behind a gap
/// counts as damage.
pub const BACKUP_RESCANS: usize = 8;

/// Operations of one multi of a subtree that is restored.
pub const RESTORE_BATCH_OPS: usize = 200;

/// Bytes of paths and data of one multi of a subtree that is restored: far below `jute.maxbuffer`.
pub const RESTORE_BATCH_BYTES: usize = 256 << 10;

/// Bytes of znodes that a comparison sorts in memory before they go to a temporary file.
pub const DIFF_RUN_BYTES: usize = 16 << 20;

/// Znodes of an ensemble that are asked for at once.
pub const WALK_AHEAD: usize = 64;

/// Largest ACL plan, bytes: a million znodes.
pub const ACL_PLAN_BYTES: usize = 256 << 20;

/// Paths that an ACL audit prints for each finding; all of them are in its plan.
pub const AUDIT_EXAMPLES: usize = 10;

/// Most different identities that an ACL audit counts; the rest is counted together.
pub const AUDIT_IDENTITIES: usize = 10_000;
