//! Series that ZooKeeper does not have.
//!
//! # Invariants
//!
//! * Names start with `oxkeeper_`, so that they never meet one of ZooKeeper's.
//! * Those that are zero are not printed: a plain server's answers are ZooKeeper's.

use std::sync::atomic::{AtomicU64, Ordering};

use super::table::Kind;

/// A number of one of these series. Counted on paths where a shared cache line does no harm.
#[derive(Debug, Default)]
pub struct Number(AtomicU64);

impl Number {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// One less of a gauge.
    pub fn dec(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// A gauge's value.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// The value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! own {
    ($($field:ident $kind:ident $meaning:literal;)*) => {
        /// Our own series, a field each.
        #[derive(Debug, Default)]
        pub struct Own {
            $(#[doc = $meaning] pub $field: Number,)*
        }

        /// What each series tells, in the order of [`Own::all`].
        pub fn meanings() -> &'static [&'static str] {
            &[$($meaning,)*]
        }

        impl Own {
            /// Name, kind and value of every series.
            pub fn all(&self) -> Vec<(&'static str, Kind, u64)> {
                vec![$((concat!("oxkeeper_", stringify!($field)), Kind::$kind, self.$field.get()),)*]
            }
        }
    };
}

own! {
    audit_records Counter "Records that the audit log took.";
    audit_lost Counter "Audit records that were not kept: full queue, or a disk that failed.";
    audit_unwritable Gauge "1 while the audit file cannot be written.";
    secrets_readable_by_others Gauge "Files with secrets that others than their owner may read.";
    super_digest_enabled Gauge "1 while superDigest gives somebody all rights.";
    skip_acl_enabled Gauge "1 while no ACL is checked (skipACL).";
    rescue_sessions Gauge "Sessions with super rights given through the rescue socket.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_beside_their_names() {
        let own = Own::default();
        own.audit_lost.add(2);
        own.audit_lost.inc();
        own.skip_acl_enabled.set(1);
        own.rescue_sessions.inc();
        own.rescue_sessions.dec();
        let set: Vec<_> =
            own.all().into_iter().filter(|(_, _, n)| *n > 0).map(|(name, _, n)| (name, n)).collect();
        assert_eq!(set, [("oxkeeper_audit_lost", 3), ("oxkeeper_skip_acl_enabled", 1)]);
    }
}
