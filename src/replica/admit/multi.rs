//! Multi: all parts or none, under one zxid.
//!
//! # Invariants
//!
//! * Every part sees the parts before it.
//! * After the first refusal nothing of the multi is left under way; the transaction holds
//!   only error parts: the refusal's code, and RUNTIMEINCONSISTENCY for the parts after it.

use super::{Admission, Admitted, NO_ROOM, Refusal, only_writes};
use crate::error::Code;
use crate::proto::MultiOp;
use crate::txn::{SubTxn, Txn, kind};
use crate::types::mutant;
use bytes::Bytes;

impl Admission<'_> {
    pub(super) fn multi(&mut self, ops: &[MultiOp<'_>], frame: &Bytes) -> Admitted {
        if !only_writes(ops) {
            return Admitted::Txn(self.failed(Code::MarshallingError));
        }
        let mut mark = self.outstanding.mark();
        let mut parts = self.spare.list();
        parts.reserve(ops.len());
        let mut refused = None;
        for op in ops {
            match self.one(&op.request, frame, Some(&mut mark)) {
                Ok(part) => parts.push(part),
                Err(Refusal(code)) => {
                    refused = Some(code);
                    break;
                }
            }
        }
        if refused.is_some() && mutant::on("multi-partial") {
            parts.truncate(1);
            return Admitted::Txn(self.record(kind::MULTI, Txn::Multi(parts)));
        }
        if let Some(code) = refused {
            self.outstanding.undo(mark);
            if code == NO_ROOM.0 {
                return Admitted::Refused(code);
            }
            let failed = parts.len();
            parts = (0..ops.len()).map(|i| error_part(i, failed, code)).collect();
        } else {
            self.outstanding.keep(mark);
        }
        Admitted::Txn(self.record(kind::MULTI, Txn::Multi(parts)))
    }
}

fn error_part(i: usize, failed: usize, code: Code) -> SubTxn {
    let err = match i.cmp(&failed) {
        std::cmp::Ordering::Less => Code::Ok,
        std::cmp::Ordering::Equal => code,
        std::cmp::Ordering::Greater => Code::RuntimeInconsistency,
    };
    SubTxn { kind: kind::ERROR, txn: Txn::Error { err: err.number() } }
}
