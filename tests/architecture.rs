//! The rooms of the house and who may speak to whom, as data.
//!
//! # Invariants
//!
//! * A room imports only what its row lists; below the sans-IO line nobody touches clocks,
//!   files, threads, sockets or entropy.
//! * Proofs of syncs are made by implementations of the disk alone.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms that everybody may use.
const COMMON: &[&str] = &["types", "limits", "error", "config"];

/// Room, and the rooms that it may import beside [`COMMON`].
const ALLOWED: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("limits", &[]),
    ("error", &[]),
    ("config", &[]),
    ("disk", &[]),
    ("jute", &[]),
    ("proto", &["jute"]),
    ("peer", &["jute"]),
    ("txn", &["jute"]),
    ("tree", &["txn", "jute", "proto"]),
    ("watch", &["proto"]),
    ("session", &[]),
    ("auth", &["proto"]),
    ("zab", &["peer", "txn", "disk"]),
    ("replica", &["zab", "peer", "tree", "watch", "session", "auth", "proto", "txn", "jute", "disk"]),
    ("storage", &["disk", "txn", "jute"]),
    ("driver", &["replica", "storage", "tree", "disk", "txn", "zab", "peer", "jute"]),
    ("os", &["disk"]),
    ("tls", &["os", "auth"]),
    ("kerberos", &["os", "auth", "peer", "jute"]),
    ("client", &["proto", "jute", "tls", "kerberos", "auth"]),
    ("net", &["proto", "peer", "jute", "tls", "kerberos", "replica", "os", "admin", "metrics", "auth"]),
    ("admin", &["metrics", "os", "auth"]),
    ("metrics", &["os", "auth"]),
    ("audit", &["os", "metrics"]),
    (
        "server",
        &[
            "net", "tls", "kerberos", "os", "admin", "metrics", "audit", "driver", "replica", "storage",
            "tree", "session", "watch", "txn", "disk", "proto", "auth", "zab", "peer",
        ],
    ),
    (
        "cli",
        &[
            "server", "client", "storage", "tree", "replica", "os", "disk", "txn", "proto", "jute", "net",
            "admin", "metrics", "audit", "session", "kerberos", "tls", "auth",
        ],
    ),
];

/// Rooms below the sans-IO line.
const PURE: &[&str] = &[
    "types", "limits", "error", "disk", "jute", "proto", "peer", "txn", "config", "tree", "watch", "session",
    "auth", "zab", "replica", "storage", "driver",
];

/// What a pure room must not name, and what it asks the edge for instead.
const WORLD: &[(&str, &str)] = &[
    ("std::time::Instant", "time comes in as types::Instant"),
    ("std::time::SystemTime", "wall time comes in as types::Now"),
    ("Instant::now", "time comes in as an argument"),
    ("SystemTime::now", "time comes in as an argument"),
    ("std::fs", "files are behind disk::Disk"),
    ("File::open", "files are behind disk::Disk"),
    ("std::thread", "threads belong to server"),
    ("TcpStream", "sockets belong to net"),
    ("TcpListener", "sockets belong to net"),
    ("UdpSocket", "sockets belong to net"),
    ("tokio", "the runtime belongs to the edge"),
    ("getrandom", "entropy comes in as an argument"),
    ("rustix", "system calls belong to os"),
    ("std::env", "the environment is read by cli"),
    ("std::process", "processes belong to cli and server"),
];

struct Line {
    file: PathBuf,
    number: usize,
    text: String,
}

/// Lines of code of a room: comments and strings of documentation do not import anything;
/// test modules (at the end of a file, or files named tests) may use what they like.
fn lines(room: &str) -> Vec<Line> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let single = src.join(format!("{room}.rs"));
    if single.exists() {
        files.push(single);
    }
    collect(&src.join(room), &mut files);
    assert!(!files.is_empty(), "the room {room} has no files");
    files.sort();
    let mut out = Vec::new();
    let tests = test_modules(&files);
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file");
        let in_tests = file
            .components()
            .any(|c| tests.iter().any(|t| Path::new(c.as_os_str()).with_extension("") == Path::new(t)));
        for (i, line) in text.lines().enumerate() {
            if line.trim() == "#[cfg(test)]" || in_tests {
                break;
            }
            if !line.trim_start().starts_with("//") {
                out.push(Line { file: file.clone(), number: i + 1, text: line.to_owned() });
            }
        }
    }
    out
}

/// Modules that are compiled for tests alone: declared right behind `#[cfg(test)]`.
fn test_modules(files: &[PathBuf]) -> Vec<String> {
    let mut names = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).expect("a source file");
        for part in text.split("#[cfg(test)]\n").skip(1) {
            let declared = part.lines().next().and_then(|l| l.strip_prefix("mod ")?.strip_suffix(';'));
            names.extend(declared.map(str::to_owned));
        }
    }
    names
}

fn collect(dir: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries {
        let path = entry.expect("a directory entry").path();
        if path.is_dir() {
            collect(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// Names of rooms that a line mentions as `crate::room`, braces included.
fn mentioned(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let list = match rest.strip_prefix('{') {
            Some(inner) => inner.split('}').next().unwrap_or(inner).split(',').collect::<Vec<_>>(),
            None => vec![rest],
        };
        for item in list {
            let name: String = item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !name.is_empty() {
                found.push(name);
            }
        }
    }
    found
}

fn fail(problems: &[String]) {
    assert!(problems.is_empty(), "the house does not allow:\n{}", problems.join("\n"));
}

#[test]
fn every_room_has_a_row_and_every_row_a_room() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("lib.rs");
    let mut rooms: Vec<&str> =
        lib.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    rooms.sort_unstable();
    let mut rows: Vec<&str> = ALLOWED.iter().map(|(room, _)| *room).collect();
    rows.sort_unstable();
    assert_eq!(rooms, rows);
}

#[test]
fn imports_follow_the_graph() {
    let mut problems = Vec::new();
    for (room, allowed) in ALLOWED {
        for line in lines(room) {
            for name in mentioned(&line.text) {
                let fine = name == *room
                    || COMMON.contains(&name.as_str())
                    || allowed.contains(&name.as_str())
                    || !ALLOWED.iter().any(|(r, _)| *r == name);
                if !fine {
                    problems.push(format!("{}:{}: {room} imports {name}", line.file.display(), line.number));
                }
            }
        }
    }
    fail(&problems);
}

#[test]
fn below_the_line_nobody_touches_the_world() {
    let mut problems = Vec::new();
    for room in PURE {
        for line in lines(room) {
            for (word, instead) in WORLD {
                if line.text.contains(word) {
                    let (file, n) = (line.file.display(), line.number);
                    problems.push(format!("{file}:{n}: {word} in {room}; {instead}"));
                }
            }
        }
    }
    fail(&problems);
}

#[test]
fn proofs_of_syncs_are_minted_by_disks_alone() {
    let mut problems = Vec::new();
    for (room, _) in ALLOWED.iter().filter(|(room, _)| !["disk", "os"].contains(room)) {
        for line in lines(room) {
            if line.text.contains("Synced::by_disk") {
                problems.push(format!("{}:{}: {room} makes its own proof", line.file.display(), line.number));
            }
        }
    }
    fail(&problems);
}

#[test]
fn unsafe_code_is_confined_to_the_kerberos_room() {
    let mut problems = Vec::new();
    for (room, _) in ALLOWED.iter().filter(|(room, _)| *room != "kerberos") {
        for line in lines(room) {
            let words = ["unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe_code)"];
            if words.iter().any(|w| line.text.contains(w)) {
                problems.push(format!("{}:{}: unsafe in {room}", line.file.display(), line.number));
            }
        }
    }
    fail(&problems);
}

#[test]
fn signs_of_life_come_from_the_loops_of_the_core_threads_alone() {
    let beats = lines("server").into_iter().filter(|line| line.text.contains("pulse.beat("));
    let mut files: Vec<_> = beats.map(|line| line.file).collect();
    files.sort();
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server");
    assert_eq!(files, [server.join("core.rs"), server.join("member/core.rs")]);
}

#[test]
fn every_module_opens_with_what_it_is() {
    let mut problems = Vec::new();
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file");
        if !text.starts_with("//!") {
            problems.push(format!("{}: no module documentation", file.display()));
        }
    }
    fail(&problems);
}
