//! What is worth saying about a configuration.
//!
//! # Invariants
//!
//! * A finding never contains the value of a secret.
//! * Errors stop the start with [`EXIT_BAD_CONFIG`]; warnings and notes do not.

use std::fmt;

use serde::Serialize;

/// Exit code of a bad invocation or configuration (ZooKeeper's
/// `ExitCode.INVALID_INVOCATION`).
pub const EXIT_BAD_CONFIG: i32 = 2;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Probably not what was meant; the server starts.
    Warning,
    /// The server does not start.
    Error,
}

/// One thing worth saying, with its place and its cure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where the text came from: a file name, `command line`, an environment variable.
    pub source: String,
    /// Line in a file, from 1.
    pub line: Option<usize>,
    /// The key it is about, if one.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub cure: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ": {key}")?;
        }
        write!(f, ": {}", self.message)?;
        if !self.cure.is_empty() {
            write!(f, " ({})", self.cure)?;
        }
        Ok(())
    }
}

/// Where a piece of configuration stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// A file name, `command line` or the name of an environment variable.
    pub source: String,
    /// Line in a file, from 1.
    pub line: Option<usize>,
}

impl Place {
    /// A line of a file.
    pub fn line(source: &str, line: usize) -> Self {
        Place { source: source.to_owned(), line: Some(line) }
    }

    /// A source as a whole.
    pub fn whole(source: &str) -> Self {
        Place { source: source.to_owned(), line: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.source),
            None => f.write_str(&self.source),
        }
    }
}

/// All findings of one load, in the order they were made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Adds one.
    pub fn add(
        &mut self,
        severity: Severity,
        place: &Place,
        key: &str,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.0.push(Finding {
            severity,
            source: place.source.clone(),
            line: place.line,
            key: (!key.is_empty()).then(|| clip(key)),
            message: message.into(),
            cure: cure.into(),
        });
    }

    /// Adds an error.
    pub fn error(&mut self, at: &Place, key: &str, what: impl Into<String>, cure: impl Into<String>) {
        self.add(Severity::Error, at, key, what, cure);
    }

    /// Adds a warning.
    pub fn warn(&mut self, at: &Place, key: &str, what: impl Into<String>, cure: impl Into<String>) {
        self.add(Severity::Warning, at, key, what, cure);
    }

    /// Adds a note.
    pub fn note(&mut self, at: &Place, key: &str, what: impl Into<String>, cure: impl Into<String>) {
        self.add(Severity::Note, at, key, what, cure);
    }

    /// Whether anything stops the start.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|f| f.severity == Severity::Error)
    }

    /// The errors.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter().filter(|f| f.severity == Severity::Error)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }
}

/// A piece of foreign text, shortened and without control characters, so that a
/// message stays one readable line whatever stands in a file.
pub fn clip(text: &str) -> String {
    const KEEP: usize = 100;
    let mut out: String = text.chars().take(KEEP).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(KEEP).is_some() {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_as_place_key_message_cure() {
        let mut all = Findings::default();
        all.warn(&Place::whole("JVMFLAGS"), "", "odd", "");
        assert!(!all.has_errors());
        all.error(&Place::line("zoo.cfg", 3), "tickTime", "not a number", "write 2000");
        assert!(all.has_errors());
        let text: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(text, ["JVMFLAGS: odd", "zoo.cfg:3: tickTime: not a number (write 2000)"]);
    }

    #[test]
    fn foreign_text_is_clipped_to_one_line() {
        assert_eq!(clip("a\nb"), "a?b");
        assert_eq!(clip(&"x".repeat(200)).len(), 103);
    }
}
