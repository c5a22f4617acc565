//! Which point in time is meant, and what of an archive leads to it.
//!
//! # Invariants
//!
//! * A point is reached exactly or refused: from a snapshot that holds nothing of what came later, by
//!   transactions without a gap.

use super::super::archive::Archive;
use super::super::archive::manifest::{LogMember, SnapshotMember, zxid};
use super::super::archive::verify::log_file;
use super::super::archive::walk::walk;
use super::super::fault::Fault;
use crate::disk::Disk;
use crate::storage::StorageError;
use crate::storage::log::follows;
use crate::txn::{self, TxnDigest};
use crate::types::Zxid;
use crate::types::java::java_iso8601;
use std::ops::ControlFlow;
use std::path::Path;
use std::str::FromStr;
use tz::UtcDateTime;

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// The archive's end.
    End,
    /// After this transaction.
    Zxid(Zxid),
    /// After the last transaction before any that is later than this, ms since 1970.
    Time(i64),
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<At, String> {
        if text == "end" {
            return Ok(At::End);
        }
        if let Some(zxid) = zxid(text) {
            return Ok(At::Zxid(zxid));
        }
        time(text).map(At::Time).ok_or_else(|| {
            "give a zxid (0x100000a1b), a time in UTC (2026-11-20T08:14:32Z, with fractions or an offset such as \
             +08:00 if need be), or end"
                .to_owned()
        })
    }
}

/// `2026-11-20T08:14:32[.123](Z|±hh:mm)`, in ms since 1970.
fn time(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse::<u32>().ok()
    };
    let small = |from, to| u8::try_from(number(from, to)?).ok();
    let marks: String = text.chars().take(19).filter(|c| !c.is_ascii_digit()).collect();
    if !["--T::", "-- ::"].contains(&marks.as_str()) {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut millis = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let text = format!("{:0<3}", fraction.get(..digits).filter(|d| !d.is_empty())?);
        millis = text.get(..3)?.parse().ok()?;
        rest = fraction.get(digits..)?;
    }
    let offset = match rest {
        "Z" | "z" => 0,
        _ => {
            let sign = match rest.chars().next()? {
                '+' => 1,
                '-' => -1,
                _ => return None,
            };
            let (hours, minutes) =
                rest.get(1..)?.split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2)?;
            sign * (hours.parse::<u8>().ok()? as i64 * 60 + minutes.parse::<u8>().ok()? as i64)
        }
    };
    let year = i32::try_from(number(0, 4)?).ok()?;
    let at = UtcDateTime::new(
        year,
        small(5, 7)?,
        small(8, 10)?,
        small(11, 13)?,
        small(14, 16)?,
        small(17, 19)?,
        0,
    );
    Some((at.ok()?.unix_time() - offset * 60) * 1000 + millis)
}

/// A point in an archive.
pub struct Point<'a> {
    /// Where it starts from.
    pub snapshot: &'a SnapshotMember,
    /// Pieces of the log that lead there, whole but for the last one.
    pub logs: Vec<&'a LogMember>,
    /// Its last transaction, or the snapshot's zxid.
    pub zxid: Zxid,
    /// Time of that transaction, ms since 1970; none without one.
    pub time: Option<i64>,
    /// The digest that the log records after it.
    pub digest: Option<TxnDigest>,
    /// Bytes of the last piece up to there.
    pub cut: u64,
}

/// Finds the point.
pub fn find<D: Disk>(archive: &Archive<D>, at: At) -> Result<Point<'_>, Fault> {
    let m = &archive.manifest;
    let target = match at {
        At::End => m.last(),
        At::Zxid(zxid) if zxid > m.last() => {
            return Err(Fault::Refused(format!(
                "{zxid} is not in the archive, which ends with {}",
                m.last()
            )));
        }
        At::Zxid(zxid) => zxid,
        At::Time(time) => last_before(archive, time)?,
    };
    let Some(snapshot) = m.snapshots.iter().rev().find(|s| starts(s, target, m.last())) else {
        return Err(no_snapshot(&m.snapshots, target));
    };
    let behind = m.logs.iter().filter(|l| l.last > snapshot.zxid);
    let logs: Vec<&LogMember> = behind.take_while(|l| l.first.0 <= target).collect();
    let mut last = snapshot.zxid.0;
    for l in &logs {
        if l.first.0 > last && !follows(last, l.first.0) {
            return Err(gap(last, l.first.0, target));
        }
        last = l.last.0;
    }
    let next = m.logs.iter().map(|l| l.first.0).find(|first| *first > target);
    if last < target && !next.is_some_and(|next| follows(last, next)) {
        return Err(gap(last, next.unwrap_or(m.last()), target));
    }
    let mut point = Point { snapshot, logs, zxid: snapshot.zxid.0, time: None, digest: None, cut: 0 };
    if let Some(newest) = point.logs.last() {
        let name = newest.file.name.clone();
        let files = [log_file(newest)];
        walk(&archive.disk, &files, snapshot.zxid.0, &mut |step| {
            let e = &step.entry;
            if e.zxid > target {
                return Ok(ControlFlow::Break(()));
            }
            let record = txn::decode(e.bytes).map_err(|why| {
                StorageError::damage(Path::new(&name), e.offset, Some(e.zxid), why.to_string())
            })?;
            (point.zxid, point.time) = (e.zxid.max(point.zxid), Some(record.header.time));
            (point.digest, point.cut) = (record.digest, step.end);
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(point)
}

fn gap(from: Zxid, to: Zxid, target: Zxid) -> Fault {
    Fault::Refused(format!(
        "the archive lacks the transactions between {from} and {to}: {target} cannot be reached; choose a point at or \
         before {from}, or from the next snapshot on"
    ))
}

/// May a state of `target` start from the snapshot?
fn starts(s: &SnapshotMember, target: Zxid, last: Zxid) -> bool {
    match s.reach {
        Some(reach) => s.zxid.0 <= target && reach.0 <= target,
        // How far it reaches is not known: all of the log completes it.
        None => s.zxid.0 <= target && target == last,
    }
}

fn no_snapshot(snapshots: &[SnapshotMember], target: Zxid) -> Fault {
    let fuzzy = snapshots.iter().rev().find(|s| s.zxid.0 <= target);
    let why = match fuzzy {
        Some(s) => match s.reach {
            Some(reach) => format!(
                "its snapshot {} was written until {}: the first point is {}",
                s.zxid.0, reach.0, reach.0
            ),
            None => format!(
                "its snapshot {} does not say until when it was written: only the end is a sure point",
                s.zxid.0
            ),
        },
        None => {
            let first = snapshots.first().map(|s| s.zxid.0).unwrap_or_default();
            format!("the archive begins with {first}")
        }
    };
    Fault::Refused(format!("{target} cannot be reached: {why}; choose a later point, or an older archive"))
}

/// The last transaction before the first that is later than `time`.
fn last_before<D: Disk>(archive: &Archive<D>, time: i64) -> Result<Zxid, Fault> {
    let mut last = None;
    for l in &archive.manifest.logs {
        if l.latest_time <= time {
            last = Some(l.last.0);
            continue;
        }
        let name = l.file.name.clone();
        walk(&archive.disk, &[log_file(l)], Zxid::ZERO, &mut |step| {
            let e = &step.entry;
            let record = txn::decode(e.bytes).map_err(|why| {
                StorageError::damage(Path::new(&name), e.offset, Some(e.zxid), why.to_string())
            })?;
            if record.header.time > time {
                return Ok(ControlFlow::Break(()));
            }
            last = Some(e.zxid);
            Ok(ControlFlow::Continue(()))
        })?;
        break;
    }
    last.ok_or_else(|| {
        let first = archive.manifest.logs.first().map(|l| java_iso8601(l.first_time));
        let first =
            first.map_or("it has no transactions".to_owned(), |t| format!("its first one is of {t} UTC"));
        Fault::Refused(format!("no transaction of the archive is so old: {first}; choose a later time"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_zxids_times_and_the_end() {
        let at = |text: &str| text.parse::<At>().ok();
        assert_eq!(at("end"), Some(At::End));
        assert_eq!(at("0x1000000ff"), Some(At::Zxid(Zxid::new(1, 0xff))));
        let seconds = 1_795_162_472_000;
        for (text, time) in [
            ("2026-11-20T08:14:32Z", seconds),
            ("2026-11-20 08:14:32Z", seconds),
            ("2026-11-20T08:14:32.007Z", seconds + 7),
            ("2026-11-20T08:14:32.5Z", seconds + 500),
            ("2026-11-20T16:14:32+08:00", seconds),
            ("2026-11-20T03:44:32.1234-04:30", seconds + 123),
        ] {
            assert_eq!(at(text), Some(At::Time(time)), "{text}");
        }
        for text in [
            "",
            "0x",
            "0xg",
            "-0x5",
            "5",
            "2026-11-20",
            "2026-11-20T08:14:32",
            "2026-13-20T08:14:32Z",
            "0x-5",
            "2026-11-20T08:14:32.Z",
            "2026-11-20T08:14:32+8",
            "2026-11-20T08:61:32Z",
            "20é6-11-20T08:14:32Z",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
