//! Elections: what one member hears, and what it does about it.
//!
//! * `ensemble voters 1 2 3 observers 4 groups 1:2 3 weights 3=0 version 5`: the configuration
//! * `pending ...`: a newer one that is proposed
//! * `me 1 log 1:7 epoch 1 [observer] [reconfig]`: the member; `log -1` is not to be trusted
//! * `@100 look`, `@100 timer`, `@100 2 lost`
//! * `@100 2 says looking 2 1:7 round 1 epoch 1 [old | version 6 voters ... | garbled]`
//! * `@100 settle following 2 1:7 round 1 epoch 2`
//!
//! # Invariants
//!
//! * A timer that changed is told: the member says by itself when it wants to be woken.

use super::words::{Words, configuration, durable, number, shown, zxid};
use oxkeeper::peer::{Notification, PeerState};
use oxkeeper::types::{Instant, ServerId};
use oxkeeper::zab::{Election, ElectionConfig, ElectionOutput, Promises, Quorum, Quorums, Vote};
use std::fmt::Write;
use std::sync::Arc;

/// Defects that a transcript of an election shows.
#[cfg(feature = "mutants")]
pub const MUTANTS: &[&str] = &["vote-by-number", "settled-unheard", "settled-silent"];

/// One member that elects.
#[derive(Default)]
pub struct Elects {
    ensemble: Option<Arc<Quorum>>,
    pending: Option<Arc<Quorum>>,
    election: Option<Election>,
    promises: Option<Promises>,
    timer: Option<Instant>,
}

fn member(word: &str) -> ServerId {
    if word == "nobody" { ServerId::NOBODY } else { ServerId(number(Some(word))) }
}

fn named(id: ServerId) -> String {
    if id == ServerId::NOBODY { "nobody".to_owned() } else { id.0.to_string() }
}

fn state(word: &str) -> PeerState {
    match word {
        "looking" => PeerState::Looking,
        "following" => PeerState::Following,
        "leading" => PeerState::Leading,
        "observing" => PeerState::Observing,
        _ => panic!("{word} is no state"),
    }
}

/// `1 1:7 round 1 epoch 1`.
fn vote(words: &mut Words<'_>) -> Vote {
    let leader = member(words.next().expect("a candidate"));
    let zxid = zxid(words.next().expect("a zxid"));
    assert_eq!(words.next(), Some("round"));
    let election_epoch = number(words.next());
    assert_eq!(words.next(), Some("epoch"));
    let epoch = words.next();
    let peer_epoch = if epoch == Some("none") { i64::MIN } else { number(epoch) };
    Vote { leader, zxid, peer_epoch, election_epoch }
}

fn voted(vote: &Vote) -> String {
    let epoch = if vote.peer_epoch == i64::MIN { "none".to_owned() } else { vote.peer_epoch.to_string() };
    format!("{} {} round {} epoch {epoch}", named(vote.leader), shown(vote.zxid), vote.election_epoch)
}

impl Elects {
    fn me(&mut self, words: &mut Words<'_>) {
        let mut config = ElectionConfig::new(ServerId(number(words.next())));
        assert_eq!(words.next(), Some("log"));
        let last = zxid(words.next().expect("a zxid"));
        assert_eq!(words.next(), Some("epoch"));
        let current = durable(number(words.next()));
        for word in words {
            match word {
                "observer" => config.votes = false,
                "reconfig" => config.reconfig = true,
                _ => panic!("{word}?"),
            }
        }
        self.promises = Some(Promises { last: durable(last), current, accepted: current });
        let ensemble = self.ensemble.clone().expect("an ensemble before the member");
        self.election = Some(Election::new(config, Quorums::new(ensemble, self.pending.clone())));
    }

    fn at(&mut self, now: Instant, words: &mut Words<'_>, out: &mut String) {
        let first = words.next().expect("an order");
        let election = self.election.as_mut().expect("a member");
        match first {
            "look" => election.look(self.promises.expect("promises"), now),
            "timer" if election.poll_timeout().is_some_and(|at| at <= now) => election.timeout(now),
            "timer" => out.push_str("  nothing is due\n"),
            "settle" => {
                let state = state(words.next().expect("a state"));
                election.settle(state, vote(words));
            }
            from => match words.next() {
                Some("lost") => election.lost(member(from), now),
                Some("says") => {
                    let note = self.note(words);
                    self.election.as_mut().expect("a member").handle(member(from), &note, now);
                }
                other => panic!("{other:?}?"),
            },
        }
    }

    fn note(&self, words: &mut Words<'_>) -> Notification {
        let state = state(words.next().expect("a state"));
        let vote = vote(words);
        let config = match words.peek().copied() {
            Some("old") => None,
            Some("garbled") => Some("server.x\u{0}=?".to_owned()),
            Some(_) => Some(configuration(words).text().to_string()),
            None => self.ensemble.as_ref().map(|q| q.text().to_string()),
        };
        Notification {
            state,
            leader: vote.leader,
            zxid: vote.zxid,
            election_epoch: vote.election_epoch,
            peer_epoch: vote.peer_epoch,
            config,
        }
    }

    fn outcome(&mut self, out: &mut String) {
        let election = self.election.as_mut().expect("a member");
        while let Some(output) = election.poll_output() {
            let text = match output {
                ElectionOutput::Send { to, note } => {
                    let (zxid, peer_epoch) = (note.zxid, note.peer_epoch);
                    let vote =
                        Vote { leader: note.leader, zxid, peer_epoch, election_epoch: note.election_epoch };
                    format!("to {}: {} {}", to.0, format!("{:?}", note.state).to_lowercase(), voted(&vote))
                }
                ElectionOutput::Elected { state, vote } => {
                    format!("elected: {} {}", format!("{state:?}").to_lowercase(), voted(&vote))
                }
                ElectionOutput::NewerConfig(ensemble) => {
                    format!("newer configuration {:x}", ensemble.version)
                }
            };
            let _ = writeln!(out, "  {text}");
        }
        let timer = election.poll_timeout();
        if timer != self.timer {
            let _ = match timer {
                Some(at) => writeln!(out, "  timer @{}", at.millis()),
                None => writeln!(out, "  no timer"),
            };
            self.timer = timer;
        }
    }
}

impl super::Stage for Elects {
    fn line(&mut self, line: &str, out: &mut String) {
        let mut words = line.split_whitespace().peekable();
        match words.next() {
            Some("ensemble") => self.ensemble = Some(Arc::new(configuration(&mut words))),
            Some("pending") => self.pending = Some(Arc::new(configuration(&mut words))),
            Some("me") => self.me(&mut words),
            Some(time) => {
                let ms = time.strip_prefix('@').unwrap_or_else(|| panic!("{line}?"));
                self.at(Instant::from_millis(number(Some(ms))), &mut words, out);
                self.outcome(out);
            }
            None => {}
        }
    }
}
