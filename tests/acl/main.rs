//! Who may do what: a million random decisions equal those of a model that was written apart from the server's check.
//!
//! Sessions with several identities each (addresses, digests, SASL logins, certificates, super users) send random
//! requests of every op code, alone and as parts of multis, to znodes with random ACLs; codes, masked lists, parts and
//! the events that watchers are told must be the model's. The model in turn is held against Java ZooKeeper 3.9.5.
//!
//! * `OXKEEPER_ACL_DECISIONS`: how many (default: 1,000,000)
//! * `OXKEEPER_ACL_SEED`: replay the history of one seed
#[path = "../support/mod.rs"]
mod support;

mod answer;
mod ask;
mod inside;
mod live;
mod make;
mod model;
#[path = "../oracle/rng.rs"]
#[allow(dead_code)]
mod rng;
mod run;
mod watching;

use inside::Inside;
use model::Rules;
use run::{Plan, SESSIONS, Seen, history};
use std::thread;

/// Decisions of a run of `make test`.
const DECISIONS: u64 = 1_000_000;
/// Steps of one history.
const STEPS: usize = 4000;
/// Op codes that a session can go on after; the others end it (`closeSession`) or are refused (`refused_ops`).
const OPS: &[i32] =
    &[1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22, 101, 103, 104, 105, 106, 107];

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|v| v.parse().ok())
}

/// The history of a seed; every fifth server is configured in another way.
fn plan(seed: u64) -> Plan {
    let mut rules = Rules { sasl: true, x509: true, ..Rules::default() };
    match seed % 10 {
        1 => rules.short_names = Some("R.TEST".to_owned()),
        3 => rules.sasl = false,
        5 => rules.x509 = false,
        7 => rules.any_sasl_user = Some("alice".to_owned()),
        9 => rules.skip_acl = true,
        _ => {}
    }
    let from = &["127.0.0.1", "127.0.0.2", "10.1.3.77", "10.200.0.1", "::1", "fe80::1:2"];
    Plan { seed, rules, steps: STEPS, from, everything: true }
}

fn inside(seed: u64) -> Result<Seen, String> {
    let plan = plan(seed);
    let mut target = Inside::new(&plan.rules, SESSIONS);
    history(&plan, &mut target).map_err(|why| {
        format!("seed {seed}: {why}\n  replay: OXKEEPER_ACL_SEED={seed} cargo test --test acl replay -- --nocapture")
    })
}

/// Histories of the seeds `first`, `first + step`, … until so many decisions are made.
fn decide(first: u64, step: usize, decisions: u64) -> Result<Seen, String> {
    let mut all = Seen::default();
    for seed in (first..).step_by(step) {
        all.add(inside(seed)?);
        if all.decided >= decisions {
            break;
        }
    }
    Ok(all)
}

#[test]
fn a_million_decisions_equal_the_models() {
    let decisions = setting("OXKEEPER_ACL_DECISIONS").unwrap_or(DECISIONS);
    let halves = [1, 2].map(|first| thread::spawn(move || decide(first, 2, decisions.div_ceil(2))));
    let mut all = Seen::default();
    for half in halves {
        all.add(half.join().expect("no panic").unwrap_or_else(|why| panic!("{why}")));
    }
    println!(
        "{} decisions in {} requests ({} refused by an ACL, {} events told), every one equal",
        all.decided, all.requests, all.denied, all.told
    );
    assert!(all.decided >= decisions);
    assert!(all.denied * 20 > all.requests && all.told * 50 > all.requests, "too little was refused or told");
    assert_eq!(all.ops.into_iter().collect::<Vec<_>>(), OPS, "every op code takes part");
}

/// Op codes that no client may send, and one that only a multi may hold: refused whoever asks.
#[test]
fn ops_of_the_server_itself_are_refused_to_everybody() {
    use oxkeeper::auth::rules::{Rule, rule};
    use oxkeeper::proto::OpCode;
    let known: Vec<i32> = OpCode::ALL.iter().map(|op| op.number()).collect();
    let mut left: Vec<i32> = known.into_iter().filter(|op| !OPS.contains(op)).collect();
    left.sort_unstable();
    // createSession, closeSession, deleteContainer, auth, SASL: the last two are played by `Proof`.
    assert_eq!(left, [-11, -10, 20, 100, 102]);
    assert_eq!(rule(OpCode::DeleteContainer), Rule::ServerOnly);
    for op in [OpCode::DeleteContainer, OpCode::CreateSession, OpCode::Check] {
        assert_eq!(inside::alone(op.number()), -6, "{op:?}");
    }
}

#[test]
fn replay() {
    let Some(seed) = setting("OXKEEPER_ACL_SEED") else { return };
    let seen = inside(seed).unwrap_or_else(|why| panic!("{why}"));
    println!("seed {seed}: {} decisions, every one equal", seen.decided);
}

/// The comparison can fail: each defect of the check is found.
#[cfg(feature = "mutants")]
#[test]
fn every_defect_of_the_check_is_found() {
    use oxkeeper::types::mutant;
    const FOUND: [&str; 6] =
        ["acl-ignored", "event-unfiltered", "hash-unmasked", "part-unchecked", "network-wide", "auth-empty"];
    for name in FOUND {
        assert!(mutant::ALL.iter().any(|(n, _)| *n == name), "{name} is a defect");
        let found = (1..=20).find_map(|seed| {
            mutant::here(Some(name));
            let outcome = inside(seed);
            mutant::here(None);
            outcome.err()
        });
        let why = found.unwrap_or_else(|| panic!("{name} is not found"));
        println!("{name}: {}", why.lines().next().unwrap_or_default());
    }
}
