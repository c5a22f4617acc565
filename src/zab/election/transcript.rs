//! Elections as transcripts: what one member hears, and what it does about it.
//!
//! A file of `transcripts/` holds scenarios. A line at the margin is an order to the member or a
//! word that reaches it; the indented lines below it are what follows, and are compared. With
//! `OXKEEPER_WRITE_TRANSCRIPTS=1` they are written anew, for a reader to judge.
//!
//! * `== title` begins a scenario
//! * `ensemble voters 1 2 3 observers 4 groups 1:2 3 weights 3=0 version 5`: the configuration
//! * `pending ...`: a newer one that is proposed
//! * `me 1 log 1:7 epoch 1 [observer] [reconfig]`: the member; `log -1` is not to be trusted
//! * `@100 look`, `@100 timer`, `@100 2 lost`
//! * `@100 2 says looking 2 1:7 round 1 epoch 1 [old | version 6 voters ... | garbled]`
//! * `@100 settle following 2 1:7 round 1 epoch 2`

use super::*;
use crate::disk::{Durable, Synced};
use crate::types::Zxid;
use crate::zab::{Promises, Quorum};
use std::fmt::Write;
use std::sync::Arc;

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

#[derive(Default)]
struct Stage {
    ensemble: Option<Arc<Quorum>>,
    pending: Option<Arc<Quorum>>,
    election: Option<Election>,
    promises: Option<Promises>,
    timer: Option<Instant>,
}

fn durable<T>(value: T) -> Durable<T> {
    Durable::new(value, &Synced::by_disk())
}

fn number<T: std::str::FromStr>(word: Option<&str>) -> T {
    let word = word.expect("a number");
    word.parse().ok().unwrap_or_else(|| panic!("{word} is no number"))
}

fn zxid(word: &str) -> Zxid {
    match word.split_once(':') {
        Some((epoch, counter)) => Zxid::new(number(Some(epoch)), number(Some(counter))),
        None if word == "none" => Zxid(i64::MIN),
        None => Zxid(number(Some(word))),
    }
}

fn shown(zxid: Zxid) -> String {
    match zxid.0 {
        i64::MIN => "none".to_owned(),
        -1 => "-1".to_owned(),
        _ => format!("{}:{}", zxid.epoch(), zxid.counter()),
    }
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

fn configuration(words: &mut Words<'_>) -> Quorum {
    let (mut text, mut version, mut group) = (String::new(), "0", 0);
    let mut part = "";
    for word in words {
        if let "voters" | "observers" | "groups" | "weights" | "version" = word {
            part = word;
            continue;
        }
        let _ = match part {
            "voters" => writeln!(text, "server.{word}=h{word}:1:2:participant"),
            "observers" => writeln!(text, "server.{word}=h{word}:1:2:observer"),
            "weights" => writeln!(text, "weight.{word}"),
            "groups" => {
                group += 1;
                writeln!(text, "group.{group}={word}")
            }
            _ => {
                version = word;
                Ok(())
            }
        };
    }
    let _ = write!(text, "version={version}");
    Quorum::new(&Ensemble::parse(&text, false).expect("a configuration"))
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

impl Stage {
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

    fn line(&mut self, line: &str, out: &mut String) {
        let mut words = line.split_whitespace().peekable();
        match words.next() {
            Some("==") => *self = Stage::default(),
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

    fn outcome(&mut self, out: &mut String) {
        let election = self.election.as_mut().expect("a member");
        while let Some(output) = election.poll_output() {
            let text = match output {
                ElectionOutput::Send { to, note } => {
                    let vote = Candidate::of(&note).vote(note.election_epoch);
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

fn play(text: &str) -> String {
    let (mut stage, mut out) = (Stage::default(), String::new());
    for line in text.lines().filter(|line| !line.starts_with(' ')) {
        out += line;
        out.push('\n');
        if !line.starts_with('#') {
            stage.line(line, &mut out);
        }
    }
    out
}

#[test]
fn elections_go_as_their_transcripts_say() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/zab/election/transcripts");
    let mut names: Vec<_> =
        std::fs::read_dir(&folder).expect("transcripts").collect::<Result<_, _>>().expect("names");
    names.sort_by_key(std::fs::DirEntry::file_name);
    let mut scenarios = 0;
    for name in names {
        let text = std::fs::read_to_string(name.path()).expect("a transcript");
        let played = play(&text);
        scenarios += text.lines().filter(|line| line.starts_with("== ")).count();
        if std::env::var_os("OXKEEPER_WRITE_TRANSCRIPTS").is_some() {
            std::fs::write(name.path(), played).expect("written");
        } else {
            assert_eq!(played, text, "{}", name.path().display());
        }
    }
    assert!(scenarios >= 25, "{scenarios} scenarios");
}
