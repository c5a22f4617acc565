//! The connection throttle: a token bucket with BLUE's random early refusal
//! (ZooKeeper's `BlueThrottle`, keys `connection_throttle_*`).
//!
//! # Invariants
//!
//! * Pure: time and randomness are arguments.
//! * There are never more tokens than the bucket holds.

use crate::config::settings::ConnectionThrottle;
use crate::types::Instant;

/// What a connect request is about; its weight follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectKind {
    /// A new session that the whole ensemble knows.
    Global,
    /// A new session of this server alone.
    Local,
    /// A session that comes back.
    Renew,
}

/// The throttle's state.
#[derive(Debug)]
pub struct BlueThrottle {
    settings: ConnectionThrottle,
    capacity: u64,
    tokens: u64,
    filled_ms: u64,
    adjusted_ms: u64,
    drop_chance: f64,
}

impl BlueThrottle {
    /// A full bucket; `None` when the throttle is switched off.
    pub fn new(settings: &ConnectionThrottle, now: Instant) -> Option<BlueThrottle> {
        let capacity = u64::from(settings.tokens?);
        Some(BlueThrottle {
            settings: settings.clone(),
            capacity,
            tokens: capacity,
            filled_ms: now.millis(),
            adjusted_ms: now.millis(),
            drop_chance: 0.0,
        })
    }

    /// Does a connect request pass? `random` is uniform in 0..1.
    pub fn admit(&mut self, kind: ConnectKind, now: Instant, random: f64) -> bool {
        let now_ms = now.millis();
        self.fill(now_ms);
        if self.settings.freeze_time.is_some_and(|freeze| !self.blue(u64::from(freeze), now_ms, random)) {
            return false;
        }
        let need = self.weight(kind);
        if self.tokens < need {
            return false;
        }
        self.tokens -= need;
        true
    }

    /// Tokens missing from the full bucket.
    pub fn deficit(&self) -> u64 {
        self.capacity - self.tokens
    }

    /// The chance of an early refusal, 0..1.
    pub fn drop_chance(&self) -> f64 {
        self.drop_chance
    }

    fn weight(&self, kind: ConnectKind) -> u64 {
        if !self.settings.weight_enabled {
            return 1;
        }
        u64::from(match kind {
            ConnectKind::Global => self.settings.global_session_weight,
            ConnectKind::Local => self.settings.local_session_weight,
            ConnectKind::Renew => self.settings.renew_session_weight,
        })
    }

    fn fill(&mut self, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.filled_ms);
        let period = u64::from(self.settings.fill_time);
        if passed > period {
            let fill = passed.saturating_mul(u64::from(self.settings.fill_count)) / period.max(1);
            self.tokens = self.tokens.saturating_add(fill).min(self.capacity);
            self.filled_ms = now_ms;
        }
    }

    /// Adjusts the chance of refusal to how empty the bucket is, then rolls the dice.
    fn blue(&mut self, freeze_ms: u64, now_ms: u64, random: f64) -> bool {
        if now_ms.saturating_sub(self.adjusted_ms) > freeze_ms {
            let calm = (self.capacity as f64 * self.settings.decrease_ratio).round();
            if self.tokens == 0 {
                self.drop_chance = (self.drop_chance + self.settings.drop_increase).min(1.0);
            } else if self.deficit() as f64 <= calm {
                self.drop_chance = (self.drop_chance - self.settings.drop_decrease).max(0.0);
            }
            self.adjusted_ms = now_ms;
        }
        random >= self.drop_chance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn settings() -> ConnectionThrottle {
        ConnectionThrottle { tokens: Some(4), fill_time: 10, fill_count: 2, ..Default::default() }
    }

    #[test]
    fn tokens_run_out_and_come_back_with_time() {
        let mut throttle = BlueThrottle::new(&settings(), at(0)).expect("on");
        let admitted = |throttle: &mut BlueThrottle, ms| throttle.admit(ConnectKind::Global, at(ms), 0.5);
        assert!((0..4).all(|_| admitted(&mut throttle, 5)));
        assert!(!admitted(&mut throttle, 10));
        assert_eq!(throttle.deficit(), 4);
        assert!(admitted(&mut throttle, 11) && admitted(&mut throttle, 11) && !admitted(&mut throttle, 11));
        assert!(admitted(&mut throttle, 10_000));
        assert_eq!(throttle.deficit(), 1, "never more than the bucket holds");
    }

    #[test]
    fn kinds_weigh_differently_when_weights_are_on() {
        let weights = ConnectionThrottle { weight_enabled: true, tokens: Some(12), ..settings() };
        let mut throttle = BlueThrottle::new(&weights, at(0)).expect("on");
        for kind in [ConnectKind::Global, ConnectKind::Local, ConnectKind::Renew] {
            assert!(throttle.admit(kind, at(0), 0.5));
        }
        assert_eq!(throttle.deficit(), 3 + 1 + 2);
    }

    #[test]
    fn an_empty_bucket_raises_the_chance_of_refusal_and_a_full_one_lowers_it() {
        let blue = ConnectionThrottle {
            freeze_time: Some(20),
            drop_increase: 0.5,
            drop_decrease: 0.25,
            ..settings()
        };
        let mut throttle = BlueThrottle::new(&blue, at(0)).expect("on");
        assert!((0..4).all(|_| throttle.admit(ConnectKind::Global, at(1), 0.9)));
        throttle.filled_ms = 25;
        assert!(!throttle.admit(ConnectKind::Global, at(25), 0.9));
        assert_eq!(throttle.drop_chance(), 0.5);
        assert!(!throttle.admit(ConnectKind::Global, at(40), 0.4), "there are tokens, the dice refuse");
        assert!(throttle.admit(ConnectKind::Global, at(100_000), 0.4));
        assert_eq!(throttle.drop_chance(), 0.25);
    }

    #[test]
    fn without_tokens_in_the_configuration_there_is_no_throttle() {
        assert!(BlueThrottle::new(&ConnectionThrottle::default(), at(0)).is_none());
    }
}
