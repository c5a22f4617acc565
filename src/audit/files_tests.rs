//! Files of the audit log: order, rotation, restart, crash.

use super::super::verify::verify;
use super::*;
use std::fs;

fn config(folder: &Path, layout: Layout, max_bytes: u64) -> FilesConfig {
    FilesConfig { path: folder.join("audit.log"), layout, max_bytes, keep: 100 }
}

fn record(layout: Layout, n: usize) -> String {
    match layout {
        Layout::Json => format!("{{\"n\":\"{n}\"}}"),
        _ => format!("operation=create{}n={n}", if layout == Layout::Mrs { '?' } else { '\t' }),
    }
}

fn write(files: &mut Files, layout: Layout, numbers: std::ops::Range<usize>) {
    let mut records = numbers.map(|n| record(layout, n)).collect();
    files.append(&mut records).expect("written");
    assert!(records.is_empty());
}

fn sound(folder: &Path) -> super::super::verify::Report {
    let report = verify(&[folder.to_owned()]).expect("read");
    assert_eq!(report.findings, []);
    report
}

#[test]
fn the_chain_goes_on_over_rotation_and_restart_in_every_layout() {
    for layout in [Layout::Java, Layout::Mrs, Layout::Json] {
        let home = tempfile::tempdir().expect("a directory");
        let config = config(home.path(), layout, 3000);
        for round in 0..5 {
            let mut files = Files::open(config.clone()).expect("opened");
            write(&mut files, layout, round * 40..round * 40 + 40);
        }
        let report = sound(home.path());
        assert!(report.files > 5, "{layout:?}: {}", report.files);
        // Each file has a first record of its own.
        assert_eq!(report.records, 200 + report.files as u64);
        let mut texts: Vec<(Link, String)> = Vec::new();
        for entry in fs::read_dir(home.path()).expect("a directory").flatten() {
            let path = entry.path();
            assert!(path.metadata().expect("a file").len() <= 3000);
            if path.extension().is_some_and(|e| e == "head") {
                continue;
            }
            for line in fs::read(path).expect("bytes").split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
                let line = super::super::chain::Line::parse(line).expect("a line");
                texts.extend(line.value("n").map(|n| (line.link, n.to_owned())));
            }
        }
        texts.sort_by_key(|(link, _)| link.number);
        let numbers: Vec<String> = texts.into_iter().map(|(_, n)| n).collect();
        assert_eq!(numbers, (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
    }
}

#[test]
fn only_so_many_files_are_kept_and_they_verify() {
    let home = tempfile::tempdir().expect("a directory");
    let config = FilesConfig { keep: 2, ..config(home.path(), Layout::Java, 2000) };
    let mut files = Files::open(config).expect("opened");
    write(&mut files, Layout::Java, 0..200);
    let report = sound(home.path());
    assert_eq!(report.files, 3);
    assert_eq!(report.ends[0].1, files.last());
}

#[test]
fn a_line_that_a_crash_cut_stays_and_is_marked_wherever_it_was_cut() {
    let home = tempfile::tempdir().expect("a directory");
    let config = config(home.path(), Layout::Java, 1 << 20);
    let mut files = Files::open(config.clone()).expect("opened");
    write(&mut files, Layout::Java, 0..3);
    drop(files);
    let whole = fs::read(&config.path).expect("bytes");
    let before: usize = whole.split_inclusive(|b| *b == b'\n').take(3).map(<[u8]>::len).sum();
    for cut in before + 1..whole.len() {
        fs::write(&config.path, &whole[..cut]).expect("written");
        let _ = fs::remove_file(head_path(&config.path));
        let report = verify(std::slice::from_ref(&config.path)).expect("read");
        assert_eq!(
            report.findings.iter().map(|f| (f.line, &f.problem)).collect::<Vec<_>>(),
            [(4, &super::super::scan::Problem::Cut)]
        );
        let mut files = Files::open(config.clone()).expect("opened");
        write(&mut files, Layout::Java, 3..5);
        let report = sound(home.path());
        let marked = if cut + 1 == whole.len() { vec![] } else { vec![(config.path.clone(), 4)] };
        assert_eq!(report.marked, marked, "cut at {cut}");
        assert!(fs::read(&config.path).expect("bytes").starts_with(&whole[..cut]));
    }
}

#[test]
fn records_that_were_written_and_are_gone_are_told() {
    let home = tempfile::tempdir().expect("a directory");
    let config = config(home.path(), Layout::Java, 1 << 20);
    let mut files = Files::open(config.clone()).expect("opened");
    write(&mut files, Layout::Java, 0..5);
    drop(files);
    let whole = fs::read(&config.path).expect("bytes");
    let kept: usize = whole.split_inclusive(|b| *b == b'\n').take(3).map(<[u8]>::len).sum();
    fs::write(&config.path, &whole[..kept]).expect("written");
    let report = verify(&[home.path().to_owned()]).expect("read");
    assert_eq!(report.findings[0].problem, super::super::scan::Problem::CutBehind(6));
    drop(Files::open(config.clone()).expect("opened"));
    let text = fs::read_to_string(&config.path).expect("text");
    assert!(text.contains("operation=auditLost\tfrom=4\tto=6\twhy=cut"), "{text}");
}

#[test]
fn a_disk_that_fails_leaves_what_was_not_written_in_the_queue() {
    let home = tempfile::tempdir().expect("a directory");
    let config = config(home.path(), Layout::Java, 1 << 20);
    let mut files = Files::open(config.clone()).expect("opened");
    write(&mut files, Layout::Java, 0..2);
    let last = files.last();
    let good = files.file.replace(File::options().write(true).open("/dev/full").expect("a device"));
    let mut records: VecDeque<String> = [record(Layout::Java, 2)].into();
    assert!(files.append(&mut records).is_err());
    assert_eq!((records.len(), files.last()), (1, last));
    files.file = good;
    files.append(&mut records).expect("written");
    assert_eq!(sound(home.path()).records, 4);
}

#[test]
fn nobody_else_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().expect("a directory");
    let config = config(home.path(), Layout::Java, 1 << 20);
    drop(Files::open(config.clone()).expect("opened"));
    for path in [head_path(&config.path), config.path] {
        assert_eq!(fs::metadata(path).expect("a file").permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let home = tempfile::tempdir().expect("a directory");
    let why = Files::open(config(&home.path().join("no/such"), Layout::Java, 1)).expect_err("refused");
    assert!(why.to_string().contains("no/such/audit.log.head"), "{why}");
}
