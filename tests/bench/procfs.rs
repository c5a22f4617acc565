//! What the kernel says about a server process: CPU time and resident memory.
//!
//! # Invariants
//!
//! * CPU is the scheduler's own nanosecond account (`schedstat`) summed over the
//!   threads. If a thread ended between two samples its account is gone, and the
//!   tick-based account of the whole process (`stat`, 10 ms steps), which keeps
//!   the dead, is used for that interval instead.

use std::collections::HashMap;
use std::fs;
use std::io;

/// A sample of the CPU time a process has used since it started.
pub struct Cpu {
    threads: HashMap<u64, u64>,
    ticks: u64,
}

/// Clock ticks a second in `/proc/<pid>/stat`: fixed by the kernel's ABI.
const TICK_NS: u64 = 1_000_000_000 / 100;

impl Cpu {
    /// Samples the process `pid`.
    pub fn of(pid: u32) -> io::Result<Self> {
        let mut threads = HashMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let entry = entry?;
            let Ok(tid) = entry.file_name().to_string_lossy().parse::<u64>() else { continue };
            // A thread may end between the listing and the read.
            let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else { continue };
            if let Some(ns) = text.split_ascii_whitespace().next().and_then(|t| t.parse().ok()) {
                threads.insert(tid, ns);
            }
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The command name may hold blanks and parentheses: count from its end.
        let after = stat.rsplit(')').next().unwrap_or_default();
        let field = |n: usize| -> u64 {
            after.split_ascii_whitespace().nth(n).and_then(|t| t.parse().ok()).unwrap_or(0)
        };
        Ok(Self { threads, ticks: field(11) + field(12) })
    }

    /// CPU seconds used from `earlier` to this sample.
    pub fn since(&self, earlier: &Self) -> f64 {
        let lost = earlier.threads.keys().any(|tid| !self.threads.contains_key(tid));
        let exact: u64 = self
            .threads
            .iter()
            .map(|(tid, ns)| ns.saturating_sub(earlier.threads.get(tid).copied().unwrap_or(0)))
            .sum();
        let coarse = self.ticks.saturating_sub(earlier.ticks) * TICK_NS;
        let ns = if lost { exact.max(coarse) } else { exact };
        ns as f64 / 1e9
    }
}

/// Resident set size of a process in bytes.
pub fn rss(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    status
        .lines()
        .find_map(|l| l.strip_prefix("VmRSS:"))
        .and_then(|l| l.split_ascii_whitespace().next())
        .and_then(|kb| kb.parse::<u64>().ok())
        .map(|kb| kb * 1024)
        .ok_or_else(|| io::Error::other("no VmRSS line in the status of the server process"))
}

/// Facts about the machine for the head of the report.
pub struct Machine {
    /// Processor model and logical cores.
    pub cpu: String,
    /// Kernel release.
    pub kernel: String,
    /// Memory in GiB.
    pub memory: String,
    /// File system type of the data directories.
    pub filesystem: String,
}

impl Machine {
    /// Reads the facts; `dir` is where the data directories are.
    pub fn read(dir: &std::path::Path) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info
            .lines()
            .find_map(|l| l.strip_prefix("model name"))
            .map_or("unknown processor", |l| l.trim_start_matches([' ', '\t', ':']));
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let mem = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib: u64 = mem
            .lines()
            .find_map(|l| l.strip_prefix("MemTotal:"))
            .and_then(|l| l.split_ascii_whitespace().next())
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        Self {
            cpu: format!("{model}, {cores} logical cores"),
            kernel: kernel.trim().split('-').next().unwrap_or_default().to_string(),
            memory: format!("{} GiB", (kib + (1 << 19)) >> 20),
            filesystem: filesystem(dir).unwrap_or_else(|| "unknown".into()),
        }
    }
}

/// The type of the mounted file system with the longest mount point above `dir`.
fn filesystem(dir: &std::path::Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts
        .lines()
        .filter_map(|line| {
            let mut f = line.split_ascii_whitespace().skip(1);
            Some((f.next()?, f.next()?))
        })
        .filter(|(point, _)| dir.starts_with(point))
        .max_by_key(|(point, _)| point.len())
        .map(|(_, kind)| kind.to_string())
}
