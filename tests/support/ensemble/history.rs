//! What clients did and saw: one record an operation, written by every load, in any language, as a line of JSON.
//!
//! # Invariants
//! * Times are nanoseconds of the machine's monotonic clock, the same for every process of this machine.
//! * An operation whose outcome its client does not know has no end.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// What was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Data of a znode was set, whatever its version.
    Set,
    /// Data was set on the condition that the version is the one before `version`.
    Cas,
    /// Data was read.
    Get,
    /// A znode was created; its path is never used again.
    Create,
    /// The session ended by itself: the server said that it had expired.
    Expired,
    /// The session connected, for the first time or again.
    Connected,
}

/// One operation of one client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Op {
    /// Who asked; a client asks one thing after the other.
    pub client: String,
    /// Its session, as the server numbers it.
    pub session: i64,
    /// What was asked.
    pub act: Act,
    /// The znode.
    pub key: String,
    /// The data written or read; every written value is written once.
    #[serde(default)]
    pub value: String,
    /// When it was asked.
    pub begin: u64,
    /// When the answer came; none if it never did.
    #[serde(default)]
    pub end: Option<u64>,
    /// The transaction: mzxid of what was written or read, czxid of what was created; 0 if not known.
    #[serde(default)]
    pub zxid: i64,
    /// The data's version behind it.
    #[serde(default)]
    pub version: i32,
    /// The server's refusal, or why the outcome is not known; empty for success.
    #[serde(default)]
    pub failure: String,
}

impl Op {
    /// Whether it was answered with success.
    pub fn done(&self) -> bool {
        self.end.is_some() && self.failure.is_empty()
    }

    /// Whether its client cannot know whether it took effect.
    pub fn unknown(&self) -> bool {
        self.end.is_none()
    }

    /// Whether it changes data.
    pub fn writes(&self) -> bool {
        matches!(self.act, Act::Set | Act::Cas)
    }
}

/// Operations of many clients, in no order.
#[derive(Clone, Debug, Default)]
pub struct History(pub Vec<Op>);

impl History {
    /// Reads the lines of one load.
    ///
    /// # Errors
    /// A line that is no record, with its text.
    pub fn read(path: &Path) -> Result<History, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        let parse = |line: &str| serde_json::from_str(line).map_err(|e| format!("{line}: {e}"));
        complete.lines().filter(|line| !line.is_empty()).map(parse).collect::<Result<_, _>>().map(History)
    }

    /// Takes in what another load recorded.
    pub fn add(&mut self, other: History) {
        self.0.extend(other.0);
    }

    /// How many operations of this kind succeeded.
    pub fn count(&self, act: Act) -> usize {
        self.0.iter().filter(|op| op.act == act && op.done()).count()
    }

    /// How many writes were acknowledged, creates among them.
    pub fn acknowledged(&self) -> usize {
        self.0.iter().filter(|op| (op.writes() || op.act == Act::Create) && op.done()).count()
    }

    /// How many sessions expired.
    pub fn expired(&self) -> usize {
        self.0.iter().filter(|op| op.act == Act::Expired).count()
    }

    /// Until the first write that was asked and acknowledged after `moment`; milliseconds.
    pub fn gap_after(&self, moment: u64) -> Option<f64> {
        let acknowledged = self.0.iter().filter(|op| (op.writes() || op.act == Act::Create) && op.done());
        // A write of before the moment may have been acknowledged by a leader that was gone an instant later.
        let first =
            acknowledged.filter_map(|op| op.end.filter(|end| *end > moment && op.begin > moment)).min();
        first.map(|end| (end - moment) as f64 / 1e6)
    }
}

/// Now, on the clock of every record.
pub fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
