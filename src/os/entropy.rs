//! Entropy of the edge.
//!
//! # Invariants
//!
//! * Values are handed into the core; nothing below the sans-IO line asks for one.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// 64 random bits of the operating system. Without its generator (which no supported
/// system lacks) the hasher seed of the standard library is used: never for secrets.
pub fn seed() -> u64 {
    getrandom::u64().unwrap_or_else(|_| RandomState::new().build_hasher().finish())
}

/// A number in 0..1.
pub fn fraction() -> f64 {
    (seed() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_differ_and_fractions_stay_in_range() {
        assert_ne!(seed(), seed());
        let fractions: Vec<_> = (0..100).map(|_| fraction()).collect();
        assert!(fractions.iter().all(|f| (0.0..1.0).contains(f)));
        assert!(fractions.iter().any(|f| *f < 0.5) && fractions.iter().any(|f| *f > 0.5));
    }
}
