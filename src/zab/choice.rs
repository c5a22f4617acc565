//! What a learner is sent so that it has the history of whoever serves it (`LearnerHandler.syncFollower`).
//!
//! # Invariants
//!
//! * A learner is cut back to a transaction of that history, never beyond an epoch's border: there
//!   it gets a snapshot.
//! * Whatever cannot be told for sure ends in a snapshot.
//! * A stream ends with everything that is committed when it is chosen.

use super::leader::ToLearner;
use super::types::LogView;
use super::window::Window;
use crate::peer::{Packet, PacketKind};
use crate::types::{Zxid, mutant};

/// How a learner is brought up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Choice {
    /// What it lacks follows: everything behind `after`.
    Diff {
        /// It has this one.
        after: Zxid,
    },
    /// It cuts its log behind `to`; what it lacks then follows.
    Trunc {
        /// The last transaction that both have.
        to: Zxid,
    },
    /// Look into the log on disk first.
    Look,
    /// A whole snapshot.
    Snapshot,
}

/// Chooses by what is in memory. `from_log`: may the log on disk be asked?
pub(super) fn choose(window: &Window, peer: Zxid, from_log: bool) -> Choice {
    let new_epoch = peer.counter() == 0;
    let (start, end) = (window.start(), window.end());
    if peer.0 < 0 {
        Choice::Snapshot
    } else if peer == end {
        Choice::Diff { after: peer }
    } else if peer > end {
        // A new epoch's zxid stands for a snapshot of an established leader: what it holds cannot be cut.
        if new_epoch { Choice::Snapshot } else { Choice::Trunc { to: end } }
    } else if peer >= start {
        let (before, from) = window.around(peer);
        within(peer, before, from)
    } else if from_log {
        Choice::Look
    } else {
        Choice::Snapshot
    }
}

/// Chooses by what the log on disk holds around the learner's zxid.
pub(super) fn choose_by_log(peer: Zxid, view: &LogView) -> Choice {
    match view.floor {
        Some(floor) if view.affordable && peer.0 >= 0 => match floor == peer {
            true => Choice::Diff { after: peer },
            false => within(peer, Some(floor), view.next),
        },
        _ => Choice::Snapshot,
    }
}

/// The learner's zxid lies in the history: `before` it and `from` it on.
fn within(peer: Zxid, before: Option<Zxid>, from: Option<Zxid>) -> Choice {
    match (before, from) {
        (_, Some(same)) if same == peer => Choice::Diff { after: peer },
        // A snapshot of an established leader: it has everything before its epoch.
        _ if peer.counter() == 0 => Choice::Diff { after: peer },
        (Some(before), Some(next)) if next.epoch() == peer.epoch() => Choice::Trunc { to: before },
        (Some(_), _) if mutant::on("diff-for-foreign-tail") => Choice::Diff { after: peer },
        _ => Choice::Snapshot,
    }
}

/// The items of a stream, up to the last committed transaction. `floor`: where reading the log on disk begins, if it
/// was looked into; what follows the window's beginning comes from memory.
pub(super) fn stream(window: &Window, choice: Choice, floor: Option<Zxid>) -> Vec<ToLearner> {
    let committed = window.end();
    let (first, mut from) = match choice {
        Choice::Snapshot | Choice::Look => return vec![ToLearner::Snapshot { zxid: committed }],
        Choice::Diff { after } => (Packet::bare(PacketKind::Diff, committed), after),
        Choice::Trunc { to } => (Packet::bare(PacketKind::Trunc, to), to),
    };
    let mut items = vec![ToLearner::Packet(first)];
    if let Some(after) = floor.filter(|floor| *floor < window.start()) {
        from = window.start();
        items.push(ToLearner::Log { after, upto: from });
    }
    for p in window.after(from) {
        items.push(ToLearner::Packet(Packet::with(PacketKind::Proposal, p.zxid, p.bytes.clone())));
        items.push(ToLearner::Packet(Packet::bare(PacketKind::Commit, p.zxid)));
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zab::types::Proposal;
    use bytes::Bytes;

    const fn z(epoch: u32, counter: u32) -> Zxid {
        Zxid::new(epoch, counter)
    }

    fn window(zxids: &[Zxid]) -> Window {
        let entries: Vec<_> = zxids.iter().map(|z| Proposal { zxid: *z, bytes: Bytes::new() }).collect();
        Window::new(500, *zxids.last().unwrap(), entries)
    }

    #[test]
    fn as_java_chooses_within_memory() {
        let w = window(&[z(1, 5), z(1, 6), z(2, 1), z(2, 2)]);
        let table = [
            (z(2, 2), Choice::Diff { after: z(2, 2) }),
            (z(1, 6), Choice::Diff { after: z(1, 6) }),
            (z(1, 5), Choice::Diff { after: z(1, 5) }),
            (z(2, 0), Choice::Diff { after: z(2, 0) }),
            (z(2, 3), Choice::Trunc { to: z(2, 2) }),
            (z(3, 4), Choice::Trunc { to: z(2, 2) }),
            (z(3, 0), Choice::Snapshot),
            (z(1, 9), Choice::Snapshot),
            (z(1, 4), Choice::Look),
            (Zxid::ZERO, Choice::Look),
            (Zxid(-1), Choice::Snapshot),
        ];
        for (peer, expected) in table {
            assert_eq!(choose(&w, peer, true), expected, "{peer}");
        }
        assert_eq!(choose(&w, z(1, 4), false), Choice::Snapshot);
    }

    #[test]
    fn an_empty_window_is_its_end() {
        let w = Window::new(500, z(2, 7), Vec::new());
        assert_eq!(choose(&w, z(2, 7), true), Choice::Diff { after: z(2, 7) });
        assert_eq!(choose(&w, z(2, 8), true), Choice::Trunc { to: z(2, 7) });
        assert_eq!(choose(&w, z(2, 6), true), Choice::Look);
    }

    #[test]
    fn the_log_on_disk_says_more() {
        let view = |floor: Option<Zxid>, next| LogView { floor, next, affordable: true };
        assert_eq!(
            choose_by_log(z(1, 3), &view(Some(z(1, 3)), Some(z(1, 4)))),
            Choice::Diff { after: z(1, 3) }
        );
        assert_eq!(
            choose_by_log(z(1, 3), &view(Some(z(1, 2)), Some(z(1, 4)))),
            Choice::Trunc { to: z(1, 2) }
        );
        assert_eq!(choose_by_log(z(1, 9), &view(Some(z(1, 2)), Some(z(2, 1)))), Choice::Snapshot);
        assert_eq!(
            choose_by_log(z(2, 0), &view(Some(z(1, 2)), Some(z(2, 1)))),
            Choice::Diff { after: z(2, 0) }
        );
        assert_eq!(choose_by_log(z(1, 3), &view(None, Some(z(1, 4)))), Choice::Snapshot);
        let dear = LogView { floor: Some(z(1, 3)), next: None, affordable: false };
        assert_eq!(choose_by_log(z(1, 3), &dear), Choice::Snapshot);
    }
}
