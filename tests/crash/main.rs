//! Ring D: every crash that the disk may suffer, on every path that writes.
//!
//! A path is a short script against the production storage on a disk in memory that records
//! every operation. After each of them, every image that a crash may leave (up to two pending
//! operations lost, or all, or all but one; any pending write torn) is recovered by the
//! production code and compared with the histories that are allowed at that point.
//!
//! # Invariants
//!
//! * What was acknowledged is there, nothing is there that was never handed over, and the rest
//!   is a beginning of what was handed over.
//! * A recovered state is durable: it survives another crash, and the log goes on behind it.
//! * Each assumption about the medium has a switch that breaks it; the ring notices.

mod database;
mod enumerate;
mod faults;
mod member;
mod mutants;
mod paths;
mod sweep;
mod verdict;

use enumerate::Report;

/// Fewest images that a run must have looked at.
const IMAGES: u64 = 20_000;

/// The same of a run over the sessions of members.
const IMAGES_OF_MEMBERS: u64 = 5_000;

#[test]
fn every_crash_image_of_every_path_recovers_to_an_allowed_history() {
    assert!(images_of(&paths::all()) >= IMAGES);
}

#[test]
fn every_crash_image_of_a_members_session_keeps_its_promises() {
    assert!(images_of(&member::all()) >= IMAGES_OF_MEMBERS);
}

/// How many images were looked at; none of them may be one that is not allowed.
fn images_of(paths: &[paths::Path]) -> u64 {
    let mut total = Report::default();
    for path in paths {
        let report = enumerate::path(path, Default::default());
        println!("{:<28} {:>5} operations {:>7} images", path.name, report.operations, report.images);
        if let Some(v) = report.violations.first() {
            panic!("{}: {} violations, the first: {v}", path.name, report.violations.len());
        }
        total.add(report);
    }
    println!("{:<28} {:>5} operations {:>7} images", "all", total.operations, total.images);
    total.images
}
