//! I2: what was acknowledged or read is in the history of every later leader.

use super::{Check, Seen, View};
use crate::book::id;
use crate::history::{self, z};
use oxkeeper::replica::member::Role;

pub struct AckedForEver;

impl Check for AckedForEver {
    fn number(&self) -> u8 {
        2
    }

    fn see(&mut self, view: &View<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Role { who, change } if change.role == Role::Leading && change.serving => {
                let Some(told) = view.history.log.last() else { return Ok(()) };
                let own = &view.book.pages[*who].log;
                match history::entry(own, told.zxid) {
                    Some(e) if e.chain == told.chain => Ok(()),
                    _ => Err(format!(
                        "{} leads epoch {} with a history that ends with {} and lacks the delivered {}",
                        id(*who),
                        change.epoch,
                        z(history::last(own)),
                        z(told.zxid)
                    )),
                }
            }
            // What is read where nobody leads may be forgotten again.
            Seen::Replied { client, .. } if client.reads_only => Ok(()),
            Seen::Replied { header, who, .. } if header.zxid.0 > view.history.last() => {
                // The epoch's own zxid is no transaction: a leader answers with it before its first.
                if header.zxid.counter() == 0 {
                    return Ok(());
                }
                Err(format!(
                    "{} answers with {}, the history ends with {}",
                    id(*who),
                    header.zxid,
                    z(view.history.last())
                ))
            }
            _ => Ok(()),
        }
    }
}
