//! Learners that connected before this member leads: they may have finished the election earlier.
//!
//! # Invariants
//!
//! * At most [`WAITING_LEARNERS`] connections, with their first packets only.

use super::io::MemberInput;
use crate::limits::{WAITING_LEARNERS, WAITING_PACKETS};
use crate::peer::Packet;
use crate::types::LinkId;
use std::collections::BTreeMap;

/// Connections without a leader.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    links: BTreeMap<LinkId, Vec<Packet>>,
}

impl Waiting {
    /// Takes what concerns a connection; returns one that is to be closed.
    pub fn take(&mut self, input: MemberInput) -> Option<LinkId> {
        match input {
            MemberInput::LinkAccepted { link, .. } if self.links.len() < WAITING_LEARNERS => {
                self.links.insert(link, Vec::new());
            }
            MemberInput::LinkAccepted { link, .. } | MemberInput::LinkUp { link } => return Some(link),
            MemberInput::LinkDown { link, .. } => {
                self.links.remove(&link);
            }
            MemberInput::Packet { link, packet } => {
                let packets = self.links.get_mut(&link)?;
                packets.push(packet);
                if packets.len() > WAITING_PACKETS {
                    self.links.remove(&link);
                    return Some(link);
                }
            }
            _ => {}
        }
        None
    }

    /// All of them, and what they sent.
    pub fn drain(&mut self) -> BTreeMap<LinkId, Vec<Packet>> {
        std::mem::take(&mut self.links)
    }
}
