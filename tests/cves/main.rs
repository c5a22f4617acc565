//! Every known hole, ZooKeeper's and its peers', as a test that stays: `security/cves.md` is the list.
//!
//! A row says how Oxkeeper behaves and which tests prove it. Tests that stand elsewhere are named with their file, and the
//! suite fails when one of them is gone; what nothing else proves is proven here.
//!
//! * `OXKEEPER_WRITE_DOCS=1` writes `security/cves.md` anew.
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code)] // this ring asks little
#[path = "../process/wire.rs"]
mod wire;

mod behaviour;
mod ciphers;
mod named;
mod rows;
mod served;

use rows::{ROWS, Row};
use std::fmt::Write as _;

/// Fewest rows: 11 published for ZooKeeper, 5 without a number, 12 of peers.
const AT_LEAST: usize = 28;

fn page() -> String {
    let mut text = String::from(
        "# Known holes, and the tests that keep them closed\n\n\
         How Oxkeeper behaves where ZooKeeper or one of its peers once had a hole. Each row is held by the tests that it \
         names; `tests/cves` fails when one of them is missing. Written by that ring; change `tests/cves/rows.rs`.\n\n\
         | # | Published as | What Oxkeeper does | Tests |\n|---|---|---|---|\n",
    );
    for (at, row) in ROWS.iter().enumerate() {
        let tests: Vec<String> = row.tests.iter().map(|test| format!("`{test}`")).collect();
        let _ = writeln!(text, "| {} | {} | {} | {} |", at + 1, row.name, row.does, tests.join(", "));
    }
    text
}

#[test]
fn every_row_has_its_tests() {
    assert!(ROWS.len() >= AT_LEAST, "{} rows", ROWS.len());
    for Row { name, tests, .. } in ROWS {
        assert!(!tests.is_empty(), "{name} has no test");
        for test in *tests {
            assert!(named::exists(test), "{name}: there is no test {test}");
        }
        println!("{name}: {}", tests.join(", "));
    }
    println!("{} rows", ROWS.len());
}

#[test]
fn the_page_is_the_table() {
    let path = named::root().join("security/cves.md");
    if std::env::var_os("OXKEEPER_WRITE_DOCS").is_some() {
        std::fs::write(&path, page()).expect("the page can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, page(), "write it anew with OXKEEPER_WRITE_DOCS=1 cargo test --test cves");
}

/// Every test that a page of `security/` names is there.
#[test]
fn every_claim_names_a_test_that_exists() {
    let mut claims = 0;
    let pages = std::fs::read_dir(named::root().join("security")).expect("security/");
    for page in pages.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "md")) {
        let text = std::fs::read_to_string(&page).expect("a page");
        for test in named::tests_in(&text) {
            assert!(named::exists(test), "{}: there is no test {test}", page.display());
            claims += 1;
        }
    }
    println!("{claims} claims with a test that exists");
    assert!(claims > AT_LEAST);
}
