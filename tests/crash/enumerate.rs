//! Every image that a crash may leave after every operation of a path.

use crate::database::open;
use crate::paths::Path;
use crate::verdict::{Allowed, Expect, Trace, judge};
use oxkeeper::disk::media::{Fate, Lies, Media, Op, SECTOR, State, Tear};
use oxkeeper::disk::mem::MemDisk;
use oxkeeper::storage::Rules;

/// What a run over a path found.
#[derive(Default, Debug)]
pub struct Report {
    pub operations: u64,
    pub images: u64,
    pub violations: Vec<String>,
}

impl Report {
    pub fn add(&mut self, other: Report) {
        self.operations += other.operations;
        self.images += other.images;
        self.violations.extend(other.violations);
    }
}

/// Runs the path once and then recovers every image of every moment of it.
pub fn path(path: &Path, lies: Lies) -> Report {
    let disk = MemDisk::new();
    (path.prepare)(&disk);
    let start = disk.record();
    let mut trace = Trace::default();
    (path.run)(&disk, &mut trace).unwrap_or_else(|e| panic!("{}: {e}", path.name));
    let history = disk.history();
    let mut media = Media::new(start, lies);
    let mut report = Report { operations: history.len() as u64, ..Report::default() };
    for done in 0..=history.len() {
        if let Some(op) = done.checked_sub(1).and_then(|i| history.get(i)) {
            media.note(op);
        }
        let expect = trace.at(done);
        for fates in fates(&media) {
            let image = MemDisk::with(media.image(&fates));
            report.images += 1;
            let judged = judge(&image, &path.rules, &expect);
            let judged = judged.and_then(|()| match report.images % IN_RECOVERY {
                0 => recovery(&media.image(&fates), &path.rules, &expect, &mut report.images),
                _ => Ok(()),
            });
            if let Err(e) = judged {
                let pending: Vec<&Op> = media.pending().collect();
                let ops = pending.iter().zip(&fates).map(|(op, f)| format!("{f:?} {}", brief(op)));
                let ops: Vec<String> = ops.collect();
                report.violations.push(format!("after {done} operations, [{}]: {e}", ops.join("; ")));
                // One is enough to know; lies would make thousands.
                if report.violations.len() >= 20 {
                    return report;
                }
            }
        }
    }
    report
}

/// Crashes at every operation of the recovery from an image.
fn recovery(image: &State, rules: &Rules, expect: &Expect, images: &mut u64) -> Result<(), String> {
    let disk = MemDisk::with(image.clone());
    let start = disk.record();
    let (found, _) = open(&disk, rules).map_err(|e| e.to_string())?;
    let history = disk.history();
    let mut media = Media::new(start, Lies::default());
    for (i, op) in history.iter().enumerate() {
        media.note(op);
        let done = i + 1 == history.len();
        for fates in fates(&media) {
            *images += 1;
            let again = MemDisk::with(media.image(&fates));
            let context = |e| format!("crash in recovery, {} of {} operations: {e}", i + 1, history.len());
            if done {
                let exact = Allowed { history: found.zxids.clone(), min: found.zxids.len() };
                let exact = Expect { histories: vec![exact], ..expect.clone() };
                judge(&again, rules, &exact).map_err(context)?;
            } else {
                judge(&again, rules, expect).map_err(context)?;
            }
        }
    }
    Ok(())
}

/// Of every so many images the recovery is crashed, too.
const IN_RECOVERY: u64 = 15;

fn brief(op: &Op) -> String {
    match op {
        Op::Write(ino, at, bytes) => format!("write file {ino} {at}+{}", bytes.len()),
        other => format!("{other:?}"),
    }
}

/// The choices of one moment.
fn fates(media: &Media) -> Vec<Vec<Fate>> {
    let ops: Vec<&Op> = media.pending().collect();
    let n = ops.len();
    let mut all = vec![vec![Fate::Kept; n]];
    if n == 0 {
        return all;
    }
    all.push(vec![Fate::Lost; n]);
    for i in 0..n {
        all.push(except(n, Fate::Kept, &[(i, Fate::Lost)]));
        if n > 2 {
            all.push(except(n, Fate::Lost, &[(i, Fate::Kept)]));
        }
        for j in i + 1..n {
            if n > 2 {
                all.push(except(n, Fate::Kept, &[(i, Fate::Lost), (j, Fate::Lost)]));
            }
            if n > 4 {
                all.push(except(n, Fate::Lost, &[(i, Fate::Kept), (j, Fate::Kept)]));
            }
        }
        if let Some(Op::Write(_, at, bytes)) = ops.get(i) {
            for tear in tears(*at, bytes.len()) {
                all.push(except(n, Fate::Kept, &[(i, Fate::Torn(tear))]));
                if n > 1 {
                    all.push(except(n, Fate::Lost, &[(i, Fate::Torn(tear))]));
                }
            }
        }
    }
    all
}

fn except(n: usize, most: Fate, some: &[(usize, Fate)]) -> Vec<Fate> {
    let mut fates = vec![most; n];
    for (i, f) in some {
        fates[*i] = *f;
    }
    fates
}

/// Ways to tear a write: at single bytes, and at the sectors of the file that it touches.
fn tears(at: u64, len: usize) -> Vec<Tear> {
    let mut all = vec![Tear::LengthOnly];
    let mut cuts = vec![1, 4, 12, 13, 17, len / 2, len.saturating_sub(1)];
    let first = SECTOR - (at as usize % SECTOR);
    cuts.extend((first..len).step_by(SECTOR).take(6));
    cuts.sort_unstable();
    cuts.dedup();
    cuts.retain(|c| *c > 0 && *c < len);
    for (i, cut) in cuts.iter().enumerate() {
        all.push(Tear::Prefix(*cut));
        all.push(Tear::Suffix(*cut));
        if let Some(to) = cuts.get(i + 1) {
            all.push(Tear::Hole(*cut, *to));
        }
    }
    all
}
