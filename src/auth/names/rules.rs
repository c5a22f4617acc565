//! `security.auth_to_local`: rules from a Kerberos name to a short name.
//!
//! ```text
//! RULE:[2:$1@$0](nn@EXAMPLE\.COM)s/.*/hdfs/
//! RULE:[1:$1@$0](.*@OTHER\.REALM)s/@.*///L
//! DEFAULT
//! ```
//!
//! The syntax is that of MIT's krb5.conf as ZooKeeper's `KerberosName` reads it, with the suffixes `/L`
//! and `/U` (lower and upper case) of Hadoop and Kafka.
//!
//! # Invariants
//!
//! * A rule that could only fail when it is used is refused when it is read.
//! * Total; the text is bounded by [`AUTH_TO_LOCAL_BYTES`] and [`AUTH_TO_LOCAL_RULES`], every result by
//!   [`PRINCIPAL_MAX`].

use super::pattern::{Replacement, compile};
use super::principal::Principal;
use crate::limits::{AUTH_TO_LOCAL_BYTES, AUTH_TO_LOCAL_RULES, PRINCIPAL_MAX, QUOTED_INPUT};
use regex::Regex;
use std::fmt;

/// Why the rules are not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadRules {
    /// Number of the rule, from 1.
    pub number: usize,
    /// Its text, and what follows where its end is not clear.
    pub rule: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for BadRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "security.auth_to_local: rule {} ({:?}): {}", self.number, self.rule, self.what)
    }
}

impl std::error::Error for BadRules {}

/// The list, in its order.
#[derive(Clone, Debug)]
pub(super) struct Rules(Vec<Rule>);

/// One rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// As it was written.
    pub text: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// The first component of names of the default realm.
    Default,
    Map(Box<Map>),
}

#[derive(Clone, Debug)]
struct Map {
    components: u32,
    format: Vec<Piece>,
    accepts: Option<Regex>,
    /// The realm that the pattern ends in, where it is written out.
    realm: Option<String>,
    change: Option<(Regex, Replacement, bool)>,
    case: Option<Case>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Part(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Case {
    Lower,
    Upper,
}

/// What a rule made of a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tried {
    /// It is for names of another number of components.
    OtherShape,
    /// It is DEFAULT, and the realm is not the default realm.
    OtherRealm,
    /// Its pattern does not match this text, which its format made of the name.
    NoMatch(String),
    /// It applies; this is the short name.
    Short(String),
    /// It applies and yields this text, which is no short name: the search ends here, as in ZooKeeper.
    NotShort(String),
}

impl Rules {
    /// Reads the whole text.
    pub(super) fn parse(text: &str) -> Result<Rules, BadRules> {
        let mut rules = Vec::new();
        let mut rest = text.trim_matches(|c| c <= ' ');
        let bad = |number: usize, rule: &str, what: String| BadRules {
            number: number + 1,
            rule: rule.chars().take(QUOTED_INPUT).collect(),
            what,
        };
        if text.len() > AUTH_TO_LOCAL_BYTES {
            return Err(bad(0, "", format!("the rules are longer than {AUTH_TO_LOCAL_BYTES} bytes")));
        }
        while !rest.is_empty() {
            if rules.len() == AUTH_TO_LOCAL_RULES {
                return Err(bad(rules.len(), rest, format!("more than {AUTH_TO_LOCAL_RULES} rules")));
            }
            rest = rest.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
            let (rule, behind) = one(rest).map_err(|what| bad(rules.len(), rest, what))?;
            rules.push(rule);
            rest = behind;
        }
        Ok(Rules(rules))
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Rule> {
        self.0.iter()
    }

    /// Realms that patterns of rules write out.
    pub(super) fn realms(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|rule| match &rule.kind {
            Kind::Default => None,
            Kind::Map(map) => map.realm.as_deref(),
        })
    }
}

/// The text up to `end`, which is not part of it.
fn until(text: &str, end: char) -> Option<(&str, &str)> {
    text.split_once(end)
}

fn one(text: &str) -> Result<(Rule, &str), String> {
    if let Some(rest) = text.strip_prefix("DEFAULT") {
        let rest = suffix(rest).1;
        return Ok((Rule { text: "DEFAULT".to_owned(), kind: Kind::Default }, rest));
    }
    let rest = text.strip_prefix("RULE:[").ok_or("neither RULE:[n:format] nor DEFAULT")?;
    let (number, rest) = until(rest, ':').ok_or("no colon behind the number of components")?;
    let components = number.parse::<i32>().ok().filter(|_| number.chars().all(|c| c.is_ascii_digit()));
    let components = components.ok_or("the number of components is no number")?.unsigned_abs();
    let (format, rest) = until(rest, ']').ok_or("the format has no closing bracket")?;
    let (accepts, rest) = match rest.strip_prefix('(') {
        Some(inside) => {
            let (pattern, rest) = until(inside, ')').ok_or("the pattern has no closing parenthesis")?;
            (Some(pattern), rest)
        }
        None => (None, rest),
    };
    let (change, rest) = match rest.strip_prefix("s/") {
        Some(inside) => {
            let (from, rest) = until(inside, '/').ok_or("s/ is not followed by pattern/replacement/")?;
            let (to, rest) = until(rest, '/').ok_or("the replacement has no closing slash")?;
            let all = rest.starts_with('g');
            (Some((from, to, all)), rest.strip_prefix('g').unwrap_or(rest))
        }
        None => (None, rest),
    };
    let (case, rest) = suffix(rest);
    let written = text.strip_suffix(rest).unwrap_or(text).to_owned();
    let map = Map {
        components,
        format: pieces(format, components)?,
        accepts: accepts.map(|pattern| compile(pattern, true)).transpose()?,
        realm: accepts.and_then(realm_of),
        change: change.map(|(from, to, all)| substitution(from, to, all)).transpose()?,
        case,
    };
    Ok((Rule { text: written, kind: Kind::Map(Box::new(map)) }, rest))
}

fn substitution(from: &str, to: &str, all: bool) -> Result<(Regex, Replacement, bool), String> {
    let from = compile(from, false)?;
    let to = Replacement::parse(to, from.captures_len().saturating_sub(1))?;
    Ok((from, to, all))
}

/// `/L` or `/U`; Hadoop takes the letter without the slash, too.
fn suffix(rest: &str) -> (Option<Case>, &str) {
    let behind = rest.strip_prefix('/').unwrap_or(rest);
    match behind.chars().next() {
        Some('L') => (Some(Case::Lower), behind.strip_prefix('L').unwrap_or(behind)),
        Some('U') => (Some(Case::Upper), behind.strip_prefix('U').unwrap_or(behind)),
        _ => (None, rest),
    }
}

/// The format: text and `$n`. A rule for a number of components that no name has is never used, and
/// its numbers are not judged.
fn pieces(format: &str, components: u32) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = format;
    while let Some((before, behind)) = rest.split_once('$') {
        pieces.push(Piece::Text(before.to_owned()));
        let end = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
        let (digits, after) = behind.split_at(end);
        let part = digits.parse::<u32>().ok().filter(|n| *n <= components || !(1..=2).contains(&components));
        let part =
            part.ok_or_else(|| format!("${digits} is no part of a name of {components} components"))?;
        pieces.push(Piece::Part(part as usize));
        rest = after;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(pieces)
}

/// The realm that a pattern ends in, if it is written out: `.*@OTHER\.REALM` names OTHER.REALM.
fn realm_of(pattern: &str) -> Option<String> {
    let pattern = pattern.strip_suffix('$').unwrap_or(pattern);
    let (_, realm) = pattern.rsplit_once('@')?;
    let realm = realm.replace(r"\.", ".").replace(r"\-", "-");
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!realm.is_empty() && realm.chars().all(plain)).then_some(realm)
}

impl Rule {
    /// Tries the rule on a name.
    pub(super) fn apply(&self, name: &Principal, default_realm: Option<&str>) -> Tried {
        let result = match &self.kind {
            Kind::Default if default_realm == Some(name.realm.as_str()) => name.primary.clone(),
            Kind::Default => return Tried::OtherRealm,
            Kind::Map(map) => match map.apply(&name.parts()) {
                Ok(result) => result,
                Err(tried) => return tried,
            },
        };
        if result.is_empty() || result.contains(['/', '@']) {
            Tried::NotShort(result)
        } else {
            Tried::Short(result)
        }
    }
}

impl Map {
    fn apply(&self, parts: &[&str]) -> Result<String, Tried> {
        if parts.len() != self.components as usize + 1 {
            return Err(Tried::OtherShape);
        }
        let mut base = String::new();
        for piece in &self.format {
            match piece {
                Piece::Text(text) => base.push_str(text),
                Piece::Part(n) => base.push_str(parts.get(*n).copied().unwrap_or_default()),
            }
            if base.len() > PRINCIPAL_MAX {
                return Err(too_long());
            }
        }
        if self.accepts.as_ref().is_some_and(|pattern| !pattern.is_match(&base)) {
            return Err(Tried::NoMatch(base));
        }
        let short = match &self.change {
            Some((from, to, all)) => to.replace(&base, from, *all, PRINCIPAL_MAX).ok_or_else(too_long)?,
            None => base,
        };
        Ok(match self.case {
            Some(Case::Lower) => short.to_lowercase(),
            Some(Case::Upper) => short.to_uppercase(),
            None => short,
        })
    }
}

fn too_long() -> Tried {
    Tried::NotShort(format!("(more than {PRINCIPAL_MAX} bytes)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(rules: &str, name: &str) -> Tried {
        let rules = Rules::parse(rules).unwrap();
        let name = Principal::parse(name).unwrap();
        rules.iter().next().unwrap().apply(&name, Some("R.COM"))
    }

    fn short(text: &str) -> Tried {
        Tried::Short(text.to_owned())
    }

    #[test]
    fn rules_map_as_written() {
        assert_eq!(first("DEFAULT", "hdfs/h@R.COM"), short("hdfs"));
        assert_eq!(first("DEFAULT", "hdfs/h@S.COM"), Tried::OtherRealm);
        assert_eq!(first(r"RULE:[2:$1@$0](nn@R\.COM)s/.*/hdfs/", "nn/h@R.COM"), short("hdfs"));
        assert_eq!(first("RULE:[1:$1@$0](.*@S)s/@.*//", "nn@R.COM"), Tried::NoMatch("nn@R.COM".into()));
        assert_eq!(first("RULE:[1:$1]", "nn/h@R.COM"), Tried::OtherShape);
        assert_eq!(first("RULE:[2:$1.$2]s/a/b/g", "aa/a@R"), short("bb.b"));
        assert_eq!(first("RULE:[1:$1@$0]", "a@R"), Tried::NotShort("a@R".into()));
        assert_eq!(first("RULE:[1:$1]s/.*//", "a@R"), Tried::NotShort(String::new()));
        for lower in ["RULE:[1:$1]/L", "RULE:[1:$1]L", "RULE:[1:$1]s/x/y//L", "RULE:[1:$1]s/x/y/gL"] {
            assert_eq!(first(lower, "HDFS@R"), short("hdfs"), "{lower}");
        }
        assert_eq!(first("RULE:[1:$1]/U", "hdfs@R"), short("HDFS"));
    }

    #[test]
    fn several_rules_stand_side_by_side() {
        let rules = Rules::parse(" RULE:[1:$1](a)\nRULE:[2:$1]s/a/b/DEFAULT\tDEFAULT ").unwrap();
        let texts: Vec<&str> = rules.iter().map(|r| r.text.as_str()).collect();
        assert_eq!(texts, ["RULE:[1:$1](a)", "RULE:[2:$1]s/a/b/", "DEFAULT", "DEFAULT"]);
        assert!(Rules::parse("").unwrap().iter().next().is_none());
    }

    #[test]
    fn realms_that_rules_write_out() {
        let rules =
            r"RULE:[1:$1@$0](.*@OTHER\.REALM)s/@.*// RULE:[1:$1@$0](.*@.*)s/@.*// RULE:[2:$1] DEFAULT";
        let rules = Rules::parse(rules).unwrap();
        assert_eq!(rules.realms().collect::<Vec<_>>(), ["OTHER.REALM"]);
    }

    #[test]
    fn what_could_only_fail_is_refused_at_once() {
        for bad in [
            "RULE",
            "RULE:[1:$1",
            "RULE:[:$1]",
            "RULE:[x:$1]",
            "RULE:[1:$2]",
            "RULE:[1:$]",
            "RULE:[2:$3]",
            "RULE:[99999999999:$1]",
            "RULE:[1:$1](a",
            "RULE:[1:$1]s/a/b",
            "RULE:[1:$1]s/a",
            "RULE:[1:$1]s/a/$1/",
            "RULE:[1:$1]((a))",
            "DEFAULT x",
            "default",
            "RULE:[+1:$1]",
            "RULE:[1:$1]s/(?i)a/b/",
        ] {
            assert!(Rules::parse(bad).is_err(), "{bad}");
        }
        let bad = Rules::parse("DEFAULT RULE:[1:$9]").unwrap_err();
        assert_eq!((bad.number, bad.rule.as_str()), (2, "RULE:[1:$9]"));
        assert!(Rules::parse(&"DEFAULT ".repeat(AUTH_TO_LOCAL_RULES + 1)).is_err());
    }

    #[test]
    fn results_are_bounded() {
        let rule = format!("RULE:[1:{}]", "$1".repeat(10_000));
        assert!(matches!(first(&rule, "abcdef@R"), Tried::NotShort(text) if text.len() < 100));
    }
}
