//! Observers behind followers (`observerMasterPort`): ours behind Java's, Java's behind ours.
//!
//! # Invariants
//! * An observer is never connected to the leader while a follower serves observers.
//! * Behind each follower it learns what the leader has committed, not only that the follower is there.
//! * Writes through an observer, and what it holds at the end, are judged as everybody's.

use std::time::{Duration, Instant};

use crate::cell::progress;
use crate::harness::group::SETTLE;
use crate::harness::history::History;
use crate::harness::load::{By, Shape};
use crate::harness::{Group, Plan};
use crate::need;
use crate::support::{Kind, fourlw, java, ports};

/// Whom an observer is connected to, as `mntr` says, once that is one of `wanted`.
fn master(group: &mut Group, observer: u64, wanted: impl Fn(i64) -> bool) -> Result<i64, String> {
    let deadline = Instant::now() + SETTLE;
    loop {
        let said = group.member(observer).ask("mntr").unwrap_or_default();
        let id = fourlw::value(&said, "zk_observer_master_id").and_then(|id| id.parse().ok());
        match id {
            Some(id) if wanted(id) => return Ok(id),
            _ if Instant::now() > deadline => {
                return Err(format!("server {observer} is connected to {id:?}\n{}", group.logs()));
            }
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Waits until an observer has applied what another member has now.
fn learns(group: &mut Group, observer: u64, from: u64) -> Result<(), String> {
    let applied = |group: &mut Group, id: u64| {
        let said = group.member(id).ask("srvr").unwrap_or_default();
        let hex = fourlw::value(&said, "Zxid").and_then(|zxid| zxid.strip_prefix("0x"));
        hex.and_then(|hex| i64::from_str_radix(hex, 16).ok())
    };
    let deadline = Instant::now() + SETTLE;
    let mut goal = None;
    loop {
        goal = goal.or_else(|| applied(group, from));
        let at = applied(group, observer);
        match (goal, at) {
            (Some(goal), Some(at)) if at >= goal => return Ok(()),
            _ if Instant::now() > deadline => {
                let (goal, at) = (goal.unwrap_or_default(), at.unwrap_or_default());
                let said = format!("server {observer} stays at 0x{at:x}, server {from} was at 0x{goal:x}");
                return Err(format!("{said}\n{}", group.logs()));
            }
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Three voters of one kind, an observer of the other: it loses the follower that serves it, then the leader goes.
fn story(voters: Kind, observer: Kind) -> Result<String, String> {
    let lines = vec![format!("observerMasterPort={}", ports::lasting())];
    let plan = Plan { observers: vec![observer], own_addresses: true, lines, ..Plan::of(&[voters; 3]) };
    let mut group = Group::start(&plan)?;
    let leader = group.leader(SETTLE)?;
    let follows = |leader: u64, id: i64| (1..=3).contains(&id) && id as u64 != leader;
    let first = master(&mut group, 4, |id| follows(leader, id))?;
    // The load's clients begin at different servers: one of them at the observer.
    let loads = vec![group.load(By::Rust, &Shape { clients: 4, ..Shape::default() })?];
    progress(&loads)?;
    group.member(first as u64).kill();
    let second = master(&mut group, 4, |id| follows(leader, id) && id != first)?;
    progress(&loads)?;
    learns(&mut group, 4, leader)?;
    group.join(first as u64)?;
    progress(&loads)?;
    group.member(leader).kill();
    let next = group.leader(SETTLE)?;
    let third = master(&mut group, 4, |id| (1..=3).contains(&id) && id as u64 != leader)?;
    progress(&loads)?;
    learns(&mut group, 4, next)?;
    group.join(leader)?;
    group.wait_all()?;
    progress(&loads)?;
    let mut history = History::default();
    for load in loads {
        history.add(load.stop().map_err(|why| format!("{why}\n{}", group.logs()))?);
    }
    let (faults, _) = group.finish(&history)?;
    if !faults.is_empty() || history.expired() > 0 {
        let (ended, faults) = (history.expired(), faults.join("\n"));
        return Err(format!("{ended} sessions ended\n{faults}\n{}", group.logs()));
    }
    let n = history.acknowledged();
    Ok(format!(
        "{n} writes acknowledged; server 4 behind {first}, {second}, {third}; {leader} led, then {next}"
    ))
}

#[test]
fn observers_learn_from_followers_of_the_other_kind() {
    let _turn = crate::turn();
    need!("mixed: observers behind followers", java::classpath(Kind::Java395));
    for (voters, observer) in [(Kind::Java395, Kind::Oxkeeper), (Kind::Oxkeeper, Kind::Java395)] {
        match story(voters, observer) {
            Ok(shown) => println!("{voters:?} x 3, {observer:?} observes: {shown}"),
            Err(why) => panic!("{voters:?} x 3, {observer:?} observes: {why}"),
        }
    }
}

#[test]
fn observers_learn_from_followers_of_their_own_kind() {
    if !crate::full() {
        return;
    }
    let _turn = crate::turn();
    println!("{}", story(Kind::Oxkeeper, Kind::Oxkeeper).unwrap_or_else(|why| panic!("{why}")));
    need!("mixed: control of observers behind followers", java::classpath(Kind::Java395));
    println!("{}", story(Kind::Java395, Kind::Java395).unwrap_or_else(|why| panic!("{why}")));
}
