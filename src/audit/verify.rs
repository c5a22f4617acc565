//! Whether audit files are what was written (`oxkeeper audit verify`).
//!
//! # Invariants
//!
//! * Files are judged in the order of their records, whatever their names say.
//! * Nothing is changed.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::chain::Link;
use super::files::head_path;
use super::scan::{Problem, Scan, scan};

/// Something wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In this file.
    pub file: PathBuf,
    /// On this line, from 1; 0: the file as a whole.
    pub line: u64,
    /// What.
    pub problem: Problem,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.problem)
    }
}

/// What came of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Files that were read.
    pub files: usize,
    /// Records that fit their chain.
    pub records: u64,
    /// Lines that a crash had cut and a restart marked: not wrong.
    pub marked: Vec<(PathBuf, u64)>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Where each chain ends.
    pub ends: Vec<(PathBuf, Link)>,
}

/// Verifies files; a directory stands for all audit files in it.
///
/// # Errors
///
/// A file cannot be read; the text names it.
pub fn verify(paths: &[PathBuf]) -> io::Result<Report> {
    let mut chains: BTreeMap<PathBuf, Vec<(PathBuf, Scan)>> = BTreeMap::new();
    for path in paths {
        for file in files_of(path)? {
            let scanned = read(&file)?;
            let all_of_directory = path.is_dir();
            if scanned.first.is_some() || (!all_of_directory && scanned.bytes > 0) {
                chains.entry(base(&file)).or_default().push((file, scanned));
            }
        }
    }
    let mut report = Report::default();
    for (base, mut files) in chains {
        files.sort_by_key(|(_, scan)| scan.first.unwrap_or(0));
        judge(&base, &files, &mut report);
    }
    Ok(report)
}

fn read(path: &Path) -> io::Result<Scan> {
    let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    scan(BufReader::with_capacity(1 << 18, File::open(path).map_err(named)?)).map_err(named)
}

/// A chain: its files in order.
fn judge(base: &Path, files: &[(PathBuf, Scan)], report: &mut Report) {
    let mut last: Option<(&Path, u64, Link)> = None;
    for (path, scan) in files {
        report.files += 1;
        report.records += scan.records;
        report.marked.extend(scan.marked.iter().map(|line| (path.clone(), *line)));
        if let (Some((before, lines, end)), Some(previous)) = (last, scan.previous)
            && end != previous
        {
            report.findings.push(between(before, lines, end, path, previous));
        }
        let here = |(line, problem): &(u64, Problem)| Finding {
            file: path.clone(),
            line: *line,
            problem: problem.clone(),
        };
        report.findings.extend(scan.problems.iter().map(here));
        last = scan.last.map(|link| (path.as_path(), scan.lines, link)).or(last);
    }
    let Some((path, lines, end)) = last else { return };
    report.ends.push((path.to_owned(), end));
    // The head tells of the newest file only.
    if path == base
        && let Some(head) = head(base)
        && head.number > end.number
    {
        report.findings.push(Finding {
            file: path.to_owned(),
            line: lines,
            problem: Problem::CutBehind(head.number),
        });
    }
}

/// Why a file does not go on where the one before it ends.
fn between(before: &Path, lines: u64, end: Link, path: &Path, previous: Link) -> Finding {
    if previous.number > end.number {
        let problem = Problem::CutBehind(previous.number);
        Finding { file: before.to_owned(), line: lines, problem }
    } else if previous.number == end.number {
        Finding { file: before.to_owned(), line: lines, problem: Problem::Changed }
    } else {
        Finding { file: path.to_owned(), line: 1, problem: Problem::OutOfOrder(previous.number + 1) }
    }
}

fn head(base: &Path) -> Option<Link> {
    Link::parse(std::fs::read_to_string(head_path(base)).ok()?.trim_end())
}

/// The files that a name stands for.
fn files_of(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        if file.is_file() && file.extension().is_none_or(|e| e != "head") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// `audit.log.3` belongs to `audit.log`.
fn base(file: &Path) -> PathBuf {
    let numbered = file.extension().is_some_and(|e| e.to_string_lossy().bytes().all(|b| b.is_ascii_digit()));
    if numbered { file.with_extension("") } else { file.to_owned() }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
