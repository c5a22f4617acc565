//! Outcomes of a foreign test suite on two servers: what passes on Java passes on ours.
//!
//! # Invariants
//! * A test that fails on the control proves nothing and is listed; one that passes there must pass here.

use std::collections::BTreeMap;
use std::fmt::Write;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It failed or erred.
    Failed,
    /// It decided not to run.
    Skipped,
}

/// Outcome and reason by test name.
#[derive(Clone, Debug, Default)]
pub struct Outcomes(pub BTreeMap<String, (Outcome, String)>);

impl Outcomes {
    /// Reads `outcome<TAB>name<TAB>reason` lines; further fields are left out.
    pub fn parse(text: &str) -> Self {
        let mut all = Self::default();
        for line in text.lines() {
            let mut fields = line.split('\t');
            let outcome = match fields.next() {
                Some("passed") => Outcome::Passed,
                Some("failed") => Outcome::Failed,
                Some("skipped") => Outcome::Skipped,
                _ => continue,
            };
            if let Some(name) = fields.next() {
                let reason = fields.next().unwrap_or_default().to_owned();
                all.0.insert(name.to_owned(), (outcome, reason));
            }
        }
        all
    }

    /// Adds the outcomes of another part of the suite, or of a second try.
    pub fn absorb(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many ended in `outcome`.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.0.values().filter(|(o, _)| *o == outcome).count()
    }

    /// Names that passed on the control and did not pass here.
    pub fn lost_against(&self, control: &Self) -> Vec<String> {
        let passed = |of: &Self, name: &str| of.0.get(name).is_some_and(|(o, _)| *o == Outcome::Passed);
        control.0.keys().filter(|name| passed(control, name) && !passed(self, name)).cloned().collect()
    }

    /// One line of numbers, then the tests that did not pass on the control, with their reasons.
    pub fn report(&self, suite: &str, control: &Self) -> String {
        let numbers = |of: &Self| {
            let [passed, failed, skipped] =
                [Outcome::Passed, Outcome::Failed, Outcome::Skipped].map(|outcome| of.count(outcome));
            format!("{passed} passed, {failed} failed, {skipped} skipped")
        };
        let mut text = format!("{suite}: Java {}; Oxkeeper {}\n", numbers(control), numbers(self));
        for (name, (outcome, reason)) in &control.0 {
            if *outcome != Outcome::Passed {
                let ours = self.0.get(name).map_or("absent".to_owned(), |(o, _)| format!("{o:?}"));
                let reason: String = reason.chars().take(90).collect();
                let _ = writeln!(text, "  {outcome:?} on Java, {ours} here: {name} ({reason})");
            }
        }
        text
    }

    /// The named tests with their reasons.
    pub fn describe(&self, names: &[String]) -> String {
        names.iter().fold(String::new(), |mut text, name| {
            let (outcome, reason) = self.0.get(name).map_or((None, ""), |(o, r)| (Some(*o), r.as_str()));
            let _ = writeln!(text, "  {name}: {outcome:?} {reason}");
            text
        })
    }
}

#[test]
fn a_test_that_passes_only_on_the_control_is_lost() {
    let control = Outcomes::parse("passed\ta\t\npassed\tb\t\nfailed\tc\twhy\nskipped\td\tno\npassed\te\t\n");
    let mut ours = Outcomes::parse("passed\ta\t\nfailed\tb\tboom\npassed\tc\t\n");
    assert_eq!(ours.lost_against(&control), ["b", "e"]);
    ours.absorb(Outcomes::parse("passed\tb\t\npassed\te\t\n"));
    assert!(ours.lost_against(&control).is_empty());
    assert_eq!((control.count(Outcome::Passed), control.count(Outcome::Failed)), (3, 1));
}
