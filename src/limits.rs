//! Every bound of the server: a constant, its reason, and the error past it.
//!
//! # Invariants
//!
//! * A decoder consults its bound before it allocates.

mod peer;

pub use peer::*;
mod election;
mod http;
mod member;
mod metrics;
mod repair;
mod threads;

pub use election::*;
pub use http::*;
pub use member::*;
pub use metrics::*;
pub use repair::*;
pub use threads::*;

/// Default of `jute.maxbuffer`: the largest client frame body and the largest reply
/// that our own client accepts, bytes. Past it the connection is closed.
pub const DEFAULT_JUTE_MAX_BUFFER: usize = 0xf_ffff;

/// Elements of a vector for which room is made before they were seen. A longer vector is
/// read to its end first: one that breaks off costs nothing.
pub const VECTOR_AT_ONCE: usize = 64;

/// Longest string with malformed UTF-8 that is taken, each bad byte replaced by three as
/// Java does, bytes; past it MARSHALLINGERROR. No name or path of a client is near it.
pub const LOSSY_STRING: usize = 8 << 10;

/// Longest rest of a frame whose multi is decoded without having been read to its end
/// first, bytes: its parts stay below 64 KiB of memory.
pub const MULTI_AT_ONCE: usize = 2 << 10;

/// Longest text of a diagnostic that quotes peer input, characters.
pub const QUOTED_INPUT: usize = 200;

/// Most sub-operations of one multi that are decoded; past it MARSHALLINGERROR.
/// Every sub-operation needs 9 bytes of header, so a 1 MiB frame holds fewer.
pub const MULTI_OPS: usize = 200_000;

/// Length of a session password, bytes.
pub const PASSWORD_LENGTH: usize = 16;

// Logins.

/// How long a connection that was refused at the end of its exchange is kept before it is closed, ms: a
/// client that believes itself logged in comes back at once.
pub const LATE_REFUSAL_MS: u64 = 1000;

/// Refused logins that an address may have in a row before its tokens wait in the slow lane of logins.
pub const REFUSALS_IN_A_ROW: f64 = 200.0;

/// Refused logins that are forgiven in a second.
pub const REFUSALS_FORGIVEN: f64 = 50.0;

/// Addresses whose refusals are remembered; beyond, the most forgiven ones are forgotten first.
pub const REFUSAL_SOURCES: usize = 4096;

/// Clock skew of a client from which on it is worth a warning, ms; Kerberos refuses at 300 s.
pub const SKEW_WARNING_MS: i64 = 60_000;

/// How often sessions without a login are looked through, ms.
pub const WITHOUT_LOGIN_SWEEP_MS: u64 = 250;

/// Connections whose time is over that are closed at once; the next portion follows [`CLOSED_APART_MS`] later, so
/// that requests of others stand behind a few ends, not behind thousands. Four thousand a second end so.
pub const CLOSED_AT_ONCE: usize = 8;

/// Time between two portions of connections that are closed, ms.
pub const CLOSED_APART_MS: u64 = 2;

// What doctor reads.

/// Longest answer of a KDC, bytes; past it the answer is none of a KDC's. Tickets with the authorization data of
/// Active Directory reach 48 KiB, a datagram 64 KiB.
pub const KDC_ANSWER_BYTES: usize = 128 << 10;

/// Longest krb5.conf, bytes; what is behind is not read. Real ones have a few KiB.
pub const KRB5_CONF_BYTES: usize = 1 << 20;

/// Most files that a krb5.conf is made of; past it an include is not followed (files may include themselves).
pub const KRB5_CONF_FILES: usize = 64;

// Names.

/// Longest Kerberos name, and longest short name that a rule may make of one, bytes; past it
/// NAME_SHAPE or NAME_NO_RULE. Host names end at 255, and so do realms in practice.
pub const PRINCIPAL_MAX: usize = 1024;

/// Longest `security.auth_to_local`, bytes: hundreds of rules. Past it the start is refused.
pub const AUTH_TO_LOCAL_BYTES: usize = 64 << 10;

/// Most rules of `security.auth_to_local`; past it the start is refused. Each is tried at a login.
pub const AUTH_TO_LOCAL_RULES: usize = 512;

/// Largest compiled pattern of a rule, bytes; past it the start is refused. Usual ones take a few KiB.
pub const NAME_PATTERN_BYTES: usize = 64 << 10;

// Administration.

/// Longest answer to a four-letter word, bytes; a longer list is cut, and says
/// so. About 80,000 connections or 100,000 watches.
pub const FOUR_LETTER_ANSWER: usize = 8 << 20;

/// Answers to expensive four-letter words (`cons`, `dump`, `stat`, `wchc`,
/// `wchp`) that may be under way at once; past it the word is refused in words.
pub const FOUR_LETTER_AT_ONCE: usize = 4;

/// Expensive four-letter words answered per second in the long run; past it the
/// word is refused in words.
pub const FOUR_LETTER_PER_SECOND: u64 = 20;

/// Expensive four-letter words answered in one go after a pause.
pub const FOUR_LETTER_BURST: u64 = 40;
// Our own client.

/// Requests of one client handle that wait to be sent; a caller beyond it waits.
pub const CLIENT_PENDING: usize = 4096;

/// Requests that a client takes off its queue at once.
pub const CLIENT_BATCH: usize = 256;

/// Bytes that wait to be written before a client takes further requests.
pub const CLIENT_OUT_HIGH_WATER: usize = 1 << 20;

/// Events that nobody has read; past it the session is given up, because the owner
/// would see a past without knowing.
pub const CLIENT_EVENT_BACKLOG: usize = 1 << 20;

/// Largest setWatches request of a reconnecting client, bytes, as Java's client.
pub const CLIENT_SET_WATCHES_BYTES: usize = 128 * 1024;

/// Tokens of one SASL conversation; a server that wants more is refused.
pub const CLIENT_SASL_ROUNDS: i32 = 32;

/// First and longest pause before a client connects again, ms.
pub const CLIENT_RECONNECT_MIN_MS: u64 = 20;
/// See [`CLIENT_RECONNECT_MIN_MS`].
pub const CLIENT_RECONNECT_MAX_MS: u64 = 1000;

/// Longest time without a ping, ms, whatever the session's time-out, as Java's client.
pub const CLIENT_PING_MAX_MS: u64 = 10_000;

/// First and longest pause in the search of a read/write server, ms, as Java's client.
pub const CLIENT_SEEK_MIN_MS: u64 = 100;
/// See [`CLIENT_SEEK_MIN_MS`].
pub const CLIENT_SEEK_MAX_MS: u64 = 60_000;

/// Largest configuration text read: zoo.cfg, a dynamic configuration, java.env, a JAAS
/// file. Real ones have a few KiB; past it the file is named and refused.
pub const CONFIG_MAX_BYTES: usize = 1 << 20;

/// Most `server.N` members of an ensemble: server ids of TTL-enabled ensembles end at
/// 254, and no ensemble is near it. Past it the configuration is refused.
pub const CONFIG_MAX_MEMBERS: usize = 1024;
// Client connections.

/// Bytes that one read of a client connection takes at most; the buffer belongs to
/// the worker thread, not to the connection.
pub const READ_BUFFER: usize = 64 << 10;

/// Reads of one connection before the other connections of the thread get their turn.
pub const READS_PER_POLL: usize = 4;

/// Outgoing bytes of a connection above which no further request of it is looked at,
/// until its client has read: keeps the work of one client in the processor's cache.
pub const OUTGOING_HIGH_WATER: usize = 256 << 10;

/// Outgoing bytes above which a connection that does not take any is closed: one
/// reply of any size fits, a client that never reads its events does not.
pub const OUTGOING_HARD: usize = 64 << 20;

/// Largest output buffer that a worker thread keeps for its next connection, bytes.
pub const SCRATCH_OUT_KEPT: usize = 1 << 20;

/// Listen backlog when `clientPortListenBacklog` does not say: connects that wait
/// while the accept loop is busy. The kernel bounds it by `somaxconn`.
pub const DEFAULT_LISTEN_BACKLOG: i32 = 1024;

/// Pause of the accept loop when the machine has no descriptor or memory left, ms.
pub const ACCEPT_PAUSE_MS: u64 = 50;

/// A timer that is this much late means that the process itself was paused, ms:
/// silence of clients is then not their fault.
pub const OWN_PAUSE_MS: u64 = 500;

/// Refused connections that are logged in one second.
pub const REFUSALS_LOGGED_PER_SECOND: u32 = 10;

// The server's own log.

/// Bytes of log lines that wait for their writer; lines beyond are dropped and counted:
/// a slow disk or terminal must not stop the server.
pub const LOG_QUEUE: usize = 1 << 20;

// Tree.

/// Digests of past transactions that are kept for the admin `hash` command
/// (`DataTree.DIGEST_LOG_LIMIT`); older ones are dropped.
pub const DIGEST_LOG: usize = 1024;
/// Most pipeline entries that are worked off while the tree is held for writing: a
/// waiting reader waits for no more than these.
pub const APPLY_BATCH: usize = 256;

/// Most containers and TTL nodes that one scan lists; the next scan finds the rest.
pub const REAPED_AT_ONCE: usize = 100_000;

// The shell.

/// Longest wait for children while a line is being completed, ms.
pub const SHELL_COMPLETION_MS: u64 = 1000;

/// How long the first prompt waits for the session to stand, ms.
pub const SHELL_SETTLE_MS: u64 = 300;

/// Lines kept in the shell's history file.
pub const SHELL_HISTORY_LINES: usize = 1000;
// Storage.

/// Most bytes of log records that one write and one sync cover; a longer batch is synced in
/// parts, a single longer record alone. Also how far behind a torn record valid ones may lie
/// for the tear to be an interrupted group commit; farther behind it is damage.
pub const LOG_BATCH_BYTES: usize = 2 << 20;

/// Records behind which recovery still knows one that was written again, 16 bytes each. ZooKeeper's
/// followers log again what they are sent again: at most what a leader keeps in memory and in flight.
pub const LOG_REPEATS: usize = 65_536;

/// Bytes of one step in which recovery writes the end of a log again.
pub const REWRITE_STEP: usize = 1 << 20;

/// A log record is longer than the header of its transaction; shorter ones are damage.
pub const LOG_ENTRY_MIN_BYTES: usize = 32;

/// Buffer of a reader of logs and snapshots; grows only for a record that is longer and
/// whose bytes are there.
pub const STORAGE_READ_BUFFER: usize = 1 << 20;

/// Largest record of a snapshot (a znode, or the table of ACLs) that is read, bytes. A file
/// that claims more is damaged.
pub const SNAPSHOT_RECORD_BYTES: usize = 1 << 30;

/// Bytes of a snapshot that are collected before they are written.
pub const SNAPSHOT_WRITE_BUFFER: usize = 256 << 10;

/// Bytes of a snapshot after which it is synced while it is being written, so that the sync
/// of the log never finds a long queue of them before itself. Measured with sets at 500/s beside
/// snapshots of a million znodes, p99: 8 MiB 3.9 ms, 1 MiB 1.4 ms, 256 KiB 0.7 ms, no snapshot 0.7 ms.
pub const SNAPSHOT_SYNC_BYTES: u64 = 256 << 10;

/// How many snapshots, newest first, are tried at start (as in ZooKeeper).
pub const SNAPSHOT_CANDIDATES: usize = 100;

/// Uncompressed bytes of a block of a snappy snapshot that we write (snappy-java's default).
pub const SNAPPY_BLOCK_BYTES: usize = 32 << 10;

/// Largest uncompressed block of a snappy snapshot that we read.
pub const SNAPPY_MAX_BLOCK_BYTES: usize = 64 << 20;

/// Size of a file of durable marks, bytes: one page, rewritten in place.
pub const MARK_FILE_BYTES: usize = 4096;

/// Log segments that the marks remember besides the live one.
pub const MARK_SEGMENTS: usize = 24;

/// Bytes of log after which the marks are written again (not synced: that happens at every
/// roll, when the log has been idle, and at a clean end).
pub const MARK_LAZY_BYTES: u64 = 256 << 10;

/// Bytes of log after which the marks are written and synced.
pub const MARK_SYNC_BYTES: u64 = 16 << 20;

/// Largest `currentEpoch`, `acceptedEpoch` or `myid` file, bytes.
pub const SMALL_FILE_BYTES: usize = 1024;

/// Free bytes below which the disk counts as full: growth is refused, deletes and closes
/// go on. Room for about 200,000 of them.
pub const DISK_FULL_BELOW: u64 = 32 << 20;

/// Free bytes from which a full disk counts as good again.
pub const DISK_GOOD_FROM: u64 = 64 << 20;

/// Size of the file that is given up when the log cannot grow any more, so that deletes
/// and closes still can be logged, bytes.
pub const DISK_RESERVE: u64 = 8 << 20;

/// Bytes of log after which free room is looked at again.
pub const DISK_CHECK_BYTES: u64 = 1 << 20;

/// Step by which the log grows when there is no room for a whole preallocation, bytes.
pub const DISK_SMALL_STEP: u64 = 1 << 20;

// TLS.

/// Largest key or trust store, bytes: a bundle of all public authorities has 300 KiB.
pub const TLS_STORE_BYTES: usize = 4 << 20;

/// Most keys and certificates of a store; past it the file is refused.
pub const TLS_STORE_ENTRIES: usize = 4096;

/// Most rounds by which a key is stretched in a PKCS#12 file or an encrypted PEM: below a second of
/// work; keytool takes 10,000.
pub const TLS_KEY_ITERATIONS: u64 = 2_000_000;

/// Depth to which a PKCS#12 file is looked at; real ones nest 12 deep.
pub const TLS_DER_DEPTH: usize = 24;

/// Largest file with a password, bytes.
pub const TLS_PASSWORD_BYTES: usize = 4096;

/// Largest file with revocation lists, bytes: about 400,000 revoked certificates.
pub const TLS_CRL_BYTES: usize = 16 << 20;

/// Most revocation lists of one side.
pub const TLS_CRLS: usize = 64;

/// Longest subject of a certificate that becomes an identity, bytes of DER. ACLs store the text.
pub const X509_NAME_BYTES: usize = 4096;

/// Authorities whose names are sent to clients so that they find the right certificate; with more,
/// none are sent, because every handshake would carry them.
pub const TLS_ISSUER_HINTS: usize = 64;

/// A TLS handshake takes no longer, ms, as in ZooKeeper; past it the connection is closed.
pub const TLS_HANDSHAKE_MS: u64 = 10_000;

/// TLS handshakes under way at once when the configuration names no bound; further connections are
/// closed. Each holds some 20 KiB, and `maxClientCnxns` bounds those of one address.
pub const TLS_HANDSHAKES: usize = 4096;

/// TLS sessions of clients that can be resumed; the oldest give way. Each holds about 2 KiB, mostly
/// the client's certificates.
pub const TLS_SESSIONS: usize = 8192;

/// How often key stores, trust stores and revocation lists are looked at for a change, ms.
pub const TLS_RELOAD_MS: u64 = 1000;

// Logins.

/// Longest SASL token that is looked at, bytes: tickets with the authorization data of Active
/// Directory reach 48 KiB. A longer one is refused (SASL_TOO_LONG).
pub const SASL_TOKEN: usize = 64 << 10;

/// Largest keytab that is read, bytes; a key takes about 100.
pub const KEYTAB_BYTES: usize = 1 << 20;

/// Threads on which logins are computed, at most: one does more than 10,000 a second.
pub const GSS_THREADS: usize = 4;

/// Steps of logins that wait for a thread; further ones are turned away (SASL_BUSY), so
/// that a storm of logins costs at most the memory of so many tokens.
pub const GSS_QUEUE: usize = 1024;

/// Steps of logins that wait in the slow lane, the one of addresses whose logins are refused again and again: about
/// a second of work for its one thread, so that a good login among them is computed while its client still waits.
pub const GSS_SLOW_QUEUE: usize = 256;

/// Niceness of the threads of logins: a login takes a good part of a millisecond of processor, the request of
/// somebody who is logged in a few microseconds, so these go first where both wait.
pub const LOGIN_NICENESS: i32 = 5;

/// Niceness of the thread of the slow lane: it takes what nobody else wants.
pub const SLOW_LOGIN_NICENESS: i32 = 15;

// SASL and Kerberos, outward.

/// Longest token of DIGEST-MD5, bytes, as Java's; past it the exchange is refused.
pub const DIGEST_TOKEN: usize = 4096;

/// Most directives of a token of DIGEST-MD5; RFC 2831 knows 14.
pub const DIGEST_DIRECTIVES: usize = 32;

/// Longest name of a user of DIGEST-MD5, bytes; past it the JAAS section is refused.
pub const DIGEST_NAME: usize = 255;

/// Shortest and longest pause before a ticket is looked at again, seconds: a KDC that is away
/// is not asked all the time, and a clock that was set does not let a ticket end unseen.
pub const TICKET_LOOK_MIN_S: u64 = 30;
/// See [`TICKET_LOOK_MIN_S`].
pub const TICKET_LOOK_MAX_S: u64 = 600;

/// Longest token between servers that log in to each other, bytes: tickets with much
/// authorization data have up to 48 KiB. Past it the connection is closed.
pub const QUORUM_AUTH_TOKEN: usize = 64 << 10;

/// Tokens of a learner in one login at a server, as Java's `MAX_RETRIES`; past it the
/// login is refused.
pub const QUORUM_AUTH_ROUNDS: usize = 5;

/// Longest time for a login between servers, ms, whatever the socket's own time-out.
pub const QUORUM_AUTH_MS: u64 = 10_000;
// The audit log.

/// Bytes of audit records that wait for their writer; past it requests wait, or records are
/// counted as lost (`audit.whenFull`). About 20,000 records.
pub const AUDIT_QUEUE: usize = 4 << 20;

/// Records that one write of an audit file covers, bytes: bounds the memory of a batch.
pub const AUDIT_BATCH: usize = 1 << 20;

/// Longest line of an audit file that is read, bytes: a path of a whole client frame with
/// every character escaped is shorter.
pub const AUDIT_LINE: usize = 16 << 20;

/// Problems of one audit file that are named; a file with more is not worth more lines.
pub const AUDIT_PROBLEMS: usize = 100;

// The rescue socket.

/// Longest time of super rights by the rescue socket, minutes: a repair takes less, and what is
/// forgotten ends within the hour.
pub const RESCUE_MINUTES: u64 = 60;

/// Longest line on the rescue socket, bytes.
pub const RESCUE_LINE: u64 = 512;

/// Most connections that the rescue socket tells about; the others are counted.
pub const SESSIONS_TOLD: usize = 20_000;

/// Room for what is told of one connection, bytes: a principal of the longest form, an address and a few numbers.
pub const SESSION_ROW_BYTES: usize = 2 << 10;

/// How long the rescue socket waits for its one line, ms.
pub const RESCUE_PATIENCE_MS: u64 = 5000;

/// How often a session with such rights is looked at, ms: they end with its connection.
pub const RESCUE_LOOK_MS: u64 = 500;

/// How often an audit file that cannot be written is tried again, ms.
pub const AUDIT_RETRY_MS: u64 = 500;
