//! I14: after its disk failed a member promises nothing more, and leaves; a damaged disk is refused,
//! or everything that was on it is there.

use super::{Check, Seen, View};
use crate::book::id;
use crate::heap::Time;
use crate::history::z;
use crate::world::INIT_LIMIT;
use oxkeeper::peer::PacketKind;
use oxkeeper::replica::member::Role;

pub struct DiskFaults;

impl Check for DiskFaults {
    fn number(&self) -> u8 {
        14
    }

    fn see(&mut self, view: &View<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Sent { who, packet, .. } if view.book.pages[*who].knows => match packet.kind {
                PacketKind::Ack | PacketKind::AckEpoch => {
                    let (kind, zxid) = (packet.kind, packet.zxid);
                    Err(format!("{} sends {kind:?} {zxid} after its disk failed", id(*who)))
                }
                _ => Ok(()),
            },
            Seen::Tick => {
                for (who, page) in view.book.pages.iter().enumerate() {
                    let Some(since) = page.failed.filter(|_| page.up) else { continue };
                    // Where only the file of a snapshot that was coming failed, the log was not asked: such
                    // a member has no role, and is on its way to learn that it can have none.
                    let out = page.role == Role::Out || (page.role == Role::Looking && !page.knows);
                    if !out && view.now > since + 2 * view.tick {
                        return Err(format!(
                            "{} is still {:?} two ticks after its disk failed",
                            id(who),
                            page.role
                        ));
                    }
                }
                Ok(())
            }
            // A torn group commit looks like a damaged one: the last of them alone may be taken for it.
            Seen::Recovered { who, last, least, doubtful: false, .. }
                if last.max(&0) < least
                    && view.book.pages[*who].damaged
                    && *last < view.book.pages[*who].group =>
            {
                let (last, least) = (z(*last), z(*least));
                Err(format!(
                    "{} takes a damaged disk for one that ends with {last}, it had {least}",
                    id(*who)
                ))
            }
            // An emptied disk learns before it votes.
            Seen::Voted { who, note }
                if view.book.pages[*who].wiped && note.zxid.0 >= 0 && note.leader == id(*who) =>
            {
                Err(format!("{} votes for itself from an emptied disk", id(*who)))
            }
            Seen::Voted { who, note } if note.zxid.0 >= 0 && note.leader == id(*who) => {
                let patience = Time::from(INIT_LIMIT) * view.tick * 19 / 20;
                match view.book.pages[*who].doubtful {
                    Some(since) if view.now < since + patience => {
                        Err(format!("{} votes for itself and doubts its log", id(*who)))
                    }
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}
