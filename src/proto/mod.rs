//! The client protocol: connect, requests, replies, events, op codes, framing.
//!
//! # Invariants
//!
//! * Requests borrow from their frame; nothing is copied to be understood.
//! * A reply is appended to the connection's outgoing bytes as one complete frame.

mod connect;
mod multi;
mod op;
mod reply;
mod request;

pub use connect::{ConnectRequest, ConnectResponse};
pub use multi::{
    MULTI_END, MultiHeader, MultiOp, read_multi, write_multi, write_multi_end, write_multi_header,
};
pub use op::OpCode;
pub use reply::{EventKind, FrameBuilder, ReplyHeader, WatcherEvent, error_reply, event_frame};
pub use request::{AddWatchMode, CreateKind, Proof, Request, RequestHeader, SetWatches, WatcherType};

/// Special xids (`ClientCnxn`).
pub mod xid {
    /// A watch notification.
    pub const NOTIFICATION: i32 = -1;
    /// Ping and its reply.
    pub const PING: i32 = -2;
    /// An auth packet and its reply.
    pub const AUTH: i32 = -4;
    /// setWatches and its reply.
    pub const SET_WATCHES: i32 = -8;
}
