//! `manifest.json`: which members an archive has, their checksums, and which history they hold.
//!
//! # Invariants
//!
//! * A manifest that was read names only files of a data directory, each once, in order, with checksums
//!   for every block; nothing else of it has to be checked again.
//! * Its own checksum covers everything that it says.

use super::super::fault::Fault;
use crate::limits::{ARCHIVE_BLOCK, ARCHIVE_MANIFEST_BYTES, ARCHIVE_MEMBERS};
use crate::storage::log::follows;
use crate::storage::names::{log_zxid, snapshot_zxid};
use crate::types::Zxid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use std::fmt::Write;

/// The manifest's name in an archive.
pub const MANIFEST: &str = "manifest.json";
/// The folder of the members.
pub const FOLDER: &str = "version-2/";
/// Says what it is.
const FORMAT: &str = "oxkeeper-backup";
/// The version that is written, and the newest that is read.
const VERSION: u32 = 1;

/// A zxid as text: `0x…`, as everywhere else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Z(pub Zxid);

impl Serialize for Z {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Z {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Z, D::Error> {
        let text = String::deserialize(d)?;
        zxid(&text)
            .map(Z)
            .ok_or_else(|| serde::de::Error::custom("a zxid is written 0x and hexadecimal digits"))
    }
}

/// A zxid in its usual spelling; none that is negative.
pub fn zxid(text: &str) -> Option<Zxid> {
    let digits = text.strip_prefix("0x")?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    i64::from_str_radix(digits, 16).ok().filter(|_| plain).map(Zxid)
}

/// Name, length and checksums of a member.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSums {
    /// Its path in the archive.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of all of it, hexadecimal.
    pub sha256: String,
    /// CRC-32 of each [`ARCHIVE_BLOCK`] bytes.
    pub blocks: Vec<u32>,
}

/// A snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotMember {
    /// The file.
    pub file: FileSums,
    /// The zxid in its name: transactions behind it complete it.
    pub zxid: Z,
    /// The last transaction whose effects may stand in it; absent if the file does not say (ZooKeeper 3.5 and
    /// older, or without digests).
    pub reach: Option<Z>,
    /// Nodes in it.
    pub znodes: u64,
}

/// A piece of the transaction log: each transaction of its range once, in order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogMember {
    /// The file.
    pub file: FileSums,
    /// Its first transaction.
    pub first: Z,
    /// Its last one.
    pub last: Z,
    /// How many there are.
    pub transactions: u64,
    /// Time of the first one, ms since 1970, as its leader took it.
    pub first_time: i64,
    /// Latest time of any of them.
    pub latest_time: i64,
    /// Adler-32 of the last one's entry: where a later backup goes on.
    pub last_checksum: u32,
}

/// Whose data it is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// `myid`, if the server has one.
    pub myid: Option<String>,
    /// `currentEpoch`.
    pub current_epoch: Option<u32>,
    /// `acceptedEpoch`.
    pub accepted_epoch: Option<u32>,
}

/// The tree's digest after a transaction of the archive, as its log recorded it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedDigest {
    /// After this one.
    pub zxid: Z,
    /// Algorithm.
    pub version: i32,
    /// The digest, hexadecimal.
    pub digest: String,
}

/// What an archive holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format: String,
    version: u32,
    /// What wrote it: program and version.
    pub by: String,
    /// When its newest part was written, RFC 3339 in UTC.
    pub made: String,
    /// Whose data it is.
    pub source: Source,
    /// Oldest first.
    pub snapshots: Vec<SnapshotMember>,
    /// Oldest first, none reaching into the next.
    pub logs: Vec<LogMember>,
    /// The last digest that the logs record.
    pub digest: Option<RecordedDigest>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    sha256: String,
    backup: Manifest,
}

impl Manifest {
    /// Of an archive without members.
    pub fn new(made: String, source: Source) -> Manifest {
        Manifest {
            format: FORMAT.to_owned(),
            version: VERSION,
            by: concat!("oxkeeper ", env!("CARGO_PKG_VERSION")).to_owned(),
            made,
            source,
            snapshots: Vec::new(),
            logs: Vec::new(),
            digest: None,
        }
    }

    /// The members' files, snapshots first.
    pub fn files(&self) -> impl Iterator<Item = &FileSums> {
        self.snapshots.iter().map(|s| &s.file).chain(self.logs.iter().map(|l| &l.file))
    }

    /// Zxid of its last transaction, or of its newest snapshot if there is none behind it.
    pub fn last(&self) -> Zxid {
        let logged = self.logs.last().map(|l| l.last.0);
        logged.max(self.snapshots.last().map(|s| s.zxid.0)).unwrap_or(Zxid::ZERO)
    }

    /// As it stands in an archive.
    pub fn to_bytes(&self) -> Vec<u8> {
        let envelope = Envelope { sha256: self.sum(), backup: self.clone() };
        // Texts and numbers alone: nothing that JSON cannot say.
        let mut bytes = serde_json::to_vec_pretty(&envelope).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    fn sum(&self) -> String {
        hex(&Sha256::digest(serde_json::to_vec(self).unwrap_or_default()))
    }

    /// Reads and checks one.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, Fault> {
        let wrong = |what: String| Fault::archive(MANIFEST, 0, what);
        if bytes.len() > ARCHIVE_MANIFEST_BYTES {
            return Err(wrong(format!(
                "it has {} bytes, at most {ARCHIVE_MANIFEST_BYTES} are read",
                bytes.len()
            )));
        }
        let envelope: Envelope = serde_json::from_slice(bytes)
            .map_err(|e| Fault::archive(MANIFEST, offset(bytes, &e), format!("it cannot be read: {e}")))?;
        let manifest = envelope.backup;
        if manifest.format != FORMAT {
            return Err(wrong("this is no manifest of a backup".to_owned()));
        }
        if manifest.version > VERSION {
            let read = format!("it has version {}, this program reads up to {VERSION}", manifest.version);
            return Err(wrong(format!("{read}: use the newer oxkeeper that wrote it")));
        }
        if envelope.sha256 != manifest.sum() {
            return Err(wrong("its checksum is not that of what it says".to_owned()));
        }
        manifest.check().map_err(wrong)?;
        Ok(manifest)
    }

    /// Is everything in order?
    fn check(&self) -> Result<(), String> {
        if self.snapshots.is_empty() {
            return Err("it lists no snapshot".to_owned());
        }
        let count = self.snapshots.len() + self.logs.len();
        if count > ARCHIVE_MEMBERS {
            return Err(format!("it lists {count} members, at most {ARCHIVE_MEMBERS} are read"));
        }
        for s in &self.snapshots {
            let named = s.file.name.strip_prefix(FOLDER).and_then(snapshot_zxid).map(|(z, _)| z);
            check_file(&s.file, named == Some(s.zxid.0))?;
        }
        for l in &self.logs {
            check_file(&l.file, l.file.name.strip_prefix(FOLDER).and_then(log_zxid) == Some(l.first.0))?;
            if l.last < l.first || l.transactions == 0 {
                return Err(format!("the range of {} is none", l.file.name));
            }
        }
        if !self.snapshots.is_sorted_by(|a, b| a.zxid < b.zxid) {
            return Err("its snapshots are not in order".to_owned());
        }
        for (a, b) in self.logs.iter().zip(self.logs.iter().skip(1)) {
            let bridged =
                self.snapshots.iter().any(|s| s.zxid.0 >= b.first.0 || follows(s.zxid.0, b.first.0));
            if b.first <= a.last || !(follows(a.last.0, b.first.0) || bridged) {
                return Err(format!("{} does not go on behind {}", b.file.name, a.file.name));
            }
        }
        Ok(())
    }
}

fn check_file(file: &FileSums, named: bool) -> Result<(), String> {
    let shown = super::super::fault::plain(&file.name);
    if !named {
        return Err(format!("{shown} is no name of a member, or not of what it is said to hold"));
    }
    let blocks = usize::try_from(file.size.div_ceil(ARCHIVE_BLOCK as u64)).unwrap_or(usize::MAX);
    let digits = file.sha256.len() == 64 && file.sha256.bytes().all(|b| b.is_ascii_hexdigit());
    if file.size == 0 || file.blocks.len() != blocks || !digits {
        return Err(format!("the checksums of {shown} are not those of {} bytes", file.size));
    }
    Ok(())
}

/// Where a parser stopped, as an offset.
fn offset(bytes: &[u8], e: &serde_json::Error) -> u64 {
    let before: usize =
        bytes.split_inclusive(|b| *b == b'\n').take(e.line().saturating_sub(1)).map(<[u8]>::len).sum();
    (before + e.column()) as u64
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> FileSums {
        FileSums { name: name.to_owned(), size: 5, sha256: "0".repeat(64), blocks: vec![7] }
    }

    fn log(first: i64, last: i64) -> LogMember {
        LogMember {
            file: file(&format!("version-2/log.{first:x}")),
            first: Z(Zxid(first)),
            last: Z(Zxid(last)),
            transactions: 1,
            first_time: 1,
            latest_time: 2,
            last_checksum: 3,
        }
    }

    fn snapshot(zxid: i64) -> SnapshotMember {
        let name = format!("version-2/snapshot.{zxid:x}");
        SnapshotMember { file: file(&name), zxid: Z(Zxid(zxid)), reach: None, znodes: 4 }
    }

    fn manifest(snapshots: &[i64], logs: &[(i64, i64)]) -> Manifest {
        let mut m = Manifest::new("2026-11-20T00:00:00Z".to_owned(), Source::default());
        m.snapshots = snapshots.iter().map(|z| snapshot(*z)).collect();
        m.logs = logs.iter().map(|(a, b)| log(*a, *b)).collect();
        m
    }

    #[test]
    fn what_is_written_is_read_and_no_changed_letter_goes_unseen() {
        let m = manifest(&[0, 9], &[(1, 5), (6, 12)]);
        let bytes = m.to_bytes();
        assert_eq!(Manifest::parse(&bytes).unwrap(), m);
        assert_eq!(m.last(), Zxid(12));
        for i in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[i] ^= 1;
            assert!(Manifest::parse(&bad).map_or(true, |read| read == m), "byte {i}");
            assert!(Manifest::parse(&bytes[..i]).is_err() || bytes[i..].iter().all(u8::is_ascii_whitespace));
        }
    }

    #[test]
    fn what_is_out_of_order_is_refused() {
        let fine = |m: &Manifest| Manifest::parse(&m.to_bytes()).is_ok();
        assert!(fine(&manifest(&[0], &[(1, 5)])));
        assert!(fine(&manifest(&[0, 20], &[(1, 5), (15, 25)])), "a gap that a snapshot bridges");
        assert!(!fine(&manifest(&[], &[(1, 5)])));
        assert!(!fine(&manifest(&[3, 3], &[])));
        assert!(!fine(&manifest(&[0], &[(1, 5), (5, 9)])));
        assert!(!fine(&manifest(&[0], &[(1, 5), (9, 12)])));
        assert!(!fine(&manifest(&[0], &[(5, 1)])));
        for name in ["version-2/../log.1", "/log.1", "version-2/log.2", "log.1", "version-2/snapshot.1"] {
            let mut m = manifest(&[0], &[(1, 5)]);
            m.logs[0].file.name = name.to_owned();
            assert!(!fine(&m), "{name}");
        }
        let mut m = manifest(&[0], &[]);
        m.snapshots[0].file.size = 3 << 20;
        assert!(!fine(&m), "blocks are missing");
    }
}
