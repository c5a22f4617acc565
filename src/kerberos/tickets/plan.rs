//! What is to be done about a ticket-granting ticket, and when.
//!
//! # Invariants
//!
//! * Pure: times come in, a decision comes out.

use crate::limits::{TICKET_LOOK_MAX_S, TICKET_LOOK_MIN_S};

/// The life of a ticket, seconds of Unix time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life {
    /// From when it is valid.
    pub start: i64,
    /// Until when.
    pub end: i64,
    /// Until when it can be renewed; `None` if it cannot.
    pub renew_till: Option<i64>,
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plan {
    /// Nothing yet.
    Keep,
    /// Renew it.
    Renew,
    /// Log in anew with the keytab.
    Login,
    /// Nothing can be done, and it has ended.
    Ended,
}

impl Life {
    /// When 80 % of it are over, as Java renews.
    pub fn due(self) -> i64 {
        let length = self.end.saturating_sub(self.start).max(0);
        self.start.saturating_add(length / 5 * 4)
    }

    /// What is to be done at `now`; `keytab`: there is one to log in with.
    pub fn plan(self, now: i64, keytab: bool) -> Plan {
        let alive = now < self.end;
        if alive && now < self.due() {
            return Plan::Keep;
        }
        // Renewing helps only while the ticket lives and if it then lives longer.
        match (alive && self.renew_till.is_some_and(|till| till > self.end), keytab, alive) {
            (true, _, _) => Plan::Renew,
            (false, true, _) => Plan::Login,
            (false, false, true) => Plan::Keep,
            (false, false, false) => Plan::Ended,
        }
    }

    /// Seconds until it should be looked at again.
    pub fn look_in(self, now: i64) -> u64 {
        let due = if now < self.due() { self.due() } else { self.end };
        let wait = u64::try_from(due.saturating_sub(now)).unwrap_or(0);
        wait.clamp(TICKET_LOOK_MIN_S, TICKET_LOOK_MAX_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(renew_till: Option<i64>) -> Life {
        Life { start: 1000, end: 2000, renew_till }
    }

    #[test]
    fn a_ticket_is_renewed_at_four_fifths_of_its_life() {
        for (now, keytab, till, want) in [
            (1000, false, Some(9000), Plan::Keep),
            (1799, true, Some(9000), Plan::Keep),
            (1800, false, Some(9000), Plan::Renew),
            (1800, true, Some(9000), Plan::Renew),
            // Renewal has ended, or there never was one: the keytab, if there is one.
            (1800, true, Some(2000), Plan::Login),
            (1800, true, None, Plan::Login),
            (1800, false, Some(2000), Plan::Keep),
            (1999, false, None, Plan::Keep),
            (2000, false, None, Plan::Ended),
            // Nobody renews a ticket that has ended.
            (2000, false, Some(9000), Plan::Ended),
            (2000, true, Some(9000), Plan::Login),
            (900, true, None, Plan::Keep),
        ] {
            assert_eq!(life(till).plan(now, keytab), want, "{now} {keytab} {till:?}");
        }
    }

    #[test]
    fn looks_are_neither_frantic_nor_forgotten() {
        assert_eq!(life(None).look_in(1500), 300.min(TICKET_LOOK_MAX_S));
        assert_eq!(life(None).look_in(1800), 200.min(TICKET_LOOK_MAX_S));
        assert_eq!(life(None).look_in(5000), TICKET_LOOK_MIN_S);
        let long = Life { start: 0, end: i64::MAX, renew_till: None };
        assert_eq!(long.look_in(0), TICKET_LOOK_MAX_S);
        assert_eq!(long.plan(i64::MAX - 1, false), Plan::Keep);
        assert_eq!(Life { start: 5, end: 1, renew_till: None }.plan(9, false), Plan::Ended);
    }
}
