//! I6: logs have no holes, and memory never passes for disk.

use super::{Check, Seen, View};
use crate::book::{Page, id};
use crate::history::{self, z};
use crate::net::Who;
use oxkeeper::peer::PacketKind;
use oxkeeper::types::Zxid;

pub struct NoHoles;

impl Check for NoHoles {
    fn number(&self) -> u8 {
        6
    }

    fn see(&mut self, view: &View<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Appended { who, before, zxid } => {
                let (old, new) = (Zxid(*before), Zxid(*zxid));
                let follows = new.epoch() == old.epoch() && new.counter() == old.counter().wrapping_add(1);
                let begins = new.epoch() > old.epoch() && new.counter() == 1;
                if follows || begins {
                    return Ok(());
                }
                Err(format!("{} logs {new} behind {old}", id(*who)))
            }
            Seen::Voted { who, note } if note.leader == id(*who) => {
                claims(&view.book.pages[*who], *who, note.zxid, "votes with")
            }
            Seen::Sent { who, packet, .. } if packet.kind == PacketKind::AckEpoch => {
                claims(&view.book.pages[*who], *who, packet.zxid, "tells the leader")
            }
            Seen::Delivering { who, upto } => {
                let log = &view.book.pages[*who].log;
                if *upto <= history::last(log) || Zxid(*upto).counter() == 0 {
                    return Ok(());
                }
                Err(format!(
                    "{} has applied {}, its log ends with {}",
                    id(*who),
                    z(*upto),
                    z(history::last(log))
                ))
            }
            _ => Ok(()),
        }
    }
}

/// What is claimed to be there is the end of an unbroken log, or the beginning of an epoch.
fn claims(page: &Page, who: Who, zxid: Zxid, says: &str) -> Result<(), String> {
    let fine = zxid.0 <= 0 || zxid.counter() == 0 || history::entry(&page.log, zxid.0).is_some();
    // An installation that is not reported yet: the old log is what is on disk.
    let before = page.before.as_ref().is_some_and(|log| history::entry(log, zxid.0).is_some());
    if fine || before {
        return Ok(());
    }
    Err(format!(
        "{} {says} {zxid}, which its log does not hold: it ends with {}",
        id(who),
        z(history::last(&page.log))
    ))
}
