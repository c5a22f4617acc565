//! A leader: discovery, streams to learners, broadcast.
//!
//! * `ensemble voters 1 2 3 observers 9`: the configuration (`words::configuration`)
//! * `me 1 log 3:1 3:2 epoch 3 accepted 4 [force-snapshot] [without-log] [reconfig] [diffs 1] [snaps 1]`
//! * `@0 begin`; `@500 timer`
//! * `@0 link 2 follower 2 accepted 4 [version 7]`, `... observer 9 ...`: who it says it is
//! * `@0 link 2 accepts 3 at 3:2`: ACKEPOCH, with its current epoch (-1: not counted) and the end of its log
//! * `@0 link 2 acks 5:1`, `@0 link 2 pings 2` (sessions), `@0 link 2 sends UpToDate 5:0`, `@0 link 2 lost`
//! * `@0 accepted 5`, `@0 current 5`, `@0 logged 5:1`: the disk
//! * `@0 found 2 floor 2:7 next 3:1 [dear]`: what the log holds around a learner's end
//! * `@0 propose 5:1 [voters ...]`: the next transaction, or one with a configuration
//! * `@0 sync 2`: a learner's sync is to be answered
//!
//! # Invariants
//!
//! * Links are connections: the first line of a link makes it.

use super::words::{
    Words, configuration, durable, entry, next, next_zxid, number, reconfiguration, server, shown, time,
    zxids,
};
use oxkeeper::peer::payload::encode_number;
use oxkeeper::peer::{LearnerInfo, Packet, PacketKind, Touch};
use oxkeeper::types::{Instant, LinkId, SessionId, Zxid};
use oxkeeper::zab::leader::{Leader, LeaderConfig, LeaderInput, LeaderOutput, ToLearner};
use oxkeeper::zab::{LogView, Promises, Quorum, Quorums, Window};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// Defects that a transcript of a leader shows.
#[cfg(feature = "mutants")]
pub const MUTANTS: &[&str] = &[
    "epoch-told-unwritten",
    "leads-against-newer",
    "leads-while-establishing",
    "newleader-first",
    "diff-starts-late",
    "diff-for-foreign-tail",
    "outstanding-not-sent",
    "proposals-to-synced-only",
    "own-ack-early",
    "commit-without-quorum",
    "leads-without-quorum",
];

/// One member that leads.
#[derive(Default)]
pub struct Leads {
    ensemble: Option<Arc<Quorum>>,
    started: Option<(LeaderConfig, Promises, Window)>,
    leader: Option<Leader>,
    links: BTreeSet<LinkId>,
}

impl Leads {
    fn me(&mut self, words: &mut Words<'_>) {
        let me = server(words);
        assert_eq!(words.next(), Some("log"));
        let log = zxids(words);
        let end = log.last().copied().unwrap_or(Zxid::ZERO);
        assert_eq!(words.next(), Some("epoch"));
        let current = durable(next(words));
        assert_eq!(words.next(), Some("accepted"));
        let accepted = durable(next(words));
        let mut config = LeaderConfig {
            me,
            tick: Duration::from_millis(1000),
            init_limit: 10,
            sync_limit: 5,
            force_snapshot: false,
            from_log: true,
            max_snap_syncs: 10,
            max_diff_syncs: 10,
            reconfig: false,
            disloyal_after: None,
        };
        while let Some(word) = words.next() {
            match word {
                "force-snapshot" => config.force_snapshot = true,
                "without-log" => config.from_log = false,
                "reconfig" => config.reconfig = true,
                "diffs" => config.max_diff_syncs = next(words),
                "snaps" => config.max_snap_syncs = next(words),
                _ => panic!("{word}?"),
            }
        }
        let window = Window::new(500, end, log.into_iter().map(entry).collect());
        self.started = Some((config, Promises { last: durable(end), current, accepted }, window));
    }

    fn at(&mut self, now: Instant, words: &mut Words<'_>) {
        let first = words.next().expect("an order");
        if first == "begin" {
            let (config, promises, window) = self.started.take().expect("a member");
            let quorums = Quorums::from(self.ensemble.clone().expect("an ensemble"));
            self.leader = Some(Leader::new(config, quorums, promises, window, now));
            return;
        }
        if first == "link" {
            let link = LinkId(next(words));
            if self.links.insert(link) {
                self.tell(LeaderInput::Linked { link }, now);
            }
            let input = self.of_link(link, words);
            return self.tell(input, now);
        }
        let leader = self.leader.as_mut().expect("a leader");
        match first {
            "timer" => leader.timeout(now),
            "sync" => leader.sync(LinkId(next(words))),
            "propose" => {
                let zxid = next_zxid(words);
                let proposal = match words.peek() {
                    Some(_) => reconfiguration(zxid, &configuration(words)),
                    None => entry(zxid),
                };
                leader.propose(&proposal, now);
            }
            "accepted" => leader.handle(LeaderInput::Accepted(durable(next(words))), now),
            "current" => leader.handle(LeaderInput::Current(durable(next(words))), now),
            "logged" => leader.handle(LeaderInput::Logged(durable(next_zxid(words))), now),
            "found" => {
                let link = LinkId(next(words));
                let mut view = LogView { affordable: true, ..LogView::default() };
                while let Some(word) = words.next() {
                    match word {
                        "floor" => view.floor = Some(next_zxid(words)),
                        "next" => view.next = Some(next_zxid(words)),
                        "dear" => view.affordable = false,
                        _ => panic!("{word}?"),
                    }
                }
                leader.handle(LeaderInput::Found { link, view }, now);
            }
            _ => panic!("{first}?"),
        }
    }

    fn tell(&mut self, input: LeaderInput, now: Instant) {
        self.leader.as_mut().expect("a leader").handle(input, now);
    }

    fn of_link(&mut self, link: LinkId, words: &mut Words<'_>) -> LeaderInput {
        let packet = match words.next().expect("what the learner does") {
            "lost" => {
                self.links.remove(&link);
                return LeaderInput::LinkLost { link };
            }
            kind @ ("follower" | "observer") => {
                let id = server(words);
                assert_eq!(words.next(), Some("accepted"));
                let zxid = Zxid::new(next(words), 0);
                let version = words.next().map_or(0, |_| next(words));
                let kind =
                    if kind == "follower" { PacketKind::FollowerInfo } else { PacketKind::ObserverInfo };
                Packet::with(kind, zxid, LearnerInfo::ours(id, version).encode())
            }
            "accepts" => {
                let current: i32 = next(words);
                assert_eq!(words.next(), Some("at"));
                Packet::with(PacketKind::AckEpoch, next_zxid(words), encode_number(current))
            }
            "acks" => Packet::bare(PacketKind::Ack, next_zxid(words)),
            "pings" => {
                let touch = |n| Touch { session: SessionId(n), timeout: 4000 };
                let touches: Vec<Touch> = (1..=number(words.next())).map(touch).collect();
                Packet::with(PacketKind::Ping, Zxid::ZERO, Touch::encode_list(&touches))
            }
            "sends" => {
                let kind = words.next().expect("a kind");
                let known = (0..64).filter_map(PacketKind::from_number).find(|k| format!("{k:?}") == kind);
                Packet::bare(known.unwrap_or_else(|| panic!("{kind} is no kind")), next_zxid(words))
            }
            word => panic!("{word}?"),
        };
        LeaderInput::Packet { link, packet }
    }

    fn outcome(&mut self, out: &mut String) {
        let Some(leader) = &mut self.leader else { return };
        while let Some(output) = leader.poll_output() {
            let _ = writeln!(out, "  {}", show(output));
        }
    }
}

fn show(output: LeaderOutput) -> String {
    match output {
        LeaderOutput::Send { link, item } => match item {
            ToLearner::Packet(p) => {
                let bytes = p.data.as_ref().map_or(0, |d| d.len());
                format!("to {}: {:?} {}, {bytes} bytes", link.0, p.kind, shown(p.zxid))
            }
            ToLearner::Log { after, upto } => {
                format!("to {}: the log behind {} up to {}", link.0, shown(after), shown(upto))
            }
            ToLearner::Snapshot { zxid } => format!("to {}: a snapshot of {}", link.0, shown(zxid)),
        },
        LeaderOutput::Hangup { link, why } => format!("closes {}: {why}", link.0),
        LeaderOutput::PersistAccepted(e) => format!("disk: accepted epoch {e}"),
        LeaderOutput::PersistCurrent(e) => format!("disk: current epoch {e}"),
        LeaderOutput::FindInLog { link, zxid } => format!("disk: look for {} of {}", shown(zxid), link.0),
        LeaderOutput::Established { epoch } => format!("leads epoch {epoch}"),
        LeaderOutput::Commit(z) => format!("applies up to {}", shown(z)),
        LeaderOutput::Request { link, request, .. } => format!("{} asks {}", link.0, request.cxid),
        LeaderOutput::Revalidate { link, touch, .. } => format!("{} asks about {}", link.0, touch.session),
        LeaderOutput::Touched { server, touches } => format!("{server} heard of {} sessions", touches.len()),
        LeaderOutput::NewConfig { ensemble, active, designated } => {
            let what = if active { "in force" } else { "proposed" };
            format!("configuration {:x} is {what}, leader {designated:?}", ensemble.version)
        }
        LeaderOutput::HandedOver { to } => format!("hands over to {to}"),
        LeaderOutput::Kept(why) => format!("leads on: {why}"),
        LeaderOutput::StepDown(why) => format!("steps down: {why}"),
    }
}

impl super::Stage for Leads {
    fn line(&mut self, line: &str, out: &mut String) {
        let mut words = line.split_whitespace().peekable();
        match words.next() {
            Some("ensemble") => self.ensemble = Some(Arc::new(configuration(&mut words))),
            Some("me") => self.me(&mut words),
            Some(at) => {
                self.at(time(at), &mut words);
                self.outcome(out);
            }
            None => {}
        }
    }
}
