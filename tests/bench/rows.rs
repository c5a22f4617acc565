//! The table of rows: what each measures, in which unit, and what it has to reach.
//!
//! # Invariants
//!
//! * Everything a row promises stands here and nowhere else; the report and the
//!   help text are made from this table.

use crate::stats::Histogram;

/// How a row is judged.
#[derive(Clone, Copy)]
pub enum Judge {
    /// Oxkeeper's value divided by Java's must not exceed this.
    Ratio(f64),
    /// Oxkeeper's own value must not exceed this.
    Absolute(f64),
}

/// Which server instance a row runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// A small tree, one server for all these rows.
    Main,
    /// A fresh server, thousands of sessions.
    Idle,
    /// A server started from a snapshot of the large tree.
    Tree,
    /// The same without snapshots of its own, backed up again and again; Oxkeeper alone.
    Backup,
    /// A fresh server in which the large tree is created by requests.
    Grown,
    /// A fresh server with a keytab and a TLS port.
    Secure,
    /// The same, for logins alone, and a crowd that has none.
    Flood,
    /// Three servers, an ensemble.
    Trio,
}

/// One row.
pub struct Row {
    /// The name on the command line.
    pub id: &'static str,
    /// The name in the table.
    pub title: &'static str,
    /// Unit of the value that is judged.
    pub unit: &'static str,
    /// The target.
    pub judge: Judge,
    /// The instance it runs on.
    pub group: Group,
    /// Whether operations a second are compared too.
    pub throughput: bool,
}

const CPU: &str = "CPU s / 10⁶";

const fn cpu(id: &'static str, title: &'static str, target: f64) -> Row {
    let judge = Judge::Ratio(target);
    Row { id, title, unit: CPU, judge, group: Group::Main, throughput: true }
}

const fn secure(id: &'static str, title: &'static str, target: f64) -> Row {
    let judge = Judge::Ratio(target);
    Row { id, title, unit: CPU, judge, group: Group::Secure, throughput: true }
}

const fn other(id: &'static str, title: &'static str, unit: &'static str, judge: Judge, group: Group) -> Row {
    Row { id, title, unit, judge, group, throughput: false }
}

const fn trio(id: &'static str, title: &'static str, unit: &'static str, judge: Judge) -> Row {
    Row { id, title, unit, judge, group: Group::Trio, throughput: false }
}

const fn trio_cpu(id: &'static str, title: &'static str, target: f64) -> Row {
    Row { throughput: true, ..trio(id, title, CPU, Judge::Ratio(target)) }
}

/// All rows in the order in which they run and are printed.
pub const ROWS: &[Row] = &[
    cpu("get", "get 1 KiB, depth 1", 1.0 / 3.0),
    cpu("exists", "exists, depth 1", 1.0 / 3.0),
    cpu("children", "getChildren of 100, pipelined", 1.0 / 5.0),
    cpu("get-pipe", "get 1 KiB, pipelined", 1.0 / 8.0),
    cpu("set-pipe", "set 100 B, pipelined", 1.0 / 6.0),
    cpu("create-pipe", "create 100 B, pipelined", 1.0 / 6.0),
    cpu("writer", "one synchronous writer, set 100 B", 1.0 / 2.0),
    cpu("multi", "multi of 10 sets, pipelined", 1.0 / 6.0),
    cpu("fanout", "watch fan-out, 1,000 watchers, per event", 0.3),
    cpu("fanout-burst", "the same, 10 sets at once, per event", 0.3),
    cpu("churn", "connect and close", 0.4),
    other("get-open", "get 1 KiB at 5,000/s, p99.9", "µs", Judge::Ratio(1.0 / 3.0), Group::Main),
    other("set-open", "set 100 B at 500/s, p99", "µs", Judge::Ratio(1.0 / 2.0), Group::Main),
    other("idle", "RSS per idle session", "bytes", Judge::Absolute(8192.0), Group::Idle),
    other("start", "start from a snapshot of the large tree", "s", Judge::Ratio(1.0 / 6.0), Group::Tree),
    other("rss", "RSS per znode, loaded", "bytes", Judge::Absolute(280.0), Group::Tree),
    other("snap", "set at 500/s during snapshots, p99", "µs", Judge::Ratio(1.0), Group::Tree),
    other("snap-calm", "the same, over p99 between them", "times", Judge::Absolute(2.0), Group::Tree),
    other(
        "backup",
        "set at 500/s beside a backup, p99 over calm",
        "times",
        Judge::Absolute(2.0),
        Group::Backup,
    ),
    other("grown", "RSS per znode, created live", "bytes", Judge::Absolute(280.0), Group::Grown),
    secure("krb-login", "Kerberos login, connect to close", 1.0 / 2.0),
    secure("tls-full", "full TLS 1.3 handshake", 1.0 / 2.0),
    secure("tls-resumed", "TLS 1.3 handshake of a resuming client", 1.0 / 3.0),
    secure("tls-get", "get 1 KiB through TLS, pipelined", 1.0 / 4.0),
    other("flood", "get at 2,000/s in a flood, p99 over calm", "times", Judge::Absolute(2.0), Group::Flood),
    trio_cpu("3-set", "three servers: set 100 B, pipelined", 1.0 / 5.0),
    trio_cpu("3-create", "three servers: create 100 B, pipelined", 1.0 / 5.0),
    trio("3-sync", "three servers: 16 synchronous sessions, a set", "µs", Judge::Ratio(1.0 / 2.0)),
    trio("3-writer", "three servers: one synchronous writer, p50", "µs", Judge::Ratio(1.0)),
    trio("3-open", "three servers: set 100 B at 500/s, p99", "µs", Judge::Ratio(1.0 / 2.0)),
    trio("3-kill", "three servers: leader's kill -9 to the next write", "ms", Judge::Absolute(150.0)),
    trio("3-handover", "three servers: leader's SIGTERM, longest gap", "ms", Judge::Absolute(50.0)),
    trio("3-rejoin", "three servers: rejoin with the large tree", "s", Judge::Ratio(1.0 / 4.0)),
];

/// The row called `id`.
pub fn find(id: &str) -> Option<&'static Row> {
    ROWS.iter().find(|r| r.id == id)
}

/// What one run of one row on one server showed.
#[derive(Clone, Default)]
pub struct Seen {
    /// Values in the row's unit, one a window.
    pub values: Vec<f64>,
    /// Operations a second, one a window.
    pub rates: Vec<f64>,
    /// Latencies, where the row has them.
    pub latency: Option<Histogram>,
}

impl Seen {
    /// A run that showed a single value.
    pub fn one(value: f64) -> Self {
        Self { values: vec![value], ..Self::default() }
    }
}

/// The name of child `i` of the node whose children are listed: 15 bytes.
pub fn child_name(i: usize) -> String {
    format!("child-{i:09}")
}
