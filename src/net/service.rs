//! What a connection needs from the server behind it.
//!
//! The connection frames and forwards; whoever implements [`Service`] decides.
//!
//! # Invariants
//!
//! * For one connection the calls come in order and never at the same time, but
//!   for [`Service::take_outgoing`]'s counterpart: anybody may add outgoing bytes at
//!   any time and must call [`TaskWaker::wake`](super::TaskWaker::wake) afterwards.
//! * [`Service::closed`] is the last call, and comes exactly once.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::TaskWaker;
use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::tls::X509Identity;
use crate::types::{ConnId, Now};

/// The far end of a connection. IPv4 addresses mapped into IPv6 are IPv4 here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Address.
    pub ip: IpAddr,
    /// Port.
    pub port: u16,
    /// Did it come through the TLS listener (`secureClientPort`)?
    pub secure: bool,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.port),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.port),
        }
    }
}

/// Whether the next frame of a connection may be looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// Yes.
    Read,
    /// Not before the connection is woken again: its connect request or an
    /// authentication step is under way, or the server has too much in process.
    Hold,
}

/// What became of a frame.
#[derive(Debug)]
pub enum Verdict {
    /// Answered, or on its way.
    Taken,
    /// The connection has to go; bytes that are outgoing already are still sent.
    Close(CloseReason),
}

/// What the first four bytes of a connection mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstBytes {
    /// The length of a frame.
    Length,
    /// A four-letter word that is followed by this many bytes of argument.
    Word(usize),
}

/// The answer to a four-letter word.
#[derive(Default)]
pub struct WordAnswer {
    /// What is sent before the connection is closed.
    pub bytes: Vec<u8>,
    /// Dropped when the bytes have left, or the connection is gone.
    pub until_sent: Option<Box<dyn Send>>,
}

/// Outgoing bytes taken from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing {
    /// The connection ends when these bytes are sent.
    pub close_after: bool,
    /// There are more, which wait for something else than the peer: it does not end before
    /// they have left. The service wakes it then.
    pub held: bool,
}

/// Why a connection ended.
#[derive(Debug)]
pub enum CloseReason {
    /// The peer closed it.
    PeerClosed,
    /// Our last reply (closeSession, a refusal) was sent.
    Answered,
    /// A four-letter word was answered.
    Word,
    /// A frame's length is negative or above `jute.maxbuffer`.
    FrameLength {
        /// The length.
        length: i32,
        /// `jute.maxbuffer`.
        limit: usize,
    },
    /// A frame is no request; the text says in what.
    Malformed(&'static str),
    /// Large requests of all clients together exceed `largeRequestMaxBytes`.
    LargeRequests,
    /// The connection throttle refused it.
    Throttled,
    /// The server does not serve (yet, or any more).
    NotServing,
    /// Idle longer than its session's time-out, or without a session too long.
    Idle,
    /// It does not read what it is sent: more than [`crate::limits::OUTGOING_HARD`].
    SlowReader {
        /// Bytes that it left unread.
        unsent: usize,
    },
    /// The server ended it; the text says why.
    Ended(&'static str),
    /// Its session moved to a newer connection.
    Replaced,
    /// Its TLS handshake was refused; the service tells why.
    Handshake(Reason),
    /// The server shuts down.
    Shutdown,
    /// The socket failed.
    Io(io::Error),
}

impl CloseReason {
    /// Is the peer to blame, so that the log says it at warning level?
    pub fn is_suspicious(&self) -> bool {
        matches!(
            self,
            CloseReason::FrameLength { .. }
                | CloseReason::Malformed(_)
                | CloseReason::LargeRequests
                | CloseReason::Throttled
                | CloseReason::SlowReader { .. }
        )
    }

    /// Does the socket still take a proper goodbye?
    pub fn is_polite(&self) -> bool {
        !matches!(
            self,
            CloseReason::Io(_)
                | CloseReason::SlowReader { .. }
                | CloseReason::Idle
                | CloseReason::Handshake(_)
        )
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CloseReason::PeerClosed => f.write_str("closed by the client"),
            CloseReason::Answered => f.write_str("closed after the last reply"),
            CloseReason::Word => f.write_str("four-letter word answered"),
            CloseReason::FrameLength { length, limit } => write!(
                f,
                "frame length {length} is outside 0..{limit}: no ZooKeeper client, or a request above jute.maxbuffer"
            ),
            CloseReason::Malformed(why) => write!(f, "malformed frame: {why}"),
            CloseReason::LargeRequests => f.write_str("large requests exceed largeRequestMaxBytes"),
            CloseReason::Throttled => {
                f.write_str("refused by the connection throttle (connection_throttle_*)")
            }
            CloseReason::NotServing => f.write_str("the server is not serving requests"),
            CloseReason::Idle => f.write_str("idle for too long"),
            CloseReason::SlowReader { unsent } => {
                write!(f, "the client does not read: {unsent} bytes of replies and events are waiting")
            }
            CloseReason::Ended(why) => f.write_str(why),
            CloseReason::Replaced => f.write_str("its session came back on another connection"),
            CloseReason::Handshake(reason) => write!(f, "TLS refused: {reason}"),
            CloseReason::Shutdown => f.write_str("the server shuts down"),
            CloseReason::Io(e) => write!(f, "socket error: {e}"),
        }
    }
}

/// The server behind the connections.
pub trait Service: Send + Sync + 'static {
    /// What it keeps for one connection.
    type Client: Send + Sync + 'static;
    /// What the frames of one read leave for the core; handed over at once.
    type Batch: Default + Send;

    /// Both clocks; asked once for all frames of one read.
    fn now(&self) -> Now;

    /// A connection was accepted.
    fn open(&self, id: ConnId, peer: Peer, waker: &Arc<TaskWaker>) -> Arc<Self::Client>;

    /// The connection is encrypted from here on; who the peer is by its certificate, if it showed one.
    /// Comes before its first frame.
    fn secured(&self, client: &Arc<Self::Client>, identity: Option<&X509Identity>);

    /// A TLS handshake was refused.
    fn tls_refused(&self, peer: Peer, refusal: &Refusal);

    /// Are the first four bytes a four-letter word?
    fn first_bytes(&self, bytes: [u8; 4]) -> FirstBytes;

    /// Answers a four-letter word. Called on a thread that may block.
    fn answer_word(&self, client: &Arc<Self::Client>, word: [u8; 4], argument: &[u8]) -> WordAnswer;

    /// Can connect requests be taken now?
    fn is_serving(&self) -> bool;

    /// The first frame, without its length: the connect request.
    fn connect(&self, client: &Arc<Self::Client>, body: &[u8], now: Now, batch: &mut Self::Batch) -> Verdict;

    /// Every further frame, without its length.
    fn request(&self, client: &Arc<Self::Client>, body: &[u8], now: Now, batch: &mut Self::Batch) -> Verdict;

    /// Why a frame of this length is not taken from the client, asked before its body arrives.
    fn refuses(&self, _client: &Self::Client, _length: usize) -> Option<CloseReason> {
        None
    }

    /// The end of a read: what its frames left for the core.
    fn submit(&self, batch: Self::Batch);

    /// Asked before each frame and after each wake.
    fn flow(&self, client: &Self::Client) -> Flow;

    /// Bytes that are outgoing.
    fn outgoing_len(&self, client: &Self::Client) -> usize;

    /// Lends an empty buffer with room, so that answers to the coming frames need no
    /// allocation; it comes back with [`Service::take_outgoing`]. Left alone when
    /// something is outgoing already.
    fn lend(&self, client: &Self::Client, buffer: &mut Vec<u8>);

    /// Exchanges what is outgoing for `into`, which is empty.
    fn take_outgoing(&self, client: &Arc<Self::Client>, into: &mut Vec<u8>) -> Outgoing;

    /// How long the client may be silent: its session time-out. `None` without a session.
    fn session_timeout(&self, client: &Self::Client) -> Option<Duration>;

    /// Are requests of the client under way? Then it is not idle, whatever its socket says.
    fn is_busy(&self, client: &Self::Client) -> bool;

    /// The connection is gone.
    fn closed(&self, client: &Arc<Self::Client>, why: &CloseReason);

    /// Something that metrics count.
    fn count(&self, event: NetEvent);
}

/// What the listeners count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetEvent {
    /// Refused at accept by `maxClientCnxns`, `maxCnxns`, or at connect by the throttle.
    Rejected,
    /// The client went away by itself.
    Dropped,
    /// Closed because it was idle.
    Expired,
    /// A large request was refused.
    LargeRejected,
    /// A TLS connection was closed before its handshake, because the server does not serve.
    DroppedEarly,
    /// A plain connection came where TLS is configured; from this machine?
    Plain {
        /// It came over loopback.
        local: bool,
    },
    /// The throttle let a connect request pass; tokens that are missing from the full bucket.
    Admitted {
        /// Missing tokens.
        deficit: u64,
    },
}
