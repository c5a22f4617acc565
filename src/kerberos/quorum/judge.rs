//! The mechanisms of the server's side, as a [`Judge`] of learners.
//!
//! # Invariants
//!
//! * Who may join is decided with the name, before the last reply: no learner hears of a success that is none.

use super::{Judge, Members, Verdict};
use crate::auth::reason::Reason;
use crate::auth::sasl::{Mechanism, Refusal, SaslStep};
use crate::kerberos::server::{Names, SaslServer};
use std::sync::Arc;

/// From proven names to names that may join, for a [`SaslServer`] between servers: Kerberos by `members`,
/// DIGEST-MD5 by the users of its section, who are all servers.
pub fn names(members: Members) -> Names {
    names_now(move |name| members.allow(name))
}

/// The same with members that may change while the server runs.
pub(super) fn names_now(allow: impl Fn(&str) -> bool + Send + Sync + 'static) -> Names {
    Arc::new(move |mechanism, name| match mechanism {
        Mechanism::Gssapi if !allow(name) => {
            let text = "this principal is no server of the ensemble: it is neither listed nor of our own name and \
                        realm with a server's host";
            Err(Refusal::new(Reason::AuthRefused, text).of(name))
        }
        Mechanism::Gssapi | Mechanism::DigestMd5 => Ok(name.to_owned()),
    })
}

/// A judge for one connection, of a server whose names are [`names`].
pub fn judge(server: &SaslServer) -> impl Judge + use<> {
    let mut exchange = server.exchange();
    move |token: &[u8]| match exchange.step(Some(token)) {
        SaslStep::Challenge(token) => Verdict::Challenge(token),
        SaslStep::Done { last, login } => Verdict::Proven { name: login.id, last },
        SaslStep::Refused(refusal) | SaslStep::Broken(refusal) => Verdict::Refused(refusal),
    }
}
