//! I5: a durable currentEpoch means that the history of its leader is durable, too.

use super::{Check, Seen, View};
use crate::book::id;
use crate::history::z;

pub struct EpochAfterHistory;

impl Check for EpochAfterHistory {
    fn number(&self) -> u8 {
        5
    }

    fn see(&mut self, view: &View<'_>, seen: &Seen<'_>) -> Result<(), String> {
        let Seen::Epoch { who, accepted: false, epoch } = seen else { return Ok(()) };
        let Some((zxid, chain)) = view.book.initial.get(epoch) else { return Ok(()) };
        // What a damaged disk has lost I14 looks after.
        if view.book.pages[*who].damaged {
            return Ok(());
        }
        if *zxid == 0 || view.book.pages[*who].holds(*zxid, *chain) {
            return Ok(());
        }
        Err(format!(
            "currentEpoch of {} is {epoch}, but the initial history of its leader, up to {}, is not durable there ({})",
            id(*who),
            z(*zxid),
            z(view.book.pages[*who].durable)
        ))
    }
}
