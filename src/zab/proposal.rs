//! What the protocol has to see of a transaction: its own zxid, and the configuration it proposes.
//!
//! # Invariants
//!
//! * Total: bytes that are no transaction hold neither.

use super::types::Proposal;
use crate::config::quorum::Ensemble;
use crate::txn::{self, Txn, kind};
use crate::types::Zxid;

/// Behind session and xid.
const ZXID_AT: usize = 8 + 4;

/// Behind the zxid and the time.
const KIND_AT: usize = ZXID_AT + 8 + 8;

impl Proposal {
    /// The zxid inside the bytes, which a log entry must agree with.
    pub(super) fn inner_zxid(&self) -> Option<Zxid> {
        let bytes = self.bytes.get(ZXID_AT..ZXID_AT + 8)?;
        bytes.try_into().ok().map(|b| Zxid(i64::from_be_bytes(b)))
    }

    /// The configuration that it proposes, if it is a reconfiguration.
    pub fn configuration(&self) -> Option<Ensemble> {
        let number = self.bytes.get(KIND_AT..KIND_AT + 4)?.try_into().ok().map(i32::from_be_bytes)?;
        if number != kind::RECONFIG {
            return None;
        }
        match txn::decode(&self.bytes).ok()?.txn {
            Txn::SetData { data: Some(data), .. } => {
                Ensemble::parse(std::str::from_utf8(&data).ok()?, true).ok()
            }
            _ => None,
        }
    }
}
