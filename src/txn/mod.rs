//! Transactions: header, bodies, multi, digest; their bytes in logs and proposals.
//!
//! # Invariants
//!
//! * What Java wrote is read back to the same bytes (but for the two forms that Java
//!   itself upgrades: `CreateTxnV0` and a close without its list).
//! * A transaction is complete: applying it needs the tree and nothing else.

mod codec;
pub mod measure;
pub mod snapshot;

pub use codec::{TxnError, decode, decode_body, encode, encode_body};

use crate::types::{Acl, Zxid};
use bytes::Bytes;

/// `TxnHeader`: whose transaction, its zxid and the leader's wall time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TxnHeader {
    /// Session that asked, 0 for the server's own deletes of container and TTL nodes.
    pub client_id: i64,
    /// The client's xid.
    pub cxid: i32,
    /// Its place in history.
    pub zxid: Zxid,
    /// Leader's wall clock, ms since 1970: becomes ctime and mtime.
    pub time: i64,
    /// Type as in the log: an op code, or -1 for a failed operation.
    pub kind: i32,
}

/// Transaction type numbers (op codes; `ZooDefs.OpCode`).
pub mod kind {
    #![allow(missing_docs)]
    pub const ERROR: i32 = -1;
    pub const CREATE: i32 = 1;
    pub const DELETE: i32 = 2;
    pub const SET_DATA: i32 = 5;
    pub const SET_ACL: i32 = 7;
    pub const CHECK: i32 = 13;
    pub const MULTI: i32 = 14;
    pub const CREATE2: i32 = 15;
    pub const RECONFIG: i32 = 16;
    pub const CREATE_CONTAINER: i32 = 19;
    pub const DELETE_CONTAINER: i32 = 20;
    pub const CREATE_TTL: i32 = 21;
    pub const CREATE_SESSION: i32 = -10;
    pub const CLOSE_SESSION: i32 = -11;
}

/// What a create makes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CreateTxn {
    /// Full path, sequence number included.
    pub path: String,
    /// Data; null is kept apart from empty.
    pub data: Option<Bytes>,
    /// ACL after fix-up.
    pub acl: Vec<Acl>,
    /// Owned by the header's session?
    pub ephemeral: bool,
    /// The parent's stored child version after this create; -1 in logs of 3.3: current + 1.
    pub parent_cversion: i32,
}

/// The body of a transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Txn {
    /// -10
    CreateSession {
        /// Negotiated time-out, ms.
        timeout: i32,
    },
    /// -11; `None` in logs of 3.5 and older, or with `closeSessionTxn.enabled=false`.
    CloseSession {
        /// Ephemerals to delete, in this order.
        paths: Option<Vec<String>>,
    },
    /// 1 and 15 (the header's kind tells which).
    Create(CreateTxn),
    /// 21
    CreateTtl(CreateTxn, i64),
    /// 19
    CreateContainer(CreateTxn),
    /// 2 and 20 (the header's kind tells which).
    Delete {
        /// Path of the node.
        path: String,
    },
    /// 5 and 16 (reconfig; the header's kind tells which).
    SetData {
        /// Path of the node.
        path: String,
        /// New data.
        data: Option<Bytes>,
        /// New version.
        version: i32,
    },
    /// 7
    SetAcl {
        /// Path of the node.
        path: String,
        /// New list.
        acl: Vec<Acl>,
        /// New ACL version.
        version: i32,
    },
    /// 13, only inside a multi; no effect.
    Check {
        /// Path of the node.
        path: String,
        /// Version that was expected.
        version: i32,
    },
    /// -1: the operation failed with this code and consumed its zxid.
    Error {
        /// `Code` number.
        err: i32,
    },
    /// 14: all or nothing; with an error inside, nothing.
    Multi(Vec<SubTxn>),
}

/// One part of a multi: its own kind and body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubTxn {
    /// Type number of the part.
    pub kind: i32,
    /// Its body.
    pub txn: Txn,
}

/// `TxnDigest`: the tree's digest after the transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TxnDigest {
    /// Digest algorithm, [`DIGEST_VERSION`]; a reader skips other versions.
    pub version: i32,
    /// 64-bit wrapping sum of node digests.
    pub digest: i64,
}

/// Version of the digest algorithm that we write and compare (3.9's).
pub const DIGEST_VERSION: i32 = 2;

/// A transaction with everything that the log keeps of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Header.
    pub header: TxnHeader,
    /// Body.
    pub txn: Txn,
    /// Digest, absent with `digest.enabled=false` and in logs before 3.6.
    pub digest: Option<TxnDigest>,
}

/// Bytes of an entry with a name and data of usual size.
const ENTRY_ROOM: usize = 160;

impl Record {
    /// Encodes header, body and digest: the log's entry, and a proposal's data.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.expected_len());
        encode(self, &mut out);
        out
    }

    /// About how many bytes [`encode`] makes of it: right for names and data of usual size.
    pub fn expected_len(&self) -> usize {
        match &self.txn {
            Txn::SetData { data: Some(data), .. } | Txn::Create(CreateTxn { data: Some(data), .. }) => {
                ENTRY_ROOM + data.len()
            }
            Txn::Multi(parts) => ENTRY_ROOM * parts.len().max(1) + ENTRY_ROOM / 2,
            _ => ENTRY_ROOM + ENTRY_ROOM / 2,
        }
    }
}
