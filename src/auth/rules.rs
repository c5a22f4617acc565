//! One table: what each operation, part, event, four-letter word and admin command must be allowed.
//!
//! Whoever serves something takes the permission from here, not from a constant of its own.
//!
//! # Invariants
//!
//! * Every match is exhaustive: an op code, event, word or command without a rule does not compile.
//! * A rule without permission bits grants nothing when it is asked for a znode's ACL: what forgets its bits
//!   is refused, not let through.

use crate::proto::{EventKind, OpCode};
use crate::types::perms;

/// What an operation must be allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// No znode is looked at, or the operation only concerns the caller itself.
    Open,
    /// One of these bits on the znode itself.
    Node(i32),
    /// One of these bits on its parent.
    Parent(i32),
    /// The bits on the znode, if it exists.
    NodeIfExists(i32),
    /// One of these bits on `/zookeeper/config`.
    Config(i32),
    /// Each part by its own rule.
    PerPart,
    /// Not for clients at all.
    ServerOnly,
}

impl Rule {
    /// The bits of which one must be granted; none where no ACL is asked.
    pub const fn bits(self) -> i32 {
        match self {
            Rule::Node(bits) | Rule::Parent(bits) | Rule::NodeIfExists(bits) | Rule::Config(bits) => bits,
            Rule::Open | Rule::PerPart | Rule::ServerOnly => 0,
        }
    }
}

/// The rule of an operation.
pub const fn rule(op: OpCode) -> Rule {
    match op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
            Rule::Parent(perms::CREATE)
        }
        OpCode::Delete => Rule::Parent(perms::DELETE),
        OpCode::Exists => Rule::NodeIfExists(perms::READ),
        OpCode::GetData
        | OpCode::GetChildren
        | OpCode::GetChildren2
        | OpCode::GetAllChildrenNumber
        | OpCode::Check => Rule::Node(perms::READ),
        OpCode::SetData => Rule::Node(perms::WRITE),
        OpCode::GetAcl => Rule::Node(perms::READ | perms::ADMIN),
        OpCode::SetAcl => Rule::Node(perms::ADMIN),
        OpCode::Reconfig => Rule::Config(perms::WRITE),
        OpCode::Multi | OpCode::MultiRead => Rule::PerPart,
        OpCode::DeleteContainer => Rule::ServerOnly,
        OpCode::Sync
        | OpCode::Ping
        | OpCode::CheckWatches
        | OpCode::RemoveWatches
        | OpCode::Auth
        | OpCode::SetWatches
        | OpCode::SetWatches2
        | OpCode::Sasl
        | OpCode::GetEphemerals
        | OpCode::AddWatch
        | OpCode::WhoAmI
        | OpCode::CreateSession
        | OpCode::CloseSession => Rule::Open,
    }
}

/// What a list's hashes may be seen by; others see `x` in their place.
pub const SEES_HASHES: i32 = perms::ADMIN;

/// Which request an operation may be a part of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartOf {
    /// A multi: all or nothing.
    Multi,
    /// A multiRead.
    MultiRead,
    /// None: it stands alone.
    Nothing,
}

/// Where an operation may be a part; there it is allowed by [`rule`], as if it stood alone. No part has parts.
pub const fn part_of(op: OpCode) -> PartOf {
    match op {
        OpCode::Create
        | OpCode::Create2
        | OpCode::CreateContainer
        | OpCode::CreateTtl
        | OpCode::Delete
        | OpCode::SetData
        | OpCode::Check => PartOf::Multi,
        OpCode::GetData | OpCode::GetChildren => PartOf::MultiRead,
        OpCode::Multi
        | OpCode::MultiRead
        | OpCode::Exists
        | OpCode::GetChildren2
        | OpCode::GetAllChildrenNumber
        | OpCode::GetAcl
        | OpCode::SetAcl
        | OpCode::Reconfig
        | OpCode::DeleteContainer
        | OpCode::Sync
        | OpCode::Ping
        | OpCode::CheckWatches
        | OpCode::RemoveWatches
        | OpCode::Auth
        | OpCode::SetWatches
        | OpCode::SetWatches2
        | OpCode::Sasl
        | OpCode::GetEphemerals
        | OpCode::AddWatch
        | OpCode::WhoAmI
        | OpCode::CreateSession
        | OpCode::CloseSession => PartOf::Nothing,
    }
}

/// What whoever watches must be allowed at the moment of an event, on the list that the change names: that of
/// the new znode, of the znode as it was, or of the one whose children changed.
pub const fn event_bits(kind: EventKind) -> i32 {
    match kind {
        EventKind::Created | EventKind::Deleted | EventKind::DataChanged | EventKind::ChildrenChanged => {
            perms::READ
        }
    }
}

/// Who may use a four-letter word. None changes the state of the tree or of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WordRule {
    /// Everybody, whatever the whitelist says.
    Everybody,
    /// Everybody, where the whitelist has it.
    Listed,
    /// The same, limited in rate, number at once and size: its answer grows with connections or watches.
    ListedAndLimited,
}

/// What somebody may do at the admin server, each with everything before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AdminRole {
    /// Look: commands that change nothing, the console.
    Read,
    /// Reset numbers, set the trace mask, shed connections.
    Operate,
    /// Take all data out by a snapshot, replace it by a restore.
    Restore,
}

impl AdminRole {
    /// All roles, the least first.
    pub const ALL: [AdminRole; 3] = [AdminRole::Read, AdminRole::Operate, AdminRole::Restore];

    /// As keys and texts name it.
    pub const fn name(self) -> &'static str {
        match self {
            AdminRole::Read => "read",
            AdminRole::Operate => "operate",
            AdminRole::Restore => "restore",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn container_deletes_are_not_for_clients() {
        assert_eq!(rule(OpCode::DeleteContainer), Rule::ServerOnly);
        assert_eq!(rule(OpCode::Create2), Rule::Parent(perms::CREATE));
    }

    #[test]
    fn parts_write_or_read_and_none_has_parts() {
        for op in OpCode::ALL.iter().copied() {
            let bits = rule(op).bits();
            match part_of(op) {
                PartOf::Multi => assert!(op == OpCode::Check || bits & perms::READ == 0, "{op:?}"),
                PartOf::MultiRead => assert_eq!(bits, perms::READ, "{op:?}"),
                PartOf::Nothing => continue,
            }
            assert!(bits != 0 && !matches!(rule(op), Rule::PerPart | Rule::ServerOnly), "{op:?}");
        }
    }
}
