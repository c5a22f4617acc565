//! Makes a script that shows a difference as short as it gets (delta debugging).

use super::script::Script;

/// Most runs of one shrinking.
const RUNS: usize = 200;

/// The shortest script found of whose runs `shows` is still true.
pub fn shrink(script: &Script, mut shows: impl FnMut(&Script) -> bool) -> (Script, Vec<(usize, usize)>) {
    let mut atoms = script.atoms();
    let mut runs = 0;
    let mut parts = 2;
    while atoms.len() > 1 && runs < RUNS {
        let size = atoms.len().div_ceil(parts);
        let mut smaller = None;
        for from in (0..atoms.len()).step_by(size.max(1)) {
            let kept: Vec<_> = atoms
                .iter()
                .enumerate()
                .filter(|(i, _)| *i < from || *i >= from + size)
                .map(|(_, a)| *a)
                .collect();
            runs += 1;
            if !kept.is_empty() && shows(&script.keep(&kept)) {
                smaller = Some(kept);
                break;
            }
            if runs >= RUNS {
                break;
            }
        }
        match smaller {
            Some(kept) => {
                atoms = kept;
                parts = parts.saturating_sub(1).max(2);
            }
            None if size <= 1 => break,
            None => parts = (parts * 2).min(atoms.len()),
        }
    }
    (script.keep(&atoms), atoms)
}

#[cfg(test)]
mod tests {
    use super::super::script::{Frame, Step};
    use super::*;

    #[test]
    fn two_guilty_requests_are_found_among_many() {
        let frame = |xid| Frame { xid, op: 1, body: vec![], length: None, text: String::new() };
        let steps =
            (0..40).map(|i| Step::Burst { slot: 0, frames: vec![frame(i * 2), frame(i * 2 + 1)] }).collect();
        let script = Script { seed: 1, steps, finale: None };
        let (small, atoms) = shrink(&script, |s| {
            let has = |xid| {
                s.steps
                    .iter()
                    .any(|s| matches!(s, Step::Burst { frames, .. } if frames.iter().any(|f| f.xid == xid)))
            };
            has(13) && has(66)
        });
        assert_eq!(small.requests(), 2);
        assert_eq!(atoms, [(6, 1), (33, 0)]);
    }
}
