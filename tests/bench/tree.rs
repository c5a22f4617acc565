//! The rows on a tree of a million znodes: start, memory, sets beside snapshots and backups.
//!
//! # Invariants
//!
//! * Both servers start from byte-identical copies of one snapshot, synced to disk
//!   before the start and warm in the page cache.
//! * A set counts as "during a snapshot" when it was due while a snapshot file was
//!   growing, as seen from outside, the same way for both servers.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::alone::{Alone, ordinary};
use crate::open::{self, Sample, Schedule};
use crate::procfs::rss;
use crate::rows::Seen;
use crate::scenes::{self, Pace};
use crate::seed;
use crate::servers::{self, Kind, Programs, Running};
use crate::stats::Histogram;
use crate::wire;

/// Value of every leaf.
const VALUE: [u8; 100] = [b'v'; 100];
/// So many transactions between snapshots: one every 4 to 8 s at 500 sets a second.
const SNAP_COUNT: &str = "snapCount=4000\n";
/// Pauses of a growing file up to this long belong to the same snapshot.
const PAUSE: Duration = Duration::from_millis(300);

/// Writes the snapshot that both servers start from; returns the file.
pub fn write_seed(base: &Path, leaves: u64) -> io::Result<PathBuf> {
    let dir = base.join("seed");
    fs::create_dir_all(&dir)?;
    let file = dir.join(format!("snapshot.{:x}", seed::ZXID));
    seed::write(&file, leaves, &VALUE)?;
    Ok(file)
}

/// What the tree group showed: by row.
pub type Results = Vec<(&'static str, Seen)>;

/// Starts `kind` from the seed and runs the rows that `wanted` selects.
pub fn run(
    programs: &Programs,
    kind: Kind,
    seed: &Path,
    pace: &Pace,
    wanted: &dyn Fn(&str) -> bool,
) -> io::Result<Results> {
    let mut results = Vec::new();
    let empty = empty_rss(programs, kind)?;
    let dir = servers::prepare(programs, kind)?;
    let copy = dir.join("data/version-2").join(seed.file_name().unwrap_or_default());
    fs::copy(seed, &copy)?;
    File::open(&copy)?.sync_all()?;
    let server = servers::start_in(programs, kind, dir, SNAP_COUNT)?;
    check_loaded(&server, pace.leaves)?;
    results.push(("start", Seen::one(server.start.as_secs_f64())));
    thread::sleep(Duration::from_secs(3));
    let loaded = rss(server.pid())?;
    results.push(("rss", Seen::one(per_leaf(loaded, empty, pace.leaves))));
    if wanted("snap") || wanted("snap-calm") {
        let _alone = Alone::with(server.pid());
        let (during, calm) = beside_snapshots(&server, pace)?;
        if let (Some(d), Some(c)) = (during.quantile_us(0.99), calm.quantile_us(0.99)) {
            results.push(("snap-calm", Seen::one(d / c)));
            let seen = Seen { values: vec![d], rates: Vec::new(), latency: Some(during) };
            results.push(("snap", seen));
        }
    }
    Ok(results)
}

/// Starts `kind` from the seed and backs it up under load.
pub fn run_backup(programs: &Programs, kind: Kind, seed: &Path, pace: &Pace) -> io::Result<Results> {
    let dir = servers::prepare(programs, kind)?;
    let copy = dir.join("data/version-2").join(seed.file_name().unwrap_or_default());
    fs::copy(seed, &copy)?;
    File::open(&copy)?.sync_all()?;
    let server = servers::start_in(programs, kind, dir, "")?;
    check_loaded(&server, pace.leaves)?;
    let _alone = Alone::with(server.pid());
    let (during, calm) = beside_backups(programs, &server, pace)?;
    match (during.quantile_us(0.99), calm.quantile_us(0.99)) {
        (Some(d), Some(c)) => {
            Ok(vec![("backup", Seen { values: vec![d / c], rates: Vec::new(), latency: Some(during) })])
        }
        _ => Ok(Vec::new()),
    }
}

/// Grows the tree by requests on a fresh server and weighs it.
pub fn run_grown(programs: &Programs, kind: Kind, pace: &Pace) -> io::Result<Results> {
    let server = servers::start(programs, kind, "")?;
    thread::sleep(Duration::from_secs(1));
    let empty = rss(server.pid())?;
    scenes::grow(server.addr, pace.leaves, &VALUE)?;
    thread::sleep(Duration::from_secs(3));
    let grown = rss(server.pid())?;
    Ok(vec![("grown", Seen::one(per_leaf(grown, empty, pace.leaves)))])
}

fn per_leaf(full: u64, empty: u64, leaves: u64) -> f64 {
    full.saturating_sub(empty) as f64 / leaves as f64
}

fn empty_rss(programs: &Programs, kind: Kind) -> io::Result<u64> {
    let server = servers::start(programs, kind, "")?;
    thread::sleep(Duration::from_secs(1));
    rss(server.pid())
}

/// The last leaf must be there: a server that skipped the snapshot starts fast.
fn check_loaded(server: &Running, leaves: u64) -> io::Result<()> {
    let parents = seed::PARENTS.min(leaves.max(1));
    let path = seed::leaf(parents - 1, leaves / parents - 1);
    let mut session = crate::session::Session::open(server.addr)?;
    session.expect(&wire::read(wire::op::GET, &path, false), &[])?;
    session.close()
}

/// Sets at 500/s while snapshots come and go: latencies during and between them.
fn beside_snapshots(server: &Running, pace: &Pace) -> io::Result<(Histogram, Histogram)> {
    let warm = Duration::from_secs(1);
    let schedule = Schedule { rate: 500, length: pace.snapshot + warm, warm, conns: 16 };
    let frames: Vec<_> =
        (0..997u64).map(|i| wire::set(&seed::leaf(i % seed::PARENTS, i % 7), &VALUE)).collect();
    let mut watch = Watch::new(server.data.clone());
    let outcome = open::run(server.addr, schedule, &frames, |_| watch.look())?;
    let intervals = watch.intervals(outcome.begun);
    let (mut during, mut calm) = (Histogram::default(), Histogram::default());
    for Sample { due, latency } in outcome.samples {
        let within = |(from, to): &(Duration, Duration)| *from <= due && due <= *to;
        let near = |(from, to): &(Duration, Duration)| *from <= due + PAUSE && due <= *to + PAUSE;
        if intervals.iter().any(within) {
            during.record(latency);
        } else if !intervals.iter().any(near) {
            calm.record(latency);
        }
    }
    if during.len() < 100 || calm.len() < 100 {
        let text = format!(
            "snapshots were seen in {} intervals: {} sets during, {} between; too few to judge",
            intervals.len(),
            during.len(),
            calm.len()
        );
        return Err(io::Error::other(text));
    }
    Ok((during, calm))
}

/// Sets at 500/s while backups come and go: latencies during and between them.
fn beside_backups(programs: &Programs, server: &Running, pace: &Pace) -> io::Result<(Histogram, Histogram)> {
    let warm = Duration::from_secs(1);
    let schedule = Schedule { rate: 500, length: 2 * pace.snapshot + warm, warm, conns: 16 };
    let frames: Vec<_> =
        (0..997u64).map(|i| wire::set(&seed::leaf(i % seed::PARENTS, i % 7), &VALUE)).collect();
    let ended = AtomicBool::new(false);
    let (outcome, backups) = thread::scope(|s| {
        let backups = s.spawn(|| backups(programs, &server.data, &ended));
        let outcome = open::run(server.addr, schedule, &frames, |_| {});
        ended.store(true, Ordering::Relaxed);
        (outcome, backups.join().unwrap_or_else(|_| Err(io::Error::other("the backups panicked"))))
    });
    let (outcome, backups) = (outcome?, backups?);
    let since = |at: &Instant| at.saturating_duration_since(outcome.begun);
    let (mut during, mut calm) = (Histogram::default(), Histogram::default());
    for Sample { due, latency } in outcome.samples {
        match backups.iter().any(|(from, to)| since(from) <= due && due <= since(to)) {
            true => during.record(latency),
            false => calm.record(latency),
        }
    }
    if during.len() < 1000 || calm.len() < 1000 {
        let text = format!("{} sets beside a backup, {} without; too few to judge", during.len(), calm.len());
        return Err(io::Error::other(text));
    }
    Ok((during, calm))
}

/// Backs the server up again and again, with a pause between, until `ended`; when each began and ended.
fn backups(programs: &Programs, data: &Path, ended: &AtomicBool) -> io::Result<Vec<(Instant, Instant)>> {
    let to = programs.base.join("backup");
    let mut spans = Vec::new();
    loop {
        for _ in 0..80 {
            if ended.load(Ordering::Relaxed) {
                return Ok(spans);
            }
            thread::sleep(Duration::from_millis(100));
        }
        let begun = Instant::now();
        let done = ordinary(&programs.oxkeeper)
            .args([OsStr::new("backup"), OsStr::new("--data-dir"), data.as_os_str()])
            .args([OsStr::new("--to"), to.as_os_str()])
            .stdout(Stdio::null())
            .status()?;
        if !done.success() {
            return Err(io::Error::other(format!("oxkeeper backup ended with {done}")));
        }
        spans.push((begun, Instant::now()));
        fs::remove_dir_all(&to)?;
    }
}

/// Watches the snapshot files of a data directory grow.
struct Watch {
    dir: PathBuf,
    sizes: HashMap<PathBuf, u64>,
    changes: Vec<Instant>,
    first: bool,
}

impl Watch {
    fn new(dir: PathBuf) -> Self {
        Self { dir, sizes: HashMap::new(), changes: Vec::new(), first: true }
    }

    fn look(&mut self) {
        let mut found = Vec::new();
        snapshots(&self.dir, &mut found);
        let mut changed = false;
        for (path, size) in found {
            changed |= self.sizes.insert(path, size) != Some(size);
        }
        if changed && !self.first {
            self.changes.push(Instant::now());
        }
        self.first = false;
    }

    /// Spans in which a snapshot file grew, from `begun`.
    fn intervals(&self, begun: Instant) -> Vec<(Duration, Duration)> {
        let mut spans: Vec<(Duration, Duration)> = Vec::new();
        for at in &self.changes {
            let at = at.saturating_duration_since(begun);
            match spans.last_mut() {
                Some((_, to)) if at <= *to + PAUSE => *to = at,
                _ => spans.push((at, at)),
            }
        }
        spans
    }
}

/// All files below `dir` whose name speaks of a snapshot, with their sizes.
fn snapshots(dir: &Path, found: &mut Vec<(PathBuf, u64)>) {
    // Files come and go while they are listed: what is gone is not growing.
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_dir() {
            snapshots(&entry.path(), found);
        } else if entry.file_name().to_string_lossy().contains("snap") {
            found.push((entry.path(), meta.len()));
        }
    }
}
