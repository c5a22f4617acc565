//! Transcripts of client sessions: what two servers may differ in is taken out, the rest is compared.
//!
//! # Invariants
//! * Only times, session ids, ports, the order of sets and the moment a watch event is printed are taken
//!   out. zxids, versions, counts, texts and the order of events stay in.

use std::fmt::Write;

/// A session's output, ready to be compared.
#[derive(Debug, PartialEq, Eq)]
pub struct Transcript {
    /// What the commands printed, line by line.
    pub lines: Vec<String>,
    /// Watch events and results of callbacks in their order; another thread prints them between any two lines.
    pub events: Vec<String>,
}

/// Lines of a Java client about itself, not about the server.
const NOISE: [&str; 4] = ["SLF4J:", "WATCHER::", "WARNING: Unable to create", "JLine support"];

/// What zkCli's `whoami` prints before the identities.
const WHOAMI: &str = "Auth scheme: User";

/// Whether a line is `scheme: id`.
fn is_identity(line: &str) -> bool {
    line.split_once(':')
        .is_some_and(|(scheme, _)| ["ip", "digest", "super", "x509", "sasl"].contains(&scheme))
}

impl Transcript {
    /// Takes a zkCli session apart.
    pub fn of_zkcli(output: &str, port: u16) -> Self {
        let mut transcript = Self { lines: Vec::new(), events: Vec::new() };
        let output = without_port(output, port);
        for line in output.lines() {
            // A prompt ends without a line feed: what follows it belongs to the next command.
            let mut rest = line;
            while let Some((before, after)) = prompt(rest) {
                transcript.push(before);
                rest = after;
            }
            transcript.push(rest);
        }
        transcript.sort_sets();
        transcript
    }

    /// Puts the children of old clients' `ls`, the identities of `whoami` and the entries of an ACL in order:
    /// they are sets.
    fn sort_sets(&mut self) {
        let mut rest = self.lines.as_mut_slice();
        while let Some(at) = rest.iter().position(|line| line == WHOAMI) {
            let identities = &mut rest[at + 1..];
            let count = identities.iter().take_while(|line| is_identity(line)).count();
            identities[..count].sort();
            rest = &mut rest[at + 1 + count..];
        }
        self.sort_acls();
        for line in &mut self.lines {
            if let Some(inner) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                let mut names: Vec<_> = inner.split(", ").collect();
                names.sort_unstable();
                *line = format!("[{}]", names.join(", "));
            }
        }
    }

    fn push(&mut self, line: &str) {
        let line = line.trim_end();
        if line.is_empty() || NOISE.iter().any(|n| line.starts_with(n)) || line.contains("jline.utils.Log") {
            return;
        }
        // Both are printed by the thread of callbacks, whenever it comes to it.
        if line.contains(" state:Closed ") {
            return; // the client's own, printed or not as its threads end first or last
        }
        if line.starts_with("WatchedEvent ") || line.starts_with("Sync returned ") {
            self.events.push(line.to_owned());
        } else {
            self.lines.push(masked(line));
        }
    }

    /// Puts the entries of an ACL in order: `'scheme,'id` and `: permissions` on two lines each.
    fn sort_acls(&mut self) {
        let is_entry = |pair: &[String]| pair[0].starts_with('\'') && pair[1].starts_with(": ");
        let mut at = 0;
        while at + 1 < self.lines.len() {
            let mut pairs: Vec<_> = self.lines[at..]
                .chunks_exact(2)
                .take_while(|p| is_entry(p))
                .map(<[String]>::to_vec)
                .collect();
            pairs.sort();
            for (n, line) in pairs.iter().flatten().enumerate() {
                self.lines[at + n].clone_from(line);
            }
            at += 1.max(pairs.len() * 2);
        }
    }

    /// What differs from `other`, or nothing.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let lines = difference(&self.lines, &other.lines);
        let events = difference(&self.events, &other.events);
        match (lines, events) {
            (None, None) => None,
            (lines, events) => Some([lines, events].into_iter().flatten().collect()),
        }
    }
}

/// Masks a port where it ends an address; the same digits inside data stay.
fn without_port(output: &str, port: u16) -> String {
    let address_end = format!(":{port}");
    let mut masked = String::with_capacity(output.len());
    for (n, part) in output.split(&address_end).enumerate() {
        if n > 0 {
            masked.push_str(if part.starts_with(|c: char| c.is_ascii_digit()) {
                &address_end
            } else {
                ":PORT"
            });
        }
        masked.push_str(part);
    }
    masked
}

/// Splits at the first zkCli prompt: `[zk: host:port(STATE) number] `.
fn prompt(line: &str) -> Option<(&str, &str)> {
    let start = line.find("[zk: ")?;
    let end = start
        + line[start..].find("] ").map(|at| at + 2).or_else(|| line[start..].find(']').map(|at| at + 1))?;
    Some((&line[..start], &line[end..]))
}

/// Hides the value of a line that is about a time or a session.
fn masked(line: &str) -> String {
    for (key, name) in [("ctime = ", "TIME"), ("mtime = ", "TIME"), ("ephemeralOwner = ", "SESSION")] {
        // The epoch and "no owner" are facts, not measurements.
        if let Some(value) = line.strip_prefix(key)
            && !value.contains("1970")
            && value != "0x0"
        {
            return format!("{key}{name}");
        }
    }
    line.to_owned()
}

/// The first stretch where two texts part, with what led to it; nothing if they are equal.
pub fn difference(control: &[String], ours: &[String]) -> Option<String> {
    if control == ours {
        return None;
    }
    let at = control.iter().zip(ours).take_while(|(a, b)| a == b).count();
    let mut text = format!("differ from line {} ({} and {} lines)\n", at + 1, control.len(), ours.len());
    for line in control.iter().take(at).skip(at.saturating_sub(12)) {
        let _ = writeln!(text, "    {line}");
    }
    for (mark, lines) in [("Java  ", control), ("ours  ", ours)] {
        for line in lines.iter().skip(at).take(10) {
            let _ = writeln!(text, "{mark}{line}");
        }
    }
    Some(text)
}

#[test]
fn a_transcript_keeps_zxids_and_event_order_and_drops_times_and_sessions() {
    let session = |time: &str, owner: &str| {
        format!(
            "JLine support is enabled\n[zk: 127.0.0.1:4711(CONNECTED) 0] [zk: 127.0.0.1:4711(CONNECTED) 1] \n\
             WATCHER::\n\nWatchedEvent type:NodeCreated path:/a zxid: 7\ncZxid = 0x7\nctime = {time}\n\
             ephemeralOwner = {owner}\n"
        )
    };
    let one = Transcript::of_zkcli(&session("Fri Nov 20", "0x1"), 4711);
    let two = Transcript::of_zkcli(&session("Sat Nov 21", "0x2"), 4711);
    assert_eq!(one, two);
    assert_eq!(one.events, ["WatchedEvent type:NodeCreated path:/a zxid: 7"]);
    let other = Transcript::of_zkcli(&session("Fri Nov 20", "0x1").replace("0x7", "0x8"), 4711);
    assert!(one.difference(&other).is_some());
    let unowned = Transcript::of_zkcli(&session("Fri Nov 20", "0x0"), 4711);
    assert!(one.difference(&unowned).is_some());
    let sets = |text: &str| Transcript::of_zkcli(text, 4711);
    assert_eq!(
        sets("Auth scheme: User\nip: a\ndigest: b\n[y, x]\n"),
        sets("Auth scheme: User\ndigest: b\nip: a\n[x, y]\n")
    );
    assert_ne!(sets("[x, y]\n"), sets("[x]\n"));
    let digits = |data: &str| Transcript::of_zkcli(&format!("{data}\nto 127.0.0.1:4567\n"), 4567).lines;
    assert_eq!(digits("0123456789 1:45678"), ["0123456789 1:45678", "to 127.0.0.1:PORT"]);
}
