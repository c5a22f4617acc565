//! Who asks most: a sketch of the most frequent keys in bounded space (space-saving, Metwally et al. 2005).
//!
//! # Invariants
//!
//! * At most [`TOP_KEYS`] keys are held, whatever clients send; each is cut to [`TOP_TEXT`] bytes.
//! * A key that is asked for more often than one time in [`TOP_KEYS`] is among them, and its count is too high by at
//!   most its error.
//! * Nobody waits for the sketch: a sample that finds it locked is lost.

use parking_lot::Mutex;

use crate::limits::{TOP_HALVED_AT, TOP_KEYS, TOP_TEXT};

/// A key and how often it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The key.
    pub key: String,
    /// How often, at most.
    pub count: u64,
    /// By how much the count may be too high.
    pub error: u64,
}

/// The sketch.
#[derive(Default)]
pub struct Top {
    seen: Mutex<Vec<Seen>>,
}

/// The longest beginning of `text` of at most `most` bytes.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

impl Top {
    /// `key` was seen `weight` times more.
    pub fn add(&self, key: &str, weight: u64) {
        let Some(mut seen) = self.seen.try_lock() else { return };
        let key = cut(key, TOP_TEXT);
        if let Some(known) = seen.iter_mut().find(|s| s.key == key) {
            known.count += weight;
            if known.count >= TOP_HALVED_AT {
                // What was long ago counts less and less.
                seen.iter_mut().for_each(|s| (s.count, s.error) = (s.count / 2, s.error / 2));
            }
            return;
        }
        if seen.len() < TOP_KEYS {
            seen.push(Seen { key: key.to_owned(), count: weight, error: 0 });
        } else if let Some(least) = seen.iter_mut().min_by_key(|s| s.count) {
            let error = least.count;
            *least = Seen { key: key.to_owned(), count: error + weight, error };
        }
    }

    /// The most frequent keys, at most `most`, the first one first.
    pub fn first(&self, most: usize) -> Vec<Seen> {
        let mut seen = self.seen.lock().clone();
        seen.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
        seen.truncate(most);
        seen
    }
}

/// The first two components of a path: whose data it is, in the layouts of Hadoop's components.
pub fn prefix(path: &str) -> &str {
    let second = path.char_indices().filter(|(_, c)| *c == '/').nth(2);
    second.map_or(path, |(at, _)| path.get(..at).unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frequent_ones_stay_whatever_else_comes() {
        let top = Top::default();
        for n in 0..20_000u64 {
            top.add(&format!("rare{n}"), 1);
            if n % 4 == 0 {
                top.add("often", 1);
            }
            if n % 8 == 0 {
                top.add("less", 1);
            }
        }
        let first = top.first(2);
        assert_eq!(first.iter().map(|s| s.key.as_str()).collect::<Vec<_>>(), ["often", "less"]);
        assert!(first[0].count >= 5000 && first[0].count - first[0].error <= 5000, "{first:?}");
        assert_eq!(top.first(usize::MAX).len(), TOP_KEYS);
    }

    #[test]
    fn keys_are_bounded_and_old_counts_fade() {
        let top = Top::default();
        top.add(&"é".repeat(TOP_TEXT), 3);
        assert!(top.first(1)[0].key.len() <= TOP_TEXT);
        top.add("a", TOP_HALVED_AT - 1);
        top.add("a", 1);
        assert_eq!(top.first(2).iter().map(|s| s.count).collect::<Vec<_>>(), [TOP_HALVED_AT / 2, 1]);
    }

    #[test]
    fn a_prefix_has_two_components() {
        let all = ["/", "/a", "/a/b", "/a/b/c/d", "", "/a//b"].map(prefix);
        assert_eq!(all, ["/", "/a", "/a/b", "/a/b", "", "/a/"]);
    }
}
