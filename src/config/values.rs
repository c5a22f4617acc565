//! One text checked against its row of the key table.
//!
//! # Invariants
//!
//! * A fault never repeats the text of a secret.

use super::finding::clip;
use super::keys::{Key, Kind};

/// A value that passed its row's checks.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of [`Kind::Int`].
    Int(i64),
    /// Of [`Kind::Float`].
    Float(f64),
    /// Of every other kind; words are in the spelling of the table.
    Text(String),
}

impl std::fmt::Debug for Value {
    // A text may be a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Bool(v) => write!(f, "{v}"),
            Value::Int(v) => write!(f, "{v}"),
            Value::Float(v) => write!(f, "{v}"),
            Value::Text(_) => f.write_str("***"),
        }
    }
}

/// What came of checking a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Checked {
    /// Fine.
    Good(Value),
    /// Usable after a change ZooKeeper makes, too: the value, what was changed.
    Adjusted(Value, String),
    /// Wrong: what is wrong, and the cure.
    Wrong(String, String),
}

/// Checks `text` (already trimmed) against `key`.
pub fn check(key: &Key, text: &str) -> Checked {
    match key.kind {
        Kind::Bool => match () {
            () if text.eq_ignore_ascii_case("true") => Checked::Good(Value::Bool(true)),
            () if text.eq_ignore_ascii_case("false") => Checked::Good(Value::Bool(false)),
            () => wrong(text, "neither true nor false", "write true or false"),
        },
        Kind::Int { min, max, raise } => check_int(key, text, min, max, raise),
        Kind::Float(min, max) => match text.parse::<f64>() {
            Ok(v) if (min..=max).contains(&v) => Checked::Good(Value::Float(v)),
            Ok(_) => wrong(text, "out of range", &format!("write a number from {min} to {max}")),
            Err(_) => wrong(text, "not a number", "write a number such as 0.5"),
        },
        Kind::Word { of, exact } => {
            let same = |w: &&&str| {
                if exact { **w == text } else { w.eq_ignore_ascii_case(text) }
            };
            match of.iter().find(same) {
                Some(word) => Checked::Good(Value::Text((*word).to_owned())),
                None => {
                    let words: Vec<&str> = of.iter().filter(|w| !w.is_empty()).copied().collect();
                    let cure = format!("write one of: {}", words.join(", "));
                    wrong(text, "not a known word", &cure)
                }
            }
        }
        Kind::Class { known, strict } => check_class(text, known, strict),
        Kind::Path if text.contains(|c: char| c.is_control()) => {
            let what = "a path with control characters";
            let cure = "write / between directories, or \\\\ for a backslash";
            Checked::Wrong(what.to_owned(), cure.to_owned())
        }
        Kind::Path if text.is_empty() => {
            Checked::Wrong("an empty path".to_owned(), "write a path or drop the line".to_owned())
        }
        Kind::Path
        | Kind::Text
        | Kind::Host
        | Kind::List
        | Kind::Secret
        | Kind::Member
        | Kind::Environment => Checked::Good(Value::Text(text.to_owned())),
    }
}

/// The value of a row that nobody set, if its default is a value and not words.
pub fn default_of(key: &Key) -> Option<Value> {
    if key.default.starts_with("= ") {
        return None;
    }
    match check(key, key.default) {
        Checked::Good(value) => Some(value).filter(|v| *v != Value::Text(String::new())),
        Checked::Adjusted(..) | Checked::Wrong(..) => None,
    }
}

fn wrong(text: &str, what: &str, cure: &str) -> Checked {
    Checked::Wrong(format!("\"{}\" is {what}", clip(text)), cure.to_owned())
}

fn check_int(key: &Key, text: &str, min: i64, max: i64, raise: Option<i64>) -> Checked {
    // Java decodes system properties (0x10, 010) but not its zoo.cfg keys.
    let number = if key.property.is_empty() { text.parse().ok() } else { decode(text) };
    match number {
        None => wrong(text, "not a whole number", &example(key)),
        Some(n) if n < min || n > max => {
            wrong(text, "out of range", &format!("write a number from {min} to {max}"))
        }
        Some(n) => match raise {
            Some(least) if n < least => {
                Checked::Adjusted(Value::Int(least), format!("{n} is too small; {least} is used"))
            }
            _ => Checked::Good(Value::Int(n)),
        },
    }
}

fn example(key: &Key) -> String {
    match key.default.parse::<i64>() {
        Ok(default) => format!("write a number such as {default}"),
        Err(_) => "write a number".to_owned(),
    }
}

fn check_class(text: &str, known: &[&str], strict: bool) -> Checked {
    if known.contains(&text) {
        return Checked::Good(Value::Text(text.to_owned()));
    }
    let what = format!("the Java class {} cannot be loaded", clip(text));
    if strict {
        let short: Vec<&str> = known.iter().filter_map(|c| c.rsplit('.').next()).collect();
        return Checked::Wrong(what, format!("built in are {}", short.join(", ")));
    }
    Checked::Adjusted(Value::Text(text.to_owned()), format!("{what}; it is left out"))
}

/// `Integer.decode`: decimal, `0x` or `#` hexadecimal, a leading 0 octal, with a sign.
fn decode(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let hex = ["0x", "0X", "#"].iter().find_map(|p| digits.strip_prefix(p));
    let (radix, digits) = match hex {
        Some(hex) => (16, hex),
        None if digits.len() > 1 && digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::keys::{all, by_name};
    use super::*;

    fn checked(name: &str, text: &str) -> Checked {
        check(by_name(name).unwrap(), text)
    }

    fn what(name: &str, text: &str) -> String {
        match checked(name, text) {
            Checked::Good(value) => format!("{value:?}"),
            Checked::Adjusted(_, what) | Checked::Wrong(what, _) => what,
        }
    }

    #[test]
    fn integers_are_bounded_and_raised() {
        assert_eq!(what("tickTime", "2000"), "2000");
        assert_eq!(what("tickTime", "+2000"), "2000");
        assert_eq!(what("tickTime", "0"), "\"0\" is out of range");
        assert_eq!(what("tickTime", "2s"), "\"2s\" is not a whole number");
        assert_eq!(what("tickTime", "0x10"), "\"0x10\" is not a whole number");
        assert_eq!(what("snapCount", "0x10"), "16");
        assert_eq!(what("snapCount", "010"), "8");
        assert_eq!(what("snapCount", "#ff"), "255");
        assert_eq!(what("snapCount", "0x-1"), "\"0x-1\" is not a whole number");
        assert_eq!(what("snapCount", "1"), "1 is too small; 2 is used");
        assert_eq!(what("globalOutstandingLimit", "-1"), "\"-1\" is out of range");
        assert_eq!(what("largeRequestThreshold", "-1"), "-1");
        assert_eq!(what("clientPort", "65536"), "\"65536\" is out of range");
        assert_eq!(
            what("maxCnxns", "99999999999999999999"),
            "\"99999999999999999999\" is not a whole number"
        );
    }

    #[test]
    fn words_and_classes_are_known_ones() {
        assert_eq!(checked("peerType", "OBSERVER"), Checked::Good(Value::Text("observer".into())));
        assert_eq!(what("forceSync", "No"), "\"No\" is not a known word");
        assert_eq!(checked("snapshot.compression.method", ""), Checked::Good(Value::Text(String::new())));
        assert!(what("serverCnxnFactory", "my.Factory").contains("cannot be loaded"));
        assert!(matches!(checked("authProvider.1", "my.Provider"), Checked::Adjusted(..)));
        assert_eq!(what("reconfigEnabled", "yes"), "\"yes\" is neither true nor false");
        assert_eq!(what("reconfigEnabled", "TRUE"), "true");
        assert_eq!(what("connection_throttle_drop_increase", "NaN"), "\"NaN\" is out of range");
        assert_eq!(what("dataDir", "C:\temp"), "a path with control characters");
    }

    #[test]
    fn every_default_passes_its_own_row() {
        for key in all().filter(|k| !k.default.is_empty() && !k.default.starts_with("= ")) {
            assert!(matches!(check(key, key.default), Checked::Good(_)), "{}", key.id());
            assert!(default_of(key).is_some(), "{}", key.id());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_checked_without_panic(text in "[-+#0xX1-9a-f]{0,24}|\\PC{0,40}") {
            for key in all() {
                let _ = check(key, &text);
            }
        }

        #[test]
        fn integers_come_back(n: i32) {
            prop_assert_eq!(decode(&n.to_string()), Some(i64::from(n)));
            prop_assert_eq!(decode(&format!("0x{:x}", n.unsigned_abs())), Some(i64::from(n.unsigned_abs())));
        }
    }
}
