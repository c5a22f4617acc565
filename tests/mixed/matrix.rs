//! The cells: which versions, who leads, who observes, what protects.
//!
//! # Invariants
//! * 3.9.5 in all 18 cells; each older line plain and secured with the leader on each side.
//! * A cell that was not run is named, and fails `make mixed`. `OXKEEPER_CELL=TLS` runs the cells with that in their name.

use crate::cell;
use crate::harness::{Plan, Sasl, Security};
use crate::support::{Kind, java, skip};

/// One ensemble of Java's servers of one version and ours.
#[derive(Clone, Debug)]
pub struct Cell {
    java: Kind,
    made: Made,
    led_by_us: bool,
    security: Security,
}

/// Who is a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Made {
    /// One of ours, two of Java's.
    OneOfUs,
    /// Two of ours, one of Java's.
    TwoOfUs,
    /// Three voters of the leader's kind and an observer of the other.
    Observer,
}

/// Kills of the leader in a cell: with all cells 68.
const KILLS: usize = 2;
/// How many cells `make test` runs.
pub const FEW: usize = 4;

/// Every line of Java's servers that can be a member.
pub fn kinds() -> [Kind; 5] {
    [Kind::Java395, Kind::Java386, Kind::Java372, Kind::Java364, Kind::Java3510]
}

impl Cell {
    fn name(&self) -> String {
        let leader = if self.led_by_us { "Oxkeeper" } else { "Java" };
        let security = match (self.security.sasl, self.security.tls) {
            (Sasl::None, false) => "plain",
            (Sasl::None, true) => "TLS",
            (Sasl::Digest, true) => "DIGEST-MD5 and TLS",
            (Sasl::Digest, false) => "DIGEST-MD5",
            (Sasl::Kerberos, true) => "Kerberos and TLS",
            (Sasl::Kerberos, false) => "Kerberos",
        };
        format!("{:?}, {:?}, led by {leader}, {security}", self.java, self.made)
    }

    fn leader(&self) -> Kind {
        if self.led_by_us { Kind::Oxkeeper } else { self.java }
    }

    fn plan(&self) -> Plan {
        let (leader, other) = match self.led_by_us {
            true => (Kind::Oxkeeper, self.java),
            false => (self.java, Kind::Oxkeeper),
        };
        let ours = match self.made {
            Made::OneOfUs => 1,
            Made::TwoOfUs => 2,
            Made::Observer => {
                let observers = vec![other];
                return Plan { observers, ..Plan::of(&[leader; 3]).secured(self.security) };
            }
        };
        let leaders = if self.led_by_us { ours } else { 3 - ours };
        // The leader's kind has the highest numbers: see `Group::start_led_by`.
        let voters = [vec![other; 3 - leaders], vec![leader; leaders]].concat();
        Plan::of(&voters).secured(self.security)
    }

    /// What this machine lacks for it.
    fn lacks(&self) -> Result<(), String> {
        java::classpath(self.java)?;
        if self.security.sasl == Sasl::Kerberos { crate::harness::site::available() } else { Ok(()) }
    }
}

/// All cells.
fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for made in [Made::OneOfUs, Made::TwoOfUs, Made::Observer] {
        for led_by_us in [false, true] {
            for security in [Security::PLAIN, Security::KERBEROS, Security::TLS] {
                cells.push(Cell { java: Kind::Java395, made, led_by_us, security });
            }
        }
    }
    for java in kinds().into_iter().skip(1) {
        for led_by_us in [false, true] {
            for security in [Security::PLAIN, Security { tls: true, ..Security::DIGEST }] {
                cells.push(Cell { java, made: Made::OneOfUs, led_by_us, security });
            }
        }
    }
    cells
}

/// The cells of `make test`: each composition, each side, each protection, two versions.
fn few() -> [Cell; FEW] {
    let cell = |java, made, led_by_us, security| Cell { java, made, led_by_us, security };
    [
        cell(Kind::Java395, Made::OneOfUs, false, Security::KERBEROS),
        cell(Kind::Java395, Made::TwoOfUs, true, Security::TLS),
        cell(Kind::Java395, Made::Observer, false, Security::PLAIN),
        cell(Kind::Java386, Made::OneOfUs, true, Security::PLAIN),
    ]
}

#[test]
fn there_are_34_cells_and_more_than_60_kills() {
    assert_eq!(cells().len(), 18 + 4 * 4);
    assert!(cells().len() * KILLS >= 60);
    let names: std::collections::BTreeSet<String> = cells().iter().map(Cell::name).collect();
    assert_eq!(names.len(), cells().len());
    assert!(few().iter().all(|cell| names.contains(&cell.name())));
}

#[test]
fn java_and_oxkeeper_are_one_ensemble() {
    let _turn = crate::turn();
    let mut chosen = if crate::full() { cells() } else { few().to_vec() };
    if let Ok(part) = std::env::var("OXKEEPER_CELL") {
        chosen.retain(|cell| cell.name().contains(&part));
    }
    let (mut table, mut failed, mut absent) = (Vec::new(), Vec::new(), Vec::new());
    for cell in &chosen {
        let name = cell.name();
        if let Err(why) = cell.lacks() {
            skip::not_run(&format!("mixed ensemble: {name}"), &why);
            absent.push(name);
            continue;
        }
        match cell::run(&cell.plan(), cell.leader(), KILLS) {
            Ok(shown) => table.push(format!("ok      {name}: {shown}")),
            Err(why) => {
                println!("{name}: {why}");
                table.push(format!("FAILED  {name}"));
                failed.push(format!("{name}: {why}"));
            }
        }
        println!("{}", table.last().map_or("", String::as_str));
    }
    println!("\n{} of {} cells:\n{}", table.len(), chosen.len(), table.join("\n"));
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    assert!(!crate::full() || absent.is_empty(), "not run: {}", absent.join("; "));
    if !crate::full() {
        let rest = cells().len() - FEW;
        skip::not_run(&format!("mixed ensembles: {rest} more cells"), "make mixed runs them");
    }
}
