//! The event as which every decision of the server leaves: done, denied, failed.
//!
//! Below the sans-IO line nothing is logged or counted; whoever answers a
//! request makes one [`Decision`] of it and hands it to the [`DecisionSink`]s
//! (metrics, audit log).
//!
//! # Invariants
//!
//! * One decision per request; a multi makes one per sub-operation that was
//!   done, or one [`Operation::Multi`] that failed, as ZooKeeper audits it.
//! * No secret is part of a decision: never data, passwords or tokens.

use std::net::IpAddr;

use super::stages::StageTimes;
use super::{Acl, CreateMode, SessionId};
use crate::error::Code;

macro_rules! operations {
    ($($operation:ident $name:literal $audit:expr, $is:literal;)*) => {
        /// What was decided upon.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Operation {
            $(#[doc = $is] $operation,)*
        }

        impl Operation {
            /// All operations.
            pub const ALL: &[Operation] = &[$(Operation::$operation,)*];

            /// The operation's name in metrics.
            pub fn name(self) -> &'static str {
                match self {
                    $(Operation::$operation => $name,)*
                }
            }

            /// The name in ZooKeeper's audit log (`AuditConstants`); none for
            /// what ZooKeeper does not audit.
            pub fn audit_name(self) -> Option<&'static str> {
                match self {
                    $(Operation::$operation => $audit,)*
                }
            }
        }
    };
}

operations! {
    Create "create" Some("create"), "Any create.";
    Delete "delete" Some("delete"), "Delete, of containers too.";
    SetData "set_data" Some("setData"), "Set data.";
    SetAcl "set_acl" Some("setAcl"), "Set an ACL.";
    Multi "multi" Some("multiOperation"), "A multi that failed as a whole.";
    Reconfig "reconfig" Some("reconfig"), "A reconfiguration.";
    EphemeralDelete "ephemeral_delete" Some("ephemeralZNodeDeletionOnSessionCloseOrExpire"),
        "An ephemeral znode went with its session.";
    ServerStart "server_start" Some("serverStart"), "The server started, or could not.";
    ServerStop "server_stop" Some("serverStop"), "The server was asked to stop.";
    GetData "get_data" None, "Get data.";
    Exists "exists" None, "Exists.";
    GetChildren "get_children" None, "Get children, ephemerals, or their number.";
    GetAcl "get_acl" None, "Get an ACL.";
    Check "check" None, "A version check.";
    MultiRead "multi_read" None, "Several reads.";
    Sync "sync" None, "Sync.";
    Watch "watch" None, "Watches set, checked or removed.";
    WhoAmI "who_am_i" None, "Who am I.";
    Connect "connect" None, "A session opened or resumed.";
    Close "close" None, "A session closed or expired.";
    Authenticate "authenticate" None, "An identity presented: auth, SASL, TLS.";
    FourLetterWord "four_letter_word" None, "A four-letter word.";
    Admin "admin" None, "An admin command.";
}

/// How it was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Done.
    Ok,
    /// Refused: identity, ACL, quota, limit.
    Denied,
    /// Not possible: no such znode, wrong version, bad input.
    Failed,
    /// Asked for; the end is not awaited (the server stops).
    Invoked,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: &[Outcome] = &[Outcome::Ok, Outcome::Denied, Outcome::Failed, Outcome::Invoked];

    /// The outcome's name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Invoked => "invoked",
        }
    }

    /// The outcome of a request that is answered with `code`.
    pub fn of(code: Code) -> Self {
        match code {
            Code::Ok => Self::Ok,
            Code::NoAuth
            | Code::AuthFailed
            | Code::SessionClosedRequireSaslAuth
            | Code::QuotaExceeded
            | Code::ThrottledOp
            | Code::ReconfigDisabled
            | Code::NotReadOnly => Self::Denied,
            _ => Self::Failed,
        }
    }
}

/// Who asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Who<'a> {
    /// The session, if there is one.
    pub session: Option<SessionId>,
    /// User names of all identities, joined by commas (`AuthUtil.getUsers`); the
    /// account of the process for what the server does by itself.
    pub user: Option<&'a str>,
    /// The client's address; none for what the server does by itself.
    pub address: Option<IpAddr>,
}

/// One decision. Borrows everything: nothing is allocated for a sink that only
/// counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision<'a> {
    /// When it was made, milliseconds since 1970.
    pub wall_ms: i64,
    /// When the request reached which stage.
    pub stages: StageTimes,
    /// Who asked.
    pub who: Who<'a>,
    /// What was decided upon.
    pub operation: Operation,
    /// The znode; of a create that was done, its final name.
    pub path: Option<&'a str>,
    /// The mode of a create.
    pub mode: Option<CreateMode>,
    /// The list of a set ACL, as asked for.
    pub acl: Option<&'a [Acl]>,
    /// How it was decided.
    pub outcome: Outcome,
    /// The code of the answer.
    pub code: Code,
}

impl<'a> Decision<'a> {
    /// A decision about `operation` that is answered with `code`.
    pub fn new(who: Who<'a>, operation: Operation, code: Code, wall_ms: i64) -> Self {
        Self {
            wall_ms,
            stages: StageTimes::default(),
            who,
            operation,
            path: None,
            mode: None,
            acl: None,
            outcome: Outcome::of(code),
            code,
        }
    }

    /// The decision about the znode at `path`.
    pub fn at(self, path: &'a str) -> Self {
        Self { path: Some(path), ..self }
    }
}

/// Takes decisions. Called where requests are answered: must not wait.
pub trait DecisionSink: Send + Sync {
    /// Takes one decision.
    fn decided(&self, decision: &Decision<'_>);
}

/// Hands each decision to several sinks, in order.
#[derive(Default)]
pub struct Sinks(pub Vec<Box<dyn DecisionSink>>);

impl DecisionSink for Sinks {
    fn decided(&self, decision: &Decision<'_>) {
        self.0.iter().for_each(|sink| sink.decided(decision));
    }
}

impl<S: DecisionSink + ?Sized> DecisionSink for std::sync::Arc<S> {
    fn decided(&self, decision: &Decision<'_>) {
        (**self).decided(decision);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_from_failures() {
        for code in crate::error::ALL {
            let expected = match code {
                Code::Ok => Outcome::Ok,
                Code::NoAuth | Code::QuotaExceeded | Code::AuthFailed => Outcome::Denied,
                Code::NoNode | Code::BadVersion | Code::NodeExists | Code::MarshallingError => {
                    Outcome::Failed
                }
                _ => continue,
            };
            assert_eq!(Outcome::of(*code), expected, "{code:?}");
        }
    }

    #[test]
    fn zookeeper_audits_nine_operations() {
        let audited = Operation::ALL.iter().filter(|o| o.audit_name().is_some());
        assert_eq!(audited.count(), 9);
    }
}
