//! The tree browser: one znode with its data, ACL and children.
//!
//! # Invariants
//!
//! * What the ACL does not let the caller see is not in [`Znode`]; this room decides nothing about rights.

use super::html::{Cell, encode, escape, facts, heading, note, table};
use crate::types::java::java_iso8601;
use crate::types::{Acl, Stat, perms};

/// A znode, as far as the caller may see it.
#[derive(Debug, Clone)]
pub enum Znode {
    /// There is none.
    Missing,
    /// Its ACL does not let the caller read it.
    Forbidden {
        /// Its ACL, where the caller may see that.
        acl: Option<Vec<Acl>>,
    },
    /// It.
    Shown {
        /// What is known about it.
        stat: Stat,
        /// The first bytes of its data; `None` without data.
        data: Option<Vec<u8>>,
        /// Its ACL.
        acl: Vec<Acl>,
        /// Names of children, the first ones.
        children: Vec<String>,
    },
}

/// The page.
pub fn tree(path: &str, znode: &Znode) -> String {
    let mut html = form(path);
    match znode {
        Znode::Missing => html.push_str(&note("There is no such znode.")),
        Znode::Forbidden { acl } => {
            html.push_str(&note("Its ACL does not let you read it."));
            if let Some(acl) = acl {
                html.push_str(&heading("ACL"));
                html.push_str(&acl_table(acl));
            }
        }
        Znode::Shown { stat, data, acl, children } => {
            html.push_str(&heading("Children"));
            let rows = children.iter().map(|name| {
                let path = if path == "/" { format!("/{name}") } else { format!("{path}/{name}") };
                vec![Cell::Znode { path, text: name.clone() }]
            });
            html.push_str(&table(&["Name"], &rows.collect::<Vec<_>>()));
            let total = usize::try_from(stat.num_children).unwrap_or(0);
            if total > children.len() {
                html.push_str(&note(&format!("{} of {total} are shown", children.len())));
            }
            html.push_str(&heading("Data"));
            html.push_str(&data_html(data.as_deref(), stat.data_length));
            html.push_str(&heading("ACL"));
            html.push_str(&acl_table(acl));
            html.push_str(&heading("Stat"));
            html.push_str(&stat_facts(stat));
        }
    }
    html
}

/// The way up, and to any path.
fn form(path: &str) -> String {
    let mut crumbs = String::from("<p><a href=\"/console/tree?path=/\">/</a>");
    let mut so_far = String::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        so_far.push('/');
        so_far.push_str(part);
        crumbs.push_str(&format!(
            " <a href=\"/console/tree?path={}\">{}</a> /",
            encode(&so_far),
            escape(part)
        ));
    }
    format!(
        "{crumbs}</p>\n<form action=\"/console/tree\" method=\"get\"><input name=\"path\" value=\"{}\" \
         aria-label=\"Path\"><button>Go</button></form>\n",
        escape(path)
    )
}

fn data_html(data: Option<&[u8]>, length: i32) -> String {
    let Some(data) = data else { return note("none") };
    let shown = match std::str::from_utf8(data) {
        Ok(text) => escape(text),
        // The cut may have gone through a character.
        Err(e) if e.error_len().is_none() => {
            escape(&String::from_utf8_lossy(data.get(..e.valid_up_to()).unwrap_or(&[])))
        }
        Err(_) => hex(data),
    };
    let cut = i32::try_from(data.len()).is_ok_and(|shown| shown < length);
    let mut html = format!("<pre>{shown}</pre>\n");
    html.push_str(&note(&if cut {
        format!("the first {} of {length} bytes", data.len())
    } else {
        format!("{length} bytes")
    }));
    html
}

fn hex(data: &[u8]) -> String {
    let lines = data.chunks(16).enumerate().map(|(n, chunk)| {
        let bytes: Vec<String> = chunk.iter().map(|b| format!("{b:02x}")).collect();
        let text: String =
            chunk.iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '.' }).collect();
        format!("{:08x}  {:<47}  {}\n", n * 16, bytes.join(" "), escape(&text))
    });
    lines.collect()
}

fn acl_table(acl: &[Acl]) -> String {
    let rows = acl.iter().map(|entry| {
        let open = entry.id.scheme == "world" && entry.perms & !perms::READ != 0;
        let id = format!("{}:{}", entry.id.scheme, entry.id.id);
        let who = if open { Cell::State(false, id) } else { Cell::text(id) };
        vec![who, Cell::text(letters(entry.perms))]
    });
    table(&["Identity", "Rights"], &rows.collect::<Vec<_>>())
}

/// `cdrwa`, as zkCli prints rights.
fn letters(of: i32) -> String {
    let all = [
        (perms::CREATE, 'c'),
        (perms::DELETE, 'd'),
        (perms::READ, 'r'),
        (perms::WRITE, 'w'),
        (perms::ADMIN, 'a'),
    ];
    all.iter().filter(|(bit, _)| of & bit != 0).map(|(_, letter)| letter).collect()
}

fn stat_facts(stat: &Stat) -> String {
    let zxid = |zxid: i64| Cell::text(format!("0x{zxid:x}"));
    let time = |ms: i64| Cell::text(java_iso8601(ms));
    let owner = match stat.ephemeral_owner {
        0 => Cell::text("none"),
        id => Cell::text(format!("0x{id:x}")),
    };
    facts(&[
        ("Created", time(stat.ctime)),
        ("Changed", time(stat.mtime)),
        ("czxid", zxid(stat.czxid)),
        ("mzxid", zxid(stat.mzxid)),
        ("pzxid", zxid(stat.pzxid)),
        (
            "Versions of data / children / ACL",
            Cell::text(format!("{} / {} / {}", stat.version, stat.cversion, stat.aversion)),
        ),
        ("Ephemeral owner", owner),
        ("Children", Cell::text(stat.num_children.to_string())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_text_or_bytes_and_never_markup() {
        assert!(data_html(Some(b"<script>"), 8).contains("&lt;script&gt;"));
        assert!(data_html(Some(&[0xff, b'<', 0]), 3).contains("00000000  ff 3c 00"));
        assert!(
            data_html(Some("gr\u{fc}".as_bytes().get(..3).unwrap_or_default()), 4).contains("<pre>gr</pre>")
        );
        assert!(data_html(None, 0).contains("none"));
        let html = tree("/a/<b>", &Znode::Missing);
        assert!(!html.contains("<b>") && html.contains("%3Cb%3E"), "{html}");
    }

    #[test]
    fn rights_are_letters() {
        assert_eq!(letters(perms::ALL), "cdrwa");
        assert_eq!(letters(perms::READ | perms::ADMIN), "ra");
    }
}
