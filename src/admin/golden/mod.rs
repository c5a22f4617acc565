//! Answers compared with those of a Java ZooKeeper 3.9.5 (`tests/data/fourlw`):
//! `empty-` from a fresh standalone server, `used-` after two sessions worked
//! on it. Only the build in the version differs.

use std::net::SocketAddr;
use std::ops::ControlFlow;

use super::envi::environment;
use super::*;
use crate::config::settings::FourLw;
use crate::metrics::{Gauges, Metrics};
use crate::types::process::EnvironmentFacts;
use crate::types::{Instant, SessionId, Zxid};

const JAVA_VERSION: &str = "3.9.5-293c895a8d966a3ecb92872be4a1daf87d725da2, built on 2026-02-11 20:18 UTC";

macro_rules! golden {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/fourlw/", $name, ".txt"))
            .replace(JAVA_VERSION, crate::types::version::FULL_VERSION)
    };
}

mod ensemble;

/// A server whose facts are given.
struct Fixture {
    serving: bool,
    status: ServerStatus,
    conf: ConfStatus,
    rows: Vec<ConnectionRow>,
    sessions: SessionsStatus,
    ephemerals: Vec<(SessionId, Vec<&'static str>)>,
    expiry: ExpirySets<(SocketAddr, SessionId)>,
    watches: Vec<(SessionId, Vec<&'static str>)>,
    by_path: Vec<(&'static str, Vec<SessionId>)>,
    digests: Vec<(Zxid, u64)>,
    monitor: MonitorStatus,
    metrics: Metrics,
    gauges: Gauges,
}

impl Source for Fixture {
    fn serving(&self) -> bool {
        self.serving
    }
    fn server(&self) -> ServerStatus {
        self.status.clone()
    }
    fn conf(&self) -> ConfStatus {
        self.conf.clone()
    }
    fn dirs(&self) -> DirSizes {
        self.conf.sizes
    }
    fn environment(&self) -> Vec<(&'static str, String)> {
        environment(&EnvironmentFacts::default())
    }
    fn connections(&self, visit: VisitRow<'_>) {
        let _ = self.rows.iter().try_for_each(visit);
    }
    fn sessions(&self) -> SessionsStatus {
        self.sessions.clone()
    }
    fn ephemeral_owners(&self) -> usize {
        self.ephemerals.len()
    }
    fn ephemerals(&self, visit: VisitItem<'_>) {
        by_session(&self.ephemerals, visit);
    }
    fn connection_expiry(&self) -> ExpirySets<(SocketAddr, SessionId)> {
        self.expiry.clone()
    }
    fn watch_summary(&self) -> WatchSummary {
        let watches = self.watches.iter().map(|(_, paths)| paths.len()).sum();
        WatchSummary { connections: self.watches.len(), paths: self.by_path.len(), watches }
    }
    fn watches_by_session(&self, visit: VisitItem<'_>) {
        by_session(&self.watches, visit);
    }
    fn watches_by_path(&self, visit: VisitItem<'_>) {
        for (path, sessions) in &self.by_path {
            let _ = visit(Item::Path(path));
            for session in sessions {
                let _ = visit(Item::Session(*session));
            }
        }
    }
    fn digests(&self) -> Vec<(Zxid, u64)> {
        self.digests.clone()
    }
    fn monitor(&self) -> MonitorStatus {
        self.monitor.clone()
    }
    fn metrics(&self) -> &Metrics {
        &self.metrics
    }
    fn gauges(&self) -> Gauges {
        self.gauges.clone()
    }
    fn reset_server_stats(&self) {
        self.metrics.reset();
    }
    fn reset_connection_stats(&self) {}
}

fn by_session(list: &[(SessionId, Vec<&'static str>)], visit: VisitItem<'_>) {
    for (session, paths) in list {
        if visit(Item::Session(*session)).is_break() {
            return;
        }
        if paths.iter().try_for_each(|path| visit(Item::Path(path))).is_break() {
            return;
        }
    }
}

fn row(port: u16, interest_ops: u32, received: u64, sent: u64) -> ConnectionRow {
    let peer = SocketAddr::from(([127, 0, 0, 1], port));
    ConnectionRow { peer, interest_ops, outstanding: 0, received, sent, session: None }
}

/// The server of the `empty-` texts.
fn empty() -> Fixture {
    let mut status = ServerStatus::of(Mode::Standalone, &Metrics::default().stats);
    (status.received, status.sent, status.connections, status.node_count) = (3, 3, 1, 5);
    let sizes = DirSizes { data: 478, log: 478 };
    let conf = ConfStatus {
        client_port: 56227,
        secure_client_port: -1,
        data_dir: "/var/lib/zookeeper/version-2".to_owned(),
        data_log_dir: "/var/lib/zookeeper/version-2".to_owned(),
        sizes,
        tick_time: 2000,
        max_client_cnxns: 60,
        min_session_timeout: 4000,
        max_session_timeout: 40000,
        client_port_listen_backlog: -1,
        server_id: 0,
        quorum: None,
    };
    let peer = SocketAddr::from(([127, 0, 0, 1], 37256));
    let metrics = Metrics::default();
    metrics.bytes_received_count.add(44);
    Fixture {
        serving: true,
        status,
        conf,
        rows: vec![row(37252, 0, 1, 0)],
        sessions: SessionsStatus::Tracker { local: None, global: ExpirySets::default() },
        ephemerals: Vec::new(),
        expiry: ExpirySets::group([(1_795_162_472_000, (peer, SessionId::NONE))]),
        watches: Vec::new(),
        by_path: Vec::new(),
        digests: Vec::new(),
        monitor: MonitorStatus { mode: Mode::Standalone, peer_state: None, observer_master_id: None },
        gauges: Gauges {
            num_alive_connections: 1,
            znode_count: 5,
            packets_sent: 10,
            packets_received: 11,
            max_file_descriptor_count: 20000,
            approximate_data_size: 44,
            open_file_descriptor_count: 56,
            uptime: 214,
            ..Gauges::of(&metrics.stats)
        },
        metrics,
    }
}

const ONE: SessionId = SessionId(0x0100_000d_b540_0000);
const TWO: SessionId = SessionId(0x0100_000d_b540_0001);

fn session(id: SessionId, operation: &'static str, established_ms: i64) -> ConnectionSession {
    ConnectionSession {
        id,
        last_operation: operation,
        established_ms,
        timeout_ms: 30000,
        last_cxid: 0xb,
        last_zxid: 7,
        last_response_ms: 898_596,
        last_latency: 2,
        min_latency: 0,
        avg_latency: 1,
        max_latency: 5,
    }
}

/// The server of the `used-` texts.
fn used() -> Fixture {
    let mut server = empty();
    let status = &mut server.status;
    (status.avg_latency, status.max_latency, status.connections) = (0.6346, 5, 3);
    (status.received, status.sent) = (177, 179);
    (status.zxid, status.node_count) = (Zxid(0x96), 9);
    let mut first = row(37334, 1, 10, 11);
    first.session = Some(session(ONE, "SETA", 1_795_162_461_281));
    let mut second = row(37338, 1, 146, 147);
    second.session = Some(ConnectionSession {
        last_cxid: 0x9a,
        last_zxid: 0x96,
        last_response_ms: 898_706,
        avg_latency: 0,
        ..session(TWO, "SETD", 1_795_162_461_289)
    });
    server.rows = vec![first, second, row(37408, 0, 1, 0)];
    let expires = 1_795_162_492_000;
    let global = ExpirySets::group([(expires, ONE), (expires, TWO)]);
    server.sessions = SessionsStatus::Tracker { local: None, global };
    server.ephemerals = vec![(ONE, vec!["/ns/e1", "/ns/e2"])];
    let peer = |port| SocketAddr::from(([127, 0, 0, 1], port));
    server.expiry = ExpirySets::group([
        (expires, (peer(37334), ONE)),
        (1_795_162_472_000, (peer(37416), SessionId::NONE)),
        (expires, (peer(37338), TWO)),
    ]);
    server.watches = vec![(ONE, vec!["/ns/e1", "/nope"]), (TWO, vec![])];
    server.by_path = vec![("/ns/e1", vec![ONE]), ("/nope", vec![ONE])];
    server.digests = vec![(Zxid(0x80), 12_236_812_847)];
    server
}

fn text(word: Word, server: &Fixture) -> String {
    render(word, server, usize::MAX)
}

#[test]
fn an_empty_server_answers_as_zookeeper() {
    let mut server = empty();
    for (word, expected) in [
        (Word::Ruok, golden!("empty-ruok")),
        (Word::Isro, golden!("empty-isro")),
        (Word::Conf, golden!("empty-conf")),
        (Word::Cons, golden!("empty-cons")),
        (Word::Crst, golden!("empty-crst")),
        (Word::Dirs, golden!("empty-dirs")),
        (Word::Dump, golden!("empty-dump")),
        (Word::Hash, golden!("empty-hash")),
        (Word::Srst, golden!("empty-srst")),
        (Word::Srvr, golden!("empty-srvr")),
        (Word::Wchs, golden!("empty-wchs")),
        (Word::Wchc, golden!("empty-wchc")),
        (Word::Wchp, golden!("empty-wchp")),
    ] {
        assert_eq!(text(word, &server), expected, "{}", word.name());
    }
    for (ours, javas) in text(Word::Mntr, &empty()).lines().zip(golden!("empty-mntr").lines()) {
        assert_eq!(ours, javas);
    }
    assert!(text(Word::Mntr, &empty()) == golden!("empty-mntr"));
    (server.status.received, server.status.sent) = (4, 4);
    server.rows = vec![row(37242, 0, 1, 0)];
    assert_eq!(text(Word::Stat, &server), golden!("empty-stat"));
}

#[test]
fn a_used_server_answers_as_zookeeper() {
    let mut server = used();
    for (word, expected) in [
        (Word::Cons, golden!("used-cons")),
        (Word::Dump, golden!("used-dump")),
        (Word::Hash, golden!("used-hash")),
        (Word::Srvr, golden!("used-srvr")),
        (Word::Wchs, golden!("used-wchs")),
        (Word::Wchc, golden!("used-wchc")),
        (Word::Wchp, golden!("used-wchp")),
    ] {
        assert_eq!(text(word, &server), expected, "{}", word.name());
    }
    (server.status.received, server.status.sent) = (178, 180);
    server.rows[2] = row(37400, 0, 1, 0);
    assert_eq!(text(Word::Stat, &server), golden!("used-stat"));
}

/// Keys of `mntr` and whether each has a double, sorted.
fn shapes(mntr: &str) -> Vec<(&str, bool)> {
    let lines = mntr.lines().filter_map(|line| line.split_once('\t'));
    let mut all: Vec<_> =
        lines.map(|(key, value)| (key, key != "zk_version" && value.contains('.'))).collect();
    all.sort_unstable();
    all
}

#[test]
fn keyed_metrics_of_a_used_server_have_zookeepers_keys() {
    let server = used();
    for (path, bytes) in [("/ns", 75), ("/ns/e1", 75)] {
        let key = crate::metrics::top_namespace(path).expect("a key");
        server.metrics.read_per_namespace.record(key, bytes);
        server.metrics.write_per_namespace.record(key, bytes);
    }
    server.metrics.write_per_namespace.record("m0000000001", 13);
    assert_eq!(shapes(&text(Word::Mntr, &server)), shapes(&golden!("used-mntr")));
}

#[test]
fn the_environment_has_zookeepers_keys_in_its_order() {
    let answer = text(Word::Envi, &empty());
    let keys: String = answer
        .lines()
        .map(|line| match line.split_once('=') {
            Some((key, _)) => format!("{key}=\n"),
            None => format!("{line}\n"),
        })
        .collect();
    assert_eq!(keys, golden!("empty-envi-keys"));
    assert!(answer.contains("java.compiler=<NA>\n"));
}

#[test]
fn a_server_that_is_not_serving_says_so() {
    let server = Fixture { serving: false, ..empty() };
    for word in Word::ALL.iter().filter(|w| w.needs_serving()) {
        let end = if *word == Word::Hash { "" } else { "\n" };
        let sentence = "This ZooKeeper instance is not currently serving requests";
        assert_eq!(text(*word, &server), format!("{sentence}{end}"));
    }
    assert_eq!(text(Word::Ruok, &server), "imok");
    assert_eq!(text(Word::Isro, &server), "null");
    assert!(text(Word::Envi, &server).starts_with("Environment:\nzookeeper.version=3.9.5-"));
}

#[test]
fn a_long_list_is_cut_and_says_so() {
    let server = used();
    let answer = render(Word::Wchc, &server, 30);
    let note = "(cut here: the answer is longer than 30 bytes)\n";
    assert_eq!(answer, format!("0x100000db5400000\n\t/ns/e1\n{note}"));
    let visits = std::cell::Cell::new(0);
    server.watches_by_session(&mut |_| {
        visits.set(visits.get() + 1);
        ControlFlow::Break(())
    });
    assert_eq!(visits.get(), 1);
}

#[test]
fn words_outside_the_whitelist_are_refused_in_words() {
    let words = FourLetterWords::new(Whitelist::new(&FourLw::default(), false));
    let answer = |word| words.answer(word, &[7; 8], &empty(), Instant(1)).text;
    assert_eq!(answer(Word::Ruok), "ruok is not executed because it is not in the whitelist.\n");
    assert_eq!(answer(Word::Stmk), "stmk is not executed because it is not in the whitelist.\n");
    assert_eq!((words.trace_mask(), words.argument_len(Word::Stmk)), (306, 0));
    assert_eq!(
        answer(Word::TelnetClose),
        "telnet close is not executed because it is not in the whitelist.\n"
    );
    assert!(answer(Word::Srvr).contains("Mode: standalone"));
}

#[test]
fn the_trace_mask_is_kept() {
    let words = FourLetterWords::new(Whitelist::new(&FourLw::All, false));
    let answer = |word, mask: i64| words.answer(word, &mask.to_be_bytes(), &empty(), Instant(1)).text;
    assert_eq!(answer(Word::Gtmk, 0), golden!("empty-gtmk"));
    assert_eq!(answer(Word::Stmk, 307), golden!("empty-stmk"));
    assert_eq!(answer(Word::Gtmk, 0), "307");
    assert_eq!(answer(Word::TelnetClose, 0), golden!("empty-telnet"));
    assert_eq!(answer(Word::Stmk, -2), "-2");
    assert_eq!(words.answer(Word::Stmk, &[1; 7], &empty(), Instant(1)).text, "");
    assert_eq!(words.trace_mask(), -2);
    assert_eq!((words.argument_len(Word::Stmk), words.argument_len(Word::Gtmk)), (8, 0));
}

#[test]
fn expensive_words_are_refused_when_asked_too_often_and_cheap_ones_never() {
    let words = FourLetterWords::new(Whitelist::new(&FourLw::All, false));
    let server = empty();
    let refusal = "cons is not executed because it was asked for too often.\n";
    let answers = (0..500).map(|_| words.answer(Word::Cons, &[], &server, Instant(1)).text);
    let refused = answers.filter(|answer| answer == refusal).count();
    assert_eq!(refused as u64, 500 - crate::limits::FOUR_LETTER_BURST);
    assert_eq!(words.answer(Word::Ruok, &[], &server, Instant(1)).text, "imok");
    let answer = words.answer(Word::Wchs, &[], &server, Instant(1));
    assert!(answer.permit.is_none() && answer.text.starts_with("0 connections"));
}
