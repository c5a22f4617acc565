//! Creates: plain, sequential, ephemeral, container, TTL.
//!
//! # Invariants
//!
//! * The op code decides the kind of node, the flags decide sequence and ephemerality
//!   (a plain create with the container flag makes a plain node, as in ZooKeeper).
//! * The digest is computed from the node that will be made.

use super::super::changes::{Mark, NodeState};
use super::{Admission, Refusal, parent_of, share, valid};
use crate::auth::fix_up;
use crate::error::Code;
use crate::proto::{CreateKind, OpCode};
use crate::tree::digest;
use crate::txn::{CreateTxn, SubTxn, Txn};
use crate::types::mode::{CONTAINER_OWNER, MAX_TTL};
use crate::types::{Acl, CreateMode, Owner, StatPersisted, mutant};
use bytes::Bytes;

/// A create as requested.
pub(super) struct New<'r> {
    pub kind: CreateKind,
    pub path: &'r str,
    pub data: Option<&'r [u8]>,
    pub acl: &'r [Acl],
    pub flags: i32,
}

impl Admission<'_> {
    pub(super) fn create(
        &mut self,
        new: &New<'_>,
        frame: &Bytes,
        mark: Option<&mut Mark>,
    ) -> Result<SubTxn, Refusal> {
        let mode = CreateMode::from_flags(new.flags).ok_or(Code::BadArguments)?;
        self.check_ttl(new.kind, mode)?;
        if mode.is_ephemeral() {
            self.check_owner()?
        } else {
            self.check_session()?
        }
        let parent_path = parent_of(new.path)?;
        let acl = fix_up(new.acl, self.caller()).map_err(|_| Code::InvalidAcl)?;
        let parent = self.outstanding.get(&self.store.tree, parent_path);
        let parent = if mutant::on("error-code") { parent.map_err(|_| Code::NodeExists)? } else { parent? };
        self.require(&parent.acl, OpCode::Create)?;
        let path = if mode.is_sequential() && mutant::on("sequence-without-padding") {
            format!("{}{}", new.path, parent.stat.cversion)
        } else if mode.is_sequential() {
            format!("{}{:010}", new.path, parent.stat.cversion)
        } else {
            new.path.to_owned()
        };
        valid(&path)?;
        if self.outstanding.exists(&self.store.tree, &path) {
            return Err(Code::NodeExists.into());
        }
        if matches!(self.owner(parent.stat.ephemeral_owner), Owner::Session(_)) {
            return Err(Code::NoChildrenForEphemerals.into());
        }
        let len = new.data.map_or(0, <[u8]>::len) as i64;
        self.quota(&path, len, 1)?;
        self.may_grow()?;
        let cversion = parent.stat.cversion.wrapping_add(1);
        let owner = self.new_owner(new.kind, mode);
        self.note_create(&path, parent_path, new.data, &acl, owner, parent, cversion, mark);
        let ephemeral = mode.is_ephemeral() && matches!(new.kind, CreateKind::Create | CreateKind::Create2);
        let body =
            CreateTxn { path, data: share(frame, new.data), acl, ephemeral, parent_cversion: cversion };
        let txn = match new.kind {
            CreateKind::Create | CreateKind::Create2 => Txn::Create(body),
            CreateKind::Container => Txn::CreateContainer(body),
            CreateKind::Ttl(ttl) => Txn::CreateTtl(body, ttl),
        };
        Ok(SubTxn { kind: new.kind.op().number(), txn })
    }

    /// `validateCreateRequest`: TTL flags need extended types, and a TTL exactly where the flag
    /// says so. A TTL operation without the flag is refused: it would make no TTL node.
    fn check_ttl(&self, kind: CreateKind, mode: CreateMode) -> Result<(), Refusal> {
        if mode.is_ttl() && !self.config.tree.extended_types {
            return Err(Code::Unimplemented.into());
        }
        let fits = match kind {
            CreateKind::Ttl(ttl) => mode.is_ttl() && (1..=MAX_TTL).contains(&ttl),
            _ => !mode.is_ttl(),
        };
        if fits { Ok(()) } else { Err(Code::BadArguments.into()) }
    }

    fn owner(&self, field: i64) -> Owner {
        Owner::decode(field, self.config.tree.extended_types, self.config.tree.emulate_353_ttl)
    }

    fn new_owner(&self, kind: CreateKind, mode: CreateMode) -> i64 {
        match kind {
            CreateKind::Container => CONTAINER_OWNER,
            CreateKind::Ttl(ttl) => Owner::encode_ttl(ttl),
            _ if mode.is_ephemeral() => self.session.0,
            _ => 0,
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn note_create(
        &mut self,
        path: &str,
        parent_path: &str,
        data: Option<&[u8]>,
        acl: &[Acl],
        owner: i64,
        parent: NodeState,
        cversion: i32,
        mut mark: Option<&mut Mark>,
    ) {
        let mut stat = parent.stat;
        stat.cversion = stat.cversion.max(cversion);
        if stat.cversion > parent.stat.cversion {
            stat.pzxid = self.zxid.0;
        }
        let mut after = parent.with_stat(stat);
        after.children += 1;
        self.outstanding.put(self.zxid, parent_path, Some(&parent), Some(after), mark.as_deref_mut());
        let stat = StatPersisted {
            czxid: self.zxid.0,
            mzxid: self.zxid.0,
            pzxid: self.zxid.0,
            ctime: self.wall_ms,
            mtime: self.wall_ms,
            ephemeral_owner: owner,
            ..Default::default()
        };
        let node = NodeState {
            stat,
            children: 0,
            acl: acl.into(),
            digest: digest::of(path, data, &stat),
            data_len: data.map_or(0, <[u8]>::len) as i64,
        };
        self.outstanding.put(self.zxid, path, None, Some(node), mark);
    }
}
