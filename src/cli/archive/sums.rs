//! Moving bytes with their checksums, at a pace that leaves disk and processor to a server.
//!
//! # Invariants
//!
//! * Memory is one block, whatever the length.
//! * A file that is written is durable before it has its name.

use super::manifest::{FileSums, hex};
use crate::cli::fault::Fault;
use crate::disk::{Disk, DiskFile};
use crate::limits::{ARCHIVE_BLOCK, BACKUP_SYNC_BYTES};
use crate::os::clock;
use crate::types::Instant;
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Checksums of a member under way.
pub struct Sums {
    sha: Sha256,
    block: crc32fast::Hasher,
    in_block: usize,
    blocks: Vec<u32>,
    size: u64,
}

impl Default for Sums {
    fn default() -> Sums {
        Sums { sha: Sha256::new(), block: crc32fast::Hasher::new(), in_block: 0, blocks: Vec::new(), size: 0 }
    }
}

impl Sums {
    /// Takes the next bytes into account.
    pub fn take(&mut self, mut bytes: &[u8]) {
        self.sha.update(bytes);
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = (ARCHIVE_BLOCK - self.in_block).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            self.block.update(now);
            self.in_block += room;
            bytes = later;
            if self.in_block == ARCHIVE_BLOCK {
                self.close_block();
            }
        }
    }

    fn close_block(&mut self) {
        self.blocks.push(std::mem::take(&mut self.block).finalize());
        self.in_block = 0;
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What the manifest says of the member.
    pub fn finish(mut self, name: String) -> FileSums {
        if self.in_block > 0 {
            self.close_block();
        }
        FileSums { name, size: self.size, sha256: hex(&self.sha.finalize()), blocks: self.blocks }
    }
}

/// Holds a rate by sleeping.
pub struct Pace {
    rate: Option<u64>,
    begun: Instant,
    moved: u64,
}

impl Pace {
    /// So many bytes a second at most; `None`: as fast as it goes.
    pub fn new(rate: Option<u64>) -> Pace {
        Pace { rate: rate.filter(|r| *r > 0), begun: clock::mono(), moved: 0 }
    }

    /// So many bytes were moved.
    pub fn by(&mut self, bytes: usize) {
        self.moved += bytes as u64;
        let Some(rate) = self.rate else { return };
        let micros = u128::from(self.moved) * 1_000_000 / u128::from(rate);
        let due = self.begun + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        let ahead = due.since(clock::mono());
        if ahead > Duration::from_millis(2) {
            std::thread::sleep(ahead);
        }
    }
}

/// Hands `len` bytes of a file on, from `at`.
pub fn copy<F: DiskFile>(
    from: &F,
    path: &Path,
    at: u64,
    len: u64,
    pace: &mut Pace,
    to: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let step = usize::try_from(len).unwrap_or(usize::MAX).min(ARCHIVE_BLOCK);
    let mut buf = vec![0; step];
    let mut done = 0;
    while done < len {
        let want = usize::try_from(len - done).unwrap_or(usize::MAX).min(step);
        let part = buf.get_mut(..want).unwrap_or(&mut []);
        let n = from.read_at(part, at + done).map_err(|e| Fault::io("cannot read", path, &e))?;
        let Some(bytes) = part.get(..n).filter(|b| !b.is_empty()) else {
            let what = format!("{} became shorter while it was read", path.display());
            return Err(Fault::Refused(format!("{what}; run it again")));
        };
        to(bytes)?;
        from.forget(at + done, n as u64);
        done += n as u64;
        pace.by(n);
    }
    Ok(())
}

/// A new file: under another name until it is complete and durable, synced on the way.
pub struct NewFile<D: Disk> {
    disk: D,
    path: PathBuf,
    tmp: PathBuf,
    file: D::File,
    at: u64,
    synced_to: u64,
    complete: bool,
}

impl<D: Disk> NewFile<D> {
    /// Begins the file `path`, which must not exist.
    pub fn begin(disk: &D, path: &Path) -> Result<NewFile<D>, Fault> {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let tmp = path.with_file_name(format!("{}{name}", crate::storage::names::UNDER_CONSTRUCTION));
        let io = |e: io::Error| Fault::io("cannot make", &tmp, &e);
        if disk.exists(path).map_err(io)? {
            return Err(Fault::Refused(format!("{} exists already; nothing was changed", path.display())));
        }
        if disk.exists(&tmp).map_err(io)? {
            disk.remove(&tmp).map_err(io)?;
        }
        let file = disk.create_new(&tmp).map_err(io)?;
        Ok(NewFile {
            disk: disk.clone(),
            path: path.to_owned(),
            tmp,
            file,
            at: 0,
            synced_to: 0,
            complete: false,
        })
    }

    /// Appends.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.file.write_all_at(bytes, self.at).map_err(|e| Fault::io("cannot write", &self.tmp, &e))?;
        self.at += bytes.len() as u64;
        if self.at - self.synced_to >= BACKUP_SYNC_BYTES {
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Fault> {
        let _so_far = self.file.sync().map_err(|e| Fault::io("cannot sync", &self.tmp, &e))?;
        self.file.forget(self.synced_to, self.at - self.synced_to);
        self.synced_to = self.at;
        Ok(())
    }

    /// Makes it durable and gives it its name; the folder is synced by the caller, once for all of its files.
    pub fn finish(mut self) -> Result<(), Fault> {
        self.sync()?;
        self.disk.rename(&self.tmp, &self.path).map_err(|e| Fault::io("cannot name", &self.path, &e))?;
        self.complete = true;
        Ok(())
    }
}

impl<D: Disk> Drop for NewFile<D> {
    fn drop(&mut self) {
        if !self.complete {
            // Best effort: the next run removes it as well.
            let _ = self.disk.remove(&self.tmp);
        }
    }
}

/// Writes into anything, with the pipe's end as what it is.
pub fn write_all(to: &mut dyn Write, bytes: &[u8]) -> Result<(), Fault> {
    to.write_all(bytes).map_err(Fault::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_do_not_depend_on_how_bytes_arrive() {
        let bytes: Vec<u8> = (0..ARCHIVE_BLOCK * 2 + 100).map(|i| (i * 7) as u8).collect();
        let of = |step: usize| {
            let mut sums = Sums::default();
            bytes.chunks(step).for_each(|c| sums.take(c));
            sums.finish("x".to_owned())
        };
        let whole = of(bytes.len());
        assert_eq!((whole.blocks.len(), whole.size), (3, bytes.len() as u64));
        assert_eq!(whole.blocks[2], crc32fast::hash(&bytes[2 * ARCHIVE_BLOCK..]));
        assert_eq!(whole.sha256, hex(&Sha256::digest(&bytes)));
        assert_eq!(of(4096), whole);
        assert_eq!(of(1_000_003), whole);
    }
}
