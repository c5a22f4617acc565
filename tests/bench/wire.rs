//! The few frames the load generator speaks, encoded by hand.
//!
//! Deliberately independent of the server's own codecs: a codec that is wrong in
//! the same way on both sides must not go unnoticed, and the generator has to
//! cost as little CPU as possible beside the server on the same machine.
//!
//! # Invariants
//!
//! * A request frame carries its xid at byte 4, so that a pre-encoded block can be
//!   sent again and again without encoding anything.
//! * [`Replies`] never holds more than one partial frame beyond what was read.

use std::io::{self, Read};

/// Operation codes of the client protocol that the rows need.
pub mod op {
    /// `create`
    pub const CREATE: i32 = 1;
    /// `delete`
    pub const DELETE: i32 = 2;
    /// `exists`
    pub const EXISTS: i32 = 3;
    /// `getData`
    pub const GET: i32 = 4;
    /// `setData`
    pub const SET: i32 = 5;
    /// `getChildren`
    pub const CHILDREN: i32 = 8;
    /// `multi`
    pub const MULTI: i32 = 14;
    /// `addWatch`
    pub const ADD_WATCH: i32 = 106;
    /// `closeSession`
    pub const CLOSE: i32 = -11;
}

/// Length of a reply header: xid, zxid, error.
pub const REPLY_HEADER: usize = 16;

/// The xid of a watch event.
pub const XID_EVENT: i32 = -1;

/// The largest reply the generator accepts, in bytes.
const MAX_REPLY: usize = 4 << 20;

/// Appends jute primitives to a byte vector.
#[derive(Default)]
pub struct Out(pub Vec<u8>);

impl Out {
    /// A 32-bit integer, big endian.
    pub fn int(&mut self, v: i32) -> &mut Self {
        self.0.extend_from_slice(&v.to_be_bytes());
        self
    }

    /// A 64-bit integer, big endian.
    pub fn long(&mut self, v: i64) -> &mut Self {
        self.0.extend_from_slice(&v.to_be_bytes());
        self
    }

    /// A boolean, one byte.
    pub fn bool(&mut self, v: bool) -> &mut Self {
        self.0.push(u8::from(v));
        self
    }

    /// A buffer or string: length, then bytes.
    pub fn buf(&mut self, v: &[u8]) -> &mut Self {
        self.int(v.len() as i32);
        self.0.extend_from_slice(v);
        self
    }

    /// The ACL `world:anyone` with all permissions, as a vector of one.
    pub fn open_acl(&mut self) -> &mut Self {
        self.int(1).int(31).buf(b"world").buf(b"anyone")
    }
}

/// Puts the length in front of a body.
pub fn frame(body: &[u8]) -> Vec<u8> {
    let mut out = Out(Vec::with_capacity(body.len() + 4));
    out.buf(body);
    out.0
}

/// A request frame: length, xid, operation, then what `fill` writes.
pub fn request(xid: i32, code: i32, fill: impl FnOnce(&mut Out)) -> Vec<u8> {
    let mut body = Out::default();
    body.int(xid).int(code);
    fill(&mut body);
    frame(&body.0)
}

/// The first frame of a session: a new session with this time-out in ms.
pub fn connect(timeout_ms: i32) -> Vec<u8> {
    let mut b = Out::default();
    b.int(0).long(0).int(timeout_ms).long(0).buf(&[0; 16]).bool(false);
    frame(&b.0)
}

/// `getData`, `exists` and `getChildren` share one shape: path and watch flag.
pub fn read(code: i32, path: &str, watch: bool) -> Vec<u8> {
    request(0, code, |o| {
        o.buf(path.as_bytes()).bool(watch);
    })
}

/// `addWatch` in persistent mode.
pub fn add_persistent_watch(path: &str) -> Vec<u8> {
    request(0, op::ADD_WATCH, |o| {
        o.buf(path.as_bytes()).int(0);
    })
}

/// `setData` without a version check.
pub fn set(path: &str, data: &[u8]) -> Vec<u8> {
    request(0, op::SET, |o| {
        o.buf(path.as_bytes()).buf(data).int(-1);
    })
}

/// `create` of a persistent node, open to anyone.
pub fn create(path: &str, data: &[u8]) -> Vec<u8> {
    request(0, op::CREATE, |o| {
        o.buf(path.as_bytes()).buf(data).open_acl().int(0);
    })
}

/// `delete` without a version check.
pub fn delete(path: &str) -> Vec<u8> {
    request(0, op::DELETE, |o| {
        o.buf(path.as_bytes()).int(-1);
    })
}

/// `multi` of one `setData` per path.
pub fn multi_set(paths: &[String], data: &[u8]) -> Vec<u8> {
    request(0, op::MULTI, |o| {
        for path in paths {
            o.int(op::SET).bool(false).int(-1);
            o.buf(path.as_bytes()).buf(data).int(-1);
        }
        o.int(-1).bool(true).int(-1);
    })
}

/// Overwrites the xid of an encoded request frame.
pub fn put_xid(frame: &mut [u8], xid: i32) {
    if let Some(slot) = frame.get_mut(4..8) {
        slot.copy_from_slice(&xid.to_be_bytes());
    }
}

/// One reply as seen by the generator.
pub struct Reply {
    /// The xid of the request, or [`XID_EVENT`].
    pub xid: i32,
    /// ZooKeeper's error code, 0 for success.
    pub err: i32,
    /// Bytes behind the header.
    pub len: usize,
}

impl Reply {
    /// Fails unless this is a success with the xid due and at least `len` bytes.
    pub fn check(&self, due: i32, len: usize) -> io::Result<()> {
        if self.xid == due && self.err == 0 && self.len >= len {
            return Ok(());
        }
        let (xid, err, got) = (self.xid, self.err, self.len);
        let text = format!("reply to xid {due} with {len} bytes was: xid {xid}, error {err}, {got} bytes");
        Err(io::Error::other(text))
    }
}

/// Cuts a byte stream into replies.
pub struct Replies {
    buf: Vec<u8>,
    start: usize,
    end: usize,
}

impl Default for Replies {
    fn default() -> Self {
        Self::with_capacity(256 << 10)
    }
}

impl Replies {
    /// A reader with a buffer of this many bytes to begin with.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { buf: vec![0; bytes], start: 0, end: 0 }
    }

    /// Reads once from `source`; an end of stream is an error.
    pub fn fill(&mut self, source: &mut impl Read) -> io::Result<()> {
        if self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buf.len() {
            let doubled = self.buf.len() * 2;
            if doubled > 2 * MAX_REPLY {
                return Err(io::Error::other("a reply is larger than the generator accepts"));
            }
            self.buf.resize(doubled, 0);
        }
        let spare = self.buf.get_mut(self.end..).unwrap_or_default();
        let mut read = source.read(spare);
        // A signal, say of a child that ended.
        while read.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::Interrupted) {
            read = source.read(spare);
        }
        match read? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")),
            n => {
                self.end += n;
                Ok(())
            }
        }
    }

    /// The next whole frame, without its length.
    pub fn frame(&mut self) -> Option<&[u8]> {
        let held = self.buf.get(self.start..self.end)?;
        let (head, rest) = held.split_first_chunk::<4>()?;
        let len = u32::from_be_bytes(*head) as usize;
        let body = rest.get(..len)?;
        self.start += 4 + len;
        Some(body)
    }

    /// The next whole reply.
    pub fn next(&mut self) -> Option<Reply> {
        let body = self.frame()?;
        let (xid, rest) = body.split_first_chunk::<4>()?;
        let (_zxid, rest) = rest.split_first_chunk::<8>()?;
        let (err, body) = rest.split_first_chunk::<4>()?;
        Some(Reply { xid: i32::from_be_bytes(*xid), err: i32::from_be_bytes(*err), len: body.len() })
    }
}
