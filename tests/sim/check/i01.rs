//! I1: what any two members deliver are prefixes of one another.

use super::{Check, Seen, View};
use crate::book::id;
use crate::history::{self, upto, z};

pub struct OneHistory;

impl Check for OneHistory {
    fn number(&self) -> u8 {
        1
    }

    fn see(&mut self, view: &View<'_>, seen: &Seen<'_>) -> Result<(), String> {
        let Seen::Delivering { who, upto: zxid } = seen else { return Ok(()) };
        let (own, all) = (&view.book.pages[*who].log, &view.history.log);
        let Some(mine) = upto(own, *zxid).checked_sub(1).map(|i| &own[i]) else { return Ok(()) };
        // Where both end or the shorter one does: equal chains there, equal histories up to there.
        let common = mine.zxid.min(history::last(all));
        let Some(theirs) = upto(all, common).checked_sub(1).map(|i| &all[i]) else { return Ok(()) };
        match history::entry(own, theirs.zxid) {
            Some(e) if e.chain == theirs.chain => Ok(()),
            found => Err(format!(
                "{} delivers up to {}, but what it holds at {} is {} of the delivered history",
                id(*who),
                z(*zxid),
                z(theirs.zxid),
                if found.is_some() { "not that" } else { "nothing" }
            )),
        }
    }
}
