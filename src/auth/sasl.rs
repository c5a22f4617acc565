//! What a SASL exchange tells the node: steps, logins and refusals.
//!
//! The exchange itself runs in `kerberos`, on its own threads. The node sees tokens go out
//! and one of these come back.
//!
//! # Invariants
//!
//! * A [`Login`] exists only for a name that was mapped and is allowed: whoever holds one need
//!   not check again. It is decided before the client's last token is answered.

use super::reason::Reason;

/// SASL mechanisms of ZooKeeper clients. No name travels: the first token tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mechanism {
    /// Kerberos 5 through GSSAPI (RFC 4752).
    Gssapi,
    /// RFC 2831, as Java speaks it.
    DigestMd5,
}

impl Mechanism {
    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Mechanism::Gssapi => "GSSAPI",
            Mechanism::DigestMd5 => "DIGEST-MD5",
        }
    }
}

/// Somebody proved who it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// How.
    pub mechanism: Mechanism,
    /// The name that was proven: a full principal, or the DIGEST-MD5 user.
    pub principal: String,
    /// The id of scheme `sasl` that ACLs know (`SaslServerCallbackHandler`: short name, then host and realm
    /// unless they are removed).
    pub id: String,
    /// Our own service principal that the ticket was for (GSSAPI).
    pub service: Option<String>,
    /// When the ticket ends, seconds of Unix time (GSSAPI).
    pub ends: Option<i64>,
}

/// Somebody did not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// The name that it claims or has proven, as far as it is known. Not escaped: the log line does that.
    pub who: Option<String>,
    /// The particulars: numbers, names, the text of a library. Never a secret.
    pub detail: String,
}

impl Refusal {
    /// A refusal of somebody whose name is not known yet.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Refusal {
        Refusal { reason, who: None, detail: detail.into() }
    }

    /// The same, with the name.
    pub fn of(self, who: impl Into<String>) -> Refusal {
        Refusal { who: Some(who.into()), ..self }
    }
}

/// What one token of the client led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SaslStep {
    /// The exchange goes on: this token is sent.
    Challenge(Vec<u8>),
    /// It is over and the client is logged in. `last` is the token of the last reply: none for GSSAPI
    /// (it must travel as a null buffer), `rspauth` for DIGEST-MD5.
    Done {
        /// Token of the last reply.
        last: Option<Vec<u8>>,
        /// Who it is.
        login: Login,
    },
    /// It is over and the client is refused.
    Refused(Refusal),
    /// Our own fault, or a passing one (an unreadable keytab, a full queue): the socket is closed without a
    /// reply, so that the client tries another server instead of giving up.
    Broken(Refusal),
}
