//! The leader hands over: it waits until one follower has everything, makes it the one with the
//! longest log, and steps down.
//!
//! The follower is sent one more transaction than anybody else, a failed operation without effect.
//! With it the follower wins every comparison of votes, in elections of Java's members, too.
//!
//! # Invariants
//!
//! * Nothing is proposed between the last commit and the step down but that one transaction.
//! * The leader neither logs nor counts it: it is the next leader's to commit.
//! * Once it has left, the leader steps down, whatever comes: its zxid is used up.

use super::peers::Stage as At;
use super::{Leader, LeaderOutput, Stage, ToLearner};
use crate::peer::{Packet, PacketKind};
use crate::txn::{Record, Txn, TxnHeader, kind};
use crate::types::{Instant, LinkId, ServerId, Zxid};

/// A hand-over under way.
#[derive(Clone, Debug)]
pub(super) struct HandOver {
    to: LinkId,
    server: ServerId,
    wall_ms: i64,
    /// The transaction that only the chosen one gets.
    baton: Option<Zxid>,
    /// When it is given up.
    pub ends: Instant,
    /// What learners asked for meanwhile.
    pub held: Vec<LeaderOutput>,
}

/// Code of the failed operation: "nothing happened" (`RUNTIMEINCONSISTENCY` and its like are alarms).
const NO_EFFECT: i32 = 0;

impl Leader {
    /// Hands over to a member, or to the voter that is furthest. From now on the caller admits nothing
    /// until [`LeaderOutput::StepDown`], or [`LeaderOutput::Kept`] when it did not work out.
    ///
    /// # Errors
    ///
    /// Nobody can take over: why, in words.
    pub fn hand_over(&mut self, to: Option<ServerId>, wall_ms: i64, now: Instant) -> Result<(), String> {
        if self.stage != Stage::Serving {
            return Err("this member does not lead yet".into());
        }
        if self.hand_over.is_some() {
            return Err("the leadership is being handed over already".into());
        }
        let active = self.quorums.active();
        let able = self.peers.active().filter(|(_, p)| {
            !p.observer
                && active.votes(p.server)
                && active.weight(p.server) > 0
                && to.is_none_or(|t| t == p.server)
        });
        let Some((to, server)) =
            able.max_by_key(|(_, p)| (p.acked, p.server)).map(|(link, p)| (link, p.server))
        else {
            return Err(match to {
                Some(to) => format!("{to} is no follower with a vote"),
                None => "no voter follows".into(),
            });
        };
        let ends = now + self.config.tick * self.config.sync_limit;
        self.hand_over = Some(HandOver { to, server, wall_ms, baton: None, ends, held: Vec::new() });
        self.stale = true;
        Ok(())
    }

    /// Is the leadership being handed over?
    pub fn is_handing_over(&self) -> bool {
        self.hand_over.is_some()
    }

    /// Everything is committed and the chosen one has it: send it the one transaction more.
    pub(super) fn hand_over_advance(&mut self) {
        let Some(h) = &mut self.hand_over else { return };
        let (link, end) = (h.to, self.window.end());
        let idle = self.outstanding.is_empty() && h.baton.is_none();
        if !idle || !self.peers.get(link).is_some_and(|p| p.stage == At::Active && p.acked >= end) {
            return;
        }
        let Some(zxid) = self.proposed.next().filter(|z| z.counter() != u32::MAX) else {
            return self.step_down("the zxid's counter is used up: a new epoch has to begin");
        };
        h.baton = Some(zxid);
        let header = TxnHeader { client_id: 0, cxid: 0, zxid, time: h.wall_ms, kind: kind::ERROR };
        let record = Record { header, txn: Txn::Error { err: NO_EFFECT }, digest: None };
        let packet = Packet::with(PacketKind::Proposal, zxid, record.to_bytes().into());
        self.out.push_back(LeaderOutput::Send { link, item: ToLearner::Packet(packet) });
    }

    pub(super) fn has_passed_baton(&self) -> bool {
        self.hand_over.as_ref().is_some_and(|h| h.baton.is_some())
    }

    pub(super) fn is_baton(&self, link: LinkId, zxid: Zxid) -> bool {
        self.hand_over.as_ref().is_some_and(|h| h.to == link && h.baton == Some(zxid))
    }

    pub(super) fn hand_over_acked(&mut self, link: LinkId, zxid: Zxid) {
        if self.is_baton(link, zxid)
            && let Some(h) = &self.hand_over
        {
            let why = format!("the leadership was handed over to {}", h.server);
            self.out.push_back(LeaderOutput::HandedOver { to: h.server });
            self.step_down(why);
        }
    }

    pub(super) fn hand_over_lost(&mut self, link: LinkId) {
        if self.hand_over.as_ref().is_some_and(|h| h.to == link) {
            self.hand_over_failed("its connection was lost");
        }
    }

    pub(super) fn hand_over_timeout(&mut self, now: Instant) {
        if self.hand_over.as_ref().is_some_and(|h| now >= h.ends) {
            self.hand_over_failed("it did not catch up within syncLimit");
        }
    }

    fn hand_over_failed(&mut self, why: &str) {
        let Some(h) = self.hand_over.take() else { return };
        let why = format!("{} could not take over: {why}", h.server);
        if h.baton.is_some() {
            self.step_down(why);
        } else {
            self.out.extend(h.held);
            self.out.push_back(LeaderOutput::Kept(why));
        }
    }
}
