//! What is allowed at a point of a script, and whether an image obeys.

use crate::database::{Database, entry, open};
use oxkeeper::disk::mem::MemDisk;
use oxkeeper::storage::log::follows;
use oxkeeper::storage::{Epochs, Rules, Trouble};
use oxkeeper::types::Zxid;

/// One history, of which at least `min` and at most all transactions must be there.
#[derive(Clone, Debug)]
pub struct Allowed {
    pub history: Vec<i64>,
    pub min: usize,
}

/// What a script promised, by the number of operations that had happened then.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    points: Vec<(usize, Expect)>,
}

/// What must hold from a point on.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// Any of these.
    pub histories: Vec<Allowed>,
    /// (current, accepted) may not be less.
    pub epochs: Option<(u32, u32)>,
    /// Who holds the epoch holds this history.
    pub adopted: Option<Adopted>,
}

/// The history with which the leader of an epoch began.
#[derive(Clone, Debug)]
pub struct Adopted {
    pub epoch: u32,
    pub history: Vec<i64>,
}

impl Trace {
    /// From `operations` on.
    pub fn expect(&mut self, operations: usize, expect: Expect) {
        self.points.push((operations, expect));
    }

    /// What must hold when a crash comes after so many operations. A promise made between two
    /// operations holds for every crash after the earlier one; what was merely begun by then, too.
    pub fn at(&self, operations: usize) -> Expect {
        let upto = self.points.iter().rfind(|(n, _)| *n <= operations);
        upto.map(|(_, e)| e.clone()).unwrap_or_default()
    }
}

/// Recovers an image and says what is wrong with it, if anything.
pub fn judge(image: &MemDisk, rules: &Rules, expect: &Expect) -> Result<(), String> {
    let (found, last) = recovered(image, rules)?;
    if !expect.histories.iter().any(|a| fits(&found, a)) {
        return Err(format!("recovered {:?}, allowed {:?}", found.zxids, expect.histories));
    }
    // Durable: another crash, losing all that can be lost, changes nothing.
    let (again, _) = recovered(&image.crash_losing_all(), rules).map_err(|e| format!("second crash: {e}"))?;
    if again.zxids != found.zxids {
        return Err(format!("a second crash turned {:?} into {:?}", found.zxids, again.zxids));
    }
    if let Some(least) = expect.epochs {
        let current = epochs(image, last, least)?;
        let adopted = expect.adopted.as_ref().filter(|a| current >= a.epoch);
        if let Some(a) = adopted.filter(|a| !found.zxids.starts_with(&a.history)) {
            return Err(format!("epoch {} with {:?}, its history is {:?}", a.epoch, found.zxids, a.history));
        }
    }
    goes_on(image, rules, &found, last)
}

fn recovered(image: &MemDisk, rules: &Rules) -> Result<(Database, Zxid), String> {
    let (database, r) = open(image, rules).map_err(|e| format!("refused: {e}"))?;
    let end = database.zxids.last().copied().unwrap_or(0);
    if end != r.last.0 && !(r.last.0 == -1 && database.zxids.is_empty()) {
        return Err(format!("says {} and ends with {end}", r.last));
    }
    Ok((database, r.last))
}

fn fits(found: &Database, allowed: &Allowed) -> bool {
    found.zxids.len() >= allowed.min && allowed.history.starts_with(&found.zxids)
}

fn epochs(image: &MemDisk, last: Zxid, least: (u32, u32)) -> Result<u32, String> {
    let dirs = crate::database::dirs();
    let found = Epochs::load(image, &dirs, last).map_err(|e| format!("epochs: {e}"))?;
    let pair = (found.current(), found.accepted());
    if pair.0 < least.0 || pair.1 < least.1 || pair.0 > pair.1 {
        return Err(format!("epochs {pair:?}, promised {least:?}"));
    }
    Ok(pair.0)
}

/// The log takes the next transaction, and it survives.
fn goes_on(image: &MemDisk, rules: &Rules, found: &Database, last: Zxid) -> Result<(), String> {
    if last.0 < 0 {
        return Ok(());
    }
    let (_, mut r) = open(image, rules).map_err(|e| format!("third start: {e}"))?;
    let next = Zxid::new(last.epoch() + 1, 1);
    assert!(follows(last, next));
    match r.storage.append(&[entry(next.0)]) {
        Ok(_) => {}
        Err(e) if e.trouble == Trouble::Full => return Ok(()),
        Err(e) => return Err(format!("cannot go on: {e}")),
    }
    let (after, _) =
        recovered(&image.crash_losing_all(), rules).map_err(|e| format!("after going on: {e}"))?;
    let mut want = found.zxids.clone();
    want.push(next.0);
    if after.zxids == want { Ok(()) } else { Err(format!("after going on: {:?}, not {want:?}", after.zxids)) }
}
