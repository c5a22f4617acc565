//! Bounds of a member as leader and learner.
//!
//! # Invariants
//!
//! * What others can make grow has its bound here.

/// Bytes of committed transactions kept in memory for learners that lag, beside `commitLogCount`:
/// 500 transactions of the largest size would be half a gigabyte. Past it the log on disk is read.
pub const WINDOW_BYTES: usize = 64 << 20;

/// Learners that a leader serves at a time; past it a connection is closed. Ensembles have tens.
pub const LEADER_LINKS: usize = 4096;

/// Sessions whose end a leader remembers where local sessions are enabled: what learners forwarded for
/// them before they heard of it is refused. They hear within a round trip; an expiry storm of this many
/// sessions within one is more than a server holds.
pub const LEADER_ENDED_SESSIONS: usize = 65_536;

/// Bytes of packets that a learner holds while its disk installs a snapshot or cuts its log; past it
/// it leaves the leader, and comes again.
pub const LEARNER_HELD_BYTES: usize = 256 << 20;

/// Learners that wait for a member to become the leader; past it a connection is closed.
pub const WAITING_LEARNERS: usize = 1024;

/// Packets of such a learner: it has to wait after the first one. Past it the connection is closed.
pub const WAITING_PACKETS: usize = 4;

/// Connections to a leader that are tried in one role, for about half a second as in ZooKeeper; then a
/// new election begins.
pub const DIAL_TRIES: u32 = 10;

/// Half the pause before the second try to connect to a leader, ms; it doubles up to
/// `leaderConnectDelayDuringRetryMs`. The leader knows of its election at most some messages later.
pub const DIAL_FIRST_MS: u64 = 2;

/// Sessions that observers behind a follower heard of, kept until the leader's next ping; further ones are left to
/// the ping after it. A leader has that many sessions at most.
pub const RELAY_TOUCHES: usize = 1 << 20;

/// How often a leader notes how far its learners are, for the admin server, ms: people look, not programs.
pub const LEARNERS_TOLD_MS: u64 = 250;
