//! Figures of the process from /proc: CPU, memory, file descriptors, account.
//!
//! # Invariants
//!
//! * Whatever cannot be read or understood is unknown, never an error: these
//!   figures only inform.

use std::fs;

use rustix::process::{Resource, getrlimit, getuid};

use crate::types::process::{EnvironmentFacts, ProcessFigures};

/// The process at this moment.
pub fn figures() -> ProcessFigures {
    let stat = read("/proc/self/stat").and_then(|text| Stat::parse(&text));
    let ticks = rustix::param::clock_ticks_per_second().max(1) as f64;
    let boot = read("/proc/stat").and_then(|text| boot_time(&text));
    let page = rustix::param::page_size() as u64;
    ProcessFigures {
        cpu_seconds: stat.map(|s| s.cpu_ticks as f64 / ticks),
        start_time_seconds: stat.and_then(|s| Some(boot? as f64 + s.start_ticks as f64 / ticks)),
        open_fds: open_fds(),
        max_fds: getrlimit(Resource::Nofile).current,
        virtual_bytes: stat.map(|s| s.virtual_bytes),
        resident_bytes: stat.map(|s| s.resident_pages.saturating_mul(page)),
        threads: stat.map(|s| s.threads),
    }
}

/// Open file descriptors, without the one this count needs. Costs a directory
/// listing of as many entries.
pub fn open_fds() -> Option<u64> {
    let entries = fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(entries).ok().map(|n| n.saturating_sub(1))
}

/// The fields of /proc/self/stat that are used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    /// The name of the process, in parentheses, may itself hold blanks and
    /// parentheses: fields are counted after the last one.
    fn parse(text: &str) -> Option<Self> {
        let (_, after) = text.rsplit_once(')')?;
        let fields: Vec<&str> = after.split_ascii_whitespace().collect();
        // The first of these is field 3 of proc(5).
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)?.saturating_add(field(15)?),
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// Seconds since 1970 at which the machine booted.
fn boot_time(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// Machine and account, for `envi`.
pub fn environment() -> EnvironmentFacts {
    let uname = rustix::system::uname();
    let account = read("/etc/passwd").and_then(|text| account(&text, getuid().as_raw()));
    let (user_name, user_home) = account.unzip();
    let memory = read("/proc/meminfo").unwrap_or_default();
    let group = control_group();
    let limit = smallest(group.map(|g| g.limit), meminfo(&memory, "MemTotal:"));
    let group_free = group.map(|g| g.limit.saturating_sub(g.used));
    EnvironmentFacts {
        host_name: Some(uname.nodename().to_string_lossy().into_owned()),
        os_version: Some(uname.release().to_string_lossy().into_owned()),
        user_name,
        user_home,
        user_dir: std::env::current_dir().ok().map(|d| d.to_string_lossy().into_owned()),
        temp_dir: Some(std::env::temp_dir().to_string_lossy().into_owned()),
        memory_limit: limit,
        memory_free: smallest(group_free, meminfo(&memory, "MemAvailable:")),
        resident: figures().resident_bytes,
    }
}

/// Name and home directory of the account `uid` in the text of /etc/passwd.
fn account(passwd: &str, uid: u32) -> Option<(String, String)> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, id, _, _, home, ..] = fields.as_slice() else {
            return None;
        };
        (id.parse::<u32>() == Ok(uid)).then(|| ((*name).to_owned(), (*home).to_owned()))
    })
}

/// Bytes of a line of /proc/meminfo.
fn meminfo(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// Memory of the control group (version 2) that limits this process.
#[derive(Debug, Clone, Copy)]
struct Group {
    limit: u64,
    used: u64,
}

fn control_group() -> Option<Group> {
    let groups = read("/proc/self/cgroup")?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let directory = format!("/sys/fs/cgroup{}", path.trim_end_matches('/'));
    let number = |file: &str| read(&format!("{directory}/{file}"))?.trim().parse::<u64>().ok();
    Some(Group { limit: number("memory.max")?, used: number("memory.current").unwrap_or(0) })
}

fn smallest(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_knows_its_own_figures() {
        let figures = figures();
        assert!(figures.resident_bytes.is_some_and(|b| b > 1 << 16), "{figures:?}");
        assert!(figures.virtual_bytes > figures.resident_bytes, "{figures:?}");
        assert!(figures.open_fds.is_some_and(|n| n >= 3), "{figures:?}");
        assert!(figures.max_fds >= figures.open_fds, "{figures:?}");
        assert!(figures.start_time_seconds.is_some_and(|t| t > 1e9), "{figures:?}");
        assert!(figures.cpu_seconds.is_some(), "{figures:?}");
    }

    #[test]
    fn a_process_name_with_parentheses_does_not_shift_the_fields() {
        let text = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19000 20 21";
        let stat = Stat::parse(text).expect("fields");
        assert_eq!(stat.cpu_ticks, 11 + 12);
        assert_eq!((stat.start_ticks, stat.virtual_bytes, stat.resident_pages), (19000, 20, 21));
        assert_eq!(stat.threads, 17);
        for broken in ["", "42 (x", "42 (x) S 1", "1 (x) S 1 2 3 4 5 6 7 8 9 10 x y z"] {
            assert_eq!(Stat::parse(broken), None);
        }
    }

    #[test]
    fn accounts_and_memory_are_found_by_their_lines() {
        let passwd = "root:x:0:0::/root:/bin/sh\nbad line\nzk:x:107:1::/var/lib/zk:/bin/false\n";
        assert_eq!(account(passwd, 107), Some(("zk".to_owned(), "/var/lib/zk".to_owned())));
        assert_eq!(account(passwd, 5), None);
        let memory = "MemTotal:       16384 kB\nMemAvailable:     512 kB\n";
        assert_eq!(meminfo(memory, "MemAvailable:"), Some(512 << 10));
        assert_eq!(meminfo(memory, "SwapTotal:"), None);
        assert_eq!(boot_time("cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_000));
    }

    #[test]
    fn the_environment_has_a_host_and_memory() {
        let facts = environment();
        assert!(facts.host_name.is_some_and(|name| !name.is_empty()));
        assert!(facts.memory_limit >= facts.memory_free);
        assert!(facts.resident.is_some());
    }
}
