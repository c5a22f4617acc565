//! `make bench`: Java ZooKeeper, Oxkeeper and an echo floor side by side.
//!
//! The servers run one after another, A B A B A, on fresh directories of the same
//! file system, with the same configuration and real syncing; the same generator
//! loads each. A row's figure is the median of its windows over all runs; what the
//! runs of one server differ among themselves is shown as the A/A spread.
//!
//! # Invariants
//!
//! * A row that could not be measured is reported as failed, never left out.
//! * Only a full run writes the report into `docs/`.

mod alone;
mod crowd;
mod floor;
mod hiccup;
mod juggle;
mod load;
mod open;
mod perf;
mod plot;
mod procfs;
mod report;
mod rows;
mod scenes;
mod secure;
mod seed;
mod servers;
mod session;
mod stats;
#[path = "../support/mod.rs"]
mod support;
mod tree;
mod trio;
mod wire;

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rows::{Group, ROWS, Seen};
use scenes::Pace;
use servers::{Kind, Programs};

const HELP: &str = "\
usage: cargo bench --bench bench -- [options] [rows]

  rows            names of rows (see --list); none means all
  --list          list the rows with their targets
  --quick         short windows, one run a server: for developers
  --only a,b      servers: java, oxkeeper, floor
  --runs N        runs of each server (default 2, and one more of Java)
  --perf          attach perf during the rows and print the hot spots
  --leaves N      size of the large tree (default 1000000)
  --oxkeeper FILE the server under test (default: the one cargo has just built)
  --dir D         where data directories are made (default: below target/)
  --write         write docs/benchmarks.md and .svg although the run is partial
";

/// What the command line asked for.
struct Options {
    rows: Vec<String>,
    quick: bool,
    write: bool,
    perf: bool,
    runs: usize,
    kinds: Vec<Kind>,
    leaves: u64,
    dir: PathBuf,
    oxkeeper: PathBuf,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--floor", port, log] => match port.parse() {
            Ok(port) => floor::run(port, Path::new(log)),
            Err(_) => Err(io::Error::other("--floor needs a port")),
        },
        ["--crowd", plain, tls, token] => secure::crowd(plain, tls, Path::new(token)),
        ["--awake"] => {
            alone::stay_awake();
            Ok(())
        }
        // `cargo test --all-targets` runs benches without this flag.
        list if !list.contains(&"--bench") => {
            println!("the benchmark runs by `make bench` only");
            Ok(())
        }
        list if list.contains(&"--list") => {
            list_rows();
            Ok(())
        }
        list if list.contains(&"--help") => {
            print!("{HELP}");
            Ok(())
        }
        list => parse(list).and_then(|options| run(&options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("bench: {e}");
            ExitCode::FAILURE
        }
    }
}

fn list_rows() {
    for row in ROWS {
        println!("{:<12} {:<42} {:<14} {}", row.id, row.title, row.unit, report::target(row));
    }
}

fn parse(args: &[&str]) -> io::Result<Options> {
    let base = Path::new(env!("CARGO_BIN_EXE_oxkeeper"));
    let target = base.parent().and_then(Path::parent).unwrap_or(Path::new("target"));
    let mut options = Options {
        rows: Vec::new(),
        quick: false,
        write: false,
        perf: false,
        runs: 2,
        kinds: vec![Kind::Java, Kind::Oxkeeper, Kind::Floor],
        leaves: 1_000_000,
        dir: target.join("bench-data"),
        oxkeeper: base.to_path_buf(),
    };
    let bad = |what: &str| io::Error::other(format!("{what}\n\n{HELP}"));
    let mut args = args.iter().filter(|a| **a != "--bench");
    while let Some(arg) = args.next() {
        let mut value = || args.next().copied().ok_or_else(|| bad("an option lacks its value"));
        match *arg {
            "--quick" => options.quick = true,
            "--write" => options.write = true,
            "--perf" => options.perf = true,
            "--runs" => options.runs = value()?.parse().map_err(|_| bad("--runs: a number"))?,
            "--leaves" => {
                options.leaves = value()?.parse().map_err(|_| bad("--leaves: a number"))?;
            }
            "--oxkeeper" => options.oxkeeper = PathBuf::from(value()?),
            "--dir" => options.dir = PathBuf::from(value()?),
            "--only" => options.kinds = kinds(value()?).ok_or_else(|| bad("--only: servers"))?,
            id if rows::find(id).is_some() => options.rows.push(id.to_string()),
            other => return Err(bad(&format!("unknown row or option {other}"))),
        }
    }
    Ok(options)
}

fn kinds(list: &str) -> Option<Vec<Kind>> {
    list.split(',')
        .map(|name| match name {
            "java" => Some(Kind::Java),
            "oxkeeper" => Some(Kind::Oxkeeper),
            "floor" => Some(Kind::Floor),
            _ => None,
        })
        .collect()
}

impl Options {
    fn wants(&self, id: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|r| r == id)
    }

    fn pace(&self) -> Pace {
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        let leaves = self.leaves;
        if self.quick {
            let times = load::Times { warm: ms(600), window: ms(500), windows: 3 };
            let (get_open, set_open) = (s(4), s(6));
            return Pace { times, warm: s(4), get_open, set_open, snapshot: s(20), idle: 2000, leaves };
        }
        let times = load::Times { warm: ms(1200), window: ms(1000), windows: 3 };
        let (get_open, set_open) = (s(30), s(60));
        Pace { times, warm: s(6), get_open, set_open, snapshot: s(30), idle: 10_000, leaves }
    }

    /// Which server runs when: A B A B, the floor once, and A once more for the A/A
    /// spread where a run is short.
    fn order(&self, group: Group) -> Vec<Kind> {
        let runs = match group {
            _ if self.quick => 1,
            Group::Grown | Group::Backup => 1,
            _ => self.runs,
        };
        let mut order = Vec::new();
        for round in 0..runs {
            order.extend([Kind::Java, Kind::Oxkeeper]);
            if round == 0 && group == Group::Main {
                order.push(Kind::Floor);
            }
        }
        if runs > 1 && group == Group::Main {
            order.push(Kind::Java);
        }
        order.retain(|k| *k != Kind::Floor || !matches!(group, Group::Secure | Group::Flood | Group::Trio));
        order.retain(|k| *k == Kind::Oxkeeper || group != Group::Backup);
        order.retain(|k| self.kinds.contains(k));
        order
    }
}

/// Everything that was seen: by row and server, one entry a run.
#[derive(Default)]
pub struct Results {
    seen: HashMap<(&'static str, &'static str), Vec<Seen>>,
    /// Rows that could not be measured, with the reason.
    pub failures: Vec<String>,
}

impl Results {
    /// The runs of `id` on `kind`.
    pub fn runs(&self, id: &'static str, kind: Kind) -> &[Seen] {
        self.seen.get(&(id, kind.name())).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, id: &'static str, kind: Kind, seen: Seen) {
        report::progress(id, kind, &seen);
        self.seen.entry((id, kind.name())).or_default().push(seen);
    }

    fn fail(&mut self, what: &str, kind: Kind, error: &io::Error) {
        let text = format!("{what} on {}: {error}", kind.name());
        println!("  FAILED {text}");
        self.failures.push(text);
    }
}

/// The idle crowd needs a descriptor a session here and in the servers, which inherit it.
fn raise_descriptor_limit() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

fn run(options: &Options) -> io::Result<()> {
    raise_descriptor_limit()?;
    let programs = Programs::find(options.oxkeeper.clone(), options.dir.clone())?;
    let begun = Instant::now();
    let mut results = Results::default();
    for group in [
        Group::Main,
        Group::Idle,
        Group::Tree,
        Group::Backup,
        Group::Grown,
        Group::Secure,
        Group::Flood,
        Group::Trio,
    ] {
        let wanted = ROWS.iter().any(|r| r.group == group && options.wants(r.id));
        if wanted {
            run_group(options, &programs, group, &mut results)?;
        }
    }
    let facts = report::Facts { quick: options.quick, leaves: options.leaves, took: begun.elapsed() };
    let report = report::Report::new(&programs, &facts, &results);
    println!("\n{}", report.text());
    let full = options.rows.is_empty() && !options.quick && options.kinds.len() == 3;
    if (options.write || full) && !options.perf {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        std::fs::create_dir_all(&docs)?;
        std::fs::write(docs.join("benchmarks.md"), report.markdown())?;
        std::fs::write(docs.join("benchmarks.svg"), plot::svg(&report))?;
        println!("written: docs/benchmarks.md, docs/benchmarks.svg");
    }
    match results.failures.len() {
        0 => Ok(()),
        n => Err(io::Error::other(format!("{n} measurements failed, see above"))),
    }
}

fn run_group(options: &Options, programs: &Programs, group: Group, results: &mut Results) -> io::Result<()> {
    let pace = options.pace();
    let seed = match group {
        Group::Tree | Group::Backup => Some(tree::write_seed(&programs.base, pace.leaves)?),
        _ => None,
    };
    let place = match group {
        Group::Secure | Group::Flood => Some(secure::Place::new()?),
        _ => None,
    };
    for kind in options.order(group) {
        println!("{} ({group:?})", kind.name());
        io::stdout().flush()?;
        let outcome = match (group, &seed) {
            (Group::Main, _) => main_group(options, programs, kind, &pace, results),
            (Group::Idle, _) => idle_group(programs, kind, &pace, results),
            (Group::Tree, Some(seed)) => tree::run(programs, kind, seed, &pace, &|id| options.wants(id))
                .map(|found| add_wanted(options, kind, found, results)),
            (Group::Backup, Some(seed)) => tree::run_backup(programs, kind, seed, &pace)
                .map(|found| add_wanted(options, kind, found, results)),
            (Group::Secure, _) => match &place {
                Some(place) => secure::run(programs, kind, place, &pace, &|id| options.wants(id))
                    .map(|found| add_wanted(options, kind, found, results)),
                None => Ok(()),
            },
            (Group::Flood, _) => match &place {
                Some(place) => secure::flood(programs, kind, place, options.quick)
                    .map(|seen| add_wanted(options, kind, vec![("flood", seen)], results)),
                None => Ok(()),
            },
            (Group::Trio, _) => trio::run(programs, kind, &pace, &|id| options.wants(id))
                .map(|found| add_wanted(options, kind, found, results)),
            _ => {
                tree::run_grown(programs, kind, &pace).map(|found| add_wanted(options, kind, found, results))
            }
        };
        if let Err(e) = outcome {
            results.fail(&format!("{group:?} rows"), kind, &e);
        }
    }
    if let Some(seed) = seed {
        std::fs::remove_file(seed)?;
    }
    Ok(())
}

fn add_wanted(options: &Options, kind: Kind, found: tree::Results, results: &mut Results) {
    for (id, seen) in found {
        if options.wants(id) {
            results.add(id, kind, seen);
        }
    }
}

fn main_group(
    options: &Options,
    programs: &Programs,
    kind: Kind,
    pace: &Pace,
    results: &mut Results,
) -> io::Result<()> {
    let server = servers::start(programs, kind, "")?;
    scenes::prepare(server.addr)?;
    scenes::warm_up(&server, pace.warm)?;
    for row in ROWS.iter().filter(|r| r.group == Group::Main && options.wants(r.id)) {
        let profiler = match options.perf {
            true => Some(perf::Profiler::attach(server.pid(), &programs.base, row.id)?),
            false => None,
        };
        let seen = scenes::main_row(row.id, &server, pace);
        profiler.map_or(Ok(()), perf::Profiler::report)?;
        match seen {
            Ok(seen) => results.add(row.id, kind, seen),
            Err(e) => results.fail(row.title, kind, &e),
        }
    }
    Ok(())
}

fn idle_group(programs: &Programs, kind: Kind, pace: &Pace, results: &mut Results) -> io::Result<()> {
    let server = servers::start(programs, kind, "")?;
    let bytes = crowd::idle(server.addr, server.pid(), pace.idle)?;
    results.add("idle", kind, Seen::one(bytes));
    Ok(())
}
