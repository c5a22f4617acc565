//! The protocol as transcripts: what one machine of `zab` is told, and what it does about it.
//!
//! A file of a folder here holds scenarios. A line at the margin is an order to the machine or a
//! word that reaches it; the indented lines below it are what follows, and are compared. With
//! `OXKEEPER_WRITE_TRANSCRIPTS=1` they are written anew, for a reader to judge. `== title` begins a
//! scenario; what else is understood stands in the module of the folder's name.
//!
//! # Invariants
//!
//! * A transcript is all that a machine does: every output is a line.

mod election;
mod leader;
mod learner;
mod words;

use std::path::{Path, PathBuf};

/// A machine that can be told lines.
trait Stage: Default {
    /// Takes a line, and writes what follows.
    fn line(&mut self, line: &str, out: &mut String);
}

fn play<S: Stage>(text: &str) -> String {
    let (mut stage, mut out) = (S::default(), String::new());
    for line in text.lines().filter(|line| !line.starts_with(' ')) {
        out += line;
        out.push('\n');
        if line.starts_with("== ") {
            stage = S::default();
        } else if !line.starts_with('#') {
            stage.line(line, &mut out);
        }
    }
    out
}

/// The files of a folder and their texts.
fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/transcripts").join(folder);
    let entries = std::fs::read_dir(&folder).expect("transcripts");
    let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("a name").path()).collect();
    paths.sort();
    paths.into_iter().map(|p| (p.clone(), std::fs::read_to_string(p).expect("a transcript"))).collect()
}

/// Plays a folder; the number of its scenarios.
fn check<S: Stage>(folder: &str) -> usize {
    let mut scenarios = 0;
    for (path, text) in files(folder) {
        let played = play::<S>(&text);
        scenarios += text.lines().filter(|line| line.starts_with("== ")).count();
        if std::env::var_os("OXKEEPER_WRITE_TRANSCRIPTS").is_some() {
            std::fs::write(&path, played).expect("written");
        } else {
            assert_eq!(played, text, "{}", path.display());
        }
    }
    scenarios
}

#[test]
fn elections_go_as_their_transcripts_say() {
    assert!(check::<election::Elects>("election") >= 25);
}

#[test]
fn leaders_do_as_their_transcripts_say() {
    assert!(check::<leader::Leads>("leader") >= 12);
}

#[test]
fn learners_do_as_their_transcripts_say() {
    assert!(check::<learner::Learns>("learner") >= 12);
}

/// A defect of the protocol changes a transcript of the machine that has it, or makes it stop.
#[cfg(feature = "mutants")]
#[test]
fn every_mutant_of_the_protocol_changes_a_transcript() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let differs = |folder: &str, play: fn(&str) -> String| {
        let same = |text: &str| catch_unwind(AssertUnwindSafe(|| play(text))).is_ok_and(|p| p == text);
        files(folder).iter().any(|(_, text)| !same(text))
    };
    /// A machine, what plays its transcripts, and their texts.
    type Table<'t> = (&'t str, fn(&str) -> String, &'t [&'t str]);
    let tables: [Table<'_>; 3] = [
        ("election", play::<election::Elects>, election::MUTANTS),
        ("leader", play::<leader::Leads>, leader::MUTANTS),
        ("learner", play::<learner::Learns>, learner::MUTANTS),
    ];
    let mut missed = Vec::new();
    for (folder, play, mutants) in tables {
        for name in mutants {
            oxkeeper::types::mutant::here(Some(name));
            if !differs(folder, play) {
                missed.push(format!("{folder}: {name}"));
            }
            oxkeeper::types::mutant::here(None);
        }
    }
    assert!(missed.is_empty(), "no transcript notices {missed:?}");
}
