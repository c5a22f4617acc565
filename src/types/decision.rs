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
//! * An ephemeral znode that goes with its session makes one of its own.
//! * No secret is part of a decision: never data, passwords or tokens.

use std::net::IpAddr;

use super::stages::StageTimes;
use super::{Acl, CreateMode, Id, SessionId, Zxid};
use crate::error::Code;

/// In whose audit log an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audit {
    /// ZooKeeper's (`AuditConstants`), and ours.
    Java(&'static str),
    /// Ours, whatever became of it.
    Ours(&'static str),
    /// Ours, when it was refused.
    Refused(&'static str),
}

use Audit::{Java, Ours, Refused};

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

            const fn audit(self) -> Audit {
                match self {
                    $(Operation::$operation => $audit,)*
                }
            }
        }
    };
}

operations! {
    Create "create" Java("create"), "Any create.";
    Delete "delete" Java("delete"), "Delete, of containers too.";
    SetData "set_data" Java("setData"), "Set data.";
    SetAcl "set_acl" Java("setAcl"), "Set an ACL.";
    Multi "multi" Java("multiOperation"), "A multi that failed as a whole.";
    Reconfig "reconfig" Java("reconfig"), "A reconfiguration.";
    EphemeralDelete "ephemeral_delete" Java("ephemeralZNodeDeletionOnSessionCloseOrExpire"),
        "An ephemeral znode went with its session.";
    ServerStart "server_start" Java("serverStart"), "The server started, or could not.";
    ServerStop "server_stop" Java("serverStop"), "The server was asked to stop.";
    GetData "get_data" Refused("getData"), "Get data.";
    Exists "exists" Refused("exists"), "Exists.";
    GetChildren "get_children" Refused("getChildren"), "Get children, ephemerals, or their number.";
    GetAcl "get_acl" Refused("getAcl"), "Get an ACL.";
    Check "check" Refused("check"), "A version check.";
    MultiRead "multi_read" Refused("multiRead"), "Several reads.";
    Sync "sync" Refused("sync"), "Sync.";
    Watch "watch" Refused("watch"), "Watches set, checked or removed.";
    WhoAmI "who_am_i" Refused("whoAmI"), "Who am I.";
    Other "other" Refused("other"), "Anything else that a client may ask.";
    Connect "connect" Ours("sessionOpen"), "A session was opened, or refused.";
    Resume "resume" Ours("sessionResume"), "A session went on over another connection, or was refused to it.";
    Close "close" Ours("sessionClose"), "A session was closed by its client.";
    Expire "expire" Ours("sessionExpire"), "A session was silent for longer than its time-out.";
    Authenticate "authenticate" Ours("authenticate"), "An identity presented: auth, SASL, TLS.";
    FourLetterWord "four_letter_word" Refused("fourLetterWord"), "A four-letter word.";
    Admin "admin" Ours("admin"), "An admin command.";
    Rescue "rescue" Ours("rescue"), "A session was given super rights for a time, or they ended.";
    AuditFile "audit_file" Ours("auditFile"), "An audit file begins; it names where the one before ended.";
    AuditRepair "audit_repair" Ours("auditRepair"), "An audit file goes on behind a line that a crash had cut.";
    AuditLost "audit_lost" Ours("auditLost"), "Records could not be kept.";
}

impl Operation {
    /// The name in ZooKeeper's audit log (`AuditConstants`); none for what ZooKeeper does
    /// not audit.
    pub const fn audit_name(self) -> Option<&'static str> {
        match self.audit() {
            Java(name) => Some(name),
            Ours(_) | Refused(_) => None,
        }
    }

    /// The name in our audit log.
    pub const fn record_name(self) -> &'static str {
        match self.audit() {
            Java(name) | Ours(name) | Refused(name) => name,
        }
    }
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
    /// The full name that was proven in the last login (a Kerberos principal, a DIGEST-MD5
    /// user, a certificate's subject).
    pub principal: Option<&'a str>,
    /// Everything that the connection had proven to be.
    pub identities: &'a [Id],
}

/// One part of a multi that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// What it asked.
    pub operation: Operation,
    /// Of which znode.
    pub path: &'a str,
    /// What its result says.
    pub code: Code,
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
    /// Does ZooKeeper tell the mode? Not of a part of a multi that is sequential or has a
    /// time to live: it looks the mode up by the final path.
    pub mode_in_java: bool,
    /// The list of a set ACL, as asked for.
    pub acl: Option<&'a [Acl]>,
    /// The znode's list before a set ACL.
    pub acl_before: Option<&'a [Acl]>,
    /// The znode's list after a create or a set ACL that was done.
    pub acl_after: Option<&'a [Acl]>,
    /// The transaction, if there is one.
    pub zxid: Option<Zxid>,
    /// The parts of a multi that failed.
    pub parts: &'a [Part<'a>],
    /// What else is to be told, as name and value.
    pub extra: &'a [(&'static str, &'a str)],
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
            mode_in_java: true,
            acl: None,
            acl_before: None,
            acl_after: None,
            zxid: None,
            parts: &[],
            extra: &[],
            outcome: Outcome::of(code),
            code,
        }
    }

    /// The decision about the znode at `path`.
    pub fn at(self, path: &'a str) -> Self {
        Self { path: Some(path), ..self }
    }

    /// Does it belong into the audit log? Writes, logins, sessions and what the server does by
    /// itself always, everything else when it was refused.
    pub fn is_audited(&self) -> bool {
        !matches!(self.operation.audit(), Refused(_)) || self.outcome == Outcome::Denied
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
