//! I7: what a learner holds after it was brought level is exactly the leader's history.

use super::{Check, Seen, View};
use crate::book::id;
use crate::history::{self, z};
use oxkeeper::replica::member::Role;

pub struct ExactSync;

impl Check for ExactSync {
    fn number(&self) -> u8 {
        7
    }

    fn see(&mut self, view: &View<'_>, seen: &Seen<'_>) -> Result<(), String> {
        let Seen::Role { who, change } = seen else { return Ok(()) };
        if !change.serving || !matches!(change.role, Role::Following | Role::Observing) {
            return Ok(());
        }
        let Some(leader) = change.leader.map(crate::book::who) else { return Ok(()) };
        let (own, its) = (&view.book.pages[*who].log, &view.book.pages[leader].log);
        let Some(mine) = own.last() else { return Ok(()) };
        let here = id(*who);
        match history::entry(its, mine.zxid) {
            Some(e) if e.chain == mine.chain => {}
            // The leader may be deposed, restarted and cut, or its disk emptied, meanwhile: then the
            // epoch's own history tells.
            _ if view.book.pages[leader].epoch != change.epoch || view.book.pages[leader].wiped => {
                return Ok(());
            }
            _ => {
                return Err(format!(
                    "{here} serves epoch {} with a log that ends with {} and is no part of the history of its leader {}, which ends with {}",
                    change.epoch,
                    z(mine.zxid),
                    id(leader),
                    z(history::last(its))
                ));
            }
        }
        match view.book.initial.get(&change.epoch) {
            Some((zxid, _)) if mine.zxid < *zxid => {
                Err(format!("{here} serves epoch {} and lacks {}", change.epoch, z(*zxid)))
            }
            _ => Ok(()),
        }
    }
}
