//! What libkrb5 says when a login outward fails, and what helps.
//!
//! # Invariants
//!
//! * Every failure names what was tried, libkrb5's own text, and a cure.

use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::kerberos::krb5_ffi::KrbError;

/// First code of krb5's own errors (`ERROR_TABLE_BASE_krb5`).
const BASE: i32 = -1_765_328_384;

/// `ENOENT` and `EACCES`, which a keytab that cannot be opened gives.
const NO_FILE: i32 = 2;
const NO_ACCESS: i32 = 13;

/// Codes behind [`BASE`] with their reasons and cures.
const KNOWN: &[(i32, Reason, &str)] = &[
    (
        6,
        Reason::KrbOther,
        "the KDC does not know this principal: compare name, case and realm with kadmin's listprincs",
    ),
    (
        7,
        Reason::KrbWrongService,
        "the KDC does not know the service: set the server's principal (zookeeper.server.principal, --server-principal)",
    ),
    (14, Reason::KrbEnctype, "create AES keys for this principal and export its keytab again"),
    (
        23,
        Reason::KrbOther,
        "the password, and with it the keytab, has expired at the KDC: change it and export the keytab again",
    ),
    (24, Reason::KrbWrongKey, "the keytab is older than the key at the KDC: export it again"),
    (32, Reason::KrbTicketExpired, "run kinit, or use a keytab"),
    (37, Reason::KrbSkew, "synchronise this clock and the KDC's (chronyc tracking)"),
    (141, Reason::KrbOther, "run kinit, or name the right cache with --ccache"),
    (154, Reason::KrbOther, "name the realm's KDC in krb5.conf, and check which krb5.conf is read"),
    (156, Reason::KrbOther, "check that the KDC runs and that its port can be reached; krb5.conf names it"),
    (181, Reason::KrbKeytab, "the keytab has no key of this principal: look with klist -k"),
    (195, Reason::KrbOther, "run kinit, or name the right cache with --ccache"),
    (224, Reason::KrbOther, "set default_realm in krb5.conf, and check which krb5.conf is read"),
];

/// A failure of libkrb5 while `what` was tried.
pub fn failure(error: &KrbError, what: &str) -> Refusal {
    let offset = error.code.checked_sub(BASE);
    let known = KNOWN.iter().find(|(code, ..)| Some(*code) == offset);
    let (reason, cure) = match known {
        Some((_, reason, cure)) => (*reason, *cure),
        None if matches!(error.code, NO_FILE | NO_ACCESS) => {
            (Reason::KrbKeytab, "check that the file exists and that this user may read it")
        }
        None => (Reason::KrbOther, "run it again with KRB5_TRACE=/dev/stderr to see each step"),
    };
    Refusal::new(reason, format!("{what}: {error}; {cure}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_carry_text_and_cure() {
        let of = |code| failure(&KrbError { code, text: "text".into() }, "trying");
        assert_eq!(of(-1_765_328_347).reason, Reason::KrbSkew);
        assert_eq!(of(-1_765_328_203).reason, Reason::KrbKeytab);
        assert_eq!(of(NO_FILE).reason, Reason::KrbKeytab);
        let other = of(7777);
        assert_eq!(other.reason, Reason::KrbOther);
        assert!(other.detail.starts_with("trying: text (7777); "));
    }
}
