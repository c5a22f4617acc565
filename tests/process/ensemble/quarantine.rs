//! A member whose data are not the ensemble's: it notices, keeps the evidence, and learns everything anew.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Ring, plan, rounds, turn};
use crate::harness::member::Member;
use crate::harness::site::available;
use crate::need;

/// A record of a log file begins with its checksum and its length.
const HEAD: usize = 8 + 4;

#[test]
fn ensemble_a_member_that_differs_keeps_the_evidence_and_repairs_itself() {
    let _turn = turn();
    need!("ensemble: Kerberos", available());
    let mut ring = Ring::start(&plan()).unwrap_or_else(|why| panic!("{why}"));
    for _ in 0..rounds(1, 3) {
        let id = ring.follower();
        ring.progress();
        ring.group.member(id).kill();
        ring.progress();
        let known = evidence(ring.group.member(id)).len();
        let what = alter(ring.group.member(id).data_dir());
        ring.now(format!("server {id} starts on an altered log: {what}"));
        let before = ring.group.member(id).log().len();
        ring.join(id);
        ring.progress();
        let deadline = Instant::now() + super::SETTLE;
        while evidence(ring.group.member(id)).len() == known {
            assert!(Instant::now() < deadline, "no evidence is kept:\n{}", ring.group.logs());
            std::thread::sleep(Duration::from_millis(50));
        }
        ring.group.wait_all().unwrap_or_else(|why| panic!("{why}"));
        ring.progress();
        let log = ring.group.member(id).log();
        let log = log.get(before..).unwrap_or_default();
        assert!(log.contains("the evidence of the difference is in"), "{log}");
        let kept = evidence(ring.group.member(id)).pop().expect("a file");
        let text = std::fs::read_to_string(&kept).expect("the evidence");
        assert!(text.contains("the digest here is 0x") && text.contains("\ntransaction "), "{text}");
    }
    // All directories hold one state again, with sound digests: `finish` compares them.
    ring.finish(0);
}

/// Files of evidence below a member's data directory.
fn evidence(member: &Member) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![member.data_dir().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if entry.file_name().to_string_lossy().starts_with("divergence.") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Alters the data of the last create of the load in the log, under a checksum that fits: nothing but the digests of
/// transactions can tell. Says what was altered.
fn alter(data_dir: &Path) -> String {
    let folder = data_dir.join("version-2");
    let entries = std::fs::read_dir(&folder).expect("a folder").flatten();
    let mut logs: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log.")))
        .collect();
    logs.sort_by_key(|path| std::fs::metadata(path).and_then(|meta| meta.modified()).ok());
    for path in logs.iter().rev() {
        let mut bytes = std::fs::read(path).expect("a log");
        let Some((at, length, data)) = last_create(&bytes) else { continue };
        bytes[data] = b'X';
        let sum = u64::from(adler32(&bytes[at + HEAD..at + HEAD + length]));
        bytes[at..at + 8].copy_from_slice(&sum.to_be_bytes());
        std::fs::write(path, &bytes).expect("written");
        return format!("{} at {data}", path.display());
    }
    panic!("no create of the load in {logs:?}");
}

/// Where the last create of the load is: its record, the record's length, and the one byte of its data.
fn last_create(log: &[u8]) -> Option<(usize, usize, usize)> {
    // Behind the file's own header.
    let (mut at, mut found) = (16, None);
    while let Some(head) = log.get(at..at + HEAD) {
        let length = u32::from_be_bytes(head[8..].try_into().expect("four bytes")) as usize;
        let Some(body) = log.get(at + HEAD..at + HEAD + length).filter(|_| length > 0) else { break };
        let path = b"/load/c/";
        if let Some(start) = body.windows(path.len()).position(|window| window == path) {
            // The path's length stands before it, the data's behind it.
            let size = u32::from_be_bytes(body[start - 4..start].try_into().expect("four bytes")) as usize;
            let data = start + size + 4;
            if body.get(data - 4..=data) == Some(b"\0\0\0\x01c".as_slice()) {
                found = Some((at, length, at + HEAD + data));
            }
        }
        at += HEAD + length + 1;
    }
    found
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    (b << 16) | a
}
