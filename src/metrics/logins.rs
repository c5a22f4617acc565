//! Logins and refusals: series of our own.
//!
//! # Invariants
//!
//! * The series are in the exposition only, under names that ZooKeeper does not use; `mntr` stays
//!   ZooKeeper's.
//! * Labels are codes of our own: nothing that a peer sent becomes one.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use super::sets::CounterSet;

/// Logins by SASL, label `mechanism`.
pub const LOGINS: &str = "oxkeeper_logins";
/// Refused logins, auth packets and requests without a login, label `reason`.
pub const REFUSALS: &str = "oxkeeper_login_refusals";
/// Logins by DIGEST-MD5 over connections without TLS.
pub const BARE_DIGESTS: &str = "oxkeeper_digest_md5_without_tls";
/// Sessions without a login, where one is required.
pub const WITHOUT_LOGIN: &str = "oxkeeper_sessions_without_login";
/// Logins by Kerberos, label `key`: the service principal and key number that the ticket was made with. A key that
/// is counted no more can be removed from the keytab.
pub const KEYS: &str = "oxkeeper_logins_by_key";
/// Furthest clocks of clients that were let in, ms ahead of ours, label `furthest`: `ahead`, `behind`.
pub const SKEW: &str = "oxkeeper_client_clock_skew_ms";

/// The counts.
#[derive(Default)]
pub struct LoginCounts {
    logins: CounterSet,
    refusals: CounterSet,
    keys: CounterSet,
    bare_digests: AtomicU64,
    ahead_ms: AtomicI64,
    behind_ms: AtomicI64,
    /// One more than there are; 0 where no login is required.
    without_login: AtomicU64,
}

impl LoginCounts {
    /// Somebody logged in by this mechanism.
    pub fn login(&self, mechanism: &'static str) {
        self.logins.add(mechanism, 1);
    }

    /// Somebody was refused, by the code of the reason.
    pub fn refused(&self, reason: &'static str) {
        self.refusals.add(reason, 1);
    }

    /// A ticket was made with this key of the keytab.
    pub fn key(&self, service: &str, kvno: u32) {
        self.keys.add(&format!("{service} kvno {kvno}"), 1);
    }

    /// A login by DIGEST-MD5 used no TLS. True for the first one.
    pub fn bare_digest(&self) -> bool {
        self.bare_digests.fetch_add(1, Relaxed) == 0
    }

    /// The clock of a client is so far ahead of ours (negative: behind). True when none was further.
    pub fn skew(&self, ms: i64) -> bool {
        let (ahead, behind) = (self.ahead_ms.fetch_max(ms, Relaxed), self.behind_ms.fetch_min(ms, Relaxed));
        ms > ahead || ms < behind
    }

    /// The furthest clocks: ahead, and behind as a negative number.
    pub fn skews(&self) -> (i64, i64) {
        (self.ahead_ms.load(Relaxed), self.behind_ms.load(Relaxed))
    }

    /// So many sessions have no login now.
    pub fn without_login_is(&self, sessions: usize) {
        self.without_login.store(sessions as u64 + 1, Relaxed);
    }

    /// Logins by mechanism.
    pub fn logins(&self) -> Vec<(&str, u64)> {
        self.logins.all().into_iter().map(|(key, count)| (key, count.get())).collect()
    }

    /// Refusals by reason.
    pub fn refusals(&self) -> Vec<(&str, u64)> {
        self.refusals.all().into_iter().map(|(key, count)| (key, count.get())).collect()
    }

    /// Logins by the key of their ticket.
    pub fn keys(&self) -> Vec<(&str, u64)> {
        self.keys.all().into_iter().map(|(key, count)| (key, count.get())).collect()
    }

    /// Logins by DIGEST-MD5 without TLS; `None` before the first.
    pub fn bare_digests(&self) -> Option<u64> {
        Some(self.bare_digests.load(Relaxed)).filter(|n| *n > 0)
    }

    /// Sessions without a login; `None` where none is required.
    pub fn without_login(&self) -> Option<u64> {
        self.without_login.load(Relaxed).checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_by_mechanism_and_reason() {
        let counts = LoginCounts::default();
        counts.login("GSSAPI");
        counts.refused("KRB_SKEW");
        counts.refused("KRB_SKEW");
        assert_eq!((counts.without_login(), counts.bare_digests()), (None, None));
        counts.without_login_is(0);
        assert_eq!((counts.bare_digest(), counts.bare_digest()), (true, false));
        assert_eq!([5, 3, -1, -1].map(|ms| counts.skew(ms)), [true, false, true, false]);
        assert_eq!(counts.skews(), (5, -1));
        assert_eq!(counts.logins(), [("GSSAPI", 1)]);
        assert_eq!(counts.refusals(), [("KRB_SKEW", 2)]);
        assert_eq!((counts.without_login(), counts.bare_digests()), (Some(0), Some(2)));
    }
}
