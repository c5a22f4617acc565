//! Flags of a Java virtual machine, as start scripts and `JVMFLAGS` carry them.
//!
//! # Invariants
//!
//! * Only `-Dname=value` means anything here; every other flag is kept by name, to be
//!   listed as ignored.
//! * Total and linear in the text.

/// One flag.
#[derive(Clone, PartialEq, Eq)]
pub enum Flag {
    /// `-Dname=value` (or `-Dname`, an empty value).
    Property {
        /// Name of the system property.
        name: String,
        /// Its value.
        value: String,
    },
    /// A flag without meaning here (`-Xmx1g`, `-XX:...`, `-javaagent:...`).
    Ignored(String),
}

impl std::fmt::Debug for Flag {
    // The value may be a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Flag::Property { name, .. } => write!(f, "-D{name}=***"),
            Flag::Ignored(text) => f.write_str(text),
        }
    }
}

/// Reads a line of flags: words split at blanks, quotes (single or double) removed.
/// A backslash is kept, except before a quote or a backslash inside double quotes.
pub fn parse_flags(text: &str) -> Vec<Flag> {
    split_words(text).into_iter().map(|word| flag(&word)).collect()
}

/// Reads one word of the command line: `-Dname=value` or `name=value`.
pub fn parse_property(text: &str) -> (String, String) {
    let text = text.strip_prefix("-D").unwrap_or(text);
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.trim().to_owned(), value.trim().to_owned())
}

fn flag(word: &str) -> Flag {
    match word.strip_prefix("-D") {
        Some(text) => {
            let (name, value) = parse_property(text);
            Flag::Property { name, value }
        }
        // An agent's options or an unknown word may carry a password: the name will do.
        None => {
            let end = word.find('=').map_or(word.len(), |at| at + 1);
            let (shown, hidden) = word.split_at(end);
            let dots = if hidden.is_empty() { "" } else { "..." };
            Flag::Ignored(format!("{}{dots}", super::finding::clip(shown)))
        }
    }
}

fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match quote {
            Some(q) if c == q => quote = None,
            Some('"') if c == '\\' => {
                let escaped = chars.next_if(|&n| n == '"' || n == '\\');
                word.get_or_insert_default().push(escaped.unwrap_or(c));
            }
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn property(name: &str, value: &str) -> Flag {
        Flag::Property { name: name.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn properties_are_read_and_the_rest_is_listed() {
        let text = r#"-Xmx1g -Dzookeeper.snapCount=10 '-Da=b c' "-Dq=\"x\"" -Dbare -javaagent:/a.jar=pw -Dr=s/@.*// -De=\d"#;
        assert_eq!(
            parse_flags(text),
            [
                Flag::Ignored("-Xmx1g".to_owned()),
                property("zookeeper.snapCount", "10"),
                property("a", "b c"),
                property("q", "\"x\""),
                property("bare", ""),
                Flag::Ignored("-javaagent:/a.jar=...".to_owned()),
                property("r", "s/@.*//"),
                property("e", "\\d"),
            ]
        );
    }

    #[test]
    fn a_value_is_not_in_debug_output() {
        assert_eq!(format!("{:?}", parse_flags("-Dp=hunter2")), "[-Dp=***]");
    }

    #[test]
    fn an_empty_text_has_no_flags() {
        assert!(parse_flags(" \t\n").is_empty());
        assert_eq!(parse_flags("''"), [Flag::Ignored(String::new())]);
    }

    proptest! {
        #[test]
        fn quoted_words_come_back(words in proptest::collection::vec("[^']{0,10}", 0..6)) {
            let text: String = words.iter().map(|w| format!("'-Dk={w}' ")).collect();
            let read = parse_flags(&text);
            prop_assert_eq!(read.len(), words.len());
            for (flag, word) in read.iter().zip(&words) {
                prop_assert_eq!(flag, &property("k", word.trim()));
            }
        }
    }
}
