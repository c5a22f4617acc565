//! The answers to four-letter words, as ZooKeeper 3.9.5 prints them.
//!
//! # Invariants
//!
//! * Every text is ZooKeeper's to the byte; only lists may end early, with a
//!   line that says so.
//! * A word that needs a serving server says so when it is not serving.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU32};

use super::gate::{Gate, Permit};
use super::lists;
use super::status::{ConfStatus, Mode, Source};
use super::text::Text;
use super::word::{Whitelist, Word};
use crate::limits::FOUR_LETTER_ANSWER;
use crate::metrics::{Value, mntr};
use crate::types::Instant;
use crate::types::java::java_double;
use crate::types::version::FULL_VERSION;

/// What a server says that does not serve at the moment.
pub const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

/// The trace mask ZooKeeper starts with: client requests, server packets,
/// sessions, warnings.
pub const DEFAULT_TRACE_MASK: i64 = 0b1_0011_0010;

/// An answer, after which the connection is closed.
#[derive(Debug)]
pub struct Answer {
    /// The text; may be empty.
    pub text: String,
    /// Of an expensive word: whoever sends the text keeps it until the text has
    /// left, so that clients that read slowly do not pile texts up.
    pub permit: Option<Permit>,
}

/// Answers four-letter words: whitelist, gate, trace mask.
#[derive(Debug)]
pub struct FourLetterWords {
    whitelist: AtomicU32,
    gate: Gate,
    trace_mask: AtomicI64,
}

impl FourLetterWords {
    /// Answers the words of `whitelist`.
    pub fn new(whitelist: Whitelist) -> Self {
        let (whitelist, gate) = (AtomicU32::new(whitelist.bits()), Gate::default());
        Self { whitelist, gate, trace_mask: AtomicI64::new(DEFAULT_TRACE_MASK) }
    }

    /// From now on answers the words of `whitelist`.
    pub fn allow(&self, whitelist: Whitelist) {
        self.whitelist.store(whitelist.bits(), Relaxed);
    }

    /// May `word` be used?
    pub fn allows(&self, word: Word) -> bool {
        Whitelist::from_bits(self.whitelist.load(Relaxed)).allows(word)
    }

    /// Bytes to read after `word` before it is answered: 8 for `stmk` where it
    /// may be used.
    pub fn argument_len(&self, word: Word) -> usize {
        if self.allows(word) { word.argument_len() } else { 0 }
    }

    /// The answer to `word`, which was followed by `argument`. May wait for the
    /// server's threads.
    pub fn answer(&self, word: Word, argument: &[u8], source: &dyn Source, now: Instant) -> Answer {
        if !self.allows(word) {
            let text = format!("{} is not executed because it is not in the whitelist.\n", word.name());
            return Answer { text, permit: None };
        }
        let mut permit = None;
        if word.is_expensive() && source.serving() {
            permit = self.gate.admit(now);
            if permit.is_none() {
                let text = format!("{} is not executed because it was asked for too often.\n", word.name());
                return Answer { text, permit };
            }
        }
        let text = match word {
            Word::Gtmk => self.trace_mask.load(Relaxed).to_string(),
            Word::Stmk => self.set_trace_mask(argument),
            word => render(word, source, FOUR_LETTER_ANSWER),
        };
        Answer { text, permit }
    }

    /// Sets the mask to eight bytes; fewer are not answered, as in ZooKeeper.
    fn set_trace_mask(&self, argument: &[u8]) -> String {
        let Some(mask) = argument.first_chunk().map(|bytes| i64::from_be_bytes(*bytes)) else {
            return String::new();
        };
        self.trace_mask.store(mask, Relaxed);
        mask.to_string()
    }

    /// The trace mask is this from now on.
    pub fn trace_mask_is(&self, mask: i64) {
        self.trace_mask.store(mask, Relaxed);
    }

    /// The gate of expensive answers, words and admin commands alike.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The trace mask; kept for `gtmk`, and of no other effect.
    pub fn trace_mask(&self) -> i64 {
        self.trace_mask.load(Relaxed)
    }
}

/// The text of `word`, at most `limit` bytes and a line.
pub fn render(word: Word, source: &dyn Source, limit: usize) -> String {
    if word.needs_serving() && !source.serving() {
        let end = if word == Word::Hash { "" } else { "\n" };
        return format!("{NOT_SERVING}{end}");
    }
    let mut text = Text::new(limit);
    let _ = match word {
        Word::Ruok => text.put(format_args!("imok")),
        Word::Isro => text.put(format_args!("{}", read_only(source))),
        Word::Crst => {
            source.reset_connection_stats();
            text.put(format_args!("Connection stats reset.\n"))
        }
        Word::Srst => {
            source.reset_server_stats();
            text.put(format_args!("Server stats reset.\n"))
        }
        Word::Dirs => {
            let sizes = source.dirs();
            text.put(format_args!("datadir_size: {}\nlogdir_size: {}\n", sizes.data, sizes.log))
        }
        Word::Conf => text.put(format_args!("{}", conf(&source.conf()))),
        Word::Envi => {
            let pairs = source.environment();
            let lines: String = pairs.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
            text.put(format_args!("Environment:\n{lines}"))
        }
        Word::Srvr | Word::Stat => {
            return server(word, source, text);
        }
        Word::Cons => lists::connections(source, false, &mut text),
        Word::Dump => lists::dump(source, &mut text),
        Word::Wchs => {
            let sum = source.watch_summary();
            let (connections, paths, watches) = (sum.connections, sum.paths, sum.watches);
            text.put(format_args!(
                "{connections} connections watching {paths} paths\nTotal watches:{watches}\n"
            ))
        }
        Word::Wchc => lists::watches_by_session(source, &mut text),
        Word::Wchp => lists::watches_by_path(source, &mut text),
        Word::Hash => {
            let digests = source.digests();
            let lines = digests.iter().map(|(zxid, digest)| format!("{:x}: {}\n", zxid.0, *digest as i64));
            text.put(format_args!("{}", lines.collect::<String>()))
        }
        Word::Mntr => monitor(source, &mut text),
        Word::Gtmk | Word::Stmk | Word::TelnetClose => text.put(format_args!("")),
    };
    text.finish()
}

fn read_only(source: &dyn Source) -> &'static str {
    if !source.serving() {
        "null"
    } else if source.server().mode == Mode::ReadOnly {
        "ro"
    } else {
        "rw"
    }
}

/// `srvr`, and `stat` which lists the connections in between.
fn server(word: Word, source: &dyn Source, mut text: Text) -> String {
    let status = source.server();
    let _ = text.put(format_args!("Zookeeper version: {FULL_VERSION}\n"));
    if status.mode == Mode::ReadOnly {
        let _ = text.put(format_args!("READ-ONLY mode; serving only read-only clients\n"));
    }
    if word == Word::Stat {
        let _ = text.put(format_args!("Clients:\n"));
        let _ = lists::connections(source, true, &mut text);
    }
    let _ = text.put(format_args!(
        "Latency min/avg/max: {}/{}/{}\nReceived: {}\nSent: {}\nConnections: {}\n",
        status.min_latency,
        java_double(status.avg_latency),
        status.max_latency,
        status.received,
        status.sent,
        status.connections,
    ));
    let _ = text.put(format_args!(
        "Outstanding: {}\nZxid: {}\nMode: {}\nNode count: {}\n",
        status.outstanding,
        status.zxid,
        status.mode.as_str(),
        status.node_count,
    ));
    if let (Mode::Leader, Some(sizes)) = (status.mode, status.proposal_sizes) {
        let _ = text.put(format_args!("Proposal sizes last/min/max: {sizes}\n"));
    }
    text.finish()
}

fn conf(conf: &ConfStatus) -> String {
    let mut lines = format!(
        "clientPort={}\nsecureClientPort={}\ndataDir={}\ndataDirSize={}\ndataLogDir={}\ndataLogSize={}\n",
        conf.client_port,
        conf.secure_client_port,
        conf.data_dir,
        conf.sizes.data,
        conf.data_log_dir,
        conf.sizes.log,
    );
    lines.push_str(&format!(
        "tickTime={}\nmaxClientCnxns={}\nminSessionTimeout={}\nmaxSessionTimeout={}\n\
         clientPortListenBacklog={}\nserverId={}\n",
        conf.tick_time,
        conf.max_client_cnxns,
        conf.min_session_timeout,
        conf.max_session_timeout,
        conf.client_port_listen_backlog,
        conf.server_id,
    ));
    let Some(quorum) = &conf.quorum else {
        return lines;
    };
    let ports = |ports: &[u16]| ports.iter().map(u16::to_string).collect::<Vec<_>>().join("|");
    lines.push_str(&format!(
        "initLimit={}\nsyncLimit={}\nelectionAlg={}\nelectionPort={}\nquorumPort={}\npeerType={}\n",
        quorum.init_limit,
        quorum.sync_limit,
        quorum.election_alg,
        ports(&quorum.election_ports),
        ports(&quorum.quorum_ports),
        u8::from(!quorum.participant),
    ));
    if let Some(membership) = &quorum.membership {
        lines.push_str(&format!("membership: \n{membership}"));
    }
    lines
}

fn monitor(source: &dyn Source, text: &mut Text) -> std::ops::ControlFlow<()> {
    let status = source.monitor();
    text.put(format_args!("zk_version\t{FULL_VERSION}\nzk_server_state\t{}\n", status.mode.as_str()))?;
    if let Some(state) = &status.peer_state {
        text.put(format_args!("zk_peer_state\t{state}\n"))?;
    }
    if let Some(id) = status.observer_master_id {
        text.put(format_args!("zk_observer_master_id\t{id}\n"))?;
    }
    mntr::lines(source.metrics(), &source.gauges(), &mut |key, value| {
        let _ = match value {
            Value::Int(value) => text.put(format_args!("zk_{key}\t{value}\n")),
            Value::Double(value) => text.put(format_args!("zk_{key}\t{}\n", java_double(value))),
        };
    });
    std::ops::ControlFlow::Continue(())
}
