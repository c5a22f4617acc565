//! Frames that the server sends: replies and watch events.
//!
//! # Invariants
//!
//! * The length in front of a frame is patched in when its body is complete: a frame
//!   is either whole in the buffer or not there.

use crate::error::Code;
use crate::jute::{JuteError, Reader, Writer};
use crate::types::Zxid;

/// Remembers where a frame starts until its length is known.
#[derive(Debug)]
#[must_use = "a frame that is begun must be finished"]
pub struct FrameBuilder {
    start: usize,
}

impl FrameBuilder {
    /// Reserves the length field.
    pub fn begin(out: &mut Vec<u8>) -> FrameBuilder {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        FrameBuilder { start }
    }

    /// Begins a reply: length and header. The error code can be patched by [`FrameBuilder::set_header`].
    pub fn reply(out: &mut Vec<u8>, header: ReplyHeader) -> FrameBuilder {
        let mut b = [0u8; 20];
        b[4..8].copy_from_slice(&header.xid.to_be_bytes());
        b[8..16].copy_from_slice(&header.zxid.0.to_be_bytes());
        b[16..20].copy_from_slice(&header.err.to_be_bytes());
        let start = out.len();
        out.extend_from_slice(&b);
        FrameBuilder { start }
    }

    /// Patches the length. Returns the frame's size, length field included.
    pub fn finish(self, out: &mut [u8]) -> usize {
        let len = out.len() - self.start - 4;
        let n = u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes();
        out[self.start..self.start + 4].copy_from_slice(&n);
        len + 4
    }

    /// Takes the frame back, as if it had never begun.
    pub fn abandon(self, out: &mut Vec<u8>) {
        out.truncate(self.start);
    }
}

/// `ReplyHeader`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplyHeader {
    /// The request's xid.
    pub xid: i32,
    /// Last zxid processed by the answering server.
    pub zxid: Zxid,
    /// `Code` number.
    pub err: i32,
}

impl ReplyHeader {
    /// Reads the header of a frame's body (clients).
    pub fn decode(r: &mut Reader<'_>) -> Result<ReplyHeader, JuteError> {
        Ok(ReplyHeader { xid: r.i32()?, zxid: Zxid(r.i64()?), err: r.i32()? })
    }
}

/// Appends a reply without a body: every error, and the successes that carry nothing.
pub fn error_reply(out: &mut Vec<u8>, xid: i32, zxid: Zxid, code: Code) {
    FrameBuilder::reply(out, ReplyHeader { xid, zxid, err: code.number() }).finish(out);
}

/// Event types that a server sends (`Watcher.Event.EventType`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[repr(i32)]
pub enum EventKind {
    /// A znode was created.
    Created = 1,
    /// A znode was deleted.
    Deleted = 2,
    /// Its data was set.
    DataChanged = 3,
    /// A child was created or deleted.
    ChildrenChanged = 4,
}

/// `WatcherEvent`, as clients decode it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatcherEvent {
    /// Event type number.
    pub kind: i32,
    /// Keeper state number; servers always send 3, SyncConnected.
    pub state: i32,
    /// The znode.
    pub path: String,
}

impl WatcherEvent {
    /// Reads the body of a notification (clients).
    pub fn decode(r: &mut Reader<'_>) -> Result<WatcherEvent, JuteError> {
        Ok(WatcherEvent { kind: r.i32()?, state: r.i32()?, path: r.required_string("path")?.into_owned() })
    }
}

/// Appends a notification. `zxid` is the transaction's (3.9), -1 for events made by setWatches.
pub fn event_frame(out: &mut Vec<u8>, zxid: Zxid, kind: EventKind, path: &str) {
    const SYNC_CONNECTED: i32 = 3;
    let frame = FrameBuilder::reply(out, ReplyHeader { xid: super::xid::NOTIFICATION, zxid, err: 0 });
    let mut w = Writer::new(out);
    w.i32(kind as i32);
    w.i32(SYNC_CONNECTED);
    w.string(Some(path));
    frame.finish(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_follow_each_other_and_can_be_taken_back() {
        let mut out = Vec::new();
        error_reply(&mut out, 7, Zxid(9), Code::NoNode);
        assert_eq!(out.len(), 20);
        assert_eq!(&out[..4], &[0, 0, 0, 16]);
        let f = FrameBuilder::begin(&mut out);
        out.extend_from_slice(b"half");
        f.abandon(&mut out);
        assert_eq!(out.len(), 20);
        event_frame(&mut out, Zxid(3), EventKind::Deleted, "/a");
        let mut r = Reader::new(&out[24..]);
        assert_eq!(ReplyHeader::decode(&mut r).unwrap().xid, -1);
        assert_eq!(WatcherEvent::decode(&mut r), Ok(WatcherEvent { kind: 2, state: 3, path: "/a".into() }));
    }
}
