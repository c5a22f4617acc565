//! An archive as a tar stream: written in one pass, read through an index of its members.
//!
//! # Invariants
//!
//! * Only plain files and folders are taken from a tar file; nothing is ever unpacked to a name that it chooses.
//! * A stream without its end mark, or with bytes behind it, is truncated or altered.

use super::disk::Slot;
use super::manifest::{LogMember, MANIFEST, Manifest, SnapshotMember};
use super::plan::{Piece, Plan};
use super::sums::{Pace, write_all};
use crate::cli::fault::Fault;
use crate::cli::progress::Progress;
use crate::disk::{Disk, DiskFile};
use crate::limits::{ARCHIVE_MANIFEST_BYTES, ARCHIVE_MEMBERS};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Everything in a tar file is a multiple of it.
const RECORD: u64 = 512;
/// Two empty records end it.
const END: u64 = 2 * RECORD;

/// Writes a whole backup; `seconds` is the time that its members get.
pub fn write<D: Disk>(
    mut manifest: Manifest,
    plan: Plan<D>,
    seconds: u64,
    pace: &mut Pace,
    progress: &mut Progress,
    out: &mut dyn Write,
) -> Result<Manifest, Fault> {
    for (member, piece) in plan.snapshots {
        let file = put(&piece, seconds, pace, progress, out)?;
        manifest.snapshots.push(SnapshotMember { file, ..member });
    }
    for (member, piece) in plan.logs {
        let file = put(&piece, seconds, pace, progress, out)?;
        manifest.logs.push(LogMember { file, ..member });
    }
    manifest.digest = plan.digest;
    let bytes = manifest.to_bytes();
    head(MANIFEST, bytes.len() as u64, seconds, out)?;
    write_all(out, &bytes)?;
    pad(bytes.len() as u64, out)?;
    write_all(out, &[0; END as usize])?;
    out.flush().map_err(Fault::Output)?;
    Ok(manifest)
}

fn put<D: Disk>(
    piece: &Piece<D>,
    seconds: u64,
    pace: &mut Pace,
    progress: &mut Progress,
    out: &mut dyn Write,
) -> Result<super::manifest::FileSums, Fault> {
    head(&piece.name, piece.size(), seconds, out)?;
    let mut at = 0;
    progress.begin(Path::new(&piece.name), 0);
    let sums = piece.copy(pace, &mut |bytes| {
        at += bytes.len() as u64;
        progress.at(at);
        write_all(out, bytes)
    })?;
    pad(piece.size(), out)?;
    Ok(sums)
}

fn head(name: &str, size: u64, seconds: u64, out: &mut dyn Write) -> Result<(), Fault> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name).map_err(Fault::Output)?;
    header.set_size(size);
    header.set_mode(0o600);
    header.set_mtime(seconds);
    header.set_cksum();
    write_all(out, header.as_bytes())
}

fn pad(size: u64, out: &mut dyn Write) -> Result<(), Fault> {
    let rest = usize::try_from(size.next_multiple_of(RECORD) - size).unwrap_or(0);
    write_all(out, [0; RECORD as usize].get(..rest).unwrap_or(&[]))
}

/// What a tar file holds.
pub struct Index {
    /// Members by their path, where their bytes lie.
    pub members: BTreeMap<PathBuf, Slot>,
    /// Bytes of the manifest.
    pub manifest: Vec<u8>,
}

/// Reads the headers of the tar file `path`.
pub fn index<D: Disk>(disk: &D, path: &Path) -> Result<Index, Fault> {
    let open = |e: io::Error| Fault::io("cannot read", path, &e);
    let file = disk.open_read(path).map_err(open)?;
    let len = file.len().map_err(open)?;
    let mut found = Found { members: BTreeMap::new(), last: "the first header".to_owned(), end: 0 };
    let mut tape = tar::Archive::new(Reading { file, at: 0 });
    let entries = tape.entries_with_seek().map_err(open)?.raw(true);
    for entry in entries {
        let entry = entry.map_err(|e| found.broken(len, &e))?;
        found.take(&entry, path, len)?;
    }
    let Reading { file, .. } = tape.into_inner();
    found.check_end(&file, path, len)?;
    let Some(slot) = found.members.remove(Path::new(MANIFEST)) else {
        let what =
            "manifest.json, which is written last, is missing: the archive is truncated, or none of ours";
        return Err(Fault::archive(&found.last, found.end, what));
    };
    if slot.len > ARCHIVE_MANIFEST_BYTES as u64 {
        let what = format!("it has {} bytes, at most {ARCHIVE_MANIFEST_BYTES} are read", slot.len);
        return Err(Fault::archive(MANIFEST, 0, what));
    }
    let mut manifest = vec![0; usize::try_from(slot.len).unwrap_or(0)];
    let n = file.read_at(&mut manifest, slot.at).map_err(open)?;
    manifest.truncate(n);
    Ok(Index { members: found.members, manifest })
}

struct Found {
    members: BTreeMap<PathBuf, Slot>,
    /// The last member, and where the next header is.
    last: String,
    end: u64,
}

impl Found {
    fn broken(&self, len: u64, e: &io::Error) -> Fault {
        let what = match self.end >= len || e.kind() == io::ErrorKind::UnexpectedEof {
            true => format!("the archive ends at byte {len}, inside of a header: it is truncated"),
            false => format!("the header at byte {} of the archive cannot be read: {e}", self.end),
        };
        Fault::archive(&self.last, self.end, what)
    }

    fn take<R: Read>(&mut self, entry: &tar::Entry<'_, R>, path: &Path, len: u64) -> Result<(), Fault> {
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = name.trim_start_matches("./").trim_end_matches('/').to_owned();
        let (at, size) = (entry.raw_file_position(), entry.size());
        let kind = entry.header().entry_type();
        self.last.clone_from(&name);
        self.end = at.saturating_add(size).checked_next_multiple_of(RECORD).unwrap_or(u64::MAX);
        if kind.is_dir() && size == 0 {
            return Ok(());
        }
        if !kind.is_file() {
            return Err(Fault::archive(&name, 0, "it is no plain file: none of ours has it"));
        }
        if self.end > len {
            let what = format!("the archive ends at byte {len}, inside of this member: it is truncated");
            return Err(Fault::archive(&name, len.saturating_sub(at).min(size), what));
        }
        let slot = Slot { file: path.to_owned(), at, len: size };
        if self.members.insert(PathBuf::from(&name), slot).is_some() {
            return Err(Fault::archive(&name, 0, "it stands twice in the archive"));
        }
        if self.members.len() > ARCHIVE_MEMBERS {
            return Err(Fault::archive(&name, 0, format!("there are more than {ARCHIVE_MEMBERS} members")));
        }
        Ok(())
    }

    /// Behind the last member stand two empty records, and nothing but zeros.
    fn check_end<F: DiskFile>(&self, file: &F, path: &Path, len: u64) -> Result<(), Fault> {
        if len < self.end.saturating_add(END) {
            let what = format!("the archive ends at byte {len} without its end mark: it is truncated");
            return Err(Fault::archive(&self.last, self.end, what));
        }
        let (mut at, mut buf) = (self.end, vec![0; 64 << 10]);
        while at < len {
            let n = file.read_at(&mut buf, at).map_err(|e| Fault::io("cannot read", path, &e))?;
            let Some(bytes) = buf.get(..n).filter(|b| !b.is_empty()) else { break };
            if let Some(i) = bytes.iter().position(|b| *b != 0) {
                let what =
                    format!("byte {} of the archive, behind its last member, is not zero", at + i as u64);
                return Err(Fault::archive("the end mark", at + i as u64 - self.end, what));
            }
            at += n as u64;
        }
        self.check_padding(file, path)
    }

    /// Between a member and the next header stand zeros.
    fn check_padding<F: DiskFile>(&self, file: &F, path: &Path) -> Result<(), Fault> {
        let mut buf = [0; RECORD as usize];
        for (name, slot) in &self.members {
            let end = slot.at + slot.len;
            let rest = usize::try_from(end.next_multiple_of(RECORD) - end).unwrap_or(0);
            let padding = buf.get_mut(..rest).unwrap_or(&mut []);
            file.read_at(padding, end).map_err(|e| Fault::io("cannot read", path, &e))?;
            if padding.iter().any(|b| *b != 0) {
                return Err(Fault::archive(&name.to_string_lossy(), slot.len, "what follows it is not zero"));
            }
        }
        Ok(())
    }
}

/// A file with a position.
struct Reading<F: DiskFile> {
    file: F,
    at: u64,
}

impl<F: DiskFile> Read for Reading<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buf, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl<F: DiskFile> Seek for Reading<F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.len()?.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
