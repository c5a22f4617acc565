//! Limits of the process.
//!
//! # Invariants
//!
//! * Limits are only raised, and only as far as the operator allows (the hard limit).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files to what is allowed; the number in force, `None`
/// when there is no limit.
pub fn raise_open_files() -> Option<u64> {
    let now = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: now.maximum, maximum: now.maximum };
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => now.maximum,
        Err(_) => now.current, // some systems refuse the hard limit; the soft one serves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_files_may_reach_the_hard_limit() {
        let before = getrlimit(Resource::Nofile);
        let raised = raise_open_files();
        assert!(raised.is_none() || raised >= before.current);
    }
}
