//! `security/ciphers.md` is what the engine offers.

use crate::named::root;
use rustls::crypto::aws_lc_rs;
use std::collections::BTreeSet;

/// Entries between backticks that make up the last cell of a table's rows.
fn cells(text: &str) -> BTreeSet<String> {
    let last = |line: &str| Some(line.strip_suffix("` |")?.rsplit('`').next()?.to_owned());
    text.lines().filter(|line| line.starts_with('|')).filter_map(last).collect()
}

#[test]
fn the_lists_are_the_engines() {
    let page = std::fs::read_to_string(root().join("security/ciphers.md")).expect("the page");
    let provider = aws_lc_rs::default_provider();
    let suites = provider.cipher_suites.iter().map(|s| format!("{:?}", s.suite()).replace("TLS13_", "TLS_"));
    let groups = provider.kx_groups.iter().map(|g| format!("{:?}", g.name()));
    assert_eq!(cells(&page), suites.chain(groups).collect::<BTreeSet<String>>());
}
