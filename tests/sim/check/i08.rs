//! I8: what recovery finds is what the recovered history makes, from nothing.

use super::{Check, Seen, View};
use crate::book::id;
use crate::history::{self, dump, replay, upto, z};

pub struct RecoveryIsReplay;

impl Check for RecoveryIsReplay {
    fn number(&self) -> u8 {
        8
    }

    fn see(&mut self, view: &View<'_>, seen: &Seen<'_>) -> Result<(), String> {
        let Seen::Recovered { who, last, found, .. } = seen else { return Ok(()) };
        let page = &view.book.pages[*who];
        let state = dump(&found.tree, &found.sessions);
        // A crash in the middle of a cut or an installation leaves the old log or the new one.
        let mut nearest = String::new();
        for log in page.before.iter().chain([&page.log]) {
            if *last > 0 && history::entry(log, *last).is_none() {
                continue;
            }
            let (tree, sessions) = replay(&log[..upto(log, *last)], *tree_config(found));
            let made = dump(&tree, &sessions);
            if made == state {
                return Ok(());
            }
            nearest = difference(&made, &state);
        }
        Err(format!(
            "{} recovers up to {}, which is not what its history makes: {nearest}",
            id(*who),
            z(*last)
        ))
    }
}

fn tree_config(found: &oxkeeper::replica::Recovered) -> &oxkeeper::tree::TreeConfig {
    found.tree.config()
}

/// The first line that differs.
fn difference(made: &str, found: &str) -> String {
    let pair = made.lines().zip(found.lines()).find(|(a, b)| a != b);
    pair.map_or_else(|| "one has more".to_owned(), |(a, b)| format!("replay {a}, recovery {b}"))
}
