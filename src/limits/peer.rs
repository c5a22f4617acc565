//! Bounds of what members of an ensemble say to each other.
//!
//! # Invariants
//!
//! * A stranger is held to them before it has proven anything.

/// Most identities of a forwarded request: a client proves one by each scheme, and may add digests; past it the
/// link is closed.
pub const PEER_AUTH_IDS: usize = 4096;

/// Bytes of all identities of a forwarded request; past it the link is closed.
pub const PEER_AUTH_BYTES: usize = 1 << 20;

/// Longest notification of an election, bytes (`QuorumCnxManager.PACKETMAXSIZE`); past it the connection is closed.
pub const PEER_NOTIFICATION_BYTES: usize = 512 << 10;

/// Longest list of addresses in the first message of an election connection, bytes
/// (`QuorumCnxManager.maxBuffer`); past it the connection is closed.
pub const PEER_INITIAL_BYTES: usize = 2048;

/// Connections of servers that are saying who they are, at each port; further ones are closed. A handshake takes
/// milliseconds, and an ensemble has few members.
pub const PEER_HANDSHAKES: usize = 128;

/// Those of one address: several members may share one, and each calls once at a time.
pub const PEER_HANDSHAKES_OF_ONE: usize = 32;

/// Servers outside of the configuration that may have an election connection: those that are about to join.
pub const PEER_STRANGERS: usize = 32;

/// Pause between two tries to bind the election port, ms (`QuorumCnxManager.Listener`).
pub const ELECTION_BIND_PAUSE_MS: u64 = 1000;

/// How long a member may take to read a notification, ms; past it the connection is given up.
pub const ELECTION_WRITE_MS: u64 = 10_000;

/// First pause before a member is called again to whom something is to be said, ms; it doubles.
pub const ELECTION_REDIAL_MS: u64 = 50;

/// Further calls of a member that cannot be reached, until the next notification: about three seconds.
pub const ELECTION_REDIALS: u32 = 5;

/// Notifications of one member that are taken in a row, and then per second: an election takes a handful of each.
pub const ELECTION_NOTES_BURST: f64 = 200.0;
/// See [`ELECTION_NOTES_BURST`].
pub const ELECTION_NOTES_PER_SECOND: f64 = 100.0;

/// Bytes that may wait for a link; past it the link ends. Over a link of 1 Gbit/s they take two seconds; behind a
/// snapshot of minutes they hold the proposals of all that time at 1 MB/s. The buffers are shared by all links.
pub const LINK_OUTBOX_BYTES: usize = 256 << 20;

/// Of so many puts into the queue of a learner one is timed: a clock for each would cost more than it tells.
pub const LINK_MARK_EVERY: u32 = 64;

/// Bytes that a link takes out of its queue, or writes of a stream, at once.
pub const LINK_WRITE_BYTES: usize = 256 << 10;

/// Packets from this size on are written from where they are; smaller ones are copied together.
pub const LINK_COPY_BYTES: usize = 16 << 10;

/// How long the last bytes of a link may take to leave, ms.
pub const LINK_HANGUP_MS: u64 = 2000;

/// How often the progress of a stream or snapshot is told, ms: more often than any tick.
pub const LINK_PROGRESS_MS: u64 = 100;

/// Bytes of packets of one link that the core has not handled; then the link is not read.
pub const LINK_INBOX_BYTES: usize = 16 << 20;

/// Largest payload of a packet, bytes; past it the link ends. The close of a session with a hundred thousand
/// ephemerals has 10 MiB.
pub const LINK_PACKET_BYTES: usize = 64 << 20;

/// Largest payload of a learner's first packet, bytes; it has 20.
pub const LINK_FIRST_PACKET_BYTES: usize = 1024;

/// Bytes that one read of a link takes at most.
pub const LINK_READ_BYTES: usize = 256 << 10;

/// First pause of a learner that does not reach its leader, ms; it doubles up to `leaderConnectDelayDuringRetryMs`.
pub const LINK_DIAL_FIRST_MS: u64 = 5;

/// Tries to reach a leader with the whole pause between them (`Learner.connectToLeader`).
pub const LINK_DIALS: usize = 5;
