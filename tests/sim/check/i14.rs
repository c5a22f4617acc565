//! I14: after its disk failed a member promises nothing more, and leaves.

use super::{Check, Seen, View};
use crate::book::id;
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
                    if page.role != Role::Out && view.now > since + 2 * view.tick {
                        return Err(format!(
                            "{} is still {:?} two ticks after its disk failed",
                            id(who),
                            page.role
                        ));
                    }
                }
                Ok(())
            }
            // An emptied disk learns before it votes.
            Seen::Voted { who, note }
                if view.book.pages[*who].wiped && note.zxid.0 >= 0 && note.leader == id(*who) =>
            {
                Err(format!("{} votes for itself from an emptied disk", id(*who)))
            }
            _ => Ok(()),
        }
    }
}
