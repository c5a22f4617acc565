//! What lies in a data directory, read from a disk in memory.
//!
//! # Invariants
//!
//! * Damage is a refusal in words, never a panic; a refusal changes nothing on the disk.

use oxkeeper::disk::mem::MemDisk;
use oxkeeper::disk::{Disk, DiskFile};
use oxkeeper::storage::Dirs;
use std::path::{Path, PathBuf};

fn dirs() -> Dirs {
    Dirs::new(Path::new("/z"), Path::new("/z"))
}

/// A disk with folders and these files.
fn disk(files: &[(PathBuf, &[u8])]) -> MemDisk {
    let (disk, dirs) = (MemDisk::new(), dirs());
    for folder in [dirs.log(), dirs.own()] {
        disk.create_dir_all(&folder).expect("room for a folder");
    }
    for (path, bytes) in files {
        if !disk.exists(path).expect("a disk") {
            let mut file = disk.create_new(path).expect("a new file");
            file.write_all_at(bytes, 0).expect("room");
        }
    }
    disk
}

fn at(name: &str) -> PathBuf {
    dirs().log().join(name)
}

/// A transaction log: as it is, and as the entries of a log that is framed around it.
pub mod log {
    use super::{at, disk};
    use oxkeeper::storage::log::format;
    use oxkeeper::storage::log::read::SegmentReader;
    use oxkeeper::txn;

    /// Entries that can be read, and where reading ended.
    fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, u64) {
        let disk = disk(&[(at("log.1"), bytes)]);
        let mut reader = SegmentReader::open(&disk, &at("log.1")).expect("a readable disk");
        let mut entries = Vec::new();
        while let Some(entry) = reader.next_entry().expect("a readable disk") {
            let _ = txn::decode(entry.bytes);
            entries.push(entry.bytes.to_vec());
        }
        (entries, reader.position())
    }

    pub fn decode(data: &[u8]) -> bool {
        let disk = disk(&[(at("log.1"), data)]);
        let mut reader = SegmentReader::open(&disk, &at("log.1")).expect("a readable disk");
        let mut taken = false;
        while let Some(entry) = reader.next_entry().expect("a readable disk") {
            taken |= txn::decode(entry.bytes).is_ok();
        }
        taken
    }

    fn framed(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut out = format::header().to_vec();
        for entry in entries {
            format::frame(entry, &mut out);
        }
        out
    }

    pub fn check(data: &[u8]) {
        let (entries, end) = read(data);
        let mut again = framed(&entries);
        if !entries.is_empty() {
            // The version and database id of the header are not judged.
            again[4..16].copy_from_slice(&data[4..16]);
            assert_eq!(again, data[..usize::try_from(end).expect("a short file")]);
        }
        let entries: Vec<Vec<u8>> = data.chunks(100).filter(|c| c.len() >= 32).map(<[u8]>::to_vec).collect();
        let file = framed(&entries);
        assert_eq!(read(&file), (entries, file.len() as u64));
    }
}

/// A snapshot, plain or packed as its first bytes say: what can be read is written and read again.
pub mod snapshot {
    use super::{at, disk};
    use oxkeeper::config::settings::Compression;
    use oxkeeper::disk::mem::MemDisk;
    use oxkeeper::storage::snapshot::{GZIP_MAGIC, SNAPPY_MAGIC, read_snapshot};
    use oxkeeper::storage::{SnapshotFile, SnapshotInfo, SnapshotVisitor, SnapshotWriter};
    use oxkeeper::txn::snapshot::{SnapshotHead, SnapshotNode, encode_end, encode_head, encode_node};
    use oxkeeper::types::{StatPersisted, Zxid};

    #[derive(Default, PartialEq, Debug)]
    struct Collected {
        head: SnapshotHead,
        nodes: Vec<(String, Option<Vec<u8>>, i64, StatPersisted)>,
    }

    impl SnapshotVisitor for Collected {
        fn head(&mut self, head: SnapshotHead) -> Result<(), String> {
            self.head = head;
            Ok(())
        }

        fn node(&mut self, n: &SnapshotNode<'_>) -> Result<(), String> {
            self.nodes.push((n.path.to_owned(), n.data.map(<[u8]>::to_vec), n.acl, n.stat));
            Ok(())
        }
    }

    struct Nobody;

    impl SnapshotVisitor for Nobody {
        fn head(&mut self, _: SnapshotHead) -> Result<(), String> {
            Ok(())
        }

        fn node(&mut self, _: &SnapshotNode<'_>) -> Result<(), String> {
            Ok(())
        }
    }

    fn file(data: &[u8]) -> (MemDisk, SnapshotFile) {
        let (name, compression) = if data.starts_with(&GZIP_MAGIC) {
            ("snapshot.1.gz", Compression::Gzip)
        } else if data.starts_with(&SNAPPY_MAGIC) {
            ("snapshot.1.snappy", Compression::Snappy)
        } else {
            ("snapshot.1", Compression::None)
        };
        (disk(&[(at(name), data)]), SnapshotFile { zxid: Zxid(1), compression, path: at(name) })
    }

    pub fn decode(data: &[u8]) -> bool {
        let (disk, file) = file(data);
        read_snapshot(&disk, &file, &mut Nobody).is_ok()
    }

    pub fn check(data: &[u8]) {
        let (disk, file) = file(data);
        let mut all = Collected::default();
        let info = read_snapshot(&disk, &file, &mut all).ok();
        // An input that breaks off still names nodes: sealed anew they are a snapshot.
        for compression in [Compression::None, Compression::Gzip, Compression::Snappy] {
            let (again, told) = written(&all, info.as_ref(), compression);
            // Text outside the basic plane is not read back as it was, as in Java.
            if !data.iter().any(|b| *b >= 0xf0) || compression == file.compression && info.is_some() {
                assert_eq!(again.nodes, all.nodes);
            }
            if let Some(info) = info {
                assert_eq!(
                    (told.digest, told.last_zxid, told.nodes),
                    (info.digest, info.last_zxid, info.nodes)
                );
            }
        }
    }

    fn written(all: &Collected, info: Option<&SnapshotInfo>, c: Compression) -> (Collected, SnapshotInfo) {
        let disk = disk(&[]);
        let mut head = Vec::new();
        let acls: Vec<_> = all.head.acls.iter().map(|(id, list)| (*id, list.as_slice())).collect();
        encode_head(&all.head.sessions, &acls, &mut head);
        let folder = super::dirs().snap();
        let mut w = SnapshotWriter::begin(&disk, &folder, Zxid(7), &head, c).expect("room");
        let mut nodes = Vec::new();
        for (path, data, acl, stat) in &all.nodes {
            encode_node(&SnapshotNode { path, data: data.as_deref(), acl: *acl, stat: *stat }, &mut nodes);
        }
        encode_end(&mut nodes);
        w.chunk(&nodes).expect("room");
        let durable = w.finish(info.and_then(|i| i.digest), info.and_then(|i| i.last_zxid)).expect("room");
        let mut again = Collected::default();
        let told = read_snapshot(&disk, durable.get(), &mut again).expect("what we write, we read");
        (again, told)
    }
}

/// currentEpoch, acceptedEpoch and currentEpoch.tmp, joined by NUL, behind eight bytes of last zxid.
pub mod epochs {
    use super::{at, disk};
    use oxkeeper::disk::mem::MemDisk;
    use oxkeeper::storage::Epochs;
    use oxkeeper::types::Zxid;

    fn files(data: &[u8]) -> Option<(MemDisk, Zxid)> {
        let (zxid, rest) = data.split_first_chunk::<8>()?;
        let names = ["currentEpoch", "acceptedEpoch", "currentEpoch.tmp"];
        let files: Vec<_> = names.iter().map(|n| at(n)).zip(rest.splitn(3, |b| *b == 0)).collect();
        Some((disk(&files), Zxid(i64::from_be_bytes(*zxid))))
    }

    pub fn decode(data: &[u8]) -> bool {
        files(data).is_some_and(|(disk, zxid)| Epochs::load(&disk, &super::dirs(), zxid).is_ok())
    }

    pub fn check(data: &[u8]) {
        let Some((disk, zxid)) = files(data) else { return };
        let before = disk.ops();
        match Epochs::load(&disk, &super::dirs(), zxid) {
            Ok(e) => {
                let kept = (e.current(), e.accepted());
                assert!(kept.0 <= kept.1);
                assert!(zxid.0 < 0 || kept.0 >= zxid.epoch());
                let again = Epochs::load(&disk, &super::dirs(), zxid).expect("what we made, we read");
                assert_eq!((again.current(), again.accepted()), kept);
            }
            Err(_) => assert_eq!(disk.ops(), before),
        }
    }
}

/// Both copies of the durable marks, joined by NUL: as they are, and the first one with the sum that it lacks.
pub mod marks {
    use super::{dirs, disk};
    use oxkeeper::disk::mem::MemDisk;
    use oxkeeper::storage::mark::{MarkSet, Marks};

    fn load(copies: &[&[u8]]) -> (MemDisk, Option<MarkSet>) {
        let names = ["mark.0", "mark.1"].map(|n| dirs().own().join(n));
        let files: Vec<_> = names.into_iter().zip(copies.iter().copied()).collect();
        let disk = disk(&files);
        let set = Marks::load(&disk, &dirs());
        (disk, set)
    }

    pub fn decode(data: &[u8]) -> bool {
        load(&data.splitn(2, |b| *b == 0).collect::<Vec<_>>()).1.is_some()
    }

    pub fn check(data: &[u8]) {
        let copies: Vec<&[u8]> = data.splitn(2, |b| *b == 0).collect();
        kept(load(&copies));
        let mut summed = copies.first().copied().unwrap_or_default().to_vec();
        if let Some(at) = summed.windows(5).position(|w| w == b"\nsum ") {
            summed.truncate(at + 1);
        }
        let sum = crc32fast::hash(&summed);
        summed.extend_from_slice(format!("sum {sum:08x}\n").as_bytes());
        kept(load(&[&summed]));
    }

    /// What is read, written and read again is the same, but for its number.
    fn kept((disk, set): (MemDisk, Option<MarkSet>)) {
        let Some(set) = set else { return };
        let mut marks = Marks::new(disk.clone(), dirs(), set.clone());
        marks.settle().expect("room");
        let again = Marks::load(&disk, &dirs()).expect("what we write, we read");
        assert_eq!(again, MarkSet { number: again.number, ..set });
    }
}

/// A whole data directory: files with a kind, a zxid, a length; recovery from it, twice.
pub mod datadir {
    use super::{at, dirs, disk};
    use oxkeeper::disk::mem::MemDisk;
    use oxkeeper::driver::start;
    use oxkeeper::storage::Rules;
    use oxkeeper::storage::log::format;
    use oxkeeper::tree::TreeConfig;
    use oxkeeper::txn;
    use oxkeeper::types::Zxid;
    use std::path::PathBuf;

    fn rules() -> Rules {
        let mut rules = Rules { trust_empty_snapshot: true, ..Rules::default() };
        rules.log.pre_alloc_size = 64;
        rules
    }

    fn tree() -> TreeConfig {
        TreeConfig { extended_types: true, ..TreeConfig::default() }
    }

    /// `kind zxid length length` and so many bytes, again and again.
    fn files(data: &[u8]) -> MemDisk {
        let mut files: Vec<(PathBuf, Vec<u8>)> = Vec::new();
        let mut rest = data;
        while let Some((&[kind, zxid, high, low], tail)) = rest.split_first_chunk::<4>() {
            let length = usize::from(u16::from_be_bytes([high, low])).min(tail.len());
            let (bytes, tail) = tail.split_at(length);
            rest = tail;
            let (name, bytes) = match kind {
                0 => (format!("snapshot.{zxid:x}"), bytes.to_vec()),
                1 => (format!("snapshot.{zxid:x}.gz"), bytes.to_vec()),
                2 => (format!("snapshot.{zxid:x}.snappy"), bytes.to_vec()),
                3 => (format!("log.{zxid:x}"), bytes.to_vec()),
                4 => ("../oxkeeper/mark.0".to_owned(), bytes.to_vec()),
                _ => (format!("log.{zxid:x}"), entries(bytes, i64::from(zxid))),
            };
            let path = if kind == 4 { dirs().own().join("mark.0") } else { at(&name) };
            files.push((path, bytes));
        }
        let files: Vec<_> = files.iter().map(|(p, b)| (p.clone(), b.as_slice())).collect();
        disk(&files)
    }

    /// A log of entries, each behind one byte of length, numbered upwards from `first` where they can be decoded.
    fn entries(mut bytes: &[u8], first: i64) -> Vec<u8> {
        let mut out = format::header().to_vec();
        let mut zxid = first;
        while let Some((length, tail)) = bytes.split_first() {
            let (entry, tail) = tail.split_at(usize::from(*length).min(tail.len()));
            bytes = tail;
            match txn::decode(entry) {
                Ok(mut record) => {
                    record.header.zxid = Zxid(zxid);
                    zxid += 1;
                    format::frame(&record.to_bytes(), &mut out);
                }
                Err(_) => {
                    format::frame(entry, &mut out);
                }
            }
        }
        out
    }

    pub fn decode(data: &[u8]) -> bool {
        start(&files(data), &dirs(), &rules(), tree()).is_ok()
    }

    pub fn check(data: &[u8]) {
        let disk = files(data);
        let before = disk.ops();
        match start(&disk, &dirs(), &rules(), tree()) {
            Ok(first) => {
                let again = start(&disk, &dirs(), &rules(), tree()).expect("what we took over, we take over");
                assert_eq!(again.last, first.last);
                let (a, b) = (&first.recovered.tree, &again.recovered.tree);
                assert_eq!(
                    (a.digest(), a.node_count(), a.last_zxid()),
                    (b.digest(), b.node_count(), b.last_zxid())
                );
            }
            Err(e) => {
                assert_eq!(disk.ops(), before, "{e}");
                assert!(!e.to_string().is_empty());
            }
        }
    }
}

/// A tar file as a backup, or the text of a manifest.
pub mod archive {
    use oxkeeper::cli::archive::{Manifest, Pace, open, verify};
    use oxkeeper::cli::fault::Fault;
    use oxkeeper::cli::progress::Progress;
    use oxkeeper::disk::mem::MemDisk;
    use oxkeeper::disk::{Disk, DiskFile};
    use std::path::Path;

    fn read(data: &[u8]) -> Result<Manifest, Fault> {
        let (disk, path) = (MemDisk::new(), Path::new("/b/archive.tar"));
        disk.create_dir_all(Path::new("/b")).expect("room for a folder");
        disk.create_new(path).expect("a new file").write_all_at(data, 0).expect("room");
        let before = disk.ops();
        let whole = open(&disk, path).and_then(|archive| {
            verify::verify(&archive, &mut Pace::new(None), &mut Progress::silent())?;
            Ok(archive.manifest)
        });
        assert_eq!(disk.ops(), before, "an archive is only read");
        whole
    }

    pub fn decode(data: &[u8]) -> bool {
        read(data).is_ok()
    }

    pub fn check(data: &[u8]) {
        match read(data) {
            Ok(manifest) => {
                assert_eq!(Manifest::parse(&manifest.to_bytes()).expect("what we write, we read"), manifest)
            }
            Err(e) => assert!(!e.to_string().is_empty()),
        }
        if let Ok(manifest) = Manifest::parse(data) {
            assert_eq!(Manifest::parse(&manifest.to_bytes()).expect("what we write, we read"), manifest);
        }
        // With the right checksum: what the fuzzer cannot compute.
        if let Ok(manifest) = serde_json::from_slice::<Manifest>(data) {
            let again = Manifest::parse(&manifest.to_bytes());
            assert!(again.map_or(true, |read| read == manifest));
        }
    }
}
