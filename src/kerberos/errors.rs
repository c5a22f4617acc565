//! What libgssapi refuses, in the words of the operator.
//!
//! # Invariants
//!
//! * Routine errors of GSSAPI are numbers in a field of the major status, not bits; they are compared as numbers.
//! * A refusal for want of a key names what the ticket was made with beside what the keytab holds.
//! * What is our own fault, or will pass by itself, is never an AUTHFAILED: clients give up on that for good.

use std::fmt;

use libgssapi::error::Error;

use super::keytab::{Entry, Keytab, enctype_name};
use super::names;
use super::refused::No;
use super::skew::{Opened, in_words};
use super::token::ApReq;
use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::error::Culprit;

/// Kerberos cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KerberosError {
    /// Who has to act.
    pub culprit: Culprit,
    /// What is wrong, with names, files and lines.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

impl KerberosError {
    /// The configuration, or a file that it names, is at fault.
    pub fn config(what: impl Into<String>, cure: impl Into<String>) -> KerberosError {
        KerberosError { culprit: Culprit::Config, what: what.into(), cure: cure.into() }
    }

    /// We are.
    pub(super) fn bug(what: impl Into<String>) -> KerberosError {
        KerberosError { culprit: Culprit::Bug, what: what.into(), cure: "report this line".to_owned() }
    }
}

impl fmt::Display for KerberosError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.culprit, self.what, self.cure)
    }
}

impl std::error::Error for KerberosError {}

/// Routine errors of GSSAPI (RFC 2744, 3.9.1).
mod routine {
    pub const BAD_MECH: u32 = 1;
    pub const DEFECTIVE_TOKEN: u32 = 9;
    pub const CREDENTIALS_EXPIRED: u32 = 11;
}

/// Codes of libkrb5 (krb5.h).
mod krb5 {
    pub const ETYPE_NOSUPP: i32 = -1_765_328_370;
    pub const BAD_INTEGRITY: i32 = -1_765_328_353;
    pub const TKT_EXPIRED: i32 = -1_765_328_352;
    pub const TKT_NYV: i32 = -1_765_328_351;
    pub const REPEAT: i32 = -1_765_328_350;
    pub const NOT_US: i32 = -1_765_328_349;
    pub const BADMATCH: i32 = -1_765_328_348;
    pub const SKEW: i32 = -1_765_328_347;
    pub const BADVERSION: i32 = -1_765_328_345;
    pub const MSG_TYPE: i32 = -1_765_328_344;
    pub const MODIFIED: i32 = -1_765_328_343;
    pub const ILL_CR_TKT: i32 = -1_765_328_341;
    pub const BADKEYVER: i32 = -1_765_328_340;
    pub const NOKEY: i32 = -1_765_328_339;
    pub const INAPP_CKSUM: i32 = -1_765_328_334;
    pub const PATH_NOT_ACCEPTED: i32 = -1_765_328_333;
    pub const WRONG_PRINC: i32 = -1_765_328_240;
    pub const PROG_ETYPE_NOSUPP: i32 = -1_765_328_234;
    pub const RC_REPLAY: i32 = -1_765_328_221;
    pub const RC: std::ops::RangeInclusive<i32> = -1_765_328_225..=-1_765_328_212;
    pub const KT_NOTFOUND: i32 = -1_765_328_203;
    pub const BAD_ENCTYPE: i32 = -1_765_328_196;
    pub const KT_KVNONOTFOUND: i32 = -1_765_328_154;
    pub const NOPERM_ETYPE: i32 = -1_765_328_148;
}

/// Everything that is known about a refused AP-REQ.
pub(super) struct Case<'a> {
    /// What libgssapi said.
    pub error: Error,
    /// What the ticket says in the clear.
    pub request: &'a ApReq<'a>,
    /// The keytab as it is now, or why it cannot be read.
    pub keytab: Result<&'a Keytab, &'a str>,
    /// What a key of the keytab opened.
    pub opened: Option<&'a Opened>,
    /// Wall clock, milliseconds.
    pub now_ms: i64,
}

impl Case<'_> {
    /// The refusal.
    pub fn explain(&self) -> No {
        let (major, minor) = (self.error.major.bits(), self.error.minor as i32);
        let no = match (minor, (major >> 16) & 0xff) {
            (krb5::SKEW, _) => self.skewed().into(),
            (krb5::REPEAT | krb5::RC_REPLAY, _) => self.plain(Reason::KrbReplay).into(),
            (krb5::TKT_EXPIRED, _) | (_, routine::CREDENTIALS_EXPIRED) => self.expired().into(),
            (krb5::TKT_NYV, _) => self.early().into(),
            (krb5::ILL_CR_TKT | krb5::PATH_NOT_ACCEPTED, _) => self.plain(Reason::KrbTransit).into(),
            (krb5::ETYPE_NOSUPP | krb5::PROG_ETYPE_NOSUPP | krb5::NOPERM_ETYPE | krb5::BAD_ENCTYPE, _) => {
                self.plain(Reason::KrbEnctype).into()
            }
            (
                krb5::BAD_INTEGRITY
                | krb5::NOT_US
                | krb5::BADKEYVER
                | krb5::NOKEY
                | krb5::WRONG_PRINC
                | krb5::KT_NOTFOUND
                | krb5::KT_KVNONOTFOUND,
                _,
            ) => self.no_key(),
            (code, _) if krb5::RC.contains(&code) => {
                let detail = format!("the replay cache cannot be used: {}", self.error);
                No::Broken(Refusal::new(Reason::KrbOther, detail))
            }
            (krb5::BADMATCH | krb5::BADVERSION | krb5::MSG_TYPE | krb5::MODIFIED | krb5::INAPP_CKSUM, _)
            | (_, routine::BAD_MECH | routine::DEFECTIVE_TOKEN) => self.plain(Reason::KrbBadToken).into(),
            // Numbers of the operating system: a file could not be opened, read or written.
            (1..=200, _) => No::Broken(self.file()),
            _ => match self.keytab {
                Err(_) => No::Broken(self.file()),
                Ok(_) => self.plain(Reason::KrbOther).into(),
            },
        };
        match (no, self.opened) {
            (No::Refused(refusal), Some(opened)) => No::Refused(refusal.of(&opened.client)),
            (No::Broken(refusal), Some(opened)) => No::Broken(refusal.of(&opened.client)),
            (no, None) => no,
        }
    }

    /// A refusal with the text of the library, which MIT keeps for this thread until its next error.
    fn plain(&self, reason: Reason) -> Refusal {
        Refusal::new(reason, format!("{}; ticket {}", self.error, self.ticket()))
    }

    fn file(&self) -> Refusal {
        match self.keytab {
            Err(why) => Refusal::new(Reason::KrbKeytab, why),
            // The keytab is fine: of our files the library needs one other.
            Ok(_) => {
                let detail = format!("the replay cache cannot be used: {}", self.error);
                Refusal::new(Reason::KrbOther, detail)
            }
        }
    }

    fn skewed(&self) -> Refusal {
        let stamped = self.opened.and_then(|o| o.stamped_ms);
        let detail = match stamped {
            Some(stamped) => format!(
                "client clock is {} this server's (limit: clockskew of krb5.conf, 300 s unless set)",
                in_words(stamped - self.now_ms)
            ),
            None => self.error.to_string(),
        };
        Refusal::new(Reason::KrbSkew, detail)
    }

    fn expired(&self) -> Refusal {
        let Some(opened) = self.opened else { return self.plain(Reason::KrbTicketExpired) };
        let ago = self.now_ms / 1000 - opened.ends;
        Refusal::new(
            Reason::KrbTicketExpired,
            format!("the ticket ended {ago} s ago; ticket {}", self.ticket()),
        )
    }

    fn early(&self) -> Refusal {
        let Some(opened) = self.opened else { return self.plain(Reason::KrbTicketEarly) };
        let ahead = opened.begins - self.now_ms / 1000;
        Refusal::new(
            Reason::KrbTicketEarly,
            format!("the ticket begins in {ahead} s; ticket {}", self.ticket()),
        )
    }

    /// No key opened it: the name, the encryption type, the number, or the key itself is another one.
    fn no_key(&self) -> No {
        let keytab = match self.keytab {
            Ok(keytab) => keytab,
            Err(why) => return No::Broken(Refusal::new(Reason::KrbKeytab, why)),
        };
        match self.opened {
            // Everything opens with a key of ours: the library was told not to use a key of that type.
            Some(Opened { stamped_ms: Some(_), .. }) => {
                let detail =
                    format!("a key fits, but krb5.conf does not permit its type; ticket {}", self.ticket());
                return Refusal::new(Reason::KrbEnctype, detail).into();
            }
            // The ticket is ours; what came with it was changed on its way.
            Some(_) => return self.plain(Reason::KrbBadToken).into(),
            None => {}
        }
        let ticket = &self.request.ticket;
        let ours = |e: &&Entry| e.name == self.request.service && e.realm == self.request.realm;
        let keys: Vec<&Entry> = keytab.entries.iter().filter(ours).collect();
        if keys.is_empty() {
            let detail = format!("ticket {}; the keytab has {}", self.ticket(), listed(&keytab.principals()));
            return Refusal::new(Reason::KrbWrongService, detail).into();
        }
        let mut held: Vec<String> =
            keys.iter().map(|e| format!("kvno {} {}", e.kvno, enctype_name(e.enctype))).collect();
        held.dedup();
        let detail = format!("ticket {}; the keytab has {} of that name", self.ticket(), listed(&held));
        let numbers = || keys.iter().filter(|e| e.enctype == ticket.enctype).map(|e| e.kvno);
        match (ticket.kvno, numbers().max()) {
            (_, None) => Refusal::new(Reason::KrbNoKey, detail).into(),
            // Our keytab is behind the KDC: the client is not to blame, and will be let in once it is renewed.
            (Some(kvno), Some(newest)) if kvno > newest => No::Broken(Refusal::new(Reason::KrbNoKey, detail)),
            (Some(kvno), _) if !numbers().any(|n| n == kvno) => Refusal::new(Reason::KrbNoKey, detail).into(),
            _ => Refusal::new(Reason::KrbWrongKey, detail).into(),
        }
    }

    /// The ticket as its envelope says: service, key number, encryption type.
    fn ticket(&self) -> String {
        let service = names::full(&self.request.service, &self.request.realm);
        let kvno = self.request.ticket.kvno.map_or_else(|| "none".to_owned(), |n| n.to_string());
        format!("for {service}, kvno {kvno}, {}", enctype_name(self.request.ticket.enctype))
    }
}

/// The first few of a list.
fn listed(items: &[String]) -> String {
    const SHOWN: usize = 6;
    let shown = items.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match items.len() {
        0 => "nothing".to_owned(),
        n if n > SHOWN => format!("{shown} and {} more", n - SHOWN),
        _ => shown,
    }
}

#[cfg(test)]
mod tests;
