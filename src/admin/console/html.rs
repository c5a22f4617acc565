//! Escaped text, tables, the frame of a page.
//!
//! # Invariants
//!
//! * [`escape`] leaves nothing that begins a tag, ends an attribute or begins an entity; characters that turn the
//!   direction of text or are invisible are shown by their number.

use std::fmt::Write as _;

use super::super::status::Mode;

/// Text that may stand in an element or in a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            // Controls, marks of direction, characters without width.
            c if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}') =>
            {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// A value of a query, percent-encoded.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => out.push(char::from(byte)),
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// What is left, in words.
fn in_words(ms: i64) -> String {
    let s = ms / 1000;
    let (d, h, m) = (s / 86_400, s / 3600 % 24, s / 60 % 60);
    match (d, h, m) {
        _ if ms <= 0 => "over".to_owned(),
        (0, 0, 0) => format!("in {s} s"),
        (0, 0, m) => format!("in {m} min {} s", s % 60),
        (0, h, m) => format!("in {h} h {m} min"),
        (d, h, _) => format!("in {d} d {h} h"),
    }
}

/// A cell of a table.
#[derive(Debug, Clone)]
pub enum Cell {
    /// A text.
    Text(String),
    /// A number.
    Number(String),
    /// A link to a znode.
    Znode {
        /// Its path.
        path: String,
        /// What is shown.
        text: String,
    },
    /// Something that ends; milliseconds from now.
    Left(i64),
    /// A state, good or bad.
    State(bool, String),
}

impl Cell {
    /// A text.
    pub fn text(text: impl Into<String>) -> Cell {
        Cell::Text(text.into())
    }

    /// A number.
    pub fn number(number: impl ToString) -> Cell {
        Cell::Number(number.to_string())
    }

    fn is_number(&self) -> bool {
        matches!(self, Cell::Number(_))
    }

    /// Its HTML.
    pub fn html(&self) -> String {
        match self {
            Cell::Text(text) | Cell::Number(text) => escape(text),
            Cell::Znode { path, text } => {
                format!("<a href=\"/console/tree?path={}\">{}</a>", encode(path), escape(text))
            }
            Cell::Left(ms) => format!("<span data-left=\"{ms}\">{}</span>", in_words(*ms)),
            Cell::State(good, text) => {
                format!("<span class=\"{}\">{}</span>", if *good { "good" } else { "bad" }, escape(text))
            }
        }
    }
}

/// A table.
pub fn table(heads: &[&str], rows: &[Vec<Cell>]) -> String {
    if rows.is_empty() {
        return "<p class=\"note\">none</p>\n".to_owned();
    }
    let mut out = String::from("<table>\n<thead><tr>");
    for (n, head) in heads.iter().enumerate() {
        let number = rows.first().and_then(|row| row.get(n)).is_some_and(Cell::is_number);
        let class = if number { " class=\"n\"" } else { "" };
        let _ = write!(out, "<th{class}>{}</th>", escape(head));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            let class = if cell.is_number() { " class=\"n\"" } else { "" };
            let _ = write!(out, "<td{class}>{}</td>", cell.html());
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n");
    out
}

/// Names and values.
pub fn facts(rows: &[(&str, Cell)]) -> String {
    let mut out = String::from("<dl>\n");
    for (name, value) in rows {
        let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escape(name), value.html());
    }
    out.push_str("</dl>\n");
    out
}

/// A heading.
pub fn heading(text: &str) -> String {
    format!("<h2>{}</h2>\n", escape(text))
}

/// A remark.
pub fn note(text: &str) -> String {
    format!("<p class=\"note\">{}</p>\n", escape(text))
}

/// What stands around every page.
#[derive(Debug)]
pub struct Frame<'a> {
    /// Its title.
    pub title: &'a str,
    /// Its path, of those in [`NAVIGATION`].
    pub at: &'a str,
    /// Who looks.
    pub who: &'a str,
    /// What the server is; `None` while it does not serve.
    pub mode: Option<Mode>,
    /// Where commands are.
    pub commands: &'a str,
}

/// The pages.
pub const NAVIGATION: [(&str, &str); 4] = [
    ("/", "Overview"),
    ("/console/sessions", "Sessions"),
    ("/console/watches", "Watches"),
    ("/console/tree", "Tree"),
];

impl Frame<'_> {
    /// The page around `body`, which is HTML.
    pub fn page(&self, body: &str) -> String {
        let mut links = String::new();
        for (path, name) in NAVIGATION {
            let current = if path == self.at { " aria-current=\"page\"" } else { "" };
            let _ = writeln!(links, "<a href=\"{path}\"{current}>{name}</a>");
        }
        let state = match self.mode {
            Some(mode) => Cell::State(mode != Mode::ReadOnly, mode.as_str().to_owned()),
            None => Cell::State(false, "not serving".to_owned()),
        };
        let (title, who, state) = (escape(self.title), escape(self.who), state.html());
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title} - Oxkeeper</title>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <link rel=\"stylesheet\" href=\"/console/style.css\">\n<script src=\"/console/script.js\" defer></script>\n\
             </head>\n<body>\n<header><strong>Oxkeeper</strong> {state}\n<nav>\n{links}\
             <a href=\"{commands}/\">Commands</a>\n</nav>\n<span class=\"who\">{who}</span></header>\n\
             <main>\n<h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n",
            commands = escape(self.commands),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_left_is_said_in_words() {
        for (ms, words) in [
            (-5, "over"),
            (1500, "in 1 s"),
            (61_000, "in 1 min 1 s"),
            (7_260_000, "in 2 h 1 min"),
            (90_000_000_000, "in 1041 d 16 h"),
        ] {
            assert_eq!(in_words(ms), words);
        }
    }

    #[test]
    fn queries_hold_any_path() {
        assert_eq!(encode("/a b/ü&x=1?#"), "/a%20b/%C3%BC%26x%3D1%3F%23");
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_place(text in ".{0,40}") {
            for html in [escape(&text), Cell::text(&*text).html()] {
                prop_assert!(!html.contains(['<', '>', '"', '\'']));
                let turned = html.contains('\u{202e}');
                prop_assert!(!turned);
            }
            let link = Cell::Znode { path: text.clone(), text: text.clone() }.html();
            prop_assert_eq!(link.matches('<').count(), 2);
            prop_assert_eq!(link.matches('"').count(), 2);
        }
    }
}
