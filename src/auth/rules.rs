//! One table: which permission each operation needs, on which znode.
//!
//! # Invariants
//!
//! * The match is exhaustive: an op code without a rule does not compile.

use crate::proto::OpCode;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn container_deletes_are_not_for_clients() {
        assert_eq!(rule(OpCode::DeleteContainer), Rule::ServerOnly);
        assert_eq!(rule(OpCode::Create2), Rule::Parent(perms::CREATE));
    }
}
