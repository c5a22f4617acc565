//! kill -9 under load, again and again on one directory: no acknowledged write is lost.
//!
//! # Invariants
//!
//! * A writer's requests are answered in order: what was acknowledged is a count.
//! * After a restart there is at least what was acknowledged, at most what was sent, and
//!   without a gap; and what a restart has shown once never changes again.

use std::io;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use oxkeeper::proto::OpCode;

use crate::support::dirs::Dir;
use crate::support::ox;
use crate::support::server::Spec;
use crate::wire::{Wire, create_record, set_record};

const ROUNDS: usize = 50;
const WRITERS: usize = 3;
const DEPTH: usize = 24;

/// What one writer sent and what was acknowledged.
struct Written {
    sent: usize,
    acknowledged: usize,
}

/// Creates `/r<round>/<writer>-<n>` and counts `/w<writer>` up to n, until the server is gone.
fn write(port: u16, round: usize, writer: usize) -> Written {
    let mut done = Written { sent: 0, acknowledged: 0 };
    let _gone = load(port, round, writer, &mut done);
    done
}

fn load(port: u16, round: usize, writer: usize, done: &mut Written) -> io::Result<()> {
    let mut wire = Wire::connect(port, 20_000)?;
    let counter = format!("/w{writer}");
    loop {
        let mut out = Vec::new();
        while done.sent < done.acknowledged + DEPTH {
            let (path, n) = (format!("/r{round}/{writer}-{:06}", done.sent), done.sent + 1);
            wire.put(&mut out, OpCode::Create, |w| create_record(w, &path, &[7; 50], 0));
            wire.put(&mut out, OpCode::SetData, |w| {
                set_record(w, &counter, format!("{round} {n}").as_bytes())
            });
            done.sent += 1;
        }
        wire.send(&out)?;
        for _ in 0..DEPTH / 2 {
            for _ in 0..2 {
                let reply = wire.reply()?;
                assert_eq!(reply.err, 0, "xid {}", reply.xid);
            }
            done.acknowledged += 1;
        }
    }
}

/// Names below `/r<round>` as a restarted server shows them, checked against what was written.
fn check(wire: &mut Wire, round: usize, written: &[Written]) -> usize {
    let names = wire.children(&format!("/r{round}")).expect("children");
    for (writer, w) in written.iter().enumerate() {
        let mine: Vec<_> = names.iter().filter(|n| n.starts_with(&format!("{writer}-"))).collect();
        assert!(
            (w.acknowledged..=w.sent).contains(&mine.len()),
            "round {round} writer {writer}: {} there, {} acknowledged, {} sent",
            mine.len(),
            w.acknowledged,
            w.sent
        );
        for (n, name) in mine.iter().enumerate() {
            assert_eq!(**name, format!("{writer}-{n:06}"), "round {round}: a gap");
        }
        let counter = wire.get(&format!("/w{writer}")).expect("a reply").expect("a counter");
        let counter = String::from_utf8_lossy(&counter).into_owned();
        let (at, n) = counter.split_once(' ').expect("round and number");
        if at == round.to_string() {
            let n: usize = n.parse().expect("a number");
            assert!(
                n >= w.acknowledged && (n == mine.len() || n + 1 == mine.len()),
                "round {round}: {counter}"
            );
        } else {
            assert_eq!(w.acknowledged, 0, "round {round}: counter {counter}");
        }
    }
    names.len()
}

#[test]
fn no_acknowledged_write_is_lost_by_kill_9() {
    let home = Dir::new("crash");
    // small segments and snapshots: kills fall into rolls and snapshots too
    let spec = Spec::new().data_dir(home.path()).cfg("snapCount=1500").cfg("preAllocSize=512");
    let mut server = ox::start(&spec).expect("a server");
    let mut wire = Wire::connect(server.port(), 20_000).expect("a session");
    for writer in 0..WRITERS {
        assert_eq!(wire.create(&format!("/w{writer}"), b"none 0", 0).expect("a reply"), 0);
    }
    let (mut shown, mut acknowledged) = (Vec::new(), 0);
    let begun = Instant::now();
    for round in 0..ROUNDS {
        assert_eq!(wire.create(&format!("/r{round}"), b"", 0).expect("a reply"), 0);
        let port = server.port();
        let writers: Vec<JoinHandle<Written>> =
            (0..WRITERS).map(|writer| std::thread::spawn(move || write(port, round, writer))).collect();
        // from the middle of the first sync to several snapshots later
        std::thread::sleep(Duration::from_millis(20 + (round as u64 * 37) % 330));
        server.kill();
        let written: Vec<Written> = writers.into_iter().map(|w| w.join().expect("a writer")).collect();
        acknowledged += written.iter().map(|w| w.acknowledged).sum::<usize>();
        server = ox::start(&spec).unwrap_or_else(|e| panic!("round {round}: {e}"));
        wire = Wire::connect(server.port(), 20_000).expect("a session");
        shown.push(check(&mut wire, round, &written));
        for (earlier, count) in shown.iter().enumerate().rev().take(3) {
            assert_eq!(wire.children(&format!("/r{earlier}")).expect("children").len(), *count);
        }
    }
    for (round, count) in shown.iter().enumerate() {
        assert_eq!(wire.children(&format!("/r{round}")).expect("children").len(), *count, "round {round}");
    }
    assert!(acknowledged > 10 * ROUNDS, "there was no load: {acknowledged} writes");
    println!("{ROUNDS} rounds, {acknowledged} writes acknowledged, {:?}", begun.elapsed());
}
