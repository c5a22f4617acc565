//! The toolkit on a log of Java's.

use super::*;
use std::fs;

/// A log of ZooKeeper 3.9.5 with several transactions, copied into a directory of its own.
fn javas(dir: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/disk");
    let mut logs: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .flat_map(|dir| fs::read_dir(dir.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("3.9") && path.with_extension("").ends_with("log"))
        .filter(|path| !path.to_string_lossy().ends_with(".txt"))
        .collect();
    logs.sort_by_key(|path| fs::metadata(path).unwrap().len());
    let path = dir.join("log.1");
    fs::copy(logs.last().expect("a log of Java's"), &path).unwrap();
    path
}

fn flags(words: &[&str]) -> Flags {
    Flags::parse(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()).unwrap()
}

fn dumped(path: &Path, words: &[&str], answers: &str) -> (Result<(), Stop>, String) {
    let mut out = Vec::new();
    let done = dump(path, &flags(words), &mut answers.as_bytes(), &mut out);
    (done, String::from_utf8_lossy(&out).into_owned())
}

/// Offset of the checksum of the second record.
fn second(bytes: &[u8]) -> usize {
    let len = u32::from_be_bytes(bytes[HEADER + 8..HEADER + 12].try_into().unwrap()) as usize;
    HEADER + 12 + len + 1
}

#[test]
fn a_broken_checksum_is_shown_repaired_and_left_as_the_answers_say() {
    let dir = tempfile::tempdir().unwrap();
    let path = javas(dir.path());
    let good = fs::read(&path).unwrap();
    let (done, whole) = dumped(&path, &[], "");
    assert_eq!(done, Ok(()));
    assert!(whole.starts_with("ZooKeeper Transactional Log File with dbid 0 txnlog format version 2\n"));
    assert!(whole.contains("EOF reached after "), "{whole}");

    let mut broken = good.clone();
    broken[second(&good) + 7] ^= 1;
    fs::write(&path, &broken).unwrap();
    let (done, shown) = dumped(&path, &["-d"], "");
    assert_eq!((done, shown.matches("CRC ERROR - ").count()), (Ok(()), 1));

    let fixed = dir.path().join("log.1.fixed");
    for (words, answers, repaired) in [
        (&["-r"][..], "what\nyes\n", true),
        (&["-r"], "no\n", false),
        (&["-ry"], "", true),
        (&["--recover", "--yes", "--verbose"], "", true),
    ] {
        let (done, said) = dumped(&path, words, answers);
        assert_eq!(done, Ok(()), "{said}");
        let count = u8::from(repaired);
        assert!(said.contains(&format!("has been written with {count} fixed CRC error(s)")), "{said}");
        let made = fs::read(&fixed).unwrap();
        let expected = if repaired { &good } else { &broken };
        assert_eq!(made[..], expected[..made.len()], "{words:?}");
        fs::remove_file(&fixed).unwrap();
    }
    let (done, _) = dumped(&path, &["-r"], "abort\n");
    assert_eq!(done, Err((0, "Recovery aborted.".to_owned())));
    let (done, _) = dumped(&path, &["-r"], "");
    assert!(done.unwrap_err().1.contains("already exists"), "a file that is there is not touched");
}

#[test]
fn a_copy_ends_at_the_zxid() {
    let dir = tempfile::tempdir().unwrap();
    let path = javas(dir.path());
    let mut log = Log::open(&path).unwrap();
    let first = txn::decode(&log.next().unwrap().unwrap().bytes).unwrap().header.zxid.0;
    let mut out = Vec::new();
    assert_eq!(chop(&path, first, &mut out), Ok(true));
    let made = fs::read(dir.path().join(format!("log.1.chopped{first}"))).unwrap();
    let good = fs::read(&path).unwrap();
    assert_eq!(made, good[..second(&good)]);
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(&format!("Chopping at {first:x} new log has 1 records")), "{text}");
    // Behind the end, before the beginning: nothing is left behind.
    for zxid in [i64::MAX, first - 1] {
        assert_eq!(chop(&path, zxid, &mut Vec::new()).unwrap_err().0, BAD_INVOCATION);
        assert!(!dir.path().join(format!("log.1.chopped{zxid}")).exists());
    }
}

#[test]
fn flags_are_the_toolkits() {
    let all = flags(&["-rvy", "log", "-z", "0x1f", "--chop"]);
    assert!(all.recover && all.verbose && all.yes && all.chop);
    assert_eq!((all.zxid, all.files), (Some(31), vec![PathBuf::from("log")]));
    let parse = |words: &[&str]| Flags::parse(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
    assert_eq!(parse(&["-x", "log"]), Err("Unrecognized option: -x".to_owned()));
    assert_eq!(parse(&["--zxid"]), Err("Missing argument for option: z".to_owned()));
    assert!(Log::open(Path::new("/nowhere/log.1")).is_err_and(|(code, _)| code == FAILED));
}
