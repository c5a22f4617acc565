//! Tests of the parent module that no transcript tells.

use super::*;
use crate::disk::{Durable, Synced};
use crate::types::Zxid;
use crate::zab::Quorum;
use std::sync::Arc;

fn durable<T>(value: T) -> Durable<T> {
    Durable::new(value, &Synced::by_disk())
}

fn promises() -> Promises {
    Promises { last: durable(Zxid::new(1, 5)), current: durable(1), accepted: durable(1) }
}

fn election() -> Election {
    let text = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2";
    let quorum = Quorum::new(&Ensemble::parse(text, false).expect("a configuration"));
    Election::new(ElectionConfig::new(ServerId(1)), Arc::new(quorum).into())
}

fn note(leader: i64, round: i64) -> Notification {
    Notification {
        state: PeerState::Looking,
        leader: ServerId(leader),
        zxid: Zxid::new(1, 5),
        election_epoch: round,
        peer_epoch: 1,
        config: None,
    }
}

fn drain(election: &mut Election) -> Vec<ElectionOutput> {
    std::iter::from_fn(|| election.poll_output()).collect()
}

#[test]
fn before_the_first_round_nothing_is_said() {
    let mut election = election();
    election.handle(ServerId(2), &note(2, 1), Instant(0));
    election.handle(ServerId(9), &note(2, 1), Instant(0));
    election.timeout(Instant::from_millis(1000));
    assert_eq!((drain(&mut election), election.poll_timeout()), (Vec::new(), None));
}

#[test]
fn a_new_round_drops_what_the_old_one_wanted_to_say() {
    let mut election = election();
    election.look(promises(), Instant(0));
    election.handle(ServerId(2), &note(2, 1), Instant(0));
    election.look(promises(), Instant(0));
    let out = drain(&mut election);
    assert_eq!((out.len(), election.round(), election.state()), (2, 2, PeerState::Looking));
    for output in out {
        let ElectionOutput::Send { note, .. } = output else { panic!("{output:?}") };
        assert_eq!((note.leader, note.election_epoch), (ServerId(1), 2));
    }
}

#[test]
fn the_round_number_has_an_end_and_stays_there() {
    let mut election = election();
    election.look(promises(), Instant(0));
    election.handle(ServerId(2), &note(2, i64::MAX), Instant(0));
    election.look(promises(), Instant(0));
    assert_eq!(election.round(), i64::MAX);
}

#[test]
fn the_interval_stops_growing_at_its_largest() {
    let mut election = election();
    election.look(promises(), Instant(0));
    drain(&mut election);
    let mut last = Instant(0);
    let mut waited = Vec::new();
    for _ in 0..12 {
        let at = election.poll_timeout().expect("a repetition");
        waited.push(at.since(last).as_millis());
        last = at;
        election.timeout(at);
        assert_eq!(drain(&mut election).len(), 2);
    }
    assert_eq!(waited[..4], [200, 400, 800, 1600]);
    assert_eq!(waited[9..], [60_000; 3]);
}

#[test]
fn strangers_cost_no_memory_without_bound() {
    let mut election = election();
    election.look(promises(), Instant(0));
    for id in 10..10_000 {
        election.handle(ServerId(id), &note(id, 1), Instant(0));
        assert!(election.strangers.len() <= crate::limits::ELECTION_STRANGERS);
    }
}

/// It restarted and doubts its log; the others follow it still, and its round has the same number.
#[test]
fn who_doubts_its_log_does_not_lead_because_others_follow_it_still() {
    for (last, leads) in [(Zxid::new(1, 5), true), (Zxid(-1), false)] {
        let mut election = election();
        election.look(Promises { last: durable(last), ..promises() }, Instant(0));
        drain(&mut election);
        for other in [2, 3] {
            let follows = Notification { state: PeerState::Following, ..note(1, 1) };
            election.handle(ServerId(other), &follows, Instant(0));
        }
        let elected = drain(&mut election)
            .iter()
            .any(|o| matches!(o, ElectionOutput::Elected { state: PeerState::Leading, .. }));
        assert_eq!(elected, leads, "{last}");
        assert_eq!(election.state() == PeerState::Looking, !leads);
    }
}
