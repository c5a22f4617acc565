//! Deletes, data, ACLs, version checks, and the server's own deletes.
//!
//! # Invariants
//!
//! * A delete needs the right on the parent before the node is even looked for: whoever may
//!   not delete there does not learn what exists.

use super::super::changes::{Mark, NodeState};
use super::{Admission, Refusal, next_version, parent_of, share, valid};
use crate::auth::fix_up;
use crate::error::Code;
use crate::proto::OpCode;
use crate::tree::digest;
use crate::txn::{SubTxn, Txn, kind};
use crate::types::{Acl, Owner, StatPersisted, mutant};
use bytes::Bytes;
use std::collections::BTreeSet;

impl Admission<'_> {
    pub(super) fn delete(
        &mut self,
        path: &str,
        version: i32,
        mark: Option<&mut Mark>,
    ) -> Result<SubTxn, Refusal> {
        self.check_session()?;
        let parent_path = deletable_parent(path)?;
        let parent = self.outstanding.get(&self.store.tree, parent_path)?;
        if mark.is_none() || !mutant::on("part-unchecked") {
            self.require(&parent.acl, OpCode::Delete)?;
        }
        let node = self.outstanding.get(&self.store.tree, path)?;
        next_version(node.stat.version, version)?;
        if node.children > 0 {
            return Err(Code::NotEmpty.into());
        }
        self.note_delete(path, node, parent_path, parent, mark);
        Ok(SubTxn { kind: kind::DELETE, txn: Txn::Delete { path: self.spare.path(path) } })
    }

    /// The server deletes an empty container or an expired TTL node; `None` when it is neither any more.
    pub fn delete_container(&mut self, path: &str) -> Option<SubTxn> {
        let parent_path = deletable_parent(path).ok()?;
        let node = self.outstanding.get(&self.store.tree, path).ok()?;
        let tree = &self.config.tree;
        let owner = Owner::decode(node.stat.ephemeral_owner, tree.extended_types, tree.emulate_353_ttl);
        if node.children > 0 || !matches!(owner, Owner::Container | Owner::Ttl(_)) {
            return None;
        }
        let parent = self.outstanding.get(&self.store.tree, parent_path).ok()?;
        self.note_delete(path, node, parent_path, parent, None);
        Some(SubTxn { kind: kind::DELETE_CONTAINER, txn: Txn::Delete { path: self.spare.path(path) } })
    }

    fn note_delete(
        &mut self,
        path: &str,
        node: NodeState,
        parent_path: &str,
        parent: NodeState,
        mut mark: Option<&mut Mark>,
    ) {
        let stat = StatPersisted { pzxid: parent.stat.pzxid.max(self.zxid.0), ..parent.stat };
        let mut after = parent.with_stat(stat);
        after.children -= 1;
        self.outstanding.put(self.zxid, parent_path, Some(&parent), Some(after), mark.as_deref_mut());
        self.outstanding.put(self.zxid, path, Some(&node), None, mark);
    }

    pub(super) fn set_data(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        version: i32,
        frame: &Bytes,
        mark: Option<&mut Mark>,
    ) -> Result<SubTxn, Refusal> {
        self.check_session()?;
        valid(path)?;
        let node = self.outstanding.get(&self.store.tree, path)?;
        if !mutant::on("acl-ignored") {
            self.require(&node.acl, OpCode::SetData)?;
        }
        let len = data.map_or(0, <[u8]>::len) as i64;
        self.quota(path, len - node.data_len, 0)?;
        let version = next_version(node.stat.version, version)?;
        self.may_grow()?;
        let mut after = node.clone();
        after.stat.version = version;
        after.stat.mtime = self.wall_ms;
        after.stat.mzxid = self.zxid.0;
        after.digest = digest::of(path, data, &after.stat);
        after.data_len = len;
        self.outstanding.put(self.zxid, path, Some(&node), Some(after), mark);
        let txn = Txn::SetData { path: self.spare.path(path), data: share(frame, data), version };
        Ok(SubTxn { kind: kind::SET_DATA, txn })
    }

    pub(super) fn set_acl(
        &mut self,
        path: &str,
        acl: &[Acl],
        version: i32,
        mark: Option<&mut Mark>,
    ) -> Result<SubTxn, Refusal> {
        self.check_session()?;
        valid(path)?;
        let acl = fix_up(acl, self.caller()).map_err(|_| Code::InvalidAcl)?;
        let node = self.outstanding.get(&self.store.tree, path)?;
        self.require(&node.acl, OpCode::SetAcl)?;
        let version = next_version(node.stat.aversion, version)?;
        self.may_grow()?;
        let mut after = node.with_stat(StatPersisted { aversion: version, ..node.stat });
        after.acl = acl.as_slice().into();
        self.outstanding.put(self.zxid, path, Some(&node), Some(after), mark);
        Ok(SubTxn { kind: kind::SET_ACL, txn: Txn::SetAcl { path: path.to_owned(), acl, version } })
    }

    pub(super) fn check(&mut self, path: &str, version: i32) -> Result<SubTxn, Refusal> {
        self.check_session()?;
        valid(path)?;
        let node = self.outstanding.get(&self.store.tree, path)?;
        self.require(&node.acl, OpCode::Check)?;
        let version = next_version(node.stat.version, version)?;
        Ok(SubTxn { kind: kind::CHECK, txn: Txn::Check { path: self.spare.path(path), version } })
    }

    /// Ends the session: its ephemerals, those under way included, in path order.
    pub fn close_session(&mut self) -> SubTxn {
        let tree = &self.store.tree;
        let mut paths: BTreeSet<String> = tree.ephemerals(self.session.0).collect();
        self.outstanding.adjust_ephemerals(self.session.0, &mut paths);
        for path in &paths {
            let Ok(parent_path) = parent_of(path) else { continue };
            let node = self.outstanding.get(tree, path);
            let parent = self.outstanding.get(tree, parent_path);
            if let (Ok(node), Ok(parent)) = (node, parent) {
                self.note_delete(path, node, parent_path, parent, None);
            }
        }
        self.sessions.set_closing(self.session);
        let paths = self.config.close_session_paths.then(|| paths.into_iter().collect());
        SubTxn { kind: kind::CLOSE_SESSION, txn: Txn::CloseSession { paths } }
    }
}

/// The parent of a path that may be deleted: not the root, nor the server's own nodes.
fn deletable_parent(path: &str) -> Result<&str, Refusal> {
    let parent = parent_of(path)?;
    match path {
        "/" | "/zookeeper" | "/zookeeper/quota" | "/zookeeper/config" => Err(Code::BadArguments.into()),
        _ => Ok(parent),
    }
}
