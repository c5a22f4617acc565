//! Brings znodes into the order of a walk, whatever their number: sorted runs in a temporary file, merged.
//!
//! # Invariants
//!
//! * Memory is one run and one znode of each run that was written.
//! * Temporary files have no name: nobody else reads them, and they are gone when the process is.

use super::row::{Kind, Numbers, Row, order};
use crate::cli::fault::Fault;
use crate::limits::DIFF_RUN_BYTES;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Collects znodes in any order.
pub struct Sorter {
    folder: PathBuf,
    rows: Vec<Row>,
    bytes: usize,
    limit: usize,
    runs: Vec<File>,
}

impl Sorter {
    /// With its temporary files in `folder`.
    pub fn new(folder: PathBuf) -> Sorter {
        Sorter { folder, rows: Vec::new(), bytes: 0, limit: DIFF_RUN_BYTES, runs: Vec::new() }
    }

    /// Takes one.
    pub fn put(&mut self, row: Row) -> Result<(), Fault> {
        self.bytes += row.cost();
        self.rows.push(row);
        if self.bytes >= self.limit { self.spill() } else { Ok(()) }
    }

    fn sort(&mut self) {
        self.rows.sort_unstable_by(|a, b| order(&a.path, &b.path));
    }

    /// Writes what is in memory as a run.
    fn spill(&mut self) -> Result<(), Fault> {
        self.sort();
        let file = unnamed(&self.folder)?;
        let write = |file: &File| -> io::Result<()> {
            let mut out = BufWriter::with_capacity(1 << 18, file);
            self.rows.iter().try_for_each(|row| encode(row, &mut out))?;
            out.flush()
        };
        write(&file).map_err(|e| Fault::io("cannot write a temporary file in", &self.folder, &e))?;
        self.runs.push(file);
        self.rows.clear();
        self.bytes = 0;
        Ok(())
    }

    /// All of them in order.
    pub fn finish(mut self) -> Result<Sorted, Fault> {
        let mut sorted = Sorted { folder: self.folder.clone(), runs: Vec::new(), heap: BinaryHeap::new() };
        if self.runs.is_empty() {
            self.sort();
            sorted.add(Run::Memory(std::mem::take(&mut self.rows).into_iter()))?;
            return Ok(sorted);
        }
        self.spill()?;
        for mut file in self.runs {
            file.seek(SeekFrom::Start(0)).map_err(|e| Fault::io("cannot read from", &self.folder, &e))?;
            sorted.add(Run::File(BufReader::with_capacity(1 << 16, file)))?;
        }
        Ok(sorted)
    }
}

/// A file that has lost its name already.
fn unnamed(folder: &Path) -> Result<File, Fault> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|e| Fault::Refused(format!("no random bytes: {e}")))?;
    let path = folder.join(format!(".oxkeeper-diff-{:016x}", u64::from_be_bytes(random)));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
    let file = file.map_err(|e| Fault::io("cannot make a temporary file", &path, &e))?;
    std::fs::remove_file(&path).map_err(|e| Fault::io("cannot remove", &path, &e))?;
    Ok(file)
}

enum Run {
    Memory(std::vec::IntoIter<Row>),
    File(BufReader<File>),
}

impl Run {
    fn next(&mut self) -> io::Result<Option<Row>> {
        match self {
            Run::Memory(rows) => Ok(rows.next()),
            Run::File(file) => decode(file),
        }
    }
}

/// The first row of a run; the smallest path is the greatest of the heap.
struct Head(Row, usize);

impl PartialEq for Head {
    fn eq(&self, other: &Head) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Head) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Head) -> Ordering {
        order(&other.0.path, &self.0.path)
    }
}

/// Znodes in order.
pub struct Sorted {
    folder: PathBuf,
    runs: Vec<Run>,
    heap: BinaryHeap<Head>,
}

impl Sorted {
    fn add(&mut self, run: Run) -> Result<(), Fault> {
        self.runs.push(run);
        self.pull(self.runs.len() - 1)
    }

    fn pull(&mut self, at: usize) -> Result<(), Fault> {
        let next = self.runs.get_mut(at).map_or(Ok(None), Run::next);
        if let Some(row) = next.map_err(|e| Fault::io("cannot read from", &self.folder, &e))? {
            self.heap.push(Head(row, at));
        }
        Ok(())
    }

    /// The next one.
    pub fn next(&mut self) -> Result<Option<Row>, Fault> {
        let Some(Head(row, at)) = self.heap.pop() else { return Ok(None) };
        self.pull(at)?;
        Ok(Some(row))
    }
}

fn encode(row: &Row, out: &mut dyn Write) -> io::Result<()> {
    let n = &row.numbers;
    out.write_all(&(row.path.len() as u32).to_be_bytes())?;
    out.write_all(row.path.as_bytes())?;
    let (kind, owner) = match row.kind {
        Kind::Persistent => (0, 0),
        Kind::Owned => (1, 0),
        Kind::Ephemeral(id) => (2, id),
    };
    for number in [kind, owner, row.len, n.czxid, n.mzxid, n.pzxid, n.ctime, n.mtime] {
        out.write_all(&number.to_be_bytes())?;
    }
    out.write_all(&n.version.to_be_bytes())?;
    out.write_all(&n.aversion.to_be_bytes())?;
    out.write_all(&row.data)?;
    out.write_all(&row.acl)
}

fn decode(from: &mut dyn Read) -> io::Result<Option<Row>> {
    let mut len = [0; 4];
    match from.read_exact(&mut len) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut path = vec![0; u32::from_be_bytes(len) as usize];
    from.read_exact(&mut path)?;
    let path = String::from_utf8(path).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut long = || -> io::Result<i64> {
        let mut bytes = [0; 8];
        from.read_exact(&mut bytes)?;
        Ok(i64::from_be_bytes(bytes))
    };
    let (kind, owner, len) = (long()?, long()?, long()?);
    let (czxid, mzxid, pzxid, ctime, mtime, versions) =
        (long()?, long()?, long()?, long()?, long()?, long()?);
    let (mut data, mut acl) = ([0; 16], [0; 16]);
    from.read_exact(&mut data)?;
    from.read_exact(&mut acl)?;
    let kind = match kind {
        0 => Kind::Persistent,
        1 => Kind::Owned,
        _ => Kind::Ephemeral(owner),
    };
    let numbers = Numbers {
        czxid,
        mzxid,
        pzxid,
        ctime,
        mtime,
        version: (versions >> 32) as i32,
        aversion: versions as i32,
    };
    Ok(Some(Row { path, kind, len, data, acl, numbers }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Acl;

    #[test]
    fn runs_on_disk_and_rows_in_memory_come_in_one_order() {
        let folder = tempfile::tempdir().unwrap();
        let rows: Vec<Row> = (0..500)
            .map(|i| {
                let numbers = Numbers { czxid: i, version: i as i32 - 9, aversion: -1, ..Numbers::default() };
                let kind = [Kind::Persistent, Kind::Owned, Kind::Ephemeral(-i)][(i % 3) as usize];
                let path = format!("/n{}/{}", i * 7 % 50, i);
                Row::new(path, kind, Some(&i.to_be_bytes()), &[Acl::open()], numbers)
            })
            .collect();
        let sorted = |limit: usize| {
            let mut sorter = Sorter { limit, ..Sorter::new(folder.path().to_owned()) };
            rows.iter().for_each(|r| sorter.put(r.clone()).unwrap());
            let mut sorted = sorter.finish().unwrap();
            let mut all = Vec::new();
            while let Some(row) = sorted.next().unwrap() {
                all.push(row);
            }
            all
        };
        let all = sorted(usize::MAX);
        assert_eq!(all.len(), 500);
        assert!(all.is_sorted_by(|a, b| order(&a.path, &b.path) == Ordering::Less));
        assert_eq!(sorted(5000), all);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no file has a name");
    }
}
