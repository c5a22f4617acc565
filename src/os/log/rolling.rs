//! A log file that is begun anew at a size; a few older ones are kept.
//!
//! # Invariants
//!
//! * A file ends with a whole line.
//! * A file that was there before is appended to, never emptied.

use std::fs::{File, OpenOptions, rename};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The files `path`, `path.1`, … `path.<keep>`, newest first.
#[derive(Debug)]
pub struct Rolling {
    path: PathBuf,
    file: File,
    size: u64,
    max_bytes: u64,
    keep: u32,
}

impl Rolling {
    /// Opens or creates `path`.
    ///
    /// # Errors
    ///
    /// The file cannot be opened for appending.
    pub fn open(path: &Path, max_bytes: u64, keep: u32) -> io::Result<Rolling> {
        let file = open(path)?;
        let size = file.metadata()?.len();
        Ok(Rolling { path: path.to_owned(), file, size, max_bytes: max_bytes.max(1), keep })
    }

    /// Appends whole lines; begins a new file before one that would pass the size.
    ///
    /// # Errors
    ///
    /// The disk; what was not written is lost.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        for line in lines.split_inclusive(|b| *b == b'\n') {
            let length = line.len() as u64;
            if self.size > 0 && self.size + length > self.max_bytes {
                self.roll()?;
            }
            self.file.write_all(line)?;
            self.size += length;
        }
        Ok(())
    }

    fn roll(&mut self) -> io::Result<()> {
        for n in (1..self.keep).rev() {
            let _ = rename(self.numbered(n), self.numbered(n + 1)); // not every number exists
        }
        if self.keep > 0 {
            rename(&self.path, self.numbered(1))?;
            self.file = open(&self.path)?;
        } else {
            self.file.set_len(0)?;
        }
        self.size = 0;
        Ok(())
    }

    fn numbered(&self, n: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{n}"));
        name.into()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_roll_at_the_size_and_only_so_many_are_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("ox.log");
        std::fs::write(&path, "old\n").expect("written");
        let mut log = Rolling::open(&path, 20, 2).expect("opened");
        let lines: String = (0..12).map(|i| format!("line {i:02}\n")).collect();
        log.append(lines.as_bytes()).expect("appended");
        let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).expect("a file");
        assert_eq!(read("ox.log"), "line 10\nline 11\n");
        assert_eq!(read("ox.log.1"), "line 08\nline 09\n");
        assert_eq!(read("ox.log.2"), "line 06\nline 07\n");
        assert!(!directory.path().join("ox.log.3").exists());
    }

    #[test]
    fn a_file_that_exists_is_appended_to() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("ox.log");
        for text in ["one\n", "two\n"] {
            Rolling::open(&path, 100, 0).expect("opened").append(text.as_bytes()).expect("appended");
        }
        assert_eq!(std::fs::read_to_string(&path).expect("a text"), "one\ntwo\n");
    }
}
