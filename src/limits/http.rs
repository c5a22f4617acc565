//! Bounds of the HTTP face (admin server, metrics).
//!
//! # Invariants
//!
//! * Whoever has not shown who he is costs a bounded piece of memory for a bounded time.

/// Longest head of a request (request line and headers), bytes; past it 431 (414 for the line
/// alone). A Kerberos token with the authorization data of a user in some hundred groups fits; one
/// that does not is asked for again without it (NO_AUTH_DATA_REQUIRED).
pub const HTTP_HEAD_BYTES: usize = 24 << 10;

/// Most headers of a request; past it 431. Browsers behind proxies send thirty.
pub const HTTP_HEADERS: usize = 64;

/// Most parameters of a query; past it 400. No command has more than two.
pub const HTTP_PARAMETERS: usize = 32;

/// Longest body of a request that is taken whole, bytes; past it 413. Commands with a body take a
/// few bytes of JSON.
pub const HTTP_BODY_BYTES: usize = 64 << 10;

/// Connections of an HTTP port; past it a connection is closed at once. Scrapers, probes and
/// operators of one server are tens.
pub const HTTP_CONNECTIONS: usize = 128;

/// Connections of an HTTP port from one address; past it a connection is closed at once, so that
/// one address cannot take the port from the others.
pub const HTTP_CONNECTIONS_PER_ADDRESS: usize = 48;

/// Time for the first head of a connection, ms; past it 408.
pub const HTTP_HEAD_MS: u64 = 10_000;

/// Time for the body of a request that is taken whole, ms; past it 408.
pub const HTTP_BODY_MS: u64 = 10_000;

/// Answers that are made at once by a port: each takes one of [`super::BLOCKING_THREADS`].
pub const HTTP_ANSWERS: usize = 4;

/// How long a request waits for its turn to be answered, ms; past it 503.
pub const HTTP_TURN_MS: u64 = 5_000;

/// Time for an answer, from the end of its request to its last byte, ms; past it the connection is closed.
pub const HTTP_ANSWER_MS: u64 = 60_000;

/// Answers from this size on are few at a time ([`HTTP_LARGE_ANSWERS`]), bytes.
pub const HTTP_LARGE: usize = 256 << 10;

/// Large answers that wait for their readers at once; past it 503.
pub const HTTP_LARGE_ANSWERS: usize = 8;

/// Bytes that are handed to a connection at once.
pub const HTTP_CHUNK: usize = 64 << 10;

/// Chunks of a streamed body (a snapshot, in or out) that wait in memory.
pub const HTTP_CHUNKS_AHEAD: usize = 4;

/// A streamed body that stands still so long is given up, ms.
pub const HTTP_STALL_MS: u64 = 15_000;

/// Time for a request whose body or answer is streamed, ms: 100 GB at 30 MB/s.
pub const HTTP_STREAM_MS: u64 = 3_600_000;

/// Rows of a list in the console; it says how many there are beyond.
pub const CONSOLE_ROWS: usize = 1000;

/// Bytes of a znode's data that the console shows.
pub const CONSOLE_DATA: usize = 8 << 10;
