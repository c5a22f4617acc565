//! The files of the audit log: chained, rotated, and repaired after a crash.
//!
//! The newest is `path`, older ones are `path.1`, `path.2`, … The file `path.head` holds the
//! last link, so that a cut at the end is noticed.
//!
//! # Invariants
//!
//! * A record is written whole, or the file is as it was before.
//! * The chain goes on over rotation and restart: the first record of a file names the last
//!   link of the file before.
//! * Bytes that a crash left behind the last record stay where they are; the next record names
//!   them. Nothing is repaired silently.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions, remove_file, rename};
use std::io::{self, BufReader, ErrorKind};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use tracing::{error, info, warn};

use super::chain::{Line, Link, append};
use super::layout::Layout;
use super::scan::{Scan, fragment, scan};
use crate::error::Code;
use crate::limits::{AUDIT_BATCH, AUDIT_LINE};
use crate::os::clock;
use crate::types::decision::{Decision, Operation, Who};

/// Where the files are and how large they become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesConfig {
    /// The newest file.
    pub path: PathBuf,
    /// How records look.
    pub layout: Layout,
    /// A file is left when its next record would pass this size, bytes.
    pub max_bytes: u64,
    /// Older files that are kept.
    pub keep: u32,
}

/// The open files.
#[derive(Debug)]
pub struct Files {
    config: FilesConfig,
    /// `None` between a rotation's renaming and the new file.
    file: Option<File>,
    head: File,
    size: u64,
    /// Its size when only its first record stood in it.
    fresh: u64,
    last: Link,
    /// Numbers of records that are gone, to be told by the next one.
    gone: Option<(u64, u64)>,
}

impl Files {
    /// Opens or creates the newest file and goes on where it ends.
    ///
    /// # Errors
    ///
    /// A file cannot be read or written: the text names it.
    pub fn open(config: FilesConfig) -> io::Result<Files> {
        let named = |path: &Path, e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        let head_path = head_path(&config.path);
        let head = create(&head_path).map_err(|e| named(&head_path, e))?;
        let mut files = Files { config, file: None, head, size: 0, fresh: 0, last: Link::START, gone: None };
        files.resume().map_err(|e| named(&files.config.path, e))?;
        Ok(files)
    }

    /// The last record.
    pub fn last(&self) -> Link {
        self.last
    }

    /// Appends records in their order and takes them out of the queue as they are written.
    ///
    /// # Errors
    ///
    /// The disk; what is left in the queue was not written.
    pub fn append(&mut self, records: &mut VecDeque<String>) -> io::Result<()> {
        if self.file.is_none() {
            self.begin()?;
        }
        while !records.is_empty() {
            let (mut out, mut last, mut taken) = (Vec::new(), self.last, 0);
            for record in records.iter() {
                let (before, at) = (out.len(), last);
                append(&mut out, self.config.layout, record, &mut last);
                let full = self.size + out.len() as u64 > self.config.max_bytes;
                let alone = taken == 0 && self.holds_only_its_head();
                if full && !alone {
                    out.truncate(before);
                    last = at;
                    break;
                }
                taken += 1;
                if out.len() >= AUDIT_BATCH {
                    break;
                }
            }
            if taken == 0 {
                self.rotate()?;
                continue;
            }
            self.write(&out, last)?;
            records.drain(..taken);
        }
        Ok(())
    }

    /// Everything written is on the disk.
    ///
    /// # Errors
    ///
    /// The disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }

    /// A record larger than a file stands in one of its own, whatever its size.
    fn holds_only_its_head(&self) -> bool {
        self.size == self.fresh
    }

    /// Writes whole lines, or leaves the file as it was.
    fn write(&mut self, bytes: &[u8], last: Link) -> io::Result<()> {
        let Some(file) = &self.file else { return Err(ErrorKind::NotFound.into()) };
        if let Err(e) = file.write_all_at(bytes, self.size) {
            let _ = file.set_len(self.size); // what is left of it is overwritten by the next try
            return Err(e);
        }
        self.size += bytes.len() as u64;
        self.last = last;
        self.note_head();
        Ok(())
    }

    /// Fixed width, written in place. It only serves to notice a cut: a failure is no harm.
    fn note_head(&self) {
        let _ = self.head.write_all_at(format!("{:<86}\n", self.last.to_string()).as_bytes(), 0);
    }

    /// Writes one record of the audit log's own.
    fn own(&mut self, operation: Operation, extra: &[(&'static str, &str)]) -> io::Result<()> {
        let decision =
            Decision { extra, ..Decision::new(Who::default(), operation, Code::Ok, clock::wall_ms()) };
        let (mut out, mut last) = (Vec::new(), self.last);
        append(&mut out, self.config.layout, &self.config.layout.line(&decision), &mut last);
        self.write(&out, last)
    }

    /// Goes on with the file that is there.
    fn resume(&mut self) -> io::Result<()> {
        let path = self.config.path.clone();
        let found = match File::open(&path) {
            Ok(file) => Some(scan(BufReader::with_capacity(1 << 18, file))?),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        let found_empty = found.as_ref().is_some_and(|scan| scan.bytes == 0);
        let Some(found) = found.filter(|scan| scan.bytes > 0) else {
            if found_empty {
                remove_file(&path)?;
            }
            self.last = last_link(&numbered(&path, 1))?.unwrap_or(Link::START);
            self.look_at_head();
            return self.begin();
        };
        self.last = match found.last {
            Some(last) => last,
            None => last_link(&numbered(&path, 1))?.unwrap_or(Link::START),
        };
        let file = create(&path)?;
        self.size = found.bytes;
        self.file = Some(file);
        report(&path, &found);
        if found.bytes > found.sound_bytes {
            self.mark_fragment(&found)?;
        }
        self.look_at_head();
        self.tell_gone()
    }

    /// Ends the line that a crash cut, and names it.
    fn mark_fragment(&mut self, found: &Scan) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let length = usize::try_from(found.bytes - found.sound_bytes).unwrap_or(usize::MAX);
        let mut rest = vec![0; length.min(AUDIT_LINE)];
        read_up_to(&self.config.path, found.sound_bytes, &mut rest)?;
        let ended = rest.last() == Some(&b'\n');
        if let Some(line) = Line::parse(&rest).filter(|line| line.follows(&self.last)) {
            // Nothing but the end of the line was cut.
            file.write_all_at(b"\n", self.size)?;
            self.size += 1;
            self.last = line.link;
            return Ok(());
        }
        if !ended {
            file.write_all_at(b"\n", self.size)?;
            self.size += 1;
        }
        let cut = fragment(rest.strip_suffix(b"\n").unwrap_or(&rest));
        warn!(
            file = %self.config.path.display(),
            bytes = length,
            "the audit file ended in the middle of a line, as after a crash: the line stays, marked"
        );
        self.own(Operation::AuditRepair, &[("cut", &cut)])
    }

    /// Were more records written than are there?
    fn look_at_head(&mut self) {
        let mut text = [0; 86];
        let read = self.head.read_at(&mut text, 0).unwrap_or(0);
        let text = text.get(..read).and_then(|t| std::str::from_utf8(t).ok()).unwrap_or_default();
        if let Some(head) = Link::parse(text.trim_end())
            && head.number > self.last.number
        {
            error!(
                file = %self.config.path.display(),
                "audit records {} to {} were written and are not there; find out who or what cut the file",
                self.last.number + 1,
                head.number
            );
            self.gone = Some((self.last.number + 1, head.number));
        }
    }

    fn tell_gone(&mut self) -> io::Result<()> {
        let Some((from, to)) = self.gone else { return Ok(()) };
        let (from, to) = (from.to_string(), to.to_string());
        self.own(Operation::AuditLost, &[("from", &from), ("to", &to), ("why", "cut")])?;
        self.gone = None;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.sync()?;
        self.file = None;
        self.begin()?;
        info!(file = %self.config.path.display(), "the audit log goes on in a new file, at link {}", self.last);
        Ok(())
    }

    /// Begins a new file. One that is there becomes an older one first.
    fn begin(&mut self) -> io::Result<()> {
        let path = self.config.path.clone();
        if path.try_exists()? {
            for n in (1..self.config.keep).rev() {
                let _ = rename(numbered(&path, n), numbered(&path, n + 1)); // not every number exists
            }
            match self.config.keep {
                0 => remove_file(&path)?,
                _ => rename(&path, numbered(&path, 1))?,
            }
        }
        let file = options().create_new(true).open(&path)?;
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        self.size = 0;
        self.file = Some(file);
        let previous = self.last.to_string();
        let begun = self.own(Operation::AuditFile, &[("previous", &previous)]);
        if begun.is_err() {
            self.file = None;
            remove_file(&path)?; // else the next try would take it for an older one
        }
        self.fresh = self.size;
        begun.and_then(|()| self.tell_gone())
    }
}

fn report(path: &Path, found: &Scan) {
    let rest = found.bytes > found.sound_bytes;
    let inside = found.problems.iter().filter(|_| !rest || found.problems.len() > 1);
    if let Some((line, problem)) = inside.clone().next() {
        error!(
            file = %path.display(),
            line,
            "the audit file does not fit its chain: {problem}; look with `oxkeeper audit verify`"
        );
    }
}

/// The last link of an older file, if it is there.
fn last_link(path: &Path) -> io::Result<Option<Link>> {
    match File::open(path) {
        Ok(file) => Ok(scan(BufReader::with_capacity(1 << 18, file))?.last),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn read_up_to(path: &Path, at: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let read = File::open(path)?.read_at(bytes, at)?;
    bytes.truncate(read);
    Ok(())
}

/// Opens for writing in place; only the owner may read what is in it.
fn create(path: &Path) -> io::Result<File> {
    options().create(true).truncate(false).open(path)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// `path.N`.
pub(super) fn numbered(path: &Path, n: u32) -> PathBuf {
    with_suffix(path, &n.to_string())
}

/// `path.head`: the last link that was written.
pub fn head_path(path: &Path) -> PathBuf {
    with_suffix(path, "head")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(format!(".{suffix}"));
    name.into()
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
