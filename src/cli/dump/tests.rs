//! Our listings of Java's files beside Java's own.

use super::*;
use std::fs;

/// Listings of the reference are kept with everything but printable ASCII as a question mark.
fn clean(text: &str) -> String {
    let lines = text.split([
        '\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}',
    ]);
    let lines: Vec<String> = lines
        .map(|l| {
            l.chars().flat_map(|c| [c].into_iter().chain((c > '\u{ffff}').then_some(c))).collect::<String>()
        })
        .map(|l| l.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect())
        .collect();
    lines.join("\n")
}

fn listings(prefix: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/disk");
    let mut found = Vec::new();
    for dir in fs::read_dir(root).unwrap() {
        let dir = dir.unwrap().path();
        for file in fs::read_dir(&dir).unwrap() {
            let file = file.unwrap().path();
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with(prefix) && name.ends_with(".txt") {
                let text = fs::read_to_string(&file).unwrap();
                found.push((file.with_extension(""), text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

#[test]
fn logs_are_listed_as_txn_log_toolkit_lists_them() {
    for (file, expected) in listings("log.") {
        // 3.4 has another tool, and 3.8 another spelling.
        if file.to_string_lossy().contains("3.4") {
            continue;
        }
        let mut out = Vec::new();
        log::dump(&file, false, &mut out).unwrap_or_else(|e| panic!("{}: {e:?}", file.display()));
        let ours = clean(&String::from_utf8(out).unwrap());
        let expected = expected.replace("createTtl", "createTTL");
        let lines = |t: &str| t.lines().filter(|l| !l.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        same(&file, &lines(&ours), &lines(&expected));
    }
}

/// Shows only what differs first.
fn same(file: &Path, ours: &[String], expected: &[String]) {
    for (a, b) in ours.iter().zip(expected) {
        assert_eq!(a, b, "{}", file.display());
    }
    assert_eq!(ours.len(), expected.len(), "{}", file.display());
}

#[test]
fn snapshots_are_listed_as_snapshot_formatter_lists_them() {
    for (file, expected) in listings("snapshot.") {
        let data = !file.to_string_lossy().contains("3.4");
        let mut out = Vec::new();
        snapshot::dump(&file, data, false, &mut out).unwrap_or_else(|e| panic!("{}: {e:?}", file.display()));
        let ours = clean(&String::from_utf8(out).unwrap());
        let blocks = |t: &str| {
            let mut b: Vec<String> = t.split("----\n").map(|b| b.trim().to_owned()).collect();
            b.sort();
            b
        };
        let mut ours = blocks(&ours);
        if !data {
            // 3.4's tool knows no last line.
            ours.retain(|b| !b.starts_with("Last zxid"));
        }
        // 3.4 has a word for null data.
        same(&file, &ours, &blocks(&expected.replace("  no data", "  dataLength = 0")));
    }
}

#[test]
fn json_is_one_object_a_line() {
    for (file, _) in listings("log.") {
        let mut out = Vec::new();
        log::dump(&file, true, &mut out).unwrap();
        for line in String::from_utf8(out).unwrap().lines() {
            let o: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(o["zxid"].is_string() && o["type"].is_string(), "{line}");
        }
    }
    for (file, _) in listings("snapshot.") {
        let mut out = Vec::new();
        snapshot::dump(&file, false, true, &mut out).unwrap();
        let lines = String::from_utf8(out).unwrap();
        assert!(lines.lines().any(|l| l.contains("\"path\":\"/zookeeper\"")), "{lines}");
    }
}

#[test]
fn a_damaged_log_is_printed_up_to_the_damage() {
    let dir = tempfile::tempdir().unwrap();
    let from = &listings("log.")[0].0;
    let mut bytes = fs::read(from).unwrap();
    let end = bytes.len() - 20;
    bytes[end] ^= 1;
    let path = dir.path().join("log.1");
    fs::write(&path, bytes).unwrap();
    let mut out = Vec::new();
    match log::dump(&path, false, &mut out) {
        Err(Stop::File(text)) => assert!(text.contains("checksum") && text.contains("offset"), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_snapshot_is_listed_for_ncdu_with_every_node_once() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/disk/java-3.9.5/snapshot.1b");
    let (mut out, mut text) = (Vec::new(), Vec::new());
    snapshot::ncdu(&file, 7, &mut out).unwrap();
    snapshot::dump(&file, false, false, &mut text).unwrap();
    let list: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(list[2]["timestamp"], 7);
    assert_eq!(list[3][0]["name"], "/");
    // The count in the text's first line is one more, as Java's: the root has two names there.
    let shown = String::from_utf8_lossy(&text).matches("  cZxid = ").count();
    let listed = String::from_utf8_lossy(&out).matches("\"ino\":").count();
    assert_eq!(listed, shown);
}
