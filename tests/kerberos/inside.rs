//! The inner half of a test, in a process of its own.
//!
//! libkrb5 is told its krb5.conf and its ticket cache by the environment, which a test among other tests must not
//! change: a test makes its realm and then runs itself once more, with the realm's environment.
//!
//! # Invariants
//! * The inner half ends within [`LIMIT`], and its failure is the test's, with everything that it printed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::kdc::Realm;
use crate::support::process;

const LIMIT: Duration = Duration::from_secs(240);
const MARK: &str = "OXKEEPER_INSIDE";

/// Whether this is the inner half.
pub fn inside() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Runs `test` (its full name) again inside of `realm`; `given` are further variables, read with [`given`].
pub fn run(test: &str, realm: &Realm, given: &[(&str, &Path)]) -> String {
    let mut command = Command::new(std::env::current_exe().expect("the path of this test"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(MARK, "1");
    command.envs(realm.env_with(&realm.path("current-cache")));
    command.envs(given.iter().map(|(name, path)| (*name, *path)));
    let (status, printed) = process::run(command, None, LIMIT).expect("the inner half ends in time");
    assert!(status.success() && printed.contains("1 passed"), "the inner half of {test}:\n{printed}");
    printed
}

/// A path that the outer half gave.
pub fn given(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("{name} was not given")))
}

/// Makes the tickets of `cache` those of this process.
pub fn use_tickets(cache: &Path) {
    let current = std::env::var("KRB5CCNAME").expect("the realm's environment");
    let current = current.strip_prefix("FILE:").expect("a cache in a file");
    std::fs::copy(cache, current).expect("a ticket cache can be copied");
}
