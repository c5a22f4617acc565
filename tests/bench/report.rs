//! Verdicts, the table on the terminal and the Markdown report.
//!
//! # Invariants
//!
//! * A verdict is computed from the table of rows and the medians, nothing else.
//! * No host name and no path of the machine is written.

use std::fmt::Write as _;
use std::time::Duration;

use crate::Results;
use crate::alone;
use crate::procfs::Machine;
use crate::rows::{Judge, ROWS, Row, Seen};
use crate::servers::{JVM, Kind, Programs};
use crate::stats::{Histogram, median, spread};

/// A row with the medians of every server.
pub struct Line {
    /// The row.
    pub row: &'static Row,
    /// Median of Java's windows.
    pub java: Option<f64>,
    /// Median of Oxkeeper's windows.
    pub oxkeeper: Option<f64>,
    /// Median of the floor's windows.
    pub floor: Option<f64>,
    /// Spread of Java's runs among themselves, as a share.
    pub spread: Option<f64>,
    rates: [Option<f64>; 3],
    rate_spread: Option<f64>,
    latency: [Histogram; 3],
}

/// What is to be known about the run itself.
pub struct Facts {
    /// Whether windows were short and runs few.
    pub quick: bool,
    /// Leaves of the large tree.
    pub leaves: u64,
    /// How long everything took.
    pub took: Duration,
}

/// A finished comparison.
pub struct Report {
    /// All rows that were measured.
    pub lines: Vec<Line>,
    head: Vec<String>,
    failures: Vec<String>,
}

/// The kinds in the order of the columns.
const KINDS: [Kind; 3] = [Kind::Java, Kind::Oxkeeper, Kind::Floor];

/// The target of a row in words.
pub fn target(row: &Row) -> String {
    match row.judge {
        Judge::Ratio(t) if t < 1.0 => format!("<= {t:.3} x Java"),
        Judge::Ratio(_) => "<= Java".into(),
        Judge::Absolute(t) => format!("<= {t} {}", row.unit),
    }
}

/// One line of progress.
pub fn progress(id: &'static str, kind: Kind, seen: &Seen) {
    let Some(row) = crate::rows::find(id) else { return };
    let value = number(median(&seen.values));
    let rate = median(&seen.rates).map_or(String::new(), |r| format!("{}/s", number(Some(r))));
    let latency = seen.latency.as_ref().map_or(String::new(), latency_text);
    println!("  {:<10} {:<42} {value:>9} {:<12} {rate:>12} {latency}", kind.name(), row.title, row.unit);
}

fn latency_text(h: &Histogram) -> String {
    match (h.quantile_us(0.5), h.quantile_us(0.99), h.quantile_us(0.999)) {
        (Some(a), Some(b), Some(c)) => {
            format!("{} / {} / {}", number(Some(a)), number(Some(b)), number(Some(c)))
        }
        _ => String::new(),
    }
}

/// Three significant digits, thousands separated.
pub fn number(value: Option<f64>) -> String {
    let Some(v) = value else { return "-".into() };
    if v >= 1000.0 {
        let mut digits = format!("{v:.0}");
        let mut at = digits.len();
        while at > 3 {
            at -= 3;
            digits.insert(at, ',');
        }
        return digits;
    }
    match v {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 1.0 => format!("{v:.2}"),
        v => format!("{v:.3}"),
    }
}

impl Line {
    fn new(row: &'static Row, results: &Results) -> Option<Self> {
        let all =
            |kind| -> Vec<f64> { results.runs(row.id, kind).iter().flat_map(|s| s.values.clone()).collect() };
        let rates =
            |kind| -> Vec<f64> { results.runs(row.id, kind).iter().flat_map(|s| s.rates.clone()).collect() };
        let per_run = |pick: fn(&Seen) -> &Vec<f64>| -> Vec<f64> {
            results.runs(row.id, Kind::Java).iter().filter_map(|s| median(pick(s))).collect()
        };
        let merged = |kind| {
            let mut h = Histogram::default();
            for seen in results.runs(row.id, kind) {
                if let Some(l) = &seen.latency {
                    h.merge(l);
                }
            }
            h
        };
        let line = Self {
            row,
            java: median(&all(Kind::Java)),
            oxkeeper: median(&all(Kind::Oxkeeper)),
            floor: median(&all(Kind::Floor)),
            spread: spread(&per_run(|s| &s.values)),
            rates: KINDS.map(|k| median(&rates(k))),
            rate_spread: spread(&per_run(|s| &s.rates)),
            latency: KINDS.map(merged),
        };
        let empty = line.java.is_none() && line.oxkeeper.is_none() && line.floor.is_none();
        (!empty).then_some(line)
    }

    /// Oxkeeper's value over Java's.
    pub fn ratio(&self) -> Option<f64> {
        Some(self.oxkeeper? / self.java?)
    }

    /// The target on the scale of [`Line::ratio`].
    pub fn target_ratio(&self) -> Option<f64> {
        match self.row.judge {
            Judge::Ratio(t) => Some(t),
            Judge::Absolute(t) => Some(t / self.java?),
        }
    }

    /// How far beyond its target the row is: 1 or less is met.
    pub fn excess(&self) -> Option<f64> {
        match self.row.judge {
            Judge::Ratio(t) => Some(self.ratio()? / t),
            Judge::Absolute(t) => Some(self.oxkeeper? / t),
        }
    }

    fn verdict(&self) -> String {
        match self.excess() {
            Some(x) if x <= 1.0 => "met".into(),
            Some(x) => format!("missed by {x:.2} x"),
            None => "-".into(),
        }
    }

    /// Throughput: Oxkeeper's must not be below Java's beyond the A/A spread.
    fn rate_verdict(&self) -> String {
        let [Some(java), Some(ox), _] = self.rates else { return "-".into() };
        let allowed = java * (1.0 - self.rate_spread.unwrap_or(0.0));
        if ox >= allowed { "met".into() } else { format!("missed by {:.2} x", java / ox) }
    }
}

impl Report {
    /// Judges everything that was measured.
    pub fn new(programs: &Programs, facts: &Facts, results: &Results) -> Self {
        let machine = Machine::read(&programs.base);
        let minutes = facts.took.as_secs_f64() / 60.0;
        let head = vec![
            format!("Machine: {}, {}, Linux {}", machine.cpu, machine.memory, machine.kernel),
            format!("Data directories: {}, every commit synced", machine.filesystem),
            format!("{} on {}, {}", programs.java_version, java(), JVM.join(" ")),
            format!("Oxkeeper {}", env!("CARGO_PKG_VERSION")),
            format!("The large tree: {} leaves", number(Some(facts.leaves as f64))),
            format!(
                "{} run of {minutes:.1} minutes; generator and server share the cores",
                if facts.quick { "Quick" } else { "Full" }
            ),
            if alone::possible() {
                "Rows of latency: generator and server in the real-time class and no processor asleep, so that neither other processes nor the host decide them"
            } else {
                "Rows of latency: in the ordinary class; other processes of the machine count too"
            }
            .to_owned(),
        ];
        let lines = ROWS.iter().filter_map(|row| Line::new(row, results)).collect();
        Self { lines, head, failures: results.failures.clone() }
    }

    fn summary(&self) -> String {
        let judged: Vec<f64> = self.lines.iter().filter_map(Line::excess).collect();
        let met = judged.iter().filter(|x| **x <= 1.0).count();
        let rates: Vec<String> = self.lines.iter().map(Line::rate_verdict).collect();
        let slow = rates.iter().filter(|v| v.starts_with("missed")).count();
        format!(
            "{met} of {} targets met; throughput below Java's in {slow} rows; {} measurements failed",
            judged.len(),
            self.failures.len()
        )
    }

    /// Plain text for the terminal.
    pub fn text(&self) -> String {
        let mut t = self.head.join("\n");
        t.push('\n');
        let _ = writeln!(
            t,
            "\n{:<42} {:<14} {:>9} {:>9} {:>9} {:>7} {:<16} {:<16} {:>6}  throughput",
            "row", "unit", "Java", "Oxkeeper", "floor", "ratio", "target", "verdict", "A/A"
        );
        for l in &self.lines {
            let _ = writeln!(
                t,
                "{:<42} {:<14} {:>9} {:>9} {:>9} {:>7} {:<16} {:<16} {:>6}  {}",
                l.row.title,
                l.row.unit,
                number(l.java),
                number(l.oxkeeper),
                number(l.floor),
                number(l.ratio()),
                target(l.row),
                l.verdict(),
                percent(l.spread),
                if l.row.throughput { l.rate_verdict() } else { String::new() },
            );
        }
        t.push_str(&self.summary());
        for failure in &self.failures {
            let _ = write!(t, "\nFAILED {failure}");
        }
        t
    }

    /// The report as it stands in `docs/`.
    pub fn markdown(&self) -> String {
        let mut m = String::from("# Benchmarks\n\nWritten by `make bench`; do not edit.\n\n");
        for line in &self.head {
            let _ = writeln!(m, "* {line}");
        }
        let _ = writeln!(m, "\n**{}.**\n\n![Oxkeeper over Java](benchmarks.svg)\n", self.summary());
        m.push_str(
            "| row | unit | Java | Oxkeeper | echo floor | ratio | target | verdict | A/A spread |\n\
             |---|---|---:|---:|---:|---:|---|---|---:|\n",
        );
        for l in &self.lines {
            let _ = writeln!(
                m,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                l.row.title,
                l.row.unit,
                number(l.java),
                number(l.oxkeeper),
                number(l.floor),
                number(l.ratio()),
                target(l.row).replace("<=", "≤").replace(" x ", " × "),
                l.verdict().replace(" x", " ×"),
                percent(l.spread),
            );
        }
        m.push_str("\n## Throughput and latency\n\n");
        m.push_str(
            "Operations a second, and p50 / p99 / p99.9 in µs: of a request at depth 1, of a block of\n\
             requests where they are pipelined, of a whole fan-out or a connect-and-close pair.\n\n\
             | row | Java ops/s | Oxkeeper ops/s | floor ops/s | verdict | Java µs | Oxkeeper µs | floor µs |\n\
             |---|---:|---:|---:|---|---|---|---|\n",
        );
        for l in self.lines.iter().filter(|l| l.latency.iter().any(|h| h.len() > 0)) {
            let [java, ox, floor] = l.rates.map(number);
            let [lj, lo, lf] = [0, 1, 2].map(|i| l.latency.get(i).map_or(String::new(), latency_text));
            let verdict = l.rate_verdict().replace(" x", " ×");
            let title = l.row.title;
            let _ = writeln!(m, "| {title} | {java} | {ox} | {floor} | {verdict} | {lj} | {lo} | {lf} |");
        }
        for failure in &self.failures {
            let _ = writeln!(m, "\nNot measured: {failure}");
        }
        m.push_str(NOTES);
        m
    }
}

const NOTES: &str = "
## How to read this

* CPU is the server process's own, from the scheduler's account, per million operations (of the fan-out: per
  million events; of multi: per million multis). It includes garbage collection and compilation on Java's side.
* The echo floor frames requests, sends canned replies of the right size and syncs writes in groups, on the same
  runtime as Oxkeeper. It has no tree, no sessions and no checks: what it costs is what sockets and disk cost here.
* The A/A spread is (max - min) / median over the runs of Java alone.
* Depth 1 is one request in flight on each of 32 connections, held by one client thread. Pipelined rows keep 800
  requests in flight over 4 connections (getChildren 200, multi 160). A block is 100 requests (25, 20).
* Open-loop latencies count from the moment a request was due, over 16 connections, for half a minute (gets) or a minute (sets). Requests that were under way
  while the host stopped this machine are left out: a thread above all others in the real-time class hears when that is.
* The flood: 10,000 half-open connections, opened again when the server closes them, and 500 bad logins a second,
  all from one address; beside it 16 sessions that are logged in by Kerberos read, and 100 are idle. A session that is
  lost is a failure of the row. The figure is the p99 of the whole flood over that of the median second just before it.
* Fan-out: persistent watches of 1,000 sessions on one node; CPU and rate are per event, the set included.
* Three servers: an ensemble on this one machine, all of it on loopback, data directories on one disk. CPU is that
  of the three processes together; sessions are spread over all of them, one writer and the open loop are on a follower.
  From a kill: a client that connects again at once, to whichever server takes it. Rejoin: from the start of a follower
  that missed 2,000 sets until it follows.
* RSS per znode is resident memory with the tree minus that of an empty server, over the leaves alone.
";

fn percent(share: Option<f64>) -> String {
    share.map_or("-".into(), |s| format!("{:.0} %", s * 100.0))
}

fn java() -> String {
    let output = std::process::Command::new("java").arg("-version").output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stderr).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown Java").replace('"', "")
}
