//! What the disk did, and what it means for the role.
//!
//! # Invariants
//!
//! * Every proof renews [`Promises`](crate::zab::Promises) first, whatever the role.
//! * After a failure nothing is promised any more: the member is out for good.
//! * A log without room acknowledges nothing: the member is out until there is room. A leader whose
//!   room is short hands over, once.

use super::{Member, Phase};
use crate::disk::Durable;
use crate::replica::{DiskDone, DiskOp, Recovered, StorageState};
use crate::types::{Now, Zxid};
use crate::zab::leader::LeaderInput;
use crate::zab::learner::LearnerInput;
use crate::zab::{Proposal, Window};

impl Member {
    pub(super) fn disk(&mut self, done: DiskDone, now: Now) {
        match done {
            DiskDone::Logged { durable, state, waiting, .. } => {
                if let Some(upto) = durable {
                    let before = std::mem::replace(&mut self.promises.last, upto);
                    self.node.handle_logged(&upto, now);
                    if matches!(self.phase, Phase::Leading(_)) {
                        self.node.handle_acknowledged(self.config.me, *before.get(), *upto.get(), now);
                    }
                    self.role_input(LeaderInput::Logged(upto), LearnerInput::Logged(upto), now);
                }
                self.storage(state, waiting, now);
            }
            DiskDone::Accepted(epoch) => {
                self.promises.accepted = epoch;
                self.role_input(LeaderInput::Accepted(epoch), LearnerInput::Accepted(epoch), now);
            }
            DiskDone::Current(epoch) => {
                self.promises.current = epoch;
                self.role_input(LeaderInput::Current(epoch), LearnerInput::Current(epoch), now);
            }
            DiskDone::Reloaded { last, recovered, window } => self.reloaded(last, *recovered, window, now),
            DiskDone::NotTruncated(why) => {
                self.relearn = true;
                match self.phase {
                    Phase::Learning(_) => self.learner_input(LearnerInput::NotTruncated(why), now.mono),
                    Phase::Settling { reloading: true } => self.look("the log could not be cut", now),
                    _ => {}
                }
            }
            DiskDone::Found { link, view } => {
                self.role_input(LeaderInput::Found { link, view }, LearnerInput::Found { link, view }, now);
            }
            // Evidence for people: nothing depends on it.
            DiskDone::Kept(_) => {}
            DiskDone::Settled { last } => self.settled(last, now),
            DiskDone::Failed(why) => {
                self.storage = StorageState::Failed;
                self.node.handle_storage(StorageState::Failed);
                self.leave(false, format!("the storage failed: {why}"), now);
            }
        }
    }

    /// Tells leader or learner, whatever this member is.
    pub(super) fn role_input(&mut self, leader: LeaderInput, learner: LearnerInput, now: Now) {
        match self.phase {
            Phase::Leading(_) => self.leader_input(leader, now.mono),
            Phase::Learning(_) => self.learner_input(learner, now.mono),
            _ => {}
        }
    }

    fn reloaded(&mut self, last: Durable<Zxid>, recovered: Recovered, window: Vec<Proposal>, now: Now) {
        self.promises.last = last;
        self.node.replace(recovered, now);
        self.install_config();
        self.relearn = false;
        match self.phase {
            Phase::Learning(_) => self.learner_input(LearnerInput::Reloaded { last, window }, now.mono),
            _ => {
                let end = (*last.get()).max(Zxid::ZERO);
                self.window = Window::new(self.config.window, end, window);
                self.tail.clear();
                // One that a role asked for is followed by Settled.
                if matches!(self.phase, Phase::Settling { reloading: true }) {
                    self.look("the log is settled", now);
                }
            }
        }
    }

    fn storage(&mut self, state: StorageState, waiting: usize, now: Now) {
        let before = std::mem::replace(&mut self.storage, state);
        if before != state {
            self.node.handle_storage(state);
        }
        match state {
            StorageState::Failed => self.leave(false, "the storage failed", now),
            StorageState::Full if waiting > 0 => self.out_of_room(now),
            StorageState::Full => self.short_of_room(now),
            StorageState::Good => {
                self.gave_up_full = false;
                if matches!(self.phase, Phase::Out { full: true }) {
                    self.phase = Phase::Settling { reloading: false };
                    self.outbox.disk(DiskOp::Settle);
                }
            }
        }
    }

    /// Nothing more can be logged.
    fn out_of_room(&mut self, now: Now) {
        if !matches!(self.phase, Phase::Settling { .. } | Phase::Out { .. }) {
            self.leave(true, "the log has no room", now);
        }
    }

    /// Little room is left: let another one lead, if there is one.
    fn short_of_room(&mut self, now: Now) {
        if let Phase::Leading(leader) = &mut self.phase
            && !std::mem::replace(&mut self.gave_up_full, true)
        {
            // Nobody to hand over to: it leads on, and nothing may grow.
            let _alone = leader.hand_over(None, now.wall_ms, now.mono);
        }
    }
}
