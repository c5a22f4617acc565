//! The table of cases: what was forged, what had to come of it, what came.
//!
//! # Invariants
//! * A row that came from the inner half of a test is the row that it printed.

use oxkeeper::auth::Providers;
use oxkeeper::auth::reason::Reason;
use oxkeeper::auth::sasl::{Login, Refusal};
use oxkeeper::types::Id;

/// What a login without any forged power has: its own id.
pub const OWN: &str = "own id alone";

/// Whose entries nobody here may match.
pub const VICTIMS: &[&str] = &["bob", "bob@ZK.TEST", "alice", "zookeeper/localhost@ZK.TEST", "admin@ZK.TEST"];

/// One case.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub way: String,
    pub case: String,
    pub wanted: String,
    pub came: String,
}

/// All cases.
#[derive(Default)]
pub struct Table(Vec<Row>);

impl Table {
    /// Notes a case that must be refused for `wanted`.
    pub fn refused(&mut self, way: &str, case: &str, wanted: Reason, came: Result<String, Refusal>) {
        let came = match came {
            Ok(as_whom) => format!("ACCEPTED as {as_whom:?}"),
            Err(refusal) => refusal.reason.code().to_owned(),
        };
        self.note(way, case, wanted.code(), came);
    }

    /// Notes a login that must have its own id and nothing else.
    pub fn own(&mut self, way: &str, case: &str, came: Result<Login, Refusal>) {
        let came = match came {
            Ok(login) => power(&login).unwrap_or_else(|| OWN.to_owned()),
            Err(refusal) => refusal.reason.code().to_owned(),
        };
        self.note(way, case, OWN, came);
    }

    /// Notes a case.
    pub fn note(&mut self, way: &str, case: &str, wanted: &str, came: String) {
        let case = case.escape_default().to_string();
        self.0.push(Row { way: way.to_owned(), case, wanted: wanted.to_owned(), came });
    }

    pub fn rows(&self) -> &[Row] {
        &self.0
    }

    /// Rows in which something else came than had to.
    pub fn wrong(&self) -> Vec<&Row> {
        self.0.iter().filter(|row| row.wanted != row.came).collect()
    }

    /// Prints the table, a row a line.
    pub fn print(&self) {
        for row in &self.0 {
            println!("ROW\t{}\t{}\t{}\t{}", row.way, row.case, row.wanted, row.came);
        }
        let let_in =
            |row: &&Row| ["ACCEPTED", "holds", "matches"].iter().any(|word| row.came.starts_with(word));
        let accepted = self.0.iter().filter(let_in).count();
        println!("{} forged identities, {accepted} accepted", self.0.len());
    }

    /// Takes the rows that a process printed.
    pub fn take(&mut self, printed: &str) {
        for line in printed.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            if let ["ROW", way, case, wanted, came] = fields[..] {
                let row = [way, case, wanted, came].map(str::to_owned);
                let [way, case, wanted, came] = row;
                self.0.push(Row { way, case, wanted, came });
            }
        }
    }
}

/// What a login holds beyond its own id: `super`, or a match of somebody else's entry.
fn power(login: &Login) -> Option<String> {
    let providers = Providers {
        sasl: true,
        super_users: vec!["zookeeper/localhost@ZK.TEST".into(), "super".into(), "admin@ZK.TEST".into()],
        ..Providers::default()
    };
    let ids = providers.login_identities(login);
    if ids != [Id::new("sasl", login.id.as_str())] {
        return Some(format!("holds {ids:?}"));
    }
    let victim = VICTIMS.iter().find(|v| **v != login.id && providers.matches("sasl", &login.id, v));
    victim.map(|victim| format!("matches {victim:?}"))
}
