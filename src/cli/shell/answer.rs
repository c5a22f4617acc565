//! What a command has to say, as text that scripts know or as JSON.
//!
//! # Invariants
//!
//! * Text is ZooKeeper's to the letter, on the stream (out or err) that ZooKeeper uses.
//! * JSON is one object a line, on standard output only.

use super::localtime;
use crate::client::{ClientError, WatchedEvent};
use crate::error::Code;
use crate::types::{Acl, Stat, perms};
use base64::Engine as _;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;

/// How data is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// As UTF-8.
    Plain,
    /// Base64.
    Base64,
    /// A table of bytes.
    Hex,
}

/// One thing that a command says.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A line on standard output; `name` is its key in JSON.
    Line(&'static str, String),
    /// A number on a line of standard output.
    Number(&'static str, i64),
    /// A line on standard error.
    Note(String),
    /// A znode was created.
    Created(String),
    /// A znode of a recursive listing.
    Path(String),
    /// Children and, if asked for, the stat.
    Children(Vec<String>, Option<Stat>),
    /// Data and, if asked for, the stat.
    Data(Option<Vec<u8>>, Format, Option<Stat>),
    /// A stat.
    Stat(Stat),
    /// An ACL and, if asked for, the stat.
    Acl(Vec<Acl>, Option<Stat>),
    /// Paths in brackets.
    List(&'static str, Vec<String>),
    /// Scheme and user of each identity.
    Identities(Vec<(String, String)>),
    /// An event.
    Event(WatchedEvent),
}

/// Where answers go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Voice {
    /// JSON instead of text.
    pub json: bool,
}

impl Voice {
    /// Says it. A reader that went away is none of the command's business.
    pub fn say(self, answer: &Answer) {
        let (out, err) = self.render(answer);
        let _ = std::io::stdout().lock().write_all(out.as_bytes());
        let _ = std::io::stderr().lock().write_all(err.as_bytes());
    }

    /// The text for standard output and for standard error.
    pub fn render(self, answer: &Answer) -> (String, String) {
        if self.json {
            return (format!("{}\n", to_json(answer)), String::new());
        }
        match answer {
            Answer::Note(text) => (String::new(), format!("{text}\n")),
            Answer::Created(path) => (String::new(), format!("Created {path}\n")),
            other => (to_text(other), String::new()),
        }
    }
}

fn to_text(answer: &Answer) -> String {
    match answer {
        Answer::Line(_, text) | Answer::Note(text) => format!("{text}\n"),
        Answer::Number(_, number) => format!("{number}\n"),
        Answer::Created(path) | Answer::Path(path) => format!("{path}\n"),
        Answer::Children(names, stat) => format!("[{}]\n{}", names.join(", "), stat_text(stat.as_ref())),
        Answer::Data(data, format, stat) => {
            let bytes = data.as_deref().unwrap_or(b"null");
            format!("{}\n{}", shown(bytes, *format), stat_text(stat.as_ref()))
        }
        Answer::Stat(stat) => stat_text(Some(stat)),
        Answer::Acl(list, stat) => {
            let mut text = String::new();
            for acl in list {
                let _ = writeln!(text, "{}\n: {}", id_text(acl), perms_text(acl.perms));
            }
            text + &stat_text(stat.as_ref())
        }
        Answer::List(_, items) => format!("[{}]\n", items.join(", ")),
        Answer::Identities(list) => {
            list.iter().fold("Auth scheme: User\n".to_owned(), |text, (scheme, user)| {
                format!("{text}{scheme}: {user}\n")
            })
        }
        Answer::Event(event) => format!("\nWATCHER::\n\n{event}\n"),
    }
}

fn to_json(answer: &Answer) -> Value {
    match answer {
        Answer::Line(name, text) => json!({ *name: text }),
        Answer::Number(name, number) => json!({ *name: number }),
        Answer::Note(text) => json!({ "note": text }),
        Answer::Created(path) => json!({ "created": path }),
        Answer::Path(path) => json!({ "path": path }),
        Answer::Children(names, stat) => with_stat(json!({ "children": names }), stat.as_ref()),
        Answer::Data(data, format, stat) => with_stat(data_json(data.as_deref(), *format), stat.as_ref()),
        Answer::Stat(stat) => with_stat(json!({}), Some(stat)),
        Answer::Acl(list, stat) => {
            let entry =
                |a: &Acl| json!({ "scheme": a.id.scheme, "id": a.id.id, "perms": perms_text(a.perms) });
            with_stat(json!({ "acl": list.iter().map(entry).collect::<Vec<_>>() }), stat.as_ref())
        }
        Answer::List(name, items) => json!({ *name: items }),
        Answer::Identities(list) => {
            let entry = |(scheme, user): &(String, String)| json!({ "scheme": scheme, "user": user });
            json!({ "identities": list.iter().map(entry).collect::<Vec<_>>() })
        }
        Answer::Event(e) => json!({ "event": {
            "state": format!("{:?}", e.state), "type": format!("{:?}", e.kind), "path": e.path, "zxid": e.zxid,
        } }),
    }
}

/// Data that is no UTF-8 is shown in base64, so that nothing is lost.
fn data_json(data: Option<&[u8]>, format: Format) -> Value {
    let Some(bytes) = data else { return json!({ "data": null, "encoding": "utf-8" }) };
    match (format, std::str::from_utf8(bytes)) {
        (Format::Plain, Ok(text)) => json!({ "data": text, "encoding": "utf-8" }),
        _ => json!({ "data": shown(bytes, Format::Base64), "encoding": "base64" }),
    }
}

fn with_stat(mut object: Value, stat: Option<&Stat>) -> Value {
    if let (Some(map), Some(s)) = (object.as_object_mut(), stat) {
        let stat = json!({
            "czxid": s.czxid, "mzxid": s.mzxid, "ctime": s.ctime, "mtime": s.mtime, "version": s.version,
            "cversion": s.cversion, "aversion": s.aversion, "ephemeralOwner": s.ephemeral_owner,
            "dataLength": s.data_length, "numChildren": s.num_children, "pzxid": s.pzxid,
        });
        map.insert("stat".to_owned(), stat);
    }
    object
}

fn shown(bytes: &[u8], format: Format) -> String {
    match format {
        Format::Plain => String::from_utf8_lossy(bytes).into_owned(),
        Format::Base64 => base64::engine::general_purpose::STANDARD.encode(bytes),
        Format::Hex => hex_dump(bytes),
    }
}

/// The table that Netty prints, without a line feed at its end.
fn hex_dump(bytes: &[u8]) -> String {
    const RULE: &str = "+--------+-------------------------------------------------+----------------+";
    let mut text = String::new();
    if bytes.is_empty() {
        return text;
    }
    let _ = writeln!(text, "         +-------------------------------------------------+");
    let _ = writeln!(text, "         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |");
    let _ = writeln!(text, "{RULE}");
    for (row, chunk) in bytes.chunks(16).enumerate() {
        let hex: String = chunk.iter().map(|b| format!(" {b:02x}")).collect();
        let plain: String =
            chunk.iter().map(|b| if (0x20..0x7f).contains(b) { char::from(*b) } else { '.' }).collect();
        let _ = writeln!(text, "|{:08x}|{hex:48} |{plain:16}|", row * 16);
    }
    text + RULE
}

/// A stat, a field a line.
fn stat_text(stat: Option<&Stat>) -> String {
    let Some(s) = stat else { return String::new() };
    let mut t = String::new();
    let _ = writeln!(t, "cZxid = 0x{:x}", s.czxid);
    let _ = writeln!(t, "ctime = {}", localtime::date(s.ctime));
    let _ = writeln!(t, "mZxid = 0x{:x}", s.mzxid);
    let _ = writeln!(t, "mtime = {}", localtime::date(s.mtime));
    let _ = writeln!(t, "pZxid = 0x{:x}", s.pzxid);
    let _ = writeln!(t, "cversion = {}", s.cversion);
    let _ = writeln!(t, "dataVersion = {}", s.version);
    let _ = writeln!(t, "aclVersion = {}", s.aversion);
    let _ = writeln!(t, "ephemeralOwner = 0x{:x}", s.ephemeral_owner);
    let _ = writeln!(t, "dataLength = {}", s.data_length);
    let _ = writeln!(t, "numChildren = {}", s.num_children);
    t
}

/// An identity in jute's text form.
fn id_text(acl: &Acl) -> String {
    let escape = |text: &str| {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '\0' => out.push_str("%00"),
                '\n' => out.push_str("%0A"),
                '\r' => out.push_str("%0D"),
                ',' => out.push_str("%2C"),
                '}' => out.push_str("%7D"),
                '%' => out.push_str("%25"),
                c => out.push(c),
            }
        }
        out
    };
    format!("'{},'{}", escape(&acl.id.scheme), escape(&acl.id.id))
}

/// Permissions as letters.
pub fn perms_text(bits: i32) -> String {
    [(perms::CREATE, 'c'), (perms::DELETE, 'd'), (perms::READ, 'r'), (perms::WRITE, 'w'), (perms::ADMIN, 'a')]
        .iter()
        .filter(|(bit, _)| bits & bit != 0)
        .map(|(_, letter)| *letter)
        .collect()
}

/// Why a command failed: what to print and the exit code of one-shot mode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The line.
    pub message: String,
    /// Exit code.
    pub exit: i32,
    /// ZooKeeper's code, if a server or the session refused.
    pub code: Option<Code>,
}

impl Failure {
    /// A wrong command line.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), exit: 1, code: None }
    }

    /// As JSON or text.
    pub fn tell(&self, voice: Voice) {
        if voice.json {
            let code = self.code.map(|c| format!("{c:?}"));
            let line = json!({ "error": { "message": self.message, "code": code, "exit": self.exit } });
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        } else {
            let _ = writeln!(std::io::stderr().lock(), "{}", self.message);
        }
    }
}

impl Failure {
    /// A failed operation about `path`, empty if it was about none.
    pub fn about(e: &ClientError, path: &str) -> Failure {
        Failure { message: super::messages::of_error(e, path), exit: 1, code: Some(e.code()) }
    }
}

impl From<ClientError> for Failure {
    fn from(e: ClientError) -> Failure {
        Failure::about(&e, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_dump_is_nettys() {
        let want = "         +-------------------------------------------------+\n         \
                    |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n\
                    +--------+-------------------------------------------------+----------------+\n\
                    |00000000| 74 77 6f 20 77 6f 72 64 73                      |two words       |\n\
                    +--------+-------------------------------------------------+----------------+";
        assert_eq!(hex_dump(b"two words"), want);
        assert_eq!(hex_dump(&[0u8; 17]).lines().count(), 6);
    }

    #[test]
    fn text_and_json_go_where_they_belong() {
        let text = Voice { json: false };
        let json = Voice { json: true };
        assert_eq!(text.render(&Answer::Created("/a".into())), (String::new(), "Created /a\n".into()));
        assert_eq!(json.render(&Answer::Created("/a".into())).0, "{\"created\":\"/a\"}\n");
        let children = Answer::Children(vec!["a".into(), "b".into()], None);
        assert_eq!(text.render(&children).0, "[a, b]\n");
        assert_eq!(json.render(&children).0, "{\"children\":[\"a\",\"b\"]}\n");
        assert_eq!(text.render(&Answer::Data(None, Format::Plain, None)).0, "null\n");
        let odd = Answer::Data(Some(vec![0xff]), Format::Plain, None);
        assert_eq!(json.render(&odd).0, "{\"data\":\"/w==\",\"encoding\":\"base64\"}\n");
        let acl = Answer::Acl(vec![Acl::open()], None);
        assert_eq!(text.render(&acl).0, "'world,'anyone\n: cdrwa\n");
    }

    #[test]
    fn a_stat_has_its_eleven_lines() {
        let text = stat_text(Some(&Stat { czxid: 26, ephemeral_owner: -1, ..Stat::default() }));
        assert_eq!(text.lines().count(), 11);
        assert!(text.starts_with("cZxid = 0x1a\nctime = "));
        assert!(text.contains("ephemeralOwner = 0xffffffffffffffff\n"));
    }
}
