//! The oracle: the same random requests to Java ZooKeeper 3.9.5 and to Oxkeeper, every byte of every
//! answer compared.
//!
//! A script is made from a seed: several sessions, every op code, ACLs and identities, multis, watches,
//! sequential, ephemeral, container and TTL znodes, quotas, odd paths, undecodable records, unknown ops,
//! closing, stealing and expiring sessions. Raw frames go to both servers; replies, their order,
//! events and their place among the replies, and at the end the whole tree must be equal but for what
//! `differences.rs` lists. A difference is shrunk to a short script and printed with the command that
//! replays it.
//!
//! * `OXKEEPER_ORACLE_REQUESTS`: how many requests (default: bounded; `make oracle`: 100,000)
//! * `OXKEEPER_ORACLE_SEED`: the first seed
//! * `OXKEEPER_ORACLE_PROFILE`, `OXKEEPER_ORACLE_KEEP`: replay these atoms of one script
#[path = "../support/mod.rs"]
mod support;

mod control;
mod coverage;
mod decode;
mod differences;
mod make;
mod pilot;
mod record;
mod requests;
mod rig;
mod rng;
mod script;
mod shrink;
mod values;
mod wire;

use coverage::Seen;
use make::Profile;
use rig::{Difference, Rig};
use script::Script;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use support::{Kind, java};

/// Requests of one script.
const SCRIPT: usize = 250;
/// Differences after which a run ends.
const ENOUGH: usize = 3;

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// What a run found.
#[derive(Default)]
struct Report {
    requests: usize,
    scripts: usize,
    seen: Seen,
    text: String,
    differences: usize,
    intended: BTreeMap<&'static str, usize>,
}

/// Runs scripts of a profile until `requests` are made.
fn hunt(profile: Profile, other: Kind, requests: usize, report: &mut Report) -> Result<(), String> {
    let mut rig = Rig::start(profile, other)?;
    let first: u64 = setting("OXKEEPER_ORACLE_SEED").and_then(|s| s.parse().ok()).unwrap_or(1);
    let (mut made, mut found) = (0, 0);
    for seed in first.. {
        if made >= requests || found >= ENOUGH {
            break;
        }
        let script = make::script(profile, seed, SCRIPT.min(requests));
        made += script.requests();
        report.scripts += 1;
        let differences = rig.run(&script)?;
        if differences.iter().any(|d| d.intended.is_none()) {
            found += 1;
            explain(&mut rig, profile, &script, &differences, &mut report.text);
        }
    }
    report.requests += made;
    report.differences += found;
    report.seen.add(&rig.seen);
    for (name, n) in &rig.intended {
        *report.intended.entry(name).or_default() += n;
    }
    Ok(())
}

/// Shrinks a script that shows a difference and says how to see it again. Servers that were brought
/// apart are replaced.
fn explain(rig: &mut Rig, profile: Profile, script: &Script, first: &[Difference], text: &mut String) {
    let unintended = |found: &[Difference]| found.iter().find(|d| d.intended.is_none()).cloned();
    if let Some(d) = unintended(first) {
        let step = script.steps.get(d.step).map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(
            text,
            "seed {} of {profile:?}, step {}: {step}\n  java: {}\n  ours: {}",
            script.seed, d.step, d.java, d.ours
        );
    }
    let _ = rig.rejoin();
    let (small, atoms) = shrink::shrink(script, |s| {
        let shows = rig.run(s).map_or(true, |found| unintended(&found).is_some());
        if shows {
            let _ = rig.rejoin();
        }
        shows
    });
    let again = rig.run(&small).unwrap_or_default();
    let _ = rig.rejoin();
    let difference = unintended(&again).or_else(|| unintended(first));
    let keep: Vec<String> = atoms.iter().map(|(s, p)| format!("{s}.{p}")).collect();
    let _ =
        writeln!(text, "DIFFERENCE, seed {} of {profile:?}, in {} steps:", script.seed, small.steps.len());
    for (at, step) in small.steps.iter().enumerate() {
        let _ = writeln!(text, "  {at:3} {step}");
    }
    if let Some(d) = difference {
        let _ = writeln!(text, "  at step {}\n  java: {}\n  ours: {}", d.step, d.java, d.ours);
    }
    let _ = writeln!(
        text,
        "  replay: OXKEEPER_ORACLE_SEED={} OXKEEPER_ORACLE_PROFILE={profile:?} OXKEEPER_ORACLE_KEEP={} cargo test \
         --test oracle replay -- --nocapture",
        script.seed,
        keep.join(",")
    );
}

/// Requests of a run: as asked, or few enough for `make test`.
fn requests(default: usize) -> usize {
    setting("OXKEEPER_ORACLE_REQUESTS").and_then(|s| s.parse().ok()).unwrap_or(default)
}

/// All profiles, or the one that is asked for.
fn hunt_all(other: Kind, total: usize) -> Report {
    let mut report = Report::default();
    for (profile, share) in Profile::ALL.into_iter().zip([50, 20, 20, 10]) {
        match setting("OXKEEPER_ORACLE_PROFILE") {
            Some(only) if only != format!("{profile:?}") => {}
            _ => hunt(profile, other, total * share / 100, &mut report).expect("both servers live"),
        }
    }
    report
}

fn conclude(report: &Report) {
    println!("{} requests in {} scripts", report.requests, report.scripts);
    println!("{}{}", report.text, report.seen.table());
    for known in differences::INTENDED {
        let lines = report.intended.get(known.name).copied().unwrap_or(0);
        println!("  intended, {lines} lines: {}: {}", known.name, known.reason);
    }
    assert_eq!(report.differences, 0, "\n{}", report.text);
}

/// Two servers of the same kind must not differ: what is masked is what servers may choose, and
/// nothing depends on time or chance.
#[test]
fn java_against_java_shows_no_difference_and_reaches_everything() {
    need!("zookeeper-3.9.5", java::classpath(Kind::Java395));
    let report = hunt_all(Kind::Java395, requests(6000));
    conclude(&report);
    let missing = report.seen.missing();
    assert!(missing.is_empty(), "not reached: {missing:?}");
}

/// Oxkeeper answers as Java ZooKeeper does, but for the intended differences.
#[test]
fn oxkeeper_answers_as_java_does() {
    need!("zookeeper-3.9.5", java::classpath(Kind::Java395));
    conclude(&hunt_all(Kind::Oxkeeper, requests(6000)));
}

/// Each defect that shows in what a server says is found: the oracle can fail.
#[cfg(feature = "mutants")]
#[test]
fn every_defect_that_clients_can_see_is_found() {
    need!("zookeeper-3.9.5", java::classpath(Kind::Java395));
    const SEEN_BY_CLIENTS: [&str; 12] = [
        "read-overtakes-write",
        "event-lost",
        "event-unfiltered",
        "one-shot-stays",
        "cversion-skips-delete",
        "sequence-without-padding",
        "multi-partial",
        "acl-ignored",
        "quota-ignored",
        "ephemeral-stays",
        "zxid-in-auth-reply",
        "error-code",
    ];
    let mut missed = Vec::new();
    for name in SEEN_BY_CLIENTS {
        assert!(oxkeeper::types::mutant::ALL.iter().any(|(n, _)| *n == name), "{name} is a defect");
        let profile = if name == "quota-ignored" { Profile::Quota } else { Profile::Full };
        let mut spec = rig::spec(profile);
        spec.env.push(("OXKEEPER_MUTANT".into(), name.into()));
        let mut rig = Rig::with(profile, Kind::Oxkeeper, &spec).expect("both servers live");
        let mut requests = 0;
        let found = (1..=40).find(|seed| {
            let script = make::script(profile, *seed, SCRIPT);
            requests += script.requests();
            rig.run(&script).map_or(true, |found| found.iter().any(|d| d.intended.is_none()))
        });
        match found {
            Some(_) => println!("{name}: found within {requests} requests"),
            None => missed.push(name),
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// The server that a replay holds against the reference: Oxkeeper, or another Java with
/// `OXKEEPER_ORACLE_AGAINST=java`.
fn under_test() -> Kind {
    if setting("OXKEEPER_ORACLE_AGAINST").as_deref() == Some("java") { Kind::Java395 } else { Kind::Oxkeeper }
}

/// Replays the atoms of a shrunk script and prints both sides' lines.
#[test]
fn replay() {
    let Some(keep) = setting("OXKEEPER_ORACLE_KEEP") else { return };
    let seed = setting("OXKEEPER_ORACLE_SEED").and_then(|s| s.parse().ok()).unwrap_or(1);
    let name = setting("OXKEEPER_ORACLE_PROFILE").unwrap_or_default();
    let profile = Profile::ALL.into_iter().find(|p| format!("{p:?}") == name).unwrap_or(Profile::Full);
    let atoms: Vec<(usize, usize)> = keep
        .split(',')
        .filter_map(|a| a.split_once('.'))
        .filter_map(|(s, p)| Some((s.parse().ok()?, p.parse().ok()?)))
        .collect();
    let script = make::script(profile, seed, SCRIPT).keep(&atoms);
    let mut rig = Rig::start(profile, under_test()).expect("both servers live");
    let found = rig.run(&script).expect("both servers live");
    for (at, step) in script.steps.iter().enumerate() {
        println!("{at:3} {step}");
    }
    for d in &found {
        println!("step {}: java: {}\n        ours: {}", d.step, d.java, d.ours);
    }
    println!("{} differing lines", found.len());
}
