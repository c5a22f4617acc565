//! Shortens the schedule of a failing run: fewer faults, the same violation.
//!
//! # Invariants
//!
//! * Every shorter schedule that is kept was run and failed with the same invariant.
//! * The number of runs is bounded.

use super::Fault;

/// Runs that a minimisation may take.
const RUNS: usize = 60;

/// The shortest schedule found for which `fails` still holds (delta debugging).
pub fn shrink(all: &[Fault], mut fails: impl FnMut(&[Fault]) -> bool) -> Vec<Fault> {
    let mut kept = all.to_vec();
    let mut runs = 0;
    let mut piece = kept.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut shorter = false;
        while at < kept.len() && runs < RUNS {
            let mut less = kept.clone();
            less.drain(at..(at + piece).min(kept.len()));
            runs += 1;
            match fails(&less) {
                true => (kept, shorter) = (less, true),
                false => at += piece,
            }
        }
        if runs >= RUNS || (piece == 1 && !shorter) || kept.is_empty() {
            return kept;
        }
        piece = (piece / 2).max(1);
    }
}

#[test]
fn what_does_not_matter_is_left_out() {
    use super::What;
    let fault = |at| Fault { at, lasts: 0, what: What::Disconnect };
    let all: Vec<Fault> = (0..20).map(fault).collect();
    let needed = |some: &[Fault]| some.iter().any(|f| f.at == 3) && some.iter().any(|f| f.at == 17);
    let left: Vec<_> = shrink(&all, needed).iter().map(|f| f.at).collect();
    assert_eq!(left, [3, 17]);
}
