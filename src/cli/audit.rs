//! `oxkeeper audit verify`: whether audit files are what the server wrote.
//!
//! # Invariants
//!
//! * Ends with 0 when every record fits its chain, with 1 when something is wrong, with 2 when
//!   there is nothing to verify or a file cannot be read.
//! * Nothing is changed.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::audit::verify::{Report, verify};
use crate::config::EXIT_BAD_CONFIG;

/// Look after audit files
#[derive(Debug, Clone, Args)]
pub struct AuditArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// What can be done with audit files.
#[derive(Debug, Clone, Subcommand)]
pub enum AuditCommand {
    /// Verify the hash chain of audit files: is a record changed, missing, or cut?
    Verify(VerifyArgs),
}

/// Files to verify.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// Audit files, or directories with audit files; older files of a chain belong with it
    #[arg(value_name = "FILE_OR_DIR", required = true)]
    pub paths: Vec<PathBuf>,
}

/// Runs `oxkeeper audit`; returns the exit code.
pub fn run(args: &AuditArgs) -> i32 {
    let AuditCommand::Verify(args) = &args.command;
    let report = match verify(&args.paths) {
        Ok(report) if report.files > 0 => report,
        Ok(_) => {
            eprintln!("oxkeeper audit verify: no audit file there: name audit.file or its directory");
            return EXIT_BAD_CONFIG;
        }
        Err(e) => {
            eprintln!("oxkeeper audit verify: {e}");
            return EXIT_BAD_CONFIG;
        }
    };
    let out = &mut io::stdout().lock();
    // A closed pipe (`| head`) changes nothing about the verdict.
    let _ = print(&report, out).and_then(|()| out.flush());
    i32::from(!report.findings.is_empty())
}

fn print(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for (file, line) in &report.marked {
        writeln!(out, "{}:{line}: a crash cut this line; the restart marked it", file.display())?;
    }
    for finding in &report.findings {
        writeln!(out, "{finding}")?;
    }
    for (file, link) in &report.ends {
        writeln!(out, "{} ends with link {link}", file.display())?;
    }
    let (files, records) = (report.files, report.records);
    match report.findings.len() {
        0 => writeln!(out, "{records} records in {files} files: the chain is whole"),
        n => writeln!(out, "{records} records in {files} files fit the chain; {n} findings: it is NOT whole"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(paths: Vec<PathBuf>) -> i32 {
        run(&AuditArgs { command: AuditCommand::Verify(VerifyArgs { paths }) })
    }

    #[test]
    fn the_exit_code_is_the_verdict() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("audit.log");
        assert_eq!(verdict(vec![path.clone()]), 2);
        assert_eq!(verdict(vec![home.path().to_owned()]), 2);
        let config = crate::audit::files::FilesConfig {
            path: path.clone(),
            layout: crate::audit::Layout::Java,
            max_bytes: 1 << 20,
            keep: 1,
        };
        drop(crate::audit::files::Files::open(config).expect("opened"));
        assert_eq!(verdict(vec![path.clone()]), 0);
        let mut bytes = std::fs::read(&path).expect("bytes");
        bytes[3] ^= 1;
        std::fs::write(&path, bytes).expect("written");
        assert_eq!(verdict(vec![path]), 1);
    }
}
