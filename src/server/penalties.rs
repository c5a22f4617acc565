//! Addresses whose logins are refused again and again.
//!
//! # Invariants
//!
//! * An address that was refused [`REFUSALS_IN_A_ROW`] times, less those that are forgiven every second, has its
//!   tokens looked at in the slow lane until some are forgiven: what a flood of bad logins costs is bounded, and a
//!   good login from the same address still succeeds.
//! * The table is bounded by [`REFUSAL_SOURCES`]; who is forgotten starts anew.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;

use crate::limits::{REFUSAL_SOURCES, REFUSALS_FORGIVEN, REFUSALS_IN_A_ROW};
use crate::types::Instant;

/// Refusals of one address that are not forgiven yet, and when that was so.
#[derive(Debug, Clone, Copy)]
struct Account {
    refusals: f64,
    at: Instant,
}

impl Account {
    fn level(&self, now: Instant) -> f64 {
        (self.refusals - now.since(self.at).as_secs_f64() * REFUSALS_FORGIVEN).max(0.0)
    }
}

/// Refusals by address.
#[derive(Debug, Default)]
pub struct Penalties {
    accounts: Mutex<HashMap<IpAddr, Account>>,
}

impl Penalties {
    /// A login from `source` was refused.
    pub fn refused(&self, source: IpAddr, now: Instant) {
        let mut accounts = self.accounts.lock();
        if accounts.len() >= REFUSAL_SOURCES && !accounts.contains_key(&source) {
            forget(&mut accounts, now);
        }
        let account = accounts.entry(source).or_insert(Account { refusals: 0.0, at: now });
        // A little above the bound, so that a steady flood does not slip through at its edge.
        let refusals = (account.level(now) + 1.0).min(REFUSALS_IN_A_ROW + REFUSALS_FORGIVEN);
        *account = Account { refusals, at: now };
    }

    /// Is `source` to wait in the slow lane?
    pub fn is_flooding(&self, source: IpAddr, now: Instant) -> bool {
        self.accounts.lock().get(&source).is_some_and(|account| account.level(now) >= REFUSALS_IN_A_ROW)
    }
}

/// Makes room: those who are forgiven, else the half with the fewest refusals.
fn forget(accounts: &mut HashMap<IpAddr, Account>, now: Instant) {
    accounts.retain(|_, account| account.level(now) > 0.0);
    if accounts.len() < REFUSAL_SOURCES {
        return;
    }
    let mut levels: Vec<f64> = accounts.values().map(|account| account.level(now)).collect();
    levels.sort_unstable_by(f64::total_cmp);
    let middle = levels.get(levels.len() / 2).copied().unwrap_or_default();
    accounts.retain(|_, account| account.level(now) > middle);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    #[test]
    fn a_flood_is_slowed_until_some_are_forgiven_and_others_are_not() {
        let penalties = Penalties::default();
        let at = Instant::from_millis;
        for _ in 0..REFUSALS_IN_A_ROW as u32 - 1 {
            penalties.refused(host(1), at(0));
        }
        assert!(!penalties.is_flooding(host(1), at(0)));
        penalties.refused(host(1), at(0));
        assert!(penalties.is_flooding(host(1), at(0)) && !penalties.is_flooding(host(2), at(0)));
        assert!(!penalties.is_flooding(host(1), at(100)));
    }

    #[test]
    fn the_table_is_bounded_and_keeps_the_worst() {
        let penalties = Penalties::default();
        let now = Instant::from_millis(0);
        for _ in 0..300 {
            penalties.refused(host(0), now);
        }
        for n in 1..3 * REFUSAL_SOURCES as u32 {
            penalties.refused(host(n), now);
        }
        assert!(penalties.accounts.lock().len() <= REFUSAL_SOURCES);
        assert!(penalties.is_flooding(host(0), now));
    }
}
