//! The nearest right key for a wrong one.
//!
//! # Invariants
//!
//! * Work is bounded: keys past [`LONGEST`] characters have no neighbour.

/// Longest text compared, in characters; the longest real key has 60.
pub const LONGEST: usize = 96;

/// The candidate with the smallest edit distance (case counts less than letters), if
/// it is near enough to be what was meant. The first wins among equals.
pub fn nearest<'a>(wrong: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wrong: Vec<char> = wrong.chars().take(LONGEST + 1).collect();
    if wrong.is_empty() || wrong.len() > LONGEST {
        return None;
    }
    let limit = 2 * (1 + wrong.len() / 5).min(3);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        // Keys are ASCII: as long in bytes as in letters. Most candidates end here.
        if candidate.len().abs_diff(wrong.len()) * 2 > limit {
            continue;
        }
        let right: Vec<char> = candidate.chars().collect();
        let limit = best.map_or(limit, |(d, _)| d);
        let distance = distance(&wrong, &right, limit);
        if distance <= limit && best.is_none_or(|(d, _)| distance < d) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Twice the edit distance with swaps of neighbours; a difference in case costs 1. Something above `limit` as soon as
/// it is known to be above: most candidates are far after a few letters.
fn distance(a: &[char], b: &[char], limit: usize) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).map(|j| j * 2).collect();
    let mut row = last.clone();
    let (mut previous_a, mut near) = (None, true);
    for (i, &x) in a.iter().enumerate() {
        row[0] = (i + 1) * 2;
        for (j, &y) in b.iter().enumerate() {
            let substitute = match () {
                () if x == y => 0,
                () if x.eq_ignore_ascii_case(&y) => 1,
                () => 2,
            };
            let mut best = (last[j] + substitute).min(last[j + 1] + 2).min(row[j] + 2);
            if j > 0 && previous_a == Some(y) && b[j - 1] == x {
                best = best.min(before[j - 1] + 2);
            }
            row[j + 1] = best;
        }
        previous_a = Some(x);
        // A swap reaches over one row: two rows above the limit, and nothing comes back.
        let was_near = near;
        near = row.iter().any(|d| *d <= limit);
        if !near && !was_near {
            return limit + 1;
        }
        std::mem::swap(&mut before, &mut last);
        std::mem::swap(&mut last, &mut row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 4] = ["tickTime", "dataDir", "dataLogDir", "maxClientCnxns"];

    fn near(wrong: &str) -> Option<&'static str> {
        nearest(wrong, KEYS.into_iter())
    }

    #[test]
    fn typing_errors_find_their_key() {
        assert_eq!(near("ticktime"), Some("tickTime"));
        assert_eq!(near("tikcTime"), Some("tickTime"));
        assert_eq!(near("datadir"), Some("dataDir"));
        assert_eq!(near("maxClientConns"), Some("maxClientCnxns"));
        assert_eq!(near("dataLogsDir"), Some("dataLogDir"));
    }

    #[test]
    fn strangers_have_no_neighbour() {
        assert_eq!(near("http.proxy"), None);
        assert_eq!(near(""), None);
        assert_eq!(near(&"tickTime".repeat(20)), None);
    }
}
