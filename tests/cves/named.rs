//! Tests by their names: `file.rs:function`, the file from the root of the repository.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// Is there a function of this name in this file, marked as a test?
pub fn exists(test: &str) -> bool {
    let Some((file, function)) = test.split_once(':') else { return false };
    let Ok(text) = std::fs::read_to_string(root().join(file)) else { return false };
    let wanted = format!("fn {function}(");
    let lines: Vec<&str> = text.lines().collect();
    // Property tests carry the mark inside their macro, attributes may stand between.
    let marked = |at: usize| {
        lines[at.saturating_sub(4)..at].iter().any(|l| l.contains("test]") || l.contains("::test("))
    };
    (0..lines.len()).any(|at| lines[at].contains(&wanted) && marked(at))
}

/// Every `file.rs:function` of a text.
pub fn tests_in(text: &str) -> Vec<&str> {
    let inside = text.split('`').skip(1).step_by(2);
    inside
        .filter(|word| word.split_once(".rs:").is_some_and(|(_, f)| !f.is_empty() && f.chars().all(is_name)))
        .collect()
}

fn is_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

#[test]
fn tests_are_found_by_their_mark() {
    assert!(exists("tests/cves/named.rs:tests_are_found_by_their_mark"));
    assert!(!exists("tests/cves/named.rs:root") && !exists("tests/cves/none.rs:root") && !exists("root"));
    assert_eq!(tests_in("see `a/b.rs:c_d` and `a.rs`, `x: y`"), ["a/b.rs:c_d"]);
}
