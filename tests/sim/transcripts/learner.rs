//! A learner: discovery, what it is brought level with, broadcast.
//!
//! * `me 2 [observer] [relearn] log 3:1 3:2 epoch 3 accepted 4`: the member
//! * `@0 linked`: the connection stands; `@500 timer`; `@500 progress` of a snapshot
//! * `@0 leaderinfo 5`, `@0 diff 3:4`, `@0 trunc 3:1`, `@0 snap 4:2`, `@0 newleader 5`, `@0 uptodate`
//! * `@0 proposal 5:1 [carrying 5:9]`, `@0 commit 5:1`, `@0 inform 5:1`, `@0 ping 5:1`, `@0 syncs`
//! * `@0 received 4:2`: the snapshot is here
//! * `@0 accepted 5`, `@0 current 5`, `@0 logged 5:1`, `@0 reloaded 3:1 3:2` (log): the disk
//! * `@0 uncut`: the log could not be cut
//!
//! # Invariants
//!
//! * What is sent is told with the number that it carries, where it carries one.

use super::words::{Words, durable, entry, next, next_zxid, server, shown, time, zxid, zxids};
use oxkeeper::peer::payload::{PROTOCOL, decode_number, encode_number};
use oxkeeper::peer::{Packet, PacketKind};
use oxkeeper::types::{Instant, Zxid};
use oxkeeper::zab::learner::{Learner, LearnerConfig, LearnerInput, LearnerOutput};
use oxkeeper::zab::{Promises, Window};
use std::fmt::Write;
use std::time::Duration;

/// Defects that a transcript of a learner shows.
#[cfg(feature = "mutants")]
pub const MUTANTS: &[&str] = &[
    "ack-before-sync",
    "newleader-acked-early",
    "epoch-before-history",
    "epoch-acked-twice",
    "epoch-acked-unwritten",
    "epoch-at-uptodate",
    "hole-logged",
    "truncation-unchecked",
    "unlogged-before-uptodate",
    "window-hole",
    "serves-before-synced",
];

/// One member that learns.
#[derive(Default)]
pub struct Learns {
    started: Option<(LearnerConfig, Promises, Window)>,
    learner: Option<Learner>,
}

impl Learns {
    fn me(&mut self, words: &mut Words<'_>) {
        let mut config = LearnerConfig {
            me: server(words),
            observer: false,
            config_version: 0,
            tick: Duration::from_millis(1000),
            init_limit: 10,
            sync_limit: 5,
            reconfig: false,
            relearn: false,
            relay: None,
        };
        loop {
            match words.next() {
                Some("observer") => config.observer = true,
                Some("relearn") => config.relearn = true,
                Some("log") => break,
                word => panic!("{word:?}?"),
            }
        }
        let log = zxids(words);
        let last = log.last().copied().unwrap_or(Zxid::ZERO);
        assert_eq!(words.next(), Some("epoch"));
        let current = durable(next(words));
        assert_eq!(words.next(), Some("accepted"));
        let accepted = durable(next(words));
        let window = Window::new(500, last, log.into_iter().filter(|z| z.0 > 0).map(entry).collect());
        self.started = Some((config, Promises { last: durable(last), current, accepted }, window));
    }

    fn at(&mut self, now: Instant, words: &mut Words<'_>) {
        if let Some((config, promises, window)) = self.started.take() {
            self.learner = Some(Learner::new(config, promises, window, now));
        }
        let learner = self.learner.as_mut().expect("a learner");
        let packet = |kind, zxid| LearnerInput::Packet(Packet::bare(kind, zxid));
        let with = |kind, zxid, data| LearnerInput::Packet(Packet::with(kind, zxid, data));
        let input = match words.next().expect("what happens") {
            "timer" => return learner.timeout(now),
            "linked" => LearnerInput::Linked,
            "progress" => LearnerInput::Progress,
            "leaderinfo" => with(PacketKind::LeaderInfo, Zxid::new(next(words), 0), encode_number(PROTOCOL)),
            "diff" => packet(PacketKind::Diff, next_zxid(words)),
            "trunc" => packet(PacketKind::Trunc, next_zxid(words)),
            "snap" => packet(PacketKind::Snap, next_zxid(words)),
            "newleader" => packet(PacketKind::NewLeader, Zxid::new(next(words), 0)),
            "uptodate" => packet(PacketKind::UpToDate, Zxid(-1)),
            "commit" => packet(PacketKind::Commit, next_zxid(words)),
            "ping" => packet(PacketKind::Ping, next_zxid(words)),
            "syncs" => packet(PacketKind::Sync, Zxid::ZERO),
            kind @ ("proposal" | "inform") => {
                let at = next_zxid(words);
                let inner = words.nth(1).map_or(at, zxid);
                let kind = if kind == "inform" { PacketKind::Inform } else { PacketKind::Proposal };
                with(kind, at, entry(inner).bytes)
            }
            "received" => LearnerInput::SnapshotReceived(next_zxid(words)),
            "accepted" => LearnerInput::Accepted(durable(next(words))),
            "current" => LearnerInput::Current(durable(next(words))),
            "logged" => LearnerInput::Logged(durable(next_zxid(words))),
            "reloaded" => {
                let log = zxids(words);
                let last = durable(log.last().copied().unwrap_or(Zxid::ZERO));
                LearnerInput::Reloaded { last, window: log.into_iter().map(entry).collect() }
            }
            "uncut" => LearnerInput::NotTruncated("no snapshot is left".to_owned()),
            word => panic!("{word}?"),
        };
        learner.handle(input, now);
    }

    fn outcome(&mut self, out: &mut String) {
        let Some(learner) = &mut self.learner else { return };
        while let Some(output) = learner.poll_output() {
            let _ = writeln!(out, "  {}", show(output));
        }
    }
}

fn show(output: LearnerOutput) -> String {
    match output {
        LearnerOutput::Send(p) if p.kind == PacketKind::AckEpoch => {
            let number = decode_number(p.data.as_deref().unwrap_or_default());
            format!("sends AckEpoch {}, current epoch {}", shown(p.zxid), number.unwrap_or(i32::MIN))
        }
        LearnerOutput::Send(p) => format!("sends {:?} {}", p.kind, shown(p.zxid)),
        LearnerOutput::PersistAccepted(e) => format!("disk: accepted epoch {e}"),
        LearnerOutput::PersistCurrent(e) => format!("disk: current epoch {e}"),
        LearnerOutput::Append(p) => format!("disk: append {}", shown(p.zxid)),
        LearnerOutput::Truncate(z) => format!("disk: cut behind {}", shown(z)),
        LearnerOutput::Install(z) => format!("disk: install the snapshot of {}", shown(z)),
        LearnerOutput::Commit(z) => format!("applies up to {}", shown(z)),
        LearnerOutput::Serve { epoch } => format!("serves in epoch {epoch}"),
        LearnerOutput::Revalidated(r) => format!("session {} lives: {}", r.session, r.valid),
        LearnerOutput::Synced => "answers a sync".to_owned(),
        LearnerOutput::WantTouches { zxid } => format!("is asked for its sessions at {}", shown(zxid)),
        LearnerOutput::ConfigSeen(e) => format!("configuration {:x} is proposed", e.version),
        LearnerOutput::ConfigActive { ensemble, .. } => {
            format!("configuration {:x} is in force", ensemble.version)
        }
        LearnerOutput::ToObserver { .. } | LearnerOutput::HangUp { .. } | LearnerOutput::FindInLog { .. } => {
            panic!("no observers are served here")
        }
        LearnerOutput::Leave(why) => format!("leaves: {why}"),
    }
}

impl super::Stage for Learns {
    fn line(&mut self, line: &str, out: &mut String) {
        let mut words = line.split_whitespace().peekable();
        match words.next() {
            Some("me") => self.me(&mut words),
            Some(at) => {
                self.at(time(at), &mut words);
                self.outcome(out);
            }
            None => {}
        }
    }
}
