//! A test of honesty: what the table calls working is read by some room.
//!
//! # Invariants
//!
//! * Fields are found by their documents, which start with their key in backquotes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::super::keys::{Status, by_name, by_property};

/// Fields whose keys are called working although no room reads them yet; it only ever
/// gets shorter.
const PENDING: &[&str] = &[];

const SOURCES: [&str; 5] = [
    include_str!("server.rs"),
    include_str!("auth.rs"),
    include_str!("operate.rs"),
    include_str!("quorum.rs"),
    include_str!("tls.rs"),
];

/// Fields of the settings with the keys they come from.
fn fields() -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for source in SOURCES {
        let mut key = None;
        for line in source.lines().map(str::trim) {
            if let Some(text) = line.strip_prefix("/// `") {
                key = key.or(text.split('`').next());
            } else if let Some(field) = line.strip_prefix("pub ").and_then(|l| l.split_once(": ")) {
                let key = key.take().unwrap_or_default().replace("...", "connection_throttle");
                fields.push((field.0.to_owned(), key));
            } else if !line.starts_with("///") {
                key = None;
            }
        }
    }
    fields
}

/// All source text outside of this room.
fn rooms(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("src/config") {
            rooms(&path, text);
        } else if path.extension().is_some_and(|e| e == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn what_is_called_working_is_read_by_a_room() {
    let mut text = String::new();
    rooms(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let fields = fields();
    assert!(fields.len() > 80);
    let mut unread = Vec::new();
    for (field, key) in &fields {
        let of_tls = format!("ssl.{key}");
        let row = by_name(key).or_else(|| by_property(key)).or_else(|| by_name(&of_tls));
        let works = row.is_some_and(|row| row.status == Status::Works);
        if works && !words.contains(field.as_str()) {
            unread.push(field.as_str());
        }
    }
    unread.retain(|field| !PENDING.contains(field));
    assert_eq!(unread, Vec::<&str>::new(), "called working, but no room reads these settings");
}
