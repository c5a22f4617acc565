//! `oxkeeper purge`: removes snapshots and logs that are no longer needed, with PurgeTxnLog's arguments, texts and
//! exit codes (`zkCleanup.sh`). A running server purges by itself (`autopurge.*`); both may run.
//!
//! # Invariants
//!
//! * At least three valid snapshots stay, and every log that may hold a transaction behind the oldest of them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::os::disk::RealDisk;
use crate::storage::Dirs;
use crate::storage::purge::{MIN_KEPT, outdated, remove_all};
use crate::types::java::java_iso8601;

const USAGE: &str = "Usage:\nPurgeTxnLog dataLogDir [snapDir] -n count\n\tdataLogDir -- path to the txn log directory\n\t\
                     snapDir -- path to the snapshot directory\n\tcount -- the number of old snaps/logs you want to \
                     keep, value should be greater than or equal to 3";

/// Exit code of everything that went wrong.
const FAILED: i32 = 1;

/// Runs `oxkeeper purge`; returns the exit code.
pub fn run(words: &[String]) -> i32 {
    if matches!(words, [word] if word == "-h" || word == "--help") {
        println!("{USAGE}");
        return 0;
    }
    let (dirs, count) = match parse(words) {
        Ok(asked) => asked,
        Err(why) => {
            why.iter().for_each(|why| eprintln!("{why}"));
            println!("{USAGE}");
            return FAILED;
        }
    };
    match purge(&dirs, count, &mut io::stdout().lock()) {
        Ok(()) => 0,
        Err(why) => {
            eprintln!("{why}");
            FAILED
        }
    }
}

/// Directories and count, or what is said before the usage.
fn parse(words: &[String]) -> Result<(Dirs, usize), Option<String>> {
    let (directories, option, count) = match words {
        [log, option, count] => ((log, log), option, count),
        [log, snapshots, option, count] => ((log, snapshots), option, count),
        _ => return Err(None),
    };
    let (log, snapshots) = (existing(directories.0)?, existing(directories.1)?);
    let count: i64 = count.parse().map_err(|_| Some(format!("'{count}' can not be parsed to integer.")))?;
    let count = usize::try_from(count).ok().filter(|&count| count >= MIN_KEPT);
    let count = count.ok_or_else(|| Some(format!("count should be greater than or equal to {MIN_KEPT}")))?;
    if option != "-n" {
        return Err(None);
    }
    Ok((Dirs::new(&snapshots, &log), count))
}

fn existing(path: &str) -> Result<PathBuf, Option<String>> {
    let whole = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
    match whole.exists() {
        true => Ok(whole),
        false => Err(Some(format!("Path '{}' does not exist. ", whole.display()))),
    }
}

fn purge(dirs: &Dirs, keep: usize, out: &mut dyn Write) -> Result<(), String> {
    let disk = RealDisk::new();
    let old = outdated(&disk, dirs, keep).map_err(|e| e.to_string())?;
    for path in old.logs.iter().chain(&old.snapshots) {
        // Whether anybody reads this changes nothing.
        let _ = writeln!(out, "Removing file: {}\t{}", changed(path), path.display());
    }
    remove_all(&disk, dirs, old).map(drop).map_err(|e| e.to_string())
}

/// `Nov 20, 2026, 5:40:12 PM`, in UTC: when the file was written last.
fn changed(path: &Path) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let since = std::fs::metadata(path).and_then(|m| m.modified()).ok();
    let since = since.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let iso = java_iso8601(i64::try_from(since.as_millis()).unwrap_or(0));
    let number =
        |from: usize, to: usize| iso.get(from..to).and_then(|t| t.parse::<usize>().ok()).unwrap_or(0);
    let month = number(5, 7).checked_sub(1).and_then(|month| MONTHS.get(month)).unwrap_or(&"Jan");
    let (hour, half) = (number(11, 13), if number(11, 13) < 12 { "AM" } else { "PM" });
    let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
    let (year, rest) = (iso.get(..4).unwrap_or(""), iso.get(14..19).unwrap_or(""));
    format!("{month} {}, {year}, {hour}:{rest} {half}", number(8, 10))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn arguments_are_judged_as_purge_txn_log_judges_them() {
        let dir = tempfile::tempdir().unwrap();
        let here = dir.path().to_str().unwrap();
        assert!(parse(&words(&[here, "-n", "3"])).is_ok());
        assert!(parse(&words(&[here, here, "-n", "30"])).is_ok());
        for (given, why) in [
            (&[here, "-n", "2"][..], Some("count should be greater than or equal to 3")),
            (&[here, "-n", "-1"], Some("count should be greater than or equal to 3")),
            (&[here, "-n", "x"], Some("'x' can not be parsed to integer.")),
            (&[here, "-m", "3"], None),
            (&["-n", "3"], None),
            (&[], None),
        ] {
            assert_eq!(parse(&words(given)).unwrap_err().as_deref(), why, "{given:?}");
        }
        let missing = parse(&words(&["/nowhere", "-n", "3"])).unwrap_err();
        assert_eq!(missing.as_deref(), Some("Path '/nowhere' does not exist. "));
    }

    #[test]
    fn files_are_named_before_they_go_and_without_snapshots_all_stay() {
        let dir = tempfile::tempdir().unwrap();
        let version = dir.path().join("version-2");
        fs::create_dir(&version).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/disk/java-3.9.5/snapshot.1b");
        fs::write(version.join("log.1"), b"ZKLG").unwrap();
        let dirs = Dirs::new(dir.path(), dir.path());
        let mut out = Vec::new();
        purge(&dirs, 3, &mut out).unwrap();
        assert!(out.is_empty() && version.join("log.1").exists());
        for zxid in ["1b", "2b", "3b", "4b"] {
            fs::copy(&source, version.join(format!("snapshot.{zxid}"))).unwrap();
        }
        purge(&dirs, 3, &mut out).unwrap();
        let said = String::from_utf8(out).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        let (when, what) = said.trim_end().split_once('\t').unwrap();
        assert!(when.starts_with("Removing file: ") && when.ends_with('M'), "{when}");
        assert_eq!(Path::new(what), version.join("snapshot.1b"));
        assert!(!version.join("snapshot.1b").exists() && version.join("snapshot.2b").exists());
    }
}
