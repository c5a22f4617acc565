//! Keytabs made by hand, against the layout that MIT documents.
//!
//! # Invariants
//!
//! * As of the module under test.

use super::*;

fn counted(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

fn key_of(name: &[&str], kvno: u8, enctype: u16, long: Option<u32>) -> Vec<u8> {
    let mut entry = u16::try_from(name.len()).unwrap().to_be_bytes().to_vec();
    entry.extend(counted(b"ZK.TEST"));
    name.iter().for_each(|part| entry.extend(counted(part.as_bytes())));
    entry.extend([0, 0, 0, 1]);
    entry.extend(1_700_000_000_u32.to_be_bytes());
    entry.push(kvno);
    entry.extend(enctype.to_be_bytes());
    entry.extend(counted(&[7; 32]));
    entry.extend(long.into_iter().flat_map(u32::to_be_bytes));
    [&u32::try_from(entry.len()).unwrap().to_be_bytes()[..], &entry].concat()
}

#[test]
fn keys_holes_and_long_numbers_are_read() {
    let hole = [&(-6_i32).to_be_bytes()[..], &[0; 6]].concat();
    let file = [
        &VERSION[..],
        &key_of(&["zookeeper", "zk1"], 3, 18, None),
        &hole,
        &key_of(&["zookeeper"], 1, 17, Some(257)),
        &key_of(&["a/b", "c"], 9, 20, Some(0)),
        &[0; 4],
        b"rest behind the end",
    ];
    let keytab = parse(&file.concat()).unwrap();
    let seen: Vec<_> = keytab.entries.iter().map(|e| (e.principal(), e.kvno, e.enctype)).collect();
    let wanted =
        [("zookeeper/zk1@ZK.TEST", 3, 18), ("zookeeper@ZK.TEST", 257, 17), ("a\\/b/c@ZK.TEST", 9, 20)];
    assert_eq!(seen, wanted.map(|(name, kvno, enctype)| (name.to_owned(), kvno, enctype)));
    assert_eq!(
        (keytab.holes, keytab.entries[0].key_length(), keytab.entries[0].written),
        (1, 32, 1_700_000_000)
    );
    assert_eq!(keytab.of_service("zookeeper").count(), 2);
    assert_eq!(keytab.of_type(20).count(), 1);
    assert_eq!(keytab.principals().len(), 3);
    assert!(!format!("{keytab:?}").contains('7'.to_string().repeat(3).as_str()), "keys are not printed");
}

#[test]
fn what_is_no_keytab_is_told_with_its_place() {
    let good = [&VERSION[..], &key_of(&["zookeeper", "zk1"], 3, 18, None)].concat();
    for end in 3..good.len() {
        assert_eq!(parse(&good[..end]).unwrap_err().at, 2, "cut at {end}");
    }
    assert_eq!(parse(b"").unwrap_err().what, "no version");
    assert_eq!(parse(b"\x05\x01rest").unwrap_err().what, "an old format (1)");
    assert_eq!(parse(b"-----BEGIN").unwrap_err().what, "no version");
    assert_eq!(parse(&VERSION).unwrap(), Keytab::default());
    let mut wrong = good;
    wrong[7] = 200; // components
    assert_eq!(parse(&wrong).unwrap_err().what, "a malformed entry");
}
