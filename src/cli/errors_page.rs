//! `docs/errors.md`: every message of an error with its cure, made from the code itself.
//!
//! Codes come from their tables. Messages come from the sources: the texts that are handed to whoever makes an
//! error, a finding or a line of the log. `{...}` stands for what is filled in.
//!
//! # Invariants
//!
//! * A message that is added to the code and not to the page fails the test.

use super::doctor::codes::Doc;
use crate::auth::reason::Reason;
use crate::error::{self, ExitCode};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Who makes an error, which argument says what is wrong, and which what to do.
const MAKERS: &[(&str, usize, Option<usize>)] = &[
    ("StorageError::io(", 0, None),
    ("StorageError::damage(", 3, None),
    ("StorageError::directory(", 0, Some(1)),
    ("StorageError::unavailable(", 0, None),
    ("StorageError::bug(", 0, None),
    ("findings.error(", 2, Some(3)),
    ("findings.warn(", 2, Some(3)),
    ("Fault::io(", 0, None),
    ("Fault::archive(", 2, None),
    ("Fault::Usage(", 0, None),
    ("Fault::Refused(", 0, None),
    ("Failure::new(", 1, None),
    ("Refusal::new(", 1, None),
    ("ClientError::Config(", 0, None),
    ("ClientError::Protocol(", 0, None),
    ("ClientError::Unreachable(", 0, None),
    ("ClientError::ConnectionLost(", 0, None),
    ("ClientError::AuthFailed(", 0, None),
    ("error!(", 0, None),
    ("warn!(", 0, None),
];

/// What is done where the message itself says nothing.
const USUAL: &[(&str, &str)] = &[
    (
        "StorageError::io(",
        "as the system says: free space, give access, correct the path, or check the disk (dmesg)",
    ),
    ("StorageError::damage(", "restore from another member or a backup; `oxkeeper fsck` shows what is left"),
    ("StorageError::unavailable(", "the member takes a snapshot from the leader by itself"),
    ("StorageError::bug(", "report it with the log of the server; nothing was written"),
    ("Fault::io(", "as the system says: free space, give access, or correct the path"),
    ("Fault::archive(", "take another copy of the archive, or another backup; nothing was written"),
    ("Refusal::new(", "that of the reason code in the same line, see above"),
];

/// The whole page.
fn page() -> String {
    let mut out = String::from(
        "# Errors and their cures\n\nMade from the code by its tests (`OXKEEPER_WRITE_DOCS=1 cargo test --lib errors_page`). \
         A line of the log begins with its culprit: client, peer, disk, config, refused or bug. `{}` stands for what is \
         filled in. `oxkeeper doctor` finds the causes of most refused logins by itself.\n",
    );
    let row = |out: &mut String, cells: &[&str]| {
        let cells: Vec<String> = cells.iter().map(|c| c.replace('|', "\\|").replace('\n', " ")).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    };
    out += "\n## Exit codes\n\n| code | meaning | cure |\n|---|---|---|\n";
    for code in ExitCode::ALL {
        let (meaning, cure) = code.explained();
        row(&mut out, &[&code.number().to_string(), meaning, cure]);
    }
    out += "\nCommands other than `serve` say theirs with `--help`.\n";
    out += "\n## What clients get\n\n| code | name | meaning | cure |\n|---|---|---|---|\n";
    for code in error::ALL {
        let (meaning, cure) = code.explained();
        row(&mut out, &[&code.number().to_string(), &format!("{code:?}"), meaning, cure]);
    }
    out += "\n## Reasons of refusals\n\nIn the log (`reason=`), in the audit log and in metrics.\n\n";
    out += "| reason | cause | cure |\n|---|---|---|\n";
    for reason in Reason::ALL {
        row(&mut out, &[&format!("`{}`", reason.code()), reason.cause(), reason.cure()]);
    }
    out += "\n## What doctor finds\n\n| code | cause | cure |\n|---|---|---|\n";
    for doc in Doc::ALL {
        let (code, cause, cure) = doc.text();
        row(&mut out, &[&format!("`{code}`"), cause, cure]);
    }
    for (room, messages) in messages() {
        let _ = write!(out, "\n## Messages of {room}\n\n| message | cure |\n|---|---|\n");
        for (message, cure) in messages {
            row(&mut out, &[&message, &cure]);
        }
    }
    out
}

/// Messages with their cures, by room.
fn messages() -> BTreeMap<String, BTreeMap<String, String>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    files.sort();
    let mut rooms: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let inside = file.strip_prefix(&src).unwrap();
        let room = inside.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
        let found = rooms.entry(room).or_default();
        for (maker, what, cure) in MAKERS {
            for (at, _) in text.match_indices(maker) {
                if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                message(text, at, maker, *what, *cure, found);
            }
        }
    }
    rooms.retain(|_, messages| !messages.is_empty());
    rooms
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" && name != "golden" {
            collect(&path, files);
        } else if name.ends_with(".rs") && !name.contains("tests") && name != "errors_page.rs" {
            files.push(path);
        }
    }
}

fn message(
    text: &str,
    at: usize,
    maker: &str,
    what: usize,
    cure: Option<usize>,
    found: &mut BTreeMap<String, String>,
) {
    let args = arguments(&text[at + maker.len()..]);
    let told = |i: usize| args.get(i).map(|arg| resolve(text, at, arg)).unwrap_or_default();
    // A log line may have fields before its text.
    let message =
        if maker.ends_with("!(") { args.iter().flat_map(|a| literals(a)).collect() } else { told(what) };
    let usual =
        USUAL.iter().find(|(m, _)| *m == maker).map(|(_, c)| vec![(*c).to_owned()]).unwrap_or_default();
    let cure = cure.map(told).filter(|c| !c.is_empty()).unwrap_or(usual).join(" / ");
    // What a system call answered stands behind the words that say what was tried.
    let tail = if maker.ends_with("::io(") { " {path}: {what the system says}" } else { "" };
    for message in message.into_iter().filter(|m| m.split_whitespace().count() > 1) {
        let message = format!("{message}{tail}");
        // What stands behind a semicolon or colon of the message is its cure already.
        let cure = if cure.is_empty() { "in the message".to_owned() } else { cure.clone() };
        found.entry(message).or_insert(cure);
    }
}

/// Bytes of the literal that a text begins with, quotes included.
fn literal_len(text: &str) -> usize {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return i + 1,
            _ => {}
        }
    }
    text.len()
}

/// The arguments of a call whose parenthesis is open.
fn arguments(text: &str) -> Vec<String> {
    let (mut args, mut arg, mut depth, mut i) = (Vec::new(), String::new(), 0usize, 0);
    while let Some(c) = text[i..].chars().next() {
        let len = if c == '"' { literal_len(&text[i..]) } else { c.len_utf8() };
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        match c {
            ',' if depth == 0 => args.push(std::mem::take(&mut arg)),
            _ => arg += &text[i..i + len],
        }
        i += len;
    }
    args.push(arg);
    args
}

/// The literals of an expression, as they are printed.
fn literals(expression: &str) -> Vec<String> {
    let (mut found, mut i) = (Vec::new(), 0);
    while let Some(at) = expression[i..].find('"') {
        let len = literal_len(&expression[i + at..]);
        let body = &expression[i + at + 1..i + at + len.max(2) - 1];
        let mut text = String::new();
        // A literal goes on over lines behind a backslash.
        for part in body.split("\\\n") {
            text += if text.is_empty() { part } else { part.trim_start() };
        }
        found.push(text.replace("\\\"", "\"").replace("\\\\", "\\").replace("{{", "{").replace("}}", "}"));
        i += at + len;
    }
    found
}

/// The literals of an argument; where it is a name, those of its last `let` before.
fn resolve(text: &str, at: usize, arg: &str) -> Vec<String> {
    let direct = literals(arg);
    if !direct.is_empty() {
        return direct;
    }
    if arg.contains(".to_string()") {
        return Vec::new(); // the text of another error, which stands for itself
    }
    let name: String = arg
        .trim()
        .trim_start_matches(['&', '*'])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    let before = &text[..at];
    let place =
        [format!("let {name} = "), format!("let {name}: ")].iter().filter_map(|l| before.rfind(l)).max();
    match place {
        Some(place) if !name.is_empty() => {
            let rest = &text[place..];
            // Up to the end of the statement, literals with semicolons among it.
            let mut i = 0;
            while let Some(c) = rest[i..].chars().next().filter(|c| *c != ';') {
                i += if c == '"' { literal_len(&rest[i..]) } else { c.len_utf8() };
            }
            literals(&rest[..i])
        }
        _ => Vec::new(),
    }
}

#[test]
fn the_committed_page_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");
    let want = page();
    if std::env::var_os("OXKEEPER_WRITE_DOCS").is_some() {
        std::fs::write(path, &want).unwrap();
    }
    let have = std::fs::read_to_string(path).unwrap_or_default();
    assert!(have == want, "run the tests once with OXKEEPER_WRITE_DOCS=1 and commit docs/errors.md");
}

#[test]
fn the_sources_are_read_as_they_are_meant() {
    let code = r#"let what = format!("{} is; not {x}", 1);
        let cure = "do \
            this";
        Err(StorageError::directory(what, cure))"#;
    let mut found = BTreeMap::new();
    let at = code.find("StorageError").unwrap();
    message(code, at, "StorageError::directory(", 0, Some(1), &mut found);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [("{} is; not {x}".to_owned(), "do this".to_owned())]);
    assert_eq!(arguments(r#"a(b, c), "x, \")", d) rest"#), ["a(b, c)", r#" "x, \")""#, " d"]);
}

#[test]
fn every_room_that_refuses_has_messages() {
    let rooms = messages();
    for room in ["storage", "config", "cli", "server", "client", "audit", "net"] {
        assert!(rooms.get(room).is_some_and(|m| m.len() > 2), "{room}");
    }
}
