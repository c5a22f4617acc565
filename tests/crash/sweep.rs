//! Damage of the medium: every byte, every sector, every length, every file of a small set. What
//! comes out is the same database or a refusal, never another one.

use crate::database::{dirs, entry, head, open, rules, snapshot};
use oxkeeper::disk::media::{SECTOR, State};
use oxkeeper::disk::mem::MemDisk;
use oxkeeper::disk::{Disk, DiskFile};
use oxkeeper::storage::Epochs;
use oxkeeper::types::Zxid;
use std::path::{Path, PathBuf};

/// Two snapshots and three segments, epochs and marks, cleanly ended.
fn set() -> MemDisk {
    let disk = MemDisk::new();
    for d in ["/data", "/log"] {
        disk.create_dir_all(Path::new(d)).unwrap();
    }
    let mut rules = rules();
    rules.log.pre_alloc_size = 2048;
    let (_, mut r) = open(&disk, &rules).unwrap();
    for round in 0..3 {
        let zxids: Vec<i64> = (round * 4 + 1..=round * 4 + 4).collect();
        r.storage.append(&zxids.iter().map(|z| entry(*z)).collect::<Vec<_>>()).unwrap();
        if round < 2 {
            let zxids: Vec<i64> = (1..=round * 4 + 3).collect();
            let last = *zxids.last().unwrap();
            snapshot(r.storage.begin_snapshot(Zxid(last), &head()).unwrap(), &zxids).unwrap();
        }
        r.storage.roll();
    }
    let mut epochs = Epochs::load(&disk, &dirs(), r.last).unwrap();
    epochs.set_accepted(3).unwrap();
    epochs.set_current(3).unwrap();
    r.storage.settle().unwrap();
    disk
}

fn files(state: &State) -> Vec<PathBuf> {
    state.names.keys().cloned().collect()
}

#[derive(Default, Debug)]
struct Count {
    same: u64,
    refused: u64,
    shorter: u64,
}

/// Recovers a damaged copy. `may_lose` says how many transactions at the end may be missing.
fn judge(state: &State, what: &str, may_lose: usize, count: &mut Count, edit: &dyn Fn(&MemDisk)) {
    let disk = MemDisk::with(state.clone());
    edit(&disk);
    match open(&disk, &rules()) {
        Err(e) => {
            assert!(e.to_string().contains("Cure: "), "{what}: {e}");
            count.refused += 1;
        }
        Ok((found, r)) => {
            let whole: Vec<i64> = (1..=12).collect();
            assert!(whole.starts_with(&found.zxids), "{what}: {:?}", found.zxids);
            let lost = whole.len() - found.zxids.len();
            assert!(lost <= may_lose, "{what}: lost {lost} without a word, {:?}", r.notices);
            if lost == 0 {
                count.same += 1
            } else {
                count.shorter += 1
            }
            let epochs = Epochs::load(&disk, &dirs(), r.last);
            if let Ok(e) = epochs
                && !what.contains("Epoch")
            {
                assert_eq!((e.current(), e.accepted()), (3, 3), "{what}");
            }
        }
    }
}

#[test]
fn a_changed_byte_is_found_or_changes_nothing() {
    let state = set().state();
    let mut count = Count::default();
    for file in files(&state) {
        for at in 0..state.read(&file).unwrap().len() {
            for mask in [0x01, 0x80, 0xff] {
                let what = format!("{} byte {at} ^ {mask:x}", file.display());
                judge(&state, &what, 0, &mut count, &|d| assert!(d.damage(&file, |f| f[at] ^= mask)));
            }
        }
    }
    println!("bytes: {count:?}");
    assert!(count.refused > 1000 && count.same > 1000);
}

#[test]
fn zeroed_sectors_short_files_and_missing_files_are_found_or_change_nothing() {
    let state = set().state();
    let mut count = Count::default();
    for file in files(&state) {
        let len = state.read(&file).unwrap().len();
        for at in (0..len).step_by(SECTOR) {
            let what = format!("{} zeroed sector at {at}", file.display());
            judge(&state, &what, 0, &mut count, &|d| {
                d.damage(&file, |f| f[at..(at + SECTOR).min(len)].fill(0));
            });
        }
        // A cut exactly behind a record is what ZooKeeper's own truncation leaves.
        let ends = record_ends(&file);
        for cut in (0..len).filter(|c| !ends.contains(c)) {
            let what = format!("{} cut at {cut}", file.display());
            judge(&state, &what, 0, &mut count, &|d| assert!(d.damage(&file, |f| f.truncate(cut))));
        }
        let what = format!("{} missing", file.display());
        judge(&state, &what, 0, &mut count, &|d| d.remove(&file).unwrap());
    }
    println!("sectors, cuts, files: {count:?}");
    assert!(count.refused > 100 && count.same > 100);
}

fn record_ends(file: &Path) -> Vec<usize> {
    let name = file.file_name().unwrap().to_string_lossy();
    let Some(first) = name.strip_prefix("log.").and_then(|h| i64::from_str_radix(h, 16).ok()) else {
        return Vec::new();
    };
    let mut ends = vec![16];
    for z in first..first + 4 {
        ends.push(ends.last().unwrap() + entry(z).1.len() + 13);
    }
    ends.split_off(1)
}

/// Without marks, as Java leaves it, the last record of the newest log alone may go for a torn one.
#[test]
fn in_a_directory_of_java_only_the_last_record_can_be_lost_to_damage() {
    let disk = set();
    for mark in ["mark.0", "mark.1"] {
        disk.remove(&dirs().own().join(mark)).unwrap();
    }
    let state = disk.state();
    let mut count = Count::default();
    let newest = dirs().log().join("log.9");
    let last_record = record_ends(&newest)[2]..record_ends(&newest)[3];
    for file in files(&state) {
        for at in 0..state.read(&file).unwrap().len() {
            let may_lose = usize::from(file == newest && last_record.contains(&at));
            let what = format!("{} byte {at}", file.display());
            judge(&state, &what, may_lose, &mut count, &|d| assert!(d.damage(&file, |f| f[at] ^= 0x55)));
        }
    }
    println!("bytes without marks: {count:?}");
    assert!(count.shorter as usize <= last_record.len());
    let _ = disk.open_read(&newest).unwrap().len();
}
