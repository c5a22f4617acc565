//! Archives that are truncated or altered, and what backups and restores cost in memory.

use crate::backup::{run, text};
use crate::files::recorded;
use crate::support::dirs::Dir;
use crate::support::ox;
use oxkeeper::cli::archive::{Pace, open, verify};
use oxkeeper::cli::fault::Fault;
use oxkeeper::cli::progress::Progress;
use oxkeeper::config::settings::Compression;
use oxkeeper::disk::mem::MemDisk;
use oxkeeper::disk::{Disk, DiskFile};
use oxkeeper::os::disk::RealDisk;
use oxkeeper::storage::SnapshotWriter;
use oxkeeper::storage::log::format;
use oxkeeper::txn::snapshot::{SnapshotNode, encode_end, encode_head, encode_node};
use oxkeeper::txn::{Record, Txn, TxnHeader, kind};
use oxkeeper::types::{Acl, StatPersisted, Zxid};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A data directory with the files of a recorded one.
fn data_of(recorded: &Path, home: &Dir) -> PathBuf {
    let data = home.path().join("data");
    fs::create_dir_all(data.join("version-2")).unwrap();
    for file in fs::read_dir(recorded).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_none_or(|e| e != "txt") {
            fs::copy(&file, data.join("version-2").join(file.file_name().unwrap())).unwrap();
        }
    }
    data
}

/// Is this a whole archive?
fn judge(bytes: &[u8]) -> Result<(), Fault> {
    let disk = MemDisk::new();
    let path = Path::new("/b/archive.tar");
    disk.create_dir_all(Path::new("/b")).unwrap();
    disk.create_new(path).unwrap().write_all_at(bytes, 0).unwrap();
    let archive = open(&disk, path)?;
    verify::verify(&archive, &mut Pace::new(None), &mut Progress::silent())
}

#[test]
fn no_archive_that_is_truncated_or_altered_is_taken() {
    let mut checked = 0;
    for recorded in recorded() {
        let home = Dir::new("archive");
        let data = data_of(&recorded, &home);
        let out = ox::command(&["backup", "--data-dir", text(&data), "--to", "-", "--all"]).output().unwrap();
        let why = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{}: {why}", recorded.display());
        let whole = out.stdout;
        judge(&whole).unwrap_or_else(|e| panic!("{}: {e}", recorded.display()));
        for cut in (0..whole.len()).step_by(512).chain((0..whole.len()).step_by(331)) {
            refused(&whole[..cut], &format!("{} cut at {cut}", recorded.display()));
        }
        for at in (0..whole.len()).step_by(97) {
            let mut bad = whole.clone();
            bad[at] ^= 1 << (at % 8);
            refused(&bad, &format!("{} altered at {at}", recorded.display()));
            checked += 1;
        }
    }
    assert!(checked > 500, "{checked}");
}

/// It names the member and the place.
fn refused(bytes: &[u8], what: &str) {
    match judge(bytes) {
        Err(Fault::Archive(flaw)) => assert!(!flaw.member.is_empty(), "{what}"),
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn nothing_is_written_from_an_archive_that_is_not_whole() {
    let home = Dir::new("refused");
    let data = data_of(&recorded()[0], &home);
    let backup = home.path().join("backup");
    assert_eq!(run(&["backup", "--data-dir", text(&data), "--to", text(&backup)]).0, 0);
    let target = home.path().join("target");
    let restore = || run(&["restore", "--from", text(&backup), "--data-dir", text(&target)]);
    for member in fs::read_dir(backup.join("version-2")).unwrap().map(|m| m.unwrap().path()) {
        let name = member.file_name().unwrap().to_string_lossy().into_owned();
        let whole = fs::read(&member).unwrap();
        let mut bad = whole.clone();
        bad[20] ^= 4;
        for bytes in [&bad[..], &whole[..whole.len() - 1], &[&whole[..], b"x"].concat()] {
            fs::write(&member, bytes).unwrap();
            let (code, said) = restore();
            assert!(code == 1 && said.contains(&name) && said.contains("offset"), "{said}");
            assert!(!target.exists(), "{said}");
        }
        fs::remove_file(&member).unwrap();
        assert!(restore().1.contains("missing") && !target.exists());
        fs::write(&member, &whole).unwrap();
    }
    let (code, said) = restore();
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_backup_of_another_history_or_another_directory_is_refused() {
    let home = Dir::new("fork");
    let data = data_of(&recorded()[1], &home);
    let backup = home.path().join("backup");
    let take = |to: &Path| run(&["backup", "--data-dir", text(&data), "--to", text(to)]);
    assert_eq!(take(&backup).0, 0);
    assert_eq!(take(&backup).0, 0, "nothing new is no error");
    assert_eq!(take(&data).0, 2, "the data directory itself");
    assert_eq!(run(&["backup", "--data-dir", text(&home.path().join("none")), "--to", text(&backup)]).0, 2);
    assert_eq!(run(&["backup", "--to", text(&backup)]).0, 2);
    // The last transaction becomes another one.
    let log = fs::read_dir(data.join("version-2")).unwrap().map(|f| f.unwrap().path());
    let log = log.filter(|p| p.file_name().unwrap().to_string_lossy().starts_with("log.")).max().unwrap();
    let mut bytes = fs::read(&log).unwrap();
    let (mut at, mut last) = (16, 16);
    while bytes.get(at + 8..at + 12).is_some_and(|l| l != [0; 4]) {
        last = at;
        at += 13 + u32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
    }
    bytes[last + 12 + 11] ^= 1; // its cxid
    let sum = simd_adler32::adler32(&&bytes[last + 12..at - 1]);
    bytes[last..last + 8].copy_from_slice(&u64::from(sum).to_be_bytes());
    fs::write(&log, &bytes).unwrap();
    let (code, said) = take(&backup);
    assert!(code == 1 && said.contains("history is not that of this backup"), "{said}");
    assert_eq!(run(&["backup", "verify", text(&backup)]).0, 0, "it is as it was");
}

#[test]
fn what_was_purged_before_it_was_backed_up_is_a_gap_that_no_restore_jumps() {
    let home = Dir::new("gap");
    let rolled = recorded().into_iter().find(|d| d.ends_with("java-3.9.5-rolled")).unwrap();
    let all = data_of(&rolled, &home);
    let (data, backup) = (home.path().join("part"), home.path().join("backup"));
    let part = |names: &[&str]| {
        let _ = fs::remove_dir_all(&data);
        fs::create_dir_all(data.join("version-2")).unwrap();
        for name in names {
            fs::copy(all.join("version-2").join(name), data.join("version-2").join(name)).unwrap();
        }
    };
    let disk = RealDisk::new();
    let dirs = oxkeeper::storage::Dirs::new(&all, &all);
    let logs = oxkeeper::storage::names::logs(&disk, &dirs.log()).unwrap();
    let snapshots = oxkeeper::storage::names::snapshots(&disk, &dirs.snap()).unwrap();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let (first, last) = (name(&logs[0].path), name(&logs.last().unwrap().path));
    let (old, new) = (name(&snapshots.last().unwrap().path), name(&snapshots[0].path));
    let take = || run(&["backup", "--data-dir", text(&data), "--to", text(&backup), "--all"]);
    let oldest = snapshots.last().unwrap().zxid;
    let before: Vec<&str> =
        logs.iter().zip(&logs[1..]).filter(|(_, next)| next.first <= oldest).map(|_| "").collect();
    assert!(before.is_empty(), "the recording begins with a snapshot before its second log");
    part(&[&old, &first]);
    assert_eq!(take().0, 0);
    part(&[&new, &last]);
    let (code, said) = take();
    assert!(code == 0 && said.contains("purged before they were backed up"), "{said}");
    assert_eq!(run(&["backup", "verify", text(&backup)]).0, 0);
    let restore = |at: &str, to: &str| {
        run(&["restore", "--from", text(&backup), "--at", at, "--data-dir", text(&home.path().join(to))])
    };
    let hole = format!("0x{:x}", logs[1].first.0);
    let (code, said) = restore(&hole, "hole");
    assert!(code == 1 && said.contains("cannot be reached") && !home.path().join("hole").exists(), "{said}");
    let early = format!("0x{:x}", logs[1].first.0 - 1);
    assert_eq!(restore(&early, "early").0, 0);
    assert_eq!(restore("end", "end").0, 0);
    let state = crate::files::state_of(&home.path().join("end"));
    assert_eq!(state, crate::files::state_of(&all));
}

/// Znodes of the large tree.
const MANY: usize = 110_000;
/// Bytes of each.
const DATA: usize = 1000;
/// Transactions behind its snapshot.
const LOGGED: i64 = 3000;
/// KiB of memory that a command may have for its data: less than half of the tree.
const LIMIT_KIB: usize = 48 << 10;

fn large(data: &Path) {
    let snap = data.join("version-2");
    fs::create_dir_all(&snap).unwrap();
    let mut head = Vec::new();
    encode_head::<_, Vec<Acl>>(&[], &[(1, vec![Acl::open()])], &mut head);
    let mut w = SnapshotWriter::begin(&RealDisk::new(), &snap, Zxid(10), &head, Compression::None).unwrap();
    let stat = StatPersisted { czxid: 5, mzxid: 5, pzxid: 5, ..StatPersisted::default() };
    let body = vec![7; DATA];
    let mut out = Vec::new();
    let node = |path: &str, data: &[u8], out: &mut Vec<u8>| {
        encode_node(&SnapshotNode { path, data: Some(data), acl: 1, stat }, out);
    };
    ["", "/zookeeper", "/zookeeper/quota"].iter().for_each(|p| node(p, b"", &mut out));
    for i in 0..MANY {
        if i % 1000 == 0 {
            node(&format!("/d{}", i / 1000), b"", &mut out);
            w.chunk(&out).unwrap();
            out.clear();
        }
        node(&format!("/d{}/n{i}", i / 1000), &body, &mut out);
    }
    encode_end(&mut out);
    w.chunk(&out).unwrap();
    let _durable = w.finish(None, Some(Zxid(10))).unwrap();
    let mut log = format::header().to_vec();
    for i in 1..=LOGGED {
        let header =
            TxnHeader { client_id: 1, cxid: 1, zxid: Zxid(10 + i), time: 1000 + i, kind: kind::SET_DATA };
        let path = format!("/d{}/n{}", i % 100, (i % 100) * 1000 + i % 1000);
        let txn = Txn::SetData { path, data: Some("set".into()), version: i as i32 };
        format::frame(&Record { header, txn, digest: None }.to_bytes(), &mut log);
    }
    fs::write(snap.join("log.b"), log).unwrap();
}

/// Runs the binary with a bound on its memory: it ends with an error when it needs more.
fn bounded(args: &[&str]) -> (i32, String) {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -d {LIMIT_KIB} && exec \"$0\" \"$@\"")]).arg(ox::binary()).args(args);
    let out = shell.output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.code().unwrap_or(-1), said)
}

#[test]
fn a_large_tree_is_backed_up_restored_and_compared_in_little_memory() {
    let home = Dir::new("large");
    let (data, backup, restored) =
        (home.path().join("data"), home.path().join("backup"), home.path().join("restored"));
    large(&data);
    let (code, said) = bounded(&["dump", "snapshot", text(&data.join("version-2/snapshot.a"))]);
    assert_ne!(code, 0, "the bound is felt by what holds the tree: {}", said.len());
    let expect = |args: &[&str], code: i32| {
        let (found, said) = bounded(args);
        assert_eq!(found, code, "{args:?}: {said}");
        said
    };
    expect(&["backup", "--data-dir", text(&data), "--to", text(&backup), "--rate", "0"], 0);
    expect(&["backup", "verify", text(&backup)], 0);
    expect(&["restore", "--from", text(&backup), "--data-dir", text(&restored), "--at", "0x64"], 0);
    let said = expect(&["diff", text(&restored), text(&backup)], 1);
    assert!(said.contains("0 only in the first, 0 only in the second"), "{said}");
    assert_eq!(said.lines().filter(|l| l.ends_with("  data")).count(), 1000 - 90, "1000 znodes are set");
    let said = expect(&["acl", "audit", "--archive", text(&backup)], 1);
    assert!(said.contains(&format!("{} znodes below /", MANY + 110 + 3)), "{said}");
}
