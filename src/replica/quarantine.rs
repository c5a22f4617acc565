//! When the tree differs from what a transaction's digest says it must be.
//!
//! A member that differs serves nobody from that transaction on and says so: it keeps the evidence
//! and learns everything anew from its leader. A standalone server only tells, as ZooKeeper does:
//! nobody else has its data.
//!
//! # Invariants
//!
//! * A state that was streamed under traffic is of several moments until the leader says that all is
//!   sent: until then digests say nothing and are not compared.
//! * Learning anew is tried once for a difference that was there from the start: whoever gets the
//!   same difference again from its leader reports it and serves, as ZooKeeper does.

use super::node::Node;
use super::observe::Event;
use super::role::Role;
use super::shared::Store;
use crate::txn::{DIGEST_VERSION, Record};
use crate::types::{Zxid, mutant};
use std::fmt::{self, Write as _};

/// The evidence of a difference.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Divergence {
    /// After this transaction.
    pub zxid: Zxid,
    /// The tree's digest that the leader computed.
    pub recorded: i64,
    /// The tree's digest here.
    pub computed: i64,
    /// The last transaction after which both were equal, if there was one.
    pub agreed: Option<Zxid>,
    /// The transaction: header, body and digest, as in the log.
    pub transaction: Vec<u8>,
}

impl Divergence {
    /// The file that keeps it, in Oxkeeper's own folder beside the data.
    pub fn file_name(&self) -> String {
        format!("divergence.{:x}", self.zxid.0)
    }

    /// What the file holds: everything that is known, and the transaction's bytes in hexadecimal.
    pub fn report(&self) -> String {
        let mut text = format!("{self}\ntransaction ");
        for byte in &self.transaction {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
        text
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Divergence { zxid, recorded, computed, .. } = self;
        write!(f, "after {zxid} the digest here is 0x{computed:x} and the ensemble's 0x{recorded:x}; ")?;
        match self.agreed {
            Some(agreed) => write!(f, "both were equal after {agreed}"),
            None => f.write_str("they were not seen equal since this state was loaded"),
        }
    }
}

/// How far this member's tree is to be trusted.
#[derive(Debug, Default)]
pub(super) struct Trust {
    fuzzy: bool,
    agreed: Option<Zxid>,
    relearned: bool,
    lost: Option<Box<Divergence>>,
}

impl Trust {
    /// Did the tree differ?
    pub fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// The state is replaced; whether it is of one moment is not known yet.
    pub fn replaced(&mut self) {
        let relearned = self.relearned || self.lost.is_some();
        *self = Trust { fuzzy: true, relearned, ..Trust::default() };
    }

    /// From now on the state is of one moment.
    pub fn exact(&mut self) {
        self.fuzzy = false;
    }

    fn differs(&mut self, record: &Record, recorded: i64, computed: i64) -> bool {
        if self.relearned && self.agreed.is_none() {
            return false;
        }
        let (zxid, agreed, transaction) = (record.header.zxid, self.agreed, record.to_bytes());
        self.lost = Some(Box::new(Divergence { zxid, recorded, computed, agreed, transaction }));
        true
    }
}

impl Node {
    /// A transaction's digest says what the tree must be now. False when the node must not go on.
    pub(super) fn verify_digest(&mut self, store: &Store, record: &Record) -> bool {
        let Some(d) = record.digest.filter(|d| d.version == DIGEST_VERSION) else { return true };
        if !self.shared.config.tree.digest || self.trust.fuzzy {
            return true;
        }
        if self.trust.is_lost() {
            return false;
        }
        let (zxid, found) = (record.header.zxid, store.tree.digest());
        if found == d.digest {
            self.trust.agreed = Some(zxid);
            return true;
        }
        self.shared.note(&Event::DigestMismatch { zxid, expected: d.digest, found });
        let alone = matches!(self.role, Role::Alone) || mutant::on("difference-served");
        alone || !self.trust.differs(record, d.digest, found)
    }

    /// The tree differs from the ensemble's: nobody is served any more. Whoever owns the node keeps
    /// the evidence beside the data, forgets the data, and learns everything anew; [`Node::replace`]
    /// ends this.
    pub fn divergence(&self) -> Option<&Divergence> {
        self.trust.lost.as_deref()
    }
}
