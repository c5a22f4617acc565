//! The key table as text, for `--help` and the manual, and as Markdown for the docs.
//!
//! # Invariants
//!
//! * Everything said stands in the table; the committed `docs/configuration.md` is what
//!   [`markdown`] returns, which a test checks.

use std::fmt::Write as _;

use super::keys::{Area, Key, Kind, Status, all};

/// How a value of this kind looks, in a word or two.
fn kind_word(kind: Kind) -> String {
    match kind {
        Kind::Bool => "true or false".to_owned(),
        Kind::Int { min, max, raise } => {
            let least = raise.unwrap_or(min);
            match (least, max) {
                (l, m) if l == m => format!("{l}"),
                (l, 65_535) if l >= 0 => format!("{l} to 65535"),
                (l, _) if l > i64::from(i32::MIN) => format!("number from {l}"),
                _ => "number".to_owned(),
            }
        }
        Kind::Float(min, max) if min < 0.0 => format!("fraction up to {max}"),
        Kind::Float(min, max) => format!("fraction from {min} to {max}"),
        Kind::Word { of, .. } => {
            let words: Vec<&str> = of.iter().filter(|w| !w.is_empty()).copied().collect();
            words.join(", ")
        }
        Kind::Class { .. } => "Java class".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Path => "path".to_owned(),
        Kind::Host => "host or address".to_owned(),
        Kind::List => "comma-separated list".to_owned(),
        Kind::Secret => "secret text".to_owned(),
        Kind::Member => "addresses".to_owned(),
        Kind::Environment => "environment variable".to_owned(),
    }
}

/// A default as people read it: short class names, nothing for "unset".
fn default_words(key: &Key) -> &str {
    let words = key.default.strip_prefix("= ").unwrap_or(key.default);
    match key.kind {
        Kind::Class { .. } => words.rsplit('.').next().unwrap_or(words),
        _ => words,
    }
}

/// The name a key goes by (zoo.cfg key, property or variable) and what is irregular about
/// its property.
fn names(key: &Key) -> (String, Option<String>) {
    if let Some(variable) = key.property.strip_prefix("env:") {
        return (format!("${variable}"), None);
    }
    if key.name.is_empty() {
        return (format!("-D{}", key.property), None);
    }
    let regular = key.property == format!("zookeeper.{}", key.name);
    let other = match key.property {
        "" => Some("zoo.cfg only".to_owned()),
        _ if regular => None,
        property => Some(format!("-D{property}")),
    };
    (key.name.to_owned(), other)
}

fn status_words(status: Status) -> String {
    match status {
        Status::Works => "works".to_owned(),
        Status::NoMeaning(why) => format!("no meaning here: {why}"),
        Status::Refused(why) => format!("refused: {why}"),
        Status::Later { work, stops: true } => format!("not yet ({work}); setting it stops the start"),
        Status::Later { work, stops: false } => format!("not yet ({work})"),
    }
}

/// Areas in the order of the table, each with its keys.
fn areas() -> Vec<(Area, Vec<&'static Key>)> {
    let mut areas: Vec<(Area, Vec<&Key>)> = Vec::new();
    for key in all() {
        match areas.iter_mut().find(|(area, _)| *area == key.area) {
            Some((_, keys)) => keys.push(key),
            None => areas.push((key.area, vec![key])),
        }
    }
    areas.sort_by_key(|(area, _)| *area);
    areas
}

/// The table as plain text, lines of at most about 100 characters.
pub fn text() -> String {
    let mut out = String::new();
    for (area, keys) in areas() {
        let _ = writeln!(out, "{}\n", area.title().to_uppercase());
        for key in keys {
            let (name, property) = names(key);
            let property = property.map(|p| format!(" ({p})")).unwrap_or_default();
            let mut facts = vec![kind_word(key.kind)];
            if !key.unit.is_empty() {
                facts.push(key.unit.to_owned());
            }
            if !key.default.is_empty() {
                facts.push(format!("default {}", default_words(key)));
            }
            let _ = writeln!(out, "  {name}{property}\n      {}", facts.join("; "));
            for line in wrap(key.doc, 92) {
                let _ = writeln!(out, "      {line}");
            }
            if key.status != Status::Works {
                for line in wrap(&format!("[{}]", status_words(key.status)), 92) {
                    let _ = writeln!(out, "      {line}");
                }
            }
        }
        out.push('\n');
    }
    out
}

const INTRODUCTION: &str = "# Configuration keys

Generated from the table in `src/config/keys`; a test keeps it up to date.

Every key of Apache ZooKeeper 3.9.5 is here with what Oxkeeper does about it. A key stands in zoo.cfg as
written below and, where ZooKeeper has a system property for it, also as `-Dzookeeper.<key>=...` on the command
line, in `JVMFLAGS` or `SERVER_JVMFLAGS`, or in `java.env` beside zoo.cfg; an irregular property name is given
in brackets. The command line beats the environment, the environment beats `java.env`, and that beats zoo.cfg.
Properties without a key of their own (`-Djute.maxbuffer` and the like) may stand in zoo.cfg, too, without the `-D`.

A wrong value of a known key stops the start and is named with its line and a cure. An unknown key is a
warning. `oxkeeper check zoo.cfg` tells for every line what becomes of it.
";

/// The table as Markdown: `docs/configuration.md`.
pub fn markdown() -> String {
    let mut out = INTRODUCTION.to_owned();
    for (area, keys) in areas() {
        let _ = write!(out, "\n## {}\n\n| key | value | default | |\n|---|---|---|---|\n", area.title());
        for key in keys {
            let (name, property) = names(key);
            let property = property.map(|p| format!(" ({p})")).unwrap_or_default();
            let unit = if key.unit.is_empty() { String::new() } else { format!(", {}", key.unit) };
            let status = match key.status {
                Status::Works => String::new(),
                other => format!(" *{}*", status_words(other)),
            };
            let row = format!(
                "`{name}`{property} | {}{unit} | {} | {}{status}",
                kind_word(key.kind),
                default_words(key),
                key.doc,
            );
            let _ = writeln!(
                out,
                "| {} |",
                row.replace(" | ", "\u{1}").replace('|', "\\|").replace('\u{1}', " | ")
            );
        }
    }
    out
}

/// Breaks a text at blanks into lines of at most `width` characters where words allow.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        let want = markdown();
        if std::env::var_os("OXKEEPER_WRITE_DOCS").is_some() {
            std::fs::write(path, &want).unwrap();
        }
        let have = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            have == want,
            "run the tests once with OXKEEPER_WRITE_DOCS=1 and commit docs/configuration.md"
        );
    }

    #[test]
    fn every_key_is_in_text_and_markdown() {
        let (text, markdown) = (text(), markdown());
        for key in all() {
            let (name, _) = names(key);
            assert!(text.contains(&name), "{name}");
            assert!(markdown.contains(&format!("`{name}`")), "{name}");
        }
        assert!(text.lines().all(|line| line.len() <= 180), "a line is too long");
        let rows = markdown.lines().filter(|line| line.starts_with("| `"));
        assert_eq!(rows.count(), all().count());
    }

    #[test]
    fn a_row_reads_as_a_sentence() {
        let page = markdown();
        for row in [
            "| `tickTime` (zoo.cfg only) | number from 1, ms | 3000 | Length of a tick,",
            "| `syncEnabled` (-Dzookeeper.observer.syncEnabled) | true or false | true |",
            "| `$JVMFLAGS` | environment variable |  | Flags of server",
            "| `autopurge.snapRetainCount` (zoo.cfg only) | number from 3, snapshots | 3 |",
        ] {
            assert!(page.contains(row), "{row}");
        }
    }
}
