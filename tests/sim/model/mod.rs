//! A bounded model check of the real zab machines: election, leader and learner of three members,
//! one transaction, one crash with restart, every order of deliveries and of the disks' answers.
//!
//! Nothing of the protocol is written again here: `member` drives `zab::{Election, Leader, Learner}`
//! as the server's Member does, over links and disks that the checker delays as it likes. Time
//! stands still; a time-out is a step that may happen whenever what it waits for cannot come.
//!
//! `OXKEEPER_MODEL_STATES` sets how many states are looked at (100,000 by default).
//!
//! # Invariants
//!
//! * A step is one delivery, one answer of a disk, one time-out, one crash: nothing happens beside it.
//! * The checker tells how deep and how many states it went: what lies beyond is not claimed.

mod member;
mod world;

use stateright::{Checker, Model, Property};
use world::{Ensemble, Start, Step, World};

/// What must never be seen; `World::broken` names one of them.
const NEVER: [&str; 5] = [
    "two members lead one epoch",
    "a leader lacks a committed transaction",
    "a promise is not durable",
    "an epoch goes back, or the current one is ahead of the accepted one",
    "two transactions have one zxid",
];

impl Model for Ensemble {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        world.steps(self, steps);
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        switch(self.mutant);
        let mut next = world.clone();
        next.take(step);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NEVER[0], |_, w: &World| w.broken != Some(NEVER[0])),
            Property::always(NEVER[1], |_, w: &World| w.broken != Some(NEVER[1])),
            Property::always(NEVER[2], |_, w: &World| w.broken != Some(NEVER[2])),
            Property::always(NEVER[3], |_, w: &World| w.broken != Some(NEVER[3])),
            Property::always(NEVER[4], |_, w: &World| w.broken != Some(NEVER[4])),
            Property::sometimes("the transaction is committed", |_, w: &World| w.is_committed()),
        ]
    }
}

/// Switches the defect on for this thread of the checker.
fn switch(mutant: Option<&'static str>) {
    #[cfg(feature = "mutants")]
    oxkeeper::types::mutant::here(mutant);
    assert!(cfg!(feature = "mutants") || mutant.is_none());
}

fn states() -> usize {
    std::env::var("OXKEEPER_MODEL_STATES").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000)
}

fn check(name: &str, ensemble: Ensemble) {
    let wanted = states();
    // Depth first reaches ends of stories that no bounded breadth would: both, half of it each.
    let breadth = ensemble.clone().checker().threads(2).target_state_count(wanted / 2).spawn_bfs().join();
    report(name, "breadth first", &breadth);
    let depth = ensemble.checker().threads(2).target_state_count(wanted / 2).spawn_dfs().join();
    report(name, "depth first", &depth);
    assert!(
        breadth.discovery("the transaction is committed").is_some()
            || depth.discovery("the transaction is committed").is_some(),
        "{name}: no path commits the transaction: the model is stuck"
    );
}

fn report(name: &str, order: &str, checker: &impl Checker<Ensemble>) {
    println!(
        "{name}, {order}: {} states, {} different, depth {}",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth()
    );
    for never in NEVER {
        if let Some(path) = checker.discovery(never) {
            let steps: Vec<String> = path.into_actions().iter().map(|step| format!("{step:?}")).collect();
            panic!("{name}: {never}, after\n{}", steps.join("\n"));
        }
    }
}

#[test]
fn from_the_first_start_no_order_breaks_a_promise() {
    check("from the first start", Ensemble::new(Start::Cold, 1));
}

#[test]
fn from_an_established_leader_no_crash_loses_the_transaction() {
    check("from an established leader", Ensemble::new(Start::Serving, 1));
}

/// The model is no use if a member could tell a lie in it.
#[cfg(feature = "mutants")]
#[test]
fn every_mutant_of_the_model_is_found() {
    for (mutant, start, never) in [
        ("ack-before-sync", Start::Serving, NEVER[2]),
        ("epoch-told-unwritten", Start::Cold, NEVER[2]),
        ("epoch-acked-unwritten", Start::Cold, NEVER[2]),
    ] {
        let ensemble = Ensemble { mutant: Some(mutant), ..Ensemble::new(start, 1) };
        let checker = ensemble.checker().threads(2).target_state_count(states()).spawn_bfs().join();
        println!("{mutant}: {} states, depth {}", checker.state_count(), checker.max_depth());
        assert!(checker.discovery(never).is_some(), "{mutant} was not found");
    }
    switch(None);
}
