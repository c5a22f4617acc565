//! A member whose ensemble changes: what it keeps, tells its edge and its node, and which role it
//! takes without an election.
//!
//! # Invariants
//!
//! * Every configuration is told to the edge before anything that depends on it: it is kept before
//!   it counts.
//! * The node checks reconfigurations against who follows now, not against who did.
//! * A role is taken without an election only right after the reconfiguration that designates it.

use super::{Member, MemberOutput, Phase};
use crate::config::quorum::Ensemble;
use crate::replica::Standing;
use crate::types::{Now, ServerId, Zxid};
use std::sync::Arc;

impl Member {
    /// A configuration was proposed.
    pub(super) fn seen(&mut self, ensemble: &Ensemble) {
        if self.membership.seen(ensemble) {
            self.election.set_quorums(self.membership.quorums());
            let ensemble = ensemble.clone();
            self.outbox.push(MemberOutput::NewConfig { ensemble, active: false });
            self.tell_relay();
        }
    }

    /// A configuration came into force. Does this member have to leave its role?
    pub(super) fn activate(
        &mut self,
        ensemble: &Ensemble,
        led_by: Option<ServerId>,
        designated: Option<ServerId>,
        zxid: Zxid,
    ) -> bool {
        let activated = self.membership.activate(ensemble, led_by, designated, zxid);
        if activated.changed {
            self.election.set_quorums(self.membership.quorums());
            let ensemble = ensemble.clone();
            self.outbox.push(MemberOutput::NewConfig { ensemble, active: true });
            self.install_config();
            self.tell_relay();
        }
        self.designated = activated.next;
        activated.leave
    }

    /// What a follower tells its observers of the configuration.
    fn tell_relay(&mut self) {
        let (version, text) = (self.membership.active().version(), self.newest_text());
        if let Phase::Learning(l) = &mut self.phase {
            l.learner.set_configuration(version, text);
        }
    }

    /// The text of the newest configuration.
    pub(super) fn newest_text(&self) -> Arc<str> {
        self.membership.quorums().newest().text().clone()
    }

    /// The configuration node says what is in force here, as long as the log says nothing newer:
    /// the first configuration stands in no transaction.
    pub(super) fn install_config(&mut self) {
        let active = self.membership.active();
        self.node.install_config(active.text(), Zxid(active.version()));
    }

    /// Tells the node what reconfigurations are checked against, when that has changed.
    pub(super) fn stand(&mut self) {
        let Phase::Leading(leader) = &self.phase else { return };
        if !leader.is_serving() || self.stood == Some(leader.electorate()) {
            return;
        }
        self.stood = Some(leader.electorate());
        self.node.stand(Standing {
            me: self.config.me,
            active: self.membership.active().version(),
            last_seen: self.membership.last_seen().clone(),
            synced: leader.synced(),
            standalone_enabled: self.config.standalone_enabled,
            multi_address: self.config.multi_address,
        });
    }

    /// Takes the role that a reconfiguration gave this member, if it did.
    pub(super) fn take_designated_role(&mut self, now: Now) -> bool {
        let Some((state, vote)) = self.designated.take() else { return false };
        // Without a database that is to be trusted nobody leads.
        if self.must_learn() || self.promises.last.get().0 < 0 {
            return false;
        }
        self.phase = Phase::Looking { read_only_at: None, trust_at: None };
        self.elected(state, vote, now);
        true
    }
}
