//! What a look ends with: findings, worst first, and the facts that were seen.
//!
//! # Invariants
//!
//! * Nothing secret is ever put into a report: keys are known by number and type, passwords not at all.
//! * Texts of peers are printed without control characters.

use std::cmp::Reverse;
use std::io::{self, Write};

use serde::Serialize;

use super::codes::Code;
use crate::config::Severity;

/// Exit code when something was found.
const FOUND: i32 = 1;

/// One thing that is wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Errors keep somebody from working, warnings will.
    pub severity: Severity,
    /// The stable code.
    pub code: &'static str,
    /// What was found, with its names and numbers.
    pub what: String,
    /// One sentence.
    pub cause: &'static str,
    /// To copy and paste.
    pub cure: String,
}

impl Finding {
    /// Something that keeps somebody from working.
    pub fn error(code: impl Into<Code>, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Error, code.into(), what.into())
    }

    /// Something that will, or that weakens the protection.
    pub fn warning(code: impl Into<Code>, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Warning, code.into(), what.into())
    }

    fn new(severity: Severity, code: Code, what: String) -> Finding {
        Finding { severity, code: code.name(), what, cause: code.cause(), cure: code.cure().to_owned() }
    }

    /// The same with a cure for exactly this case.
    pub fn cure(mut self, cure: impl Into<String>) -> Finding {
        self.cure = cure.into();
        self
    }
}

/// Something that was seen.
#[derive(Clone, Debug, Serialize)]
struct Fact {
    name: String,
    value: String,
}

/// What a look ends with.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    findings: Vec<Finding>,
    facts: Vec<Fact>,
    /// Lines to be copied as they are: a batch of commands, a JAAS section.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    paste: Vec<String>,
}

impl Report {
    /// Adds something that is wrong.
    pub fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Adds something that was seen.
    pub fn fact(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.facts.push(Fact { name: name.into(), value: value.into() });
    }

    /// Adds a line to be copied.
    pub fn paste(&mut self, line: impl Into<String>) {
        self.paste.push(line.into());
    }

    /// Whether nothing is wrong so far.
    pub fn is_healthy(&self) -> bool {
        self.findings.is_empty()
    }

    /// Prints it; the exit code: 0 healthy, 1 something found.
    pub fn end(mut self, json: bool) -> i32 {
        self.findings.sort_by_key(|f| Reverse(f.severity));
        let out = &mut io::stdout().lock();
        let written = match json {
            true => serde_json::to_writer_pretty(&mut *out, &self)
                .map_err(io::Error::from)
                .and_then(|()| writeln!(out)),
            false => self.print(out),
        };
        // A closed pipe (`| head`) changes nothing about the verdict.
        let _ = written.and_then(|()| out.flush());
        if self.is_healthy() { 0 } else { FOUND }
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let width = self.findings.iter().map(|f| f.code.len()).max().unwrap_or(0);
        for finding in &self.findings {
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            writeln!(out, "{severity:<7}  {:<width$}  {}", finding.code, clean(&finding.what))?;
            writeln!(out, "         cause: {}", finding.cause)?;
            writeln!(out, "         cure:  {}", clean(&finding.cure))?;
        }
        if self.is_healthy() {
            writeln!(out, "healthy")?;
        }
        let width = self.facts.iter().map(|f| f.name.chars().count()).max().unwrap_or(0);
        for fact in &self.facts {
            writeln!(out, "{:<width$}  {}", clean(&fact.name), clean(&fact.value))?;
        }
        self.paste.iter().try_for_each(|line| writeln!(out, "{}", clean(line)))
    }
}

/// Without control characters.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::codes::Doc;
    use super::*;
    use crate::auth::reason::Reason;

    #[test]
    fn the_worst_comes_first_and_columns_are_aligned() {
        let mut report = Report::default();
        report.find(Finding::warning(Doc::UdpLost, "KDC\u{1b}[2J"));
        report.find(Finding::error(Reason::KrbSkew, "412 s").cure("chronyc makestep"));
        report.fact("a", "1");
        report.fact("long name", "2");
        report.findings.sort_by_key(|f| Reverse(f.severity));
        let mut out = Vec::new();
        report.print(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("error    KRB_SKEW      412 s\n"), "{text}");
        assert!(
            text.contains("         cure:  chronyc makestep\nwarning  DOC_UDP_LOST  KDC?[2J\n"),
            "{text}"
        );
        assert!(text.ends_with("a          1\nlong name  2\n"), "{text}");
        assert_eq!(serde_json::to_value(&report).unwrap()["findings"][0]["code"], "KRB_SKEW");
    }
}
