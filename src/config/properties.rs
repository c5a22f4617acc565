//! Java's properties format (`java.util.Properties.load`), with line numbers.
//!
//! Comments start with `#` or `!`; a key ends at the first unescaped blank, `=` or
//! `:`; a backslash at the end of a line continues it; `\uXXXX`, `\t`, `\n`, `\r`,
//! `\f` are escapes and any other escaped character stands for itself. Text is
//! taken as UTF-8 if it is, else as ISO-8859-1 (Java knows only the latter).
//!
//! # Invariants
//!
//! * Total: any bytes give entries or one error; work and memory are linear in the
//!   text, which is bounded by [`CONFIG_MAX_BYTES`].
//! * Entries keep the order of the file; duplicates are kept (the last one counts).

use crate::limits::CONFIG_MAX_BYTES;

/// One `key=value`.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Line its logical line starts on, from 1.
    pub line: usize,
    /// Line it ends on: a later one where backslashes continue it.
    pub last_line: usize,
    /// Key, unescaped, blanks around it cut (as ZooKeeper does after loading).
    pub key: String,
    /// Value, unescaped, blanks around it cut.
    pub value: String,
    /// A backslash before an ordinary letter was dropped, or made a control
    /// character: the sign of a Windows path written without doubling.
    pub lost_backslash: bool,
}

impl std::fmt::Debug for Entry {
    // The value may be a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}=***", self.line, self.key)
    }
}

/// Why a text is not a properties file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadProperties {
    /// Larger than [`CONFIG_MAX_BYTES`].
    TooLarge(usize),
    /// `\u` without four hexadecimal digits, on this line.
    BadEscape(usize),
}

/// Reads a properties text.
///
/// # Errors
///
/// [`BadProperties`] for a text that is too large or has a broken `\u` escape
/// (where Java throws, too).
pub fn parse_properties(bytes: &[u8]) -> Result<Vec<Entry>, BadProperties> {
    let text = decode_text(bytes)?;
    let mut entries = Vec::new();
    let mut lines = NaturalLines { rest: &text, number: 0 };
    while let Some((number, first)) = lines.next() {
        let first = first.trim_start_matches(is_blank);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        let mut last = number;
        let mut goes_on = ends_in_backslash(first);
        while goes_on {
            logical.pop();
            // A lone backslash leaves Java at the start of a line as before.
            if logical.is_empty() && !lines.rest.is_empty() {
                break;
            }
            let Some((number, next)) = lines.next() else { break };
            last = number;
            let next = next.trim_start_matches(is_blank);
            logical.push_str(next);
            goes_on = ends_in_backslash(next);
        }
        if !logical.is_empty() || lines.rest.is_empty() {
            entries.push(Entry { last_line: last, ..entry(number, &logical)? });
        }
    }
    Ok(entries)
}

/// Bytes of a configuration file as text: UTF-8 (a byte order mark is dropped), else
/// ISO-8859-1.
///
/// # Errors
///
/// [`BadProperties::TooLarge`] past [`CONFIG_MAX_BYTES`].
pub fn decode_text(bytes: &[u8]) -> Result<String, BadProperties> {
    if bytes.len() > CONFIG_MAX_BYTES {
        return Err(BadProperties::TooLarge(bytes.len()));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    Ok(match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&b| char::from(b)).collect(),
    })
}

/// Lines ended by LF, CR or CRLF, numbered from 1.
struct NaturalLines<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Iterator for NaturalLines<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let Some((line, rest)) = self.rest.split_once(['\n', '\r']) else {
            return Some((self.number, std::mem::take(&mut self.rest)));
        };
        let was_cr = self.rest.as_bytes().get(line.len()) == Some(&b'\r');
        self.rest = match rest.strip_prefix('\n') {
            Some(after) if was_cr => after,
            _ => rest,
        };
        Some((self.number, line))
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

/// Whether a line goes on: it ends in an odd number of backslashes.
fn ends_in_backslash(line: &str) -> bool {
    line.bytes().rev().take_while(|&b| b == b'\\').count() % 2 == 1
}

fn entry(line: usize, logical: &str) -> Result<Entry, BadProperties> {
    let mut escaped = false;
    let end = logical
        .char_indices()
        .find(|&(_, c)| {
            let ends = !escaped && (is_blank(c) || c == '=' || c == ':');
            escaped = !escaped && c == '\\';
            ends
        })
        .map_or(logical.len(), |(at, _)| at);
    let (key, rest) = logical.split_at(end);
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    let bad = || BadProperties::BadEscape(line);
    let (key, _) = unescape(key).ok_or_else(bad)?;
    let (value, lost_backslash) = unescape(rest.trim_start_matches(is_blank)).ok_or_else(bad)?;
    let (key, value) = (java_trim(&key).to_owned(), java_trim(&value).to_owned());
    Ok(Entry { line, last_line: line, key, value, lost_backslash })
}

/// `String.trim`: cuts blanks and control characters, and no others.
fn java_trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// The text without its escapes, and whether a backslash was lost on the way.
fn unescape(text: &str) -> Option<(String, bool)> {
    let mut out = String::with_capacity(text.len());
    let mut lost = false;
    let mut high: Option<u16> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let mut unit = None;
        let plain = if c != '\\' {
            Some(c)
        } else {
            match chars.next() {
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let hex = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                    unit = Some(u16::from_str_radix(&digits, 16).ok().filter(|_| hex)?);
                    None
                }
                Some(c @ ('t' | 'n' | 'r' | 'f')) => {
                    lost = true;
                    Some(match c {
                        't' => '\t',
                        'n' => '\n',
                        'r' => '\r',
                        _ => '\x0c',
                    })
                }
                Some(c) => {
                    lost |= c.is_alphanumeric();
                    Some(c)
                }
                None => None,
            }
        };
        push_utf16(&mut out, &mut high, unit);
        out.extend(plain);
    }
    push_utf16(&mut out, &mut high, None);
    Some((out, lost))
}

/// Adds a UTF-16 unit: surrogate pairs are joined, halves become U+FFFD.
fn push_utf16(out: &mut String, high: &mut Option<u16>, unit: Option<u16>) {
    let waiting = high.take();
    match unit {
        Some(u) if (0xd800..0xdc00).contains(&u) => {
            out.extend(waiting.map(|_| char::REPLACEMENT_CHARACTER));
            *high = Some(u);
        }
        Some(u) => {
            let units = waiting.into_iter().chain([u]);
            out.extend(char::decode_utf16(units).map(|r| r.unwrap_or(char::REPLACEMENT_CHARACTER)));
        }
        None => out.extend(waiting.map(|_| char::REPLACEMENT_CHARACTER)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(text: &str) -> Vec<(usize, String, String)> {
        parse_properties(text.as_bytes()).unwrap().into_iter().map(|e| (e.line, e.key, e.value)).collect()
    }

    fn row(line: usize, key: &str, value: &str) -> (usize, String, String) {
        (line, key.to_owned(), value.to_owned())
    }

    #[test]
    fn separators_comments_and_blanks_are_javas() {
        let text = "# c\n ! c\n\na=1\r\nb : 2\rc 3\n\td = x = y \ne\nf=\n";
        assert_eq!(
            pairs(text),
            [
                row(4, "a", "1"),
                row(5, "b", "2"),
                row(6, "c", "3"),
                row(7, "d", "x = y"),
                row(8, "e", ""),
                row(9, "f", ""),
            ]
        );
    }

    #[test]
    fn a_backslash_continues_a_line_and_two_do_not() {
        let text = "a=1,\\\n   2,\\\n#3\nb=x\\\\\nc=y\nd=end\\";
        assert_eq!(
            pairs(text),
            [row(1, "a", "1,2,#3"), row(4, "b", "x\\"), row(5, "c", "y"), row(6, "d", "end")]
        );
    }

    #[test]
    fn a_blank_line_ends_a_continuation() {
        assert_eq!(pairs("a=1\\\n\nb=2"), [row(1, "a", "1"), row(3, "b", "2")]);
        assert_eq!(pairs("\\\na=1"), [row(2, "a", "1")]);
    }

    #[test]
    fn escapes_are_resolved() {
        assert_eq!(
            pairs("a\\=b\\ c=\\u00e9\\uD83D\\uDE00\\uD83Dx\\#"),
            [row(1, "a=b c", "\u{e9}\u{1f600}\u{fffd}x#")]
        );
        assert_eq!(parse_properties(b"a=1\nb=\\u00g0"), Err(BadProperties::BadEscape(2)));
        assert_eq!(parse_properties(b"b=\\u00"), Err(BadProperties::BadEscape(1)));
        assert_eq!(parse_properties(b"b=\\u+0e9"), Err(BadProperties::BadEscape(1)));
    }

    #[test]
    fn an_eaten_backslash_is_remembered() {
        let lost = |text: &str| parse_properties(text.as_bytes()).unwrap()[0].lost_backslash;
        assert!(lost("dataDir=C:\\data"));
        assert!(lost("dataDir=C:\\temp"));
        assert!(!lost("dataDir=C:\\\\data"));
        assert!(!lost("dataDir=/a\\ b\\:c"));
    }

    #[test]
    fn text_is_utf8_or_latin1() {
        assert_eq!(pairs("\u{feff}a=\u{e9}"), [row(1, "a", "\u{e9}")]);
        assert_eq!(parse_properties(b"a=\xe9").unwrap()[0].value, "\u{e9}");
        let large = vec![b'#'; CONFIG_MAX_BYTES + 1];
        assert_eq!(parse_properties(&large), Err(BadProperties::TooLarge(large.len())));
    }

    #[test]
    fn a_value_is_not_in_debug_output() {
        let entries = parse_properties(b"superPassword=hunter2").unwrap();
        assert_eq!(format!("{entries:?}"), "[1: superPassword=***]");
    }

    /// Random texts (hexadecimal) and what `java.util.Properties` makes of them.
    const JAVA: &str = include_str!("../../tests/data/properties-java.txt");

    fn from_hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().map(|b| (b as char).to_digit(16).unwrap() as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    #[test]
    fn texts_are_read_as_java_reads_them() {
        let mut cases = 0;
        for line in JAVA.lines().filter(|line| !line.starts_with('#')) {
            let (text, expected) = line.split_once('|').unwrap();
            let hex = |text: &str| text.bytes().map(|b| format!("{b:02x}")).collect::<String>();
            let read = match parse_properties(&from_hex(text)) {
                Ok(entries) => entries
                    .iter()
                    .map(|e| format!("{}={}", hex(&e.key), hex(&e.value)))
                    .collect::<Vec<_>>()
                    .join(","),
                Err(_) => "bad".to_owned(),
            };
            assert_eq!(read, expected, "{text}");
            cases += 1;
        }
        assert!(cases >= 100);
    }

    fn escape(text: &str) -> String {
        let mut out = String::new();
        for c in text.chars() {
            match c {
                '\\' | '=' | ':' | '#' | '!' | ' ' => out.extend(['\\', c]),
                c if c.is_ascii_graphic() => out.push(c),
                c => c.encode_utf16(&mut [0; 2]).iter().for_each(|u| out += &format!("\\u{u:04x}")),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_properties(&bytes);
        }

        #[test]
        fn what_is_escaped_comes_back(list in proptest::collection::vec(("\\PC{1,12}", "\\PC{0,12}"), 0..8)) {
            let text: String = list
                .iter()
                .map(|(k, v)| format!("  {} = {}\n", escape(k), escape(v)))
                .collect();
            let read = parse_properties(text.as_bytes()).unwrap();
            prop_assert_eq!(read.len(), list.len());
            for (entry, (key, value)) in read.iter().zip(&list) {
                prop_assert_eq!(&entry.key, java_trim(key));
                prop_assert_eq!(&entry.value, java_trim(value));
            }
        }
    }
}
