//! I4: persist before promise. What leaves a member is on its disk, or on those of a quorum.
//!
//! Every promise is held against what the disks reported; now and then (the seed decides, for
//! the price) also against the crash image of the very instant, by the recovery of production.

use super::{Check, Seen, View};
use crate::book::{Page, id};
use crate::history::{self, z};
use crate::net::Who;
use oxkeeper::peer::PacketKind;
use oxkeeper::replica::member::Role;
use oxkeeper::types::Zxid;

#[derive(Default)]
pub struct PersistFirst;

impl Check for PersistFirst {
    fn number(&self) -> u8 {
        4
    }

    fn see(&mut self, view: &View<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Voted { who, note } if note.leader == id(*who) && note.zxid.counter() != 0 => {
                durable(&view.book.pages[*who], *who, note.zxid, "votes with")
            }
            Seen::Sent { who, packet, disk, .. } => {
                let page = &view.book.pages[*who];
                match packet.kind {
                    PacketKind::Ack if packet.zxid.counter() == 0 => {
                        whole_history(page, *who, packet.zxid.epoch())
                    }
                    PacketKind::Ack => durable(page, *who, packet.zxid, "acknowledges"),
                    PacketKind::LeaderInfo if page.accepted < packet.zxid.epoch() => {
                        let (epoch, accepted) = (packet.zxid.epoch(), page.accepted);
                        return Err(format!("{} tells epoch {epoch}, durable is {accepted}", id(*who)));
                    }
                    PacketKind::AckEpoch if page.accepted < page.promised => {
                        let (epoch, accepted) = (page.promised, page.accepted);
                        return Err(format!("{} accepts epoch {epoch}, durable is {accepted}", id(*who)));
                    }
                    PacketKind::AckEpoch => durable(page, *who, packet.zxid, "reports to the leader"),
                    // Before it is established a leader repeats its own history: not a promise yet.
                    PacketKind::Commit | PacketKind::Inform
                        if page.serving && packet.zxid.epoch() == page.epoch =>
                    {
                        return committed(view, *who, packet.zxid);
                    }
                    _ => return Ok(()),
                }?;
                match view.image {
                    Some(recover) if page.role != Role::Leading => {
                        let last = recover(disk)?;
                        if last < packet.zxid.0 && packet.zxid.counter() != 0 {
                            return Err(format!(
                                "{} promises {}; a crash at this instant leaves {}",
                                id(*who),
                                packet.zxid,
                                z(last)
                            ));
                        }
                        Ok(())
                    }
                    _ => Ok(()),
                }
            }
            Seen::Recovered { who, last, least, .. }
                if last.max(&0) < least && !view.book.pages[*who].damaged =>
            {
                Err(format!("{} recovers up to {}, durable was {}", id(*who), z(*last), z(*least)))
            }
            // What is applied may be answered: the first to apply it is the leader.
            Seen::Delivering { who, upto } if *upto > view.history.last() => {
                committed(view, *who, Zxid(*upto))
            }
            _ => Ok(()),
        }
    }
}

fn durable(page: &Page, who: Who, zxid: Zxid, says: &str) -> Result<(), String> {
    if zxid.0 <= 0 || zxid.counter() == 0 || page.durable >= zxid.0 {
        return Ok(());
    }
    Err(format!("{} {says} {zxid}, durable is {}", id(who), z(page.durable)))
}

/// An ACK of NEWLEADER: all of the leader's history is durable, and the epoch.
fn whole_history(page: &Page, who: Who, epoch: u32) -> Result<(), String> {
    if page.current < epoch {
        let current = page.current;
        return Err(format!("{} acknowledges epoch {epoch}, its durable currentEpoch is {current}", id(who)));
    }
    let history = page.log.iter().rev().find(|e| Zxid(e.zxid).epoch() < epoch).map_or(0, |e| e.zxid);
    durable(page, who, Zxid(history), "acknowledges NEWLEADER behind")
}

/// What is committed is durable on a quorum, now.
fn committed(view: &View<'_>, who: Who, zxid: Zxid) -> Result<(), String> {
    let own = &view.book.pages[who].log;
    let Some(entry) = history::entry(own, zxid.0).or_else(|| history::entry(&view.history.log, zxid.0))
    else {
        return Ok(());
    };
    // What was delivered by others long ago may have been wiped with a disk since.
    if history::entry(&view.history.log, zxid.0).is_some_and(|e| e.chain == entry.chain)
        && view.history.last() > zxid.0
    {
        return Ok(());
    }
    let holders = view.book.holders(zxid.0, entry.chain);
    // Somebody may have acknowledged it and lost its disk since, or a bit of its log.
    let lost = view.book.pages.iter().any(|p| p.wiped || p.damaged || p.doubtful.is_some());
    if lost || view.book.is_quorum(&holders) {
        return Ok(());
    }
    Err(format!("{} says that {zxid} is committed, durable on {holders:?} alone", id(who)))
}
