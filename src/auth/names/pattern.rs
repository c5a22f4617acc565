//! Regular expressions of auth_to_local rules: Java's syntax, matched in linear time.
//!
//! Rules are written for Java's `Pattern`. What it and the `regex` crate understand alike is passed
//! on; what they read differently is rewritten; what only Java knows (back references, look-around,
//! possessive quantifiers, `\p`, `\B`, `\G`, `\Q`, `(?i)` and the other `(?` forms but `(?:`, sets within
//! sets) is refused when the rules are read.
//!
//! # Invariants
//!
//! * A pattern that is taken matches a name exactly where Java's does. Names hold no line separators, so
//!   that `.`, `$` and `\Z` mean the same. `\b` is the one of Java 19 and later: ASCII letters alone.
//! * Compiled size is bounded by [`NAME_PATTERN_BYTES`].

use crate::limits::NAME_PATTERN_BYTES;
use regex::{Regex, RegexBuilder};
use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

/// Why a pattern is not taken.
type Bad = String;

const DIGIT: &str = "0-9";
const WORD: &str = "0-9A-Z_a-z";
const SPACE: &str = r"\x09-\x0d\x20";

/// Compiles a pattern of Java's syntax.
pub(super) fn compile(java: &str, whole: bool) -> Result<Regex, Bad> {
    let inner = translate(java)?;
    // The pattern alone must be one: no parenthesis of it may close ours.
    build(&inner)?;
    if whole { build(&format!(r"\A(?:{inner})\z")) } else { build(&inner) }
}

fn build(pattern: &str) -> Result<Regex, Bad> {
    let limited =
        RegexBuilder::new(pattern).size_limit(NAME_PATTERN_BYTES).dfa_size_limit(NAME_PATTERN_BYTES).build();
    limited.map_err(|e| match e {
        regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
        // The last line of the text says what is wrong; the lines before draw it.
        other => other.to_string().lines().last().unwrap_or_default().trim().to_owned(),
    })
}

fn translate(java: &str) -> Result<String, Bad> {
    let mut chars = java.chars().peekable();
    let mut out = String::with_capacity(java.len() + 8);
    while let Some(c) = chars.next() {
        match c {
            '\\' => match escape(&mut chars)? {
                Escaped::Char(c) => literal(c, &mut out),
                Escaped::Set(set, false) => push(&mut out, &["[", set, "]"]),
                Escaped::Set(set, true) => push(&mut out, &["[^", set, "]"]),
                Escaped::Assertion(text) => out.push_str(text),
            },
            '[' => set(&mut chars, &mut out)?,
            '(' => group(&mut chars, &mut out)?,
            '*' | '+' | '?' | '{' => quantifier(c, &mut chars, &mut out)?,
            '.' | '^' | '$' | '|' | ')' => out.push(c),
            other => literal(other, &mut out),
        }
    }
    Ok(out)
}

fn push(out: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| out.push_str(part));
}

fn literal(c: char, out: &mut String) {
    if c.is_alphanumeric() {
        out.push(c);
    } else {
        // Whatever the character means elsewhere, so written it means itself.
        let _ = write!(out, r"\x{{{:x}}}", u32::from(c));
    }
}

/// What stands behind a backslash.
enum Escaped {
    Char(char),
    /// A set of characters; true: all but these.
    Set(&'static str, bool),
    Assertion(&'static str),
}

fn escape(chars: &mut Peekable<Chars<'_>>) -> Result<Escaped, Bad> {
    let c = chars.next().ok_or("a backslash ends the pattern")?;
    Ok(match c {
        'd' | 'D' => Escaped::Set(DIGIT, c == 'D'),
        'w' | 'W' => Escaped::Set(WORD, c == 'W'),
        's' | 'S' => Escaped::Set(SPACE, c == 'S'),
        'b' => Escaped::Assertion(r"(?-u:\b)"),
        'A' => Escaped::Assertion(r"\A"),
        'z' | 'Z' => Escaped::Assertion(r"\z"),
        't' => Escaped::Char('\t'),
        'n' => Escaped::Char('\n'),
        'r' => Escaped::Char('\r'),
        'f' => Escaped::Char('\u{c}'),
        'a' => Escaped::Char('\u{7}'),
        'e' => Escaped::Char('\u{1b}'),
        'x' => Escaped::Char(hex(chars, 2)?),
        'u' => Escaped::Char(hex(chars, 4)?),
        _ if c.is_ascii_alphanumeric() => return Err(format!(r"\{c} is not supported here")),
        other => Escaped::Char(other),
    })
}

fn hex(chars: &mut Peekable<Chars<'_>>, digits: usize) -> Result<char, Bad> {
    let text: String = chars.by_ref().take(digits).collect();
    let whole = text.len() == digits && text.chars().all(|c| c.is_ascii_hexdigit());
    let number = whole.then(|| u32::from_str_radix(&text, 16).ok()).flatten();
    number.and_then(char::from_u32).ok_or_else(|| "a malformed hexadecimal escape".to_owned())
}

fn group(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), Bad> {
    out.push('(');
    if chars.next_if_eq(&'?').is_some() {
        if chars.next() != Some(':') {
            return Err("of the forms (?...) only (?:...) is supported here".to_owned());
        }
        out.push_str("?:");
    }
    Ok(())
}

fn quantifier(first: char, chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), Bad> {
    if first == '{' {
        let inside: String = chars.by_ref().take_while(|c| *c != '}').collect();
        let mut numbers = inside.splitn(2, ',');
        let low = numbers.next().unwrap_or_default();
        let number =
            |text: &str| !text.is_empty() && text.len() <= 4 && text.chars().all(|c| c.is_ascii_digit());
        if !number(low) || numbers.next().is_some_and(|high| !high.is_empty() && !number(high)) {
            return Err("a malformed repetition {n,m}".to_owned());
        }
        push(out, &["{", &inside, "}"]);
    } else {
        out.push(first);
    }
    if chars.next_if_eq(&'?').is_some() {
        out.push('?');
    }
    match chars.peek() {
        Some('+') => Err("possessive quantifiers are not supported here".to_owned()),
        Some('*' | '?' | '{') => Err("a quantifier of a quantifier".to_owned()),
        _ => Ok(()),
    }
}

/// One member of a set.
enum Member {
    Char(char),
    Set(&'static str),
}

fn set(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), Bad> {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut first = true;
    loop {
        let item = match chars.next().ok_or("a set without its closing bracket")? {
            ']' if !first => break,
            c => member(c, chars)?,
        };
        first = false;
        match item {
            Member::Char(low) => literal(low, out),
            Member::Set(set) => {
                out.push_str(set);
                continue;
            }
        }
        let mut ahead = chars.clone();
        if ahead.next() == Some('-') && !matches!(ahead.peek(), None | Some(']')) {
            chars.next();
            let c = chars.next().ok_or("a set without its closing bracket")?;
            let Member::Char(high) = member(c, chars)? else {
                return Err("a range that ends in a set".to_owned());
            };
            out.push('-');
            literal(high, out);
        }
    }
    out.push(']');
    Ok(())
}

fn member(c: char, chars: &mut Peekable<Chars<'_>>) -> Result<Member, Bad> {
    match c {
        '[' => Err("sets within sets are not supported here".to_owned()),
        '&' if chars.peek() == Some(&'&') => Err("&& in sets is not supported here".to_owned()),
        '\\' => match escape(chars)? {
            Escaped::Char(c) => Ok(Member::Char(c)),
            Escaped::Set(set, false) => Ok(Member::Set(set)),
            Escaped::Set(_, true) => Err(r"\D, \S and \W in sets are not supported here".to_owned()),
            Escaped::Assertion(_) => Err("an assertion in a set".to_owned()),
        },
        other => Ok(Member::Char(other)),
    }
}

/// What a match is replaced by: `Matcher.appendReplacement`'s syntax.
#[derive(Clone, Debug)]
pub(super) struct Replacement(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Group(usize),
}

impl Replacement {
    /// Reads the text for a pattern with `groups` groups. What Java finds wrong only when it is used is
    /// refused here, too.
    pub(super) fn parse(text: &str, groups: usize) -> Result<Replacement, Bad> {
        let mut pieces = vec![];
        let mut plain = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => plain.push(chars.next().ok_or("a backslash ends the replacement")?),
                '$' => {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Group(group_number(&mut chars, groups)?));
                }
                other => plain.push(other),
            }
        }
        pieces.push(Piece::Text(plain));
        Ok(Replacement(pieces))
    }

    fn write(&self, found: &regex::Captures<'_>, out: &mut String) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Group(n) => out.push_str(found.get(*n).map_or("", |m| m.as_str())),
            }
        }
    }

    /// Replaces the first match in `base`, or all of them, as Java's `Matcher` walks over them (an empty
    /// match directly behind another one counts). `None` when the result is longer than `limit` bytes.
    pub(super) fn replace(&self, base: &str, from: &Regex, all: bool, limit: usize) -> Option<String> {
        let mut out = String::with_capacity(base.len());
        let (mut copied, mut at) = (0, 0);
        while let Some(found) = base.get(at..).and_then(|_| from.captures_at(base, at)) {
            let whole = found.get(0)?;
            out.push_str(base.get(copied..whole.start())?);
            self.write(&found, &mut out);
            if out.len() > limit {
                return None;
            }
            copied = whole.end();
            let step = base.get(copied..)?.chars().next().map_or(1, char::len_utf8);
            at = if whole.is_empty() { copied + step } else { copied };
            if !all {
                break;
            }
        }
        out.push_str(base.get(copied..)?);
        (out.len() <= limit).then_some(out)
    }
}

/// The number behind `$`: as many digits as there are groups for, at least one.
fn group_number(chars: &mut Peekable<Chars<'_>>, groups: usize) -> Result<usize, Bad> {
    let digit = |c: &char| c.to_digit(10).map(|d| d as usize);
    let mut number = chars.peek().and_then(digit).ok_or("a $ without a group's number")?;
    chars.next();
    while let Some(longer) = chars.peek().and_then(digit).map(|d| number * 10 + d).filter(|n| *n <= groups) {
        chars.next();
        number = longer;
    }
    if number <= groups { Ok(number) } else { Err(format!("there is no group {number}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        compile(pattern, true).unwrap().is_match(text)
    }

    #[test]
    fn classes_are_ascii_and_punctuation_is_literal() {
        assert!(matches(r".*@EXAMPLE\.COM", "hdfs@EXAMPLE.COM"));
        assert!(!matches(r".*@EXAMPLE\.COM", "hdfs@EXAMPLExCOM"));
        assert!(matches(r"\w+\d@\S+", "nn1@R"));
        assert!(!matches(r"\w+", "ü"));
        assert!(!matches(r"\d", "٣"));
        assert!(matches(r"\<a\>", "<a>"));
        assert!(matches(r"a|b", "b") && !matches("a|b", "ab"));
        assert!(matches(r"[]a]", "]") && matches("[a-]", "-") && matches(r"[\w-]+", "a-b"));
        assert!(matches("[a-c~~x]+", "~x") && matches("[#--]", "$"));
    }

    #[test]
    fn what_only_java_knows_is_refused() {
        for bad in [
            "(a)\\1",
            "(?=a)",
            "(?i)a",
            "a*+",
            "a**",
            "[a[b]]",
            "[a&&b]",
            r"\p{L}",
            r"\B",
            r"\Q",
            "(",
            ")",
            "[a",
            "*a",
            r"[\W]",
            r"\u12",
            "a{",
            "a{x}",
            "a)(b",
            r"\",
            "a{9999}{9999}",
            "(a{999}){999}",
        ] {
            assert!(compile(bad, true).is_err(), "{bad}");
        }
    }

    #[test]
    fn replacing_walks_as_java_does() {
        let replace = |base: &str, from: &str, to: &str, all: bool| {
            let from = compile(from, false).unwrap();
            Replacement::parse(to, from.captures_len() - 1).unwrap().replace(base, &from, all, 100).unwrap()
        };
        assert_eq!(replace("baaac", "a*", "X", true), "XbXXcX");
        assert_eq!(replace("abc", "x*", "-", true), "-a-b-c-");
        assert_eq!(replace("hdfs@R", "@.*", "", false), "hdfs");
        assert_eq!(replace("a1b1", "(.)1", r"$11\$", true), "a1$b1$");
        assert_eq!(replace("aa", "^a", "b", true), "ba");
        let wide = compile("a", false).unwrap();
        assert_eq!(Replacement::parse("xx", 0).unwrap().replace("aaa", &wide, true, 5), None);
        for bad in ["$", "$x", "${a}", "$2", "\\"] {
            assert!(Replacement::parse(bad, 1).is_err(), "{bad}");
        }
    }
}
