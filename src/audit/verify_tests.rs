//! Damage of every kind is found, and named by file and line.

use super::super::files::{Files, FilesConfig};
use super::super::layout::Layout;
use super::*;
use proptest::prelude::*;
use std::fs;

/// Three full files and a begun one; the path of the newest.
fn chain(folder: &Path, layout: Layout) -> PathBuf {
    let path = folder.join("audit.log");
    let config = FilesConfig { path: path.clone(), layout, max_bytes: 2500, keep: 50 };
    let mut files = Files::open(config).expect("opened");
    let text = |n| match layout {
        Layout::Json => format!("{{\"operation\":\"create\",\"n\":{n}}}"),
        _ => format!("operation=create znode=/node-{n}"),
    };
    files.append(&mut (0..120).map(text).collect()).expect("written");
    path
}

fn findings(folder: &Path) -> Vec<(String, u64, Problem)> {
    let report = verify(&[folder.to_owned()]).expect("read");
    let name = |f: &Finding| f.file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    report.findings.iter().map(|f| (name(f), f.line, f.problem.clone())).collect()
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let bytes = fs::read(path).expect("bytes");
    let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    change(&mut lines);
    fs::write(path, lines.concat()).expect("written");
}

#[test]
fn a_sound_chain_has_no_findings_and_ends_where_it_was_left() {
    let home = tempfile::tempdir().expect("a directory");
    let path = chain(home.path(), Layout::Java);
    let report = verify(&[home.path().to_owned()]).expect("read");
    assert!(report.findings.is_empty() && report.files > 3);
    assert_eq!((report.ends.len(), &report.ends[0].0), (1, &path));
    // Files one by one are the same chain, in whatever order.
    let mut paths: Vec<PathBuf> = files_of(home.path()).expect("listed");
    paths.reverse();
    assert_eq!(verify(&paths).expect("read").records, report.records);
    assert!(verify(&[home.path().join("none")]).is_err());
}

#[test]
fn lines_that_are_changed_missing_swapped_or_put_in_are_named() {
    let home = tempfile::tempdir().expect("a directory");
    chain(home.path(), Layout::Java);
    let one = home.path().join("audit.log.1");
    let original = fs::read(&one).expect("bytes");
    let number = |line: u64| {
        let text = original.split(|b| *b == b'\n').nth(line as usize - 1).expect("a line");
        super::super::chain::Line::parse(text).expect("a record").link.number
    };
    let name = || "audit.log.1".to_owned();
    edit(&one, |lines| lines[3][5] ^= 1);
    assert_eq!(findings(home.path()), [(name(), 4, Problem::Changed)]);
    fs::write(&one, &original).expect("written");
    edit(&one, |lines| drop(lines.remove(3)));
    assert_eq!(findings(home.path()), [(name(), 4, Problem::Missing(number(4), number(4)))]);
    fs::write(&one, &original).expect("written");
    edit(&one, |lines| lines.insert(3, lines[2].clone()));
    assert_eq!(findings(home.path()), [(name(), 4, Problem::OutOfOrder(number(3)))]);
    fs::write(&one, &original).expect("written");
    edit(&one, |lines| lines.insert(3, b"operation=create\n".to_vec()));
    assert_eq!(findings(home.path()), [(name(), 4, Problem::NoRecord)]);
    fs::write(&one, &original).expect("written");
    edit(&one, |lines| lines.truncate(4));
    let found = findings(home.path());
    assert!(matches!(found.as_slice(), [(file, 4, Problem::CutBehind(_))] if *file == name()), "{found:?}");
    fs::write(&one, &original).expect("written");
    edit(&one, |lines| lines.last_mut().expect("a line").truncate(30));
    assert!(findings(home.path()).iter().any(|(file, _, p)| *file == name() && *p == Problem::Cut));
}

#[test]
fn a_missing_file_in_the_middle_is_named_by_its_neighbour() {
    let home = tempfile::tempdir().expect("a directory");
    chain(home.path(), Layout::Json);
    fs::remove_file(home.path().join("audit.log.2")).expect("removed");
    let found = findings(home.path());
    assert!(
        matches!(found.as_slice(), [(file, _, Problem::CutBehind(_))] if file == "audit.log.3"),
        "{found:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn one_changed_byte_anywhere_is_found(layout in 0..3usize, at in any::<prop::sample::Index>(), flip in 1..=255u8) {
        let layout = [Layout::Java, Layout::Mrs, Layout::Json][layout];
        let home = tempfile::tempdir().expect("a directory");
        chain(home.path(), layout);
        let files: Vec<PathBuf> = files_of(home.path()).expect("listed");
        let file = &files[at.index(files.len())];
        let mut bytes = fs::read(file).expect("bytes");
        let place = at.index(bytes.len());
        bytes[place] ^= flip;
        fs::write(file, &bytes).expect("written");
        let report = verify(&[home.path().to_owned()]).expect("read");
        let line = bytes[..place].iter().filter(|b| **b == b'\n').count() as u64 + 1;
        let named = report.findings.iter().any(|f| f.file == *file && f.line.abs_diff(line) <= 1);
        prop_assert!(named, "{}: byte {place} (line {line}) ^ {flip}: {:?}", file.display(), report.findings);
    }
}
