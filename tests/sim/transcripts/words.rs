//! Words that all transcripts share.
//!
//! # Invariants
//!
//! * A word that is not understood stops the transcript.

use bytes::Bytes;
use oxkeeper::config::quorum::Ensemble;
use oxkeeper::disk::{Durable, Synced};
use oxkeeper::txn::{Record, Txn, TxnHeader, kind};
use oxkeeper::types::{Instant, ServerId, Zxid};
use oxkeeper::zab::{Proposal, Quorum};
use std::fmt::Write;

/// The rest of a line.
pub type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

/// A proof, as the disk of a transcript gives it.
pub fn durable<T>(value: T) -> Durable<T> {
    Durable::new(value, &Synced::by_disk())
}

/// A number.
pub fn number<T: std::str::FromStr>(word: Option<&str>) -> T {
    let word = word.expect("a number");
    word.parse().ok().unwrap_or_else(|| panic!("{word} is no number"))
}

/// The next word as a number.
pub fn next<T: std::str::FromStr>(words: &mut Words<'_>) -> T {
    number(words.next())
}

/// The next word as a server.
pub fn server(words: &mut Words<'_>) -> ServerId {
    ServerId(next(words))
}

/// `1:7`, `none`, or a bare number such as `-1`.
pub fn zxid(word: &str) -> Zxid {
    match word.split_once(':') {
        Some((epoch, counter)) => Zxid::new(number(Some(epoch)), number(Some(counter))),
        None if word == "none" => Zxid(i64::MIN),
        None => Zxid(number(Some(word))),
    }
}

/// The next word as a zxid.
pub fn next_zxid(words: &mut Words<'_>) -> Zxid {
    zxid(words.next().expect("a zxid"))
}

/// The words up to the next one that is no zxid.
pub fn zxids(words: &mut Words<'_>) -> Vec<Zxid> {
    let mut all = Vec::new();
    while let Some(word) = words.peek().filter(|w| w.contains(':') || w.parse::<i64>().is_ok()) {
        all.push(zxid(word));
        words.next();
    }
    all
}

/// As [`zxid`] reads it.
pub fn shown(zxid: Zxid) -> String {
    match zxid.0 {
        i64::MIN => "none".to_owned(),
        -1 => "-1".to_owned(),
        _ => format!("{}:{}", zxid.epoch(), zxid.counter()),
    }
}

/// `@1500`: the time of a line, ms.
pub fn time(word: &str) -> Instant {
    let ms = word.strip_prefix('@').unwrap_or_else(|| panic!("{word} is no time"));
    Instant::from_millis(number(Some(ms)))
}

/// `voters 1 2 3 observers 4 groups 1:2 3 weights 3=0 version 5`.
pub fn configuration(words: &mut Words<'_>) -> Quorum {
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

/// A transaction that changes nothing.
pub fn entry(zxid: Zxid) -> Proposal {
    let header = TxnHeader { client_id: 1, cxid: 1, zxid, time: 0, kind: kind::ERROR };
    let record = Record { header, txn: Txn::Error { err: -1 }, digest: None };
    Proposal { zxid, bytes: record.to_bytes().into() }
}

/// A transaction that proposes a configuration.
pub fn reconfiguration(zxid: Zxid, quorum: &Quorum) -> Proposal {
    let header = TxnHeader { client_id: 1, cxid: 1, zxid, time: 0, kind: kind::RECONFIG };
    let data = Some(Bytes::copy_from_slice(quorum.text().as_bytes()));
    let txn = Txn::SetData { path: "/zookeeper/config".into(), data, version: -1 };
    Proposal { zxid, bytes: Record { header, txn, digest: None }.to_bytes().into() }
}
