//! What a run came to: its figures, and the text of a violation.
//!
//! # Invariants
//!
//! * Two runs of one plan have equal summaries, the hash of the trace included.

/// What came of one run, or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Writes that a client was told of.
    pub acknowledged: u64,
    /// Transactions that were delivered.
    pub transactions: u64,
    /// Reads whose answer was compared.
    pub reads: u64,
    /// Watch events that were delivered to clients.
    pub events: u64,
    /// Leaders that were established, over all epochs.
    pub leaders: u64,
    /// Faults that were injected.
    pub faults: u64,
    /// Crash images that were recovered.
    pub images: u64,
    /// Reconfigurations that were committed.
    pub reconfigurations: u64,
    /// Sessions that expired.
    pub expired: u64,
    /// Bits of files that flipped.
    pub flips: u64,
    /// Starts that were refused for such damage: those members learned everything anew.
    pub refused: u64,
    /// Reads that were answered where nobody leads.
    pub peeks: u64,
    /// Local sessions that became the ensemble's.
    pub upgrades: u64,
    /// Virtual time, ms.
    pub simulated_ms: u64,
    /// How long anybody waited for an answer, ms; more than one run: the longest.
    pub longest_wait_ms: u64,
    /// Events of the heap that were worked off.
    pub steps: u64,
    /// Hash over everything that members, disks and clients did.
    pub trace: u64,
}

impl Summary {
    /// Adds another run's figures.
    pub fn add(&mut self, o: &Summary) {
        self.acknowledged += o.acknowledged;
        self.transactions += o.transactions;
        self.reads += o.reads;
        self.events += o.events;
        self.leaders += o.leaders;
        self.faults += o.faults;
        self.images += o.images;
        self.reconfigurations += o.reconfigurations;
        self.expired += o.expired;
        self.flips += o.flips;
        self.refused += o.refused;
        self.peeks += o.peeks;
        self.upgrades += o.upgrades;
        self.simulated_ms += o.simulated_ms;
        self.steps += o.steps;
        self.longest_wait_ms = self.longest_wait_ms.max(o.longest_wait_ms);
        self.trace ^= o.trace;
    }
}

/// What a panic said.
pub fn text(cause: &(dyn std::any::Any + Send)) -> String {
    let owned = cause.downcast_ref::<String>().cloned();
    owned.or_else(|| cause.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default()
}

/// A number from the environment.
pub fn number(name: &str) -> Option<i64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Which invariant a violation names: `I4` of `I4: ...`.
pub fn invariant(what: &str) -> Option<&str> {
    let (name, _) = what.split_once(':')?;
    (name.starts_with('I') && name[1..].parse::<u8>().is_ok()).then_some(name)
}
