//! Has a file changed? Asked by looking, not by being told: it works on every file system.
//!
//! # Invariants
//!
//! * A look costs one `stat` a file and nothing else; there are as many files as the configuration names.
//! * Renamed and replaced files are seen by their inode, rewritten ones by their times.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// How a set of files looked at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look(Vec<Option<[i64; 7]>>);

impl Look {
    /// Looks at the files; one that cannot be seen looks like none.
    pub fn at(files: &[PathBuf]) -> Look {
        let one = |file: &PathBuf| {
            let meta = std::fs::metadata(file).ok()?;
            let (device, inode) = (meta.dev().cast_signed(), meta.ino().cast_signed());
            let size = meta.size().cast_signed();
            Some([device, inode, size, meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()])
        };
        Look(files.iter().map(one).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_rewritten_and_missing_files_look_different() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        let files = [file.clone()];
        let none = Look::at(&files);
        std::fs::write(&file, "one").unwrap();
        let first = Look::at(&files);
        assert_ne!(none, first);
        assert_eq!(first, Look::at(&files));
        let other = dir.path().join("b");
        std::fs::write(&other, "two").unwrap();
        std::fs::rename(&other, &file).unwrap();
        assert_ne!(first, Look::at(&files));
        std::fs::write(&file, "longer").unwrap();
        assert_ne!(first, Look::at(&files));
    }
}
