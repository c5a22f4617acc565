//! One target per decoder: what the fuzzers call, and what `make test` replays the corpus through.
//!
//! # Invariants
//!
//! * A target never panics, whatever the bytes; what decodes is encoded again and must mean the same.

mod disk;
mod logins;
mod peers;
mod texts;
mod tls;
mod web;
mod wire;

/// A decoder under test.
#[allow(dead_code)] // the fuzzers check alone, the replay does all
pub struct Target {
    /// Its name: that of its corpus and of its fuzzer.
    pub name: &'static str,
    /// Decodes and drops; was it taken? What the memory bound is measured on.
    pub decode: fn(&[u8]) -> bool,
    /// Decodes and holds the oracles against it.
    pub check: fn(&[u8]),
    /// Bytes of memory that a byte of an input may cost: of one that is refused, of one that is taken.
    pub factors: (usize, usize),
    /// Bytes that any input may cost: what the decoder builds whatever it reads.
    pub reserve: usize,
}

/// What a decoder may cost beyond its input.
const RESERVE: usize = 64 << 10;

/// What a reader of files may cost beyond: a few buffers of a fixed size.
const BUFFERS: usize = 3 * oxkeeper::limits::STORAGE_READ_BUFFER;

/// What compiling the patterns of a few rules may cost.
const PATTERNS: usize = 32 * oxkeeper::limits::NAME_PATTERN_BYTES;

macro_rules! targets {
    ($($module:ident :: $name:ident $refused:literal $taken:literal $reserve:expr;)*) => {
        /// Every target.
        pub const TARGETS: &[Target] = &[$(Target {
            name: stringify!($name),
            decode: $module::$name::decode,
            check: $module::$name::check,
            factors: ($refused, $taken),
            reserve: $reserve,
        },)*];
    };
}

// A client's or server's frame that is refused costs no more than itself. Texts and files are the operator's own and
// bounded by their sizes.
targets! {
    wire::connect 1 1 RESERVE;
    wire::frames 1 1 RESERVE;
    wire::request 1 16 RESERVE;
    wire::reply 1 16 RESERVE;
    wire::results 1 16 RESERVE;
    wire::txn 1 16 RESERVE;
    texts::names 4 4 RESERVE;
    texts::principals 8 8 RESERVE;
    texts::rules 64 64 PATTERNS;
    texts::words 8 8 RESERVE;
    texts::servers 16 16 RESERVE;
    texts::members 16 16 RESERVE;
    texts::command 16 16 RESERVE;
    texts::properties 16 16 RESERVE;
    texts::flags 32 32 RESERVE;
    texts::jaas 32 32 RESERVE;
    texts::config 32 32 RESERVE;
    logins::aprequest 4 8 RESERVE;
    logins::keytab 16 16 RESERVE;
    logins::kdcanswer 4 8 RESERVE;
    logins::digest 16 16 RESERVE;
    logins::authpacket 1 1 RESERVE;
    peers::packet 1 16 RESERVE;
    peers::payload 2 4 RESERVE;
    peers::notification 4 4 RESERVE;
    peers::initial 4 32 RESERVE;
    peers::configtext 32 32 RESERVE;
    tls::subject 4 8 RESERVE;
    tls::jks 8 8 RESERVE;
    tls::pkcs12 8 8 RESERVE;
    tls::pem 8 8 RESERVE;
    disk::log 4 8 RESERVE;
    disk::snapshot 8 8 BUFFERS;
    disk::epochs 4 4 RESERVE;
    disk::marks 8 8 RESERVE;
    disk::datadir 16 64 BUFFERS;
    disk::archive 16 32 BUFFERS;
    web::http 16 32 RESERVE;
}

/// Runs one target by its name (the fuzzers' entry).
#[allow(dead_code)] // see above
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|t| t.name == name).expect("a target of that name");
    (target.check)(data);
}
