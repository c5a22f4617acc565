//! What goes out over links, what comes in, and what the storage lends to them.
//!
//! # Invariants
//!
//! * Whoever holds a [`Charge`] holds up the link that it came over: it is dropped when the packets are handled.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::OwnedSemaphorePermit;

use crate::peer::Packet;
use crate::types::{LinkId, Zxid};

/// What goes out over a link.
pub enum LinkOut {
    /// Whole packets, encoded.
    Bytes(Bytes),
    /// Something long, piece by piece: transactions of the log, a snapshot.
    Stream(Box<dyn Chunks>),
}

impl std::fmt::Debug for LinkOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LinkOut::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            LinkOut::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// Something long, piece by piece.
pub trait Chunks: Send {
    /// Appends the next piece, some hundred KiB; false when it was the last one. May block.
    ///
    /// # Errors
    ///
    /// There is no next piece: the link ends with this reason.
    fn next(&mut self, out: &mut Vec<u8>) -> Result<bool, String>;
}

/// Where a snapshot that comes over a link goes.
pub trait Staging: Send {
    /// Takes as much as it can from the front; true when it is complete and staged: what is left are packets. Bytes
    /// that it cannot use yet stay. May block.
    ///
    /// # Errors
    ///
    /// It is no snapshot, or there is no room: the link ends with this reason.
    fn feed(&mut self, from: &mut BytesMut) -> Result<bool, String>;
}

/// What the storage lends.
pub trait Store: Send + Sync {
    /// A snapshot with this zxid begins to come over a link.
    fn receive(&self, link: LinkId, zxid: Zxid) -> Box<dyn Staging>;
}

/// Keeps the room that packets take up until they are handled.
#[derive(Debug, Default)]
pub struct Charge {
    _room: Option<OwnedSemaphorePermit>,
}

impl Charge {
    pub(super) fn new(permit: OwnedSemaphorePermit) -> Charge {
        Charge { _room: Some(permit) }
    }
}

/// What links tell.
#[derive(Debug)]
pub enum LinkEvent {
    /// A connection that was dialled stands.
    Up {
        /// Its number.
        link: LinkId,
    },
    /// A learner has come; its first packet follows.
    Accepted {
        /// Its number.
        link: LinkId,
        /// From where and, if it has proven that, as whom; escaped.
        from: String,
    },
    /// A link ended, or could not be made.
    Down {
        /// Its number.
        link: LinkId,
        /// Why.
        why: String,
    },
    /// Packets.
    Packets {
        /// Over which link.
        link: LinkId,
        /// In order.
        packets: Vec<Packet>,
        /// To be dropped when they are handled.
        charge: Charge,
    },
    /// A stream or a snapshot moves on, in either direction.
    Progress {
        /// Over which link.
        link: LinkId,
    },
    /// The snapshot behind a SNAP packet is complete and staged; the packets behind it come next.
    SnapshotReceived {
        /// Over which link.
        link: LinkId,
        /// The zxid of the SNAP packet.
        zxid: Zxid,
    },
}

/// Who is told.
pub type LinkEvents = Arc<dyn Fn(LinkEvent) + Send + Sync>;
