//! Checks and repairs on a disk in memory, and of Java's own directories.

use super::*;
use crate::disk::DiskFile;
use crate::disk::mem::MemDisk;
use crate::storage::{Storage, recover};
use crate::txn::{CreateTxn, Record, Txn, TxnHeader, kind};
use crate::types::{Acl, Zxid};

fn dirs() -> Dirs {
    Dirs::new(Path::new("/z"), Path::new("/z"))
}

fn create(zxid: i64) -> (Zxid, Vec<u8>) {
    let header = TxnHeader { client_id: 0, cxid: 0, zxid: Zxid(zxid), time: 0, kind: kind::CREATE };
    let node = CreateTxn {
        path: format!("/n{zxid}"),
        data: None,
        acl: vec![Acl::open()],
        ephemeral: false,
        parent_cversion: zxid as i32,
    };
    let record = Record { header, txn: Txn::Create(node), digest: None };
    (Zxid(zxid), record.to_bytes())
}

/// Two segments of three transactions.
fn server() -> (MemDisk, Storage<MemDisk>) {
    let disk = MemDisk::new();
    let mut rules = Rules::default();
    rules.log.pre_alloc_size = 4096;
    let mut fresh = Load::new();
    let mut storage = recover(&disk, &dirs(), &rules, &mut fresh).unwrap().storage;
    storage.append(&[create(1), create(2), create(3)]).unwrap();
    storage.roll();
    storage.append(&[create(4), create(5), create(6)]).unwrap();
    storage.settle().unwrap();
    (disk, storage)
}

fn look(disk: &MemDisk, backup: Option<&str>) -> (bool, String) {
    let mut out = Vec::new();
    let backup = backup.map(Path::new);
    let whole = check(disk, &dirs(), backup, &mut out, &mut Progress::silent()).unwrap();
    (whole, String::from_utf8(out).unwrap())
}

#[test]
fn a_whole_directory_is_called_whole() {
    let (disk, _) = server();
    let before = disk.ops();
    let (whole, text) = look(&disk, None);
    assert!(whole, "{text}");
    assert!(text.contains("log.1: whole, 3 transactions 0x1 to 0x3"), "{text}");
    assert!(text.contains("snapshot.0: whole, 4 znodes"), "{text}");
    assert!(text.contains("last zxid 0x6"), "{text}");
    assert_eq!(disk.ops(), before, "looking changes nothing");
}

#[test]
fn damage_is_named_and_repair_keeps_a_copy() {
    let (disk, _) = server();
    disk.damage(Path::new("/z/version-2/log.1"), |f| f[120] ^= 1);
    let (whole, text) = look(&disk, None);
    assert!(!whole && text.contains("log.1: DAMAGED") && text.contains("refuses to start"), "{text}");
    assert!(text.contains("offset ") && text.contains("zxid 0x2"), "{text}");
    let (whole, text) = look(&disk, Some("/backup"));
    assert!(whole, "{text}");
    assert!(
        text.contains("removing /z/version-2/log.4") && text.contains("cutting /z/version-2/log.1"),
        "{text}"
    );
    assert!(text.contains("last zxid 0x1"), "{text}");
    let copy = disk.open_read(Path::new("/backup/version-2/log.4")).unwrap();
    assert!(copy.len().unwrap() > 100);
    assert!(look(&disk, None).0);
}

#[test]
fn a_backup_is_never_written_over() {
    let (disk, _) = server();
    disk.damage(Path::new("/z/version-2/log.4"), |f| f[30] ^= 1);
    disk.create_dir_all(Path::new("/backup")).unwrap();
    let backup = Some(Path::new("/backup"));
    let e = check(&disk, &dirs(), backup, &mut Vec::new(), &mut Progress::silent()).unwrap_err();
    assert!(matches!(e, Trouble::Storage(e) if e.to_string().contains("exists already")));
}

#[test]
fn javas_directories_are_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/disk");
    for dir in std::fs::read_dir(root).unwrap() {
        let from = dir.unwrap().path();
        let disk = MemDisk::new();
        disk.create_dir_all(&dirs().log()).unwrap();
        for file in std::fs::read_dir(&from).unwrap() {
            let file = file.unwrap().path();
            if !file.to_string_lossy().ends_with(".txt") {
                let bytes = std::fs::read(&file).unwrap();
                disk.create_new(&dirs().log().join(name(&file))).unwrap().write_all_at(&bytes, 0).unwrap();
            }
        }
        let (whole, text) = look(&disk, None);
        assert!(whole && !text.contains("note: the digest"), "{}: {text}", from.display());
    }
}
