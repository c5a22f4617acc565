//! The running log: places, safety, a disk that fails and comes back.

use super::super::verify::verify;
use super::*;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

#[derive(Default)]
struct Told {
    safe: AtomicU64,
    stopped: AtomicU64,
    served: AtomicU64,
}

impl Notices for Told {
    fn safe(&self, upto: u64) {
        self.safe.store(upto, Ordering::SeqCst);
    }

    fn service(&self, may: bool) {
        if may { &self.served } else { &self.stopped }.fetch_add(1, Ordering::SeqCst);
    }
}

fn settings(path: &Path, required: bool) -> settings::Audit {
    settings::Audit { enable: true, file: Some(path.to_owned()), required, ..settings::Audit::default() }
}

fn decision(code: Code) -> Decision<'static> {
    let who = Who { user: Some("zk"), ..Who::default() };
    Decision::new(who, Operation::Delete, code, 1_795_162_472_007).at("/a")
}

fn start(path: &Path, required: bool, told: &Arc<Told>) -> Trail {
    let metrics = Arc::new(Metrics::default());
    Trail::start(&settings(path, required), "root".into(), metrics, Arc::clone(told) as _).expect("a log")
}

fn until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !what() {
        assert!(Instant::now() < deadline, "it did not happen within a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn decisions_become_lines_of_a_chained_file() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("audit.log");
    let told = Arc::new(Told::default());
    let trail = start(&path, false, &told);
    trail.server(Operation::ServerStart, |_| {});
    assert_eq!(trail.record(&decision(Code::Ok)), None);
    trail.record(&Decision { operation: Operation::Exists, ..decision(Code::Ok) });
    trail.record(&decision(Code::NoAuth));
    trail.stop(Duration::from_secs(30));
    let text = std::fs::read_to_string(&path).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[1].contains(
        " INFO audit.Slf4jAuditLogger: user=root\toperation=serverStart\tresult=success\tchain=2:"
    ));
    let delete = "2026-11-20 08:14:32,007 ERROR audit.Slf4jAuditLogger: user=zk\toperation=delete\tznode=/a\tresult=failure\tchain=4:";
    assert!(lines[3].starts_with(delete), "{text}");
    assert_eq!(verify(&[path]).expect("read").findings, []);
    assert_eq!((trail.metrics.own.audit_records.get(), told.safe.load(Ordering::SeqCst)), (3, 0));
}

#[test]
fn with_no_audit_no_service_every_place_becomes_safe() {
    let home = tempfile::tempdir().expect("a directory");
    let told = Arc::new(Told::default());
    let trail = start(&home.path().join("audit.log"), true, &told);
    for place in 1..=50 {
        assert_eq!(trail.record(&decision(Code::Ok)), Some(place));
    }
    until(|| told.safe.load(Ordering::SeqCst) == 50);
    trail.stop(Duration::from_secs(30));
}

#[test]
fn a_disk_that_fails_stops_service_and_one_that_is_well_again_resumes_it() {
    let home = tempfile::tempdir().expect("a directory");
    // A directory of its own, so that the file can be made impossible and possible again.
    let folder = home.path().join("audit");
    std::fs::create_dir(&folder).expect("made");
    let path = folder.join("audit.log");
    let told = Arc::new(Told::default());
    let mut small = settings(&path, true);
    small.file_max_size_mb = 0; // every batch wants a new file
    let metrics = Arc::new(Metrics::default());
    let trail = Trail::start(&small, "root".into(), metrics, Arc::clone(&told) as _).expect("a log");
    trail.record(&decision(Code::Ok));
    until(|| told.safe.load(Ordering::SeqCst) == 1);
    std::fs::rename(&folder, home.path().join("away")).expect("renamed");
    let place = trail.record(&decision(Code::Ok));
    until(|| told.stopped.load(Ordering::SeqCst) == 1);
    assert_eq!((place, told.safe.load(Ordering::SeqCst)), (Some(2), 1));
    assert_eq!(trail.metrics.own.audit_unwritable.get(), 1);
    std::fs::rename(home.path().join("away"), &folder).expect("renamed");
    until(|| told.safe.load(Ordering::SeqCst) == 2);
    until(|| told.served.load(Ordering::SeqCst) == 1);
    assert_eq!((trail.metrics.own.audit_unwritable.get(), trail.metrics.own.audit_lost.get()), (0, 0));
    trail.stop(Duration::from_secs(30));
    assert_eq!(verify(&[folder]).expect("read").findings, []);
}

#[test]
fn without_a_file_records_go_into_the_servers_log() {
    let metrics = Arc::new(Metrics::default());
    let audit = settings::Audit { enable: true, ..settings::Audit::default() };
    let trail = Trail::start(&audit, "root".into(), metrics, Arc::new(Told::default())).expect("a log");
    assert_eq!(trail.record(&decision(Code::Ok)), None);
    assert_eq!(trail.metrics.own.audit_records.get(), 1);
    trail.stop(Duration::ZERO);
}
