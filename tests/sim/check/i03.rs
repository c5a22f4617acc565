//! I3: one leader an epoch, epochs only grow, the counter of a zxid never wraps.

use super::{Check, Seen, View};
use crate::book::id;
use crate::net::Who;
use oxkeeper::replica::member::Role;
use oxkeeper::types::Zxid;
use std::collections::BTreeMap;

#[derive(Default)]
pub struct Epochs {
    established: BTreeMap<u32, Who>,
}

impl Check for Epochs {
    fn number(&self) -> u8 {
        3
    }

    fn see(&mut self, view: &View<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Epoch { who, accepted, epoch } => {
                let page = &view.book.pages[*who];
                let (name, old) =
                    if *accepted { ("acceptedEpoch", page.accepted) } else { ("currentEpoch", page.current) };
                if *epoch < old {
                    return Err(format!("{name} of {} falls from {old} to {epoch}", id(*who)));
                }
                if !accepted && *epoch > page.accepted {
                    let accepted = page.accepted;
                    return Err(format!("currentEpoch of {} is {epoch}, accepted {accepted}", id(*who)));
                }
                Ok(())
            }
            Seen::Role { who, change } if change.role == Role::Leading && change.serving => {
                match self.established.insert(change.epoch, *who) {
                    Some(other) if other != *who => {
                        Err(format!("{} and {} both lead epoch {}", id(other), id(*who), change.epoch))
                    }
                    _ => Ok(()),
                }
            }
            Seen::Appended { who, zxid, .. } if Zxid(*zxid).counter() == u32::MAX => {
                Err(format!("{} logs {}, the last of its epoch", id(*who), Zxid(*zxid)))
            }
            _ => Ok(()),
        }
    }
}
