//! What a server tells about itself: plain values, and the trait that gives them.
//!
//! The server implements [`Source`]; a command asks it only for what it prints.
//!
//! # Invariants
//!
//! * Nothing here knows how the server keeps these facts.
//! * Lists that can be long are handed over one element at a time and stop
//!   when the reader has enough.

use std::net::SocketAddr;
use std::ops::ControlFlow;

use crate::metrics::{BufferSizes, Gauges, Metrics, ServerStats};
use crate::types::{SessionId, Zxid};

/// What the server is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Alone.
    Standalone,
    /// Leads the quorum.
    Leader,
    /// Follows the leader and votes.
    Follower,
    /// Follows the leader without a vote.
    Observer,
    /// Cut off from the quorum; serves reads to read-only clients.
    ReadOnly,
}

impl Mode {
    /// The word after `Mode: ` (`ServerStats.getServerState`).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Observer => "observer",
            Self::ReadOnly => "read-only",
        }
    }
}

/// The facts of `srvr` and `stat`.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerStatus {
    /// What the server is.
    pub mode: Mode,
    /// Smallest request latency, milliseconds.
    pub min_latency: i64,
    /// Mean request latency, milliseconds, four decimals.
    pub avg_latency: f64,
    /// Largest request latency, milliseconds.
    pub max_latency: i64,
    /// Packets received from clients.
    pub received: u64,
    /// Packets sent to clients.
    pub sent: u64,
    /// Open client connections, this one included.
    pub connections: usize,
    /// Requests under way.
    pub outstanding: u64,
    /// The last applied transaction.
    pub zxid: Zxid,
    /// Znodes, the root counted twice as ZooKeeper does: 5 in an empty tree.
    pub node_count: u64,
    /// Sizes of proposals, on a leader.
    pub proposal_sizes: Option<BufferSizes>,
}

impl ServerStatus {
    /// A status with everything that `stats` knows; the rest is zero, and is
    /// the server's to fill in.
    pub fn of(mode: Mode, stats: &ServerStats) -> Self {
        let latency = stats.request_latency.read();
        Self {
            mode,
            min_latency: latency.min,
            avg_latency: latency.average(),
            max_latency: latency.max,
            received: stats.packets_received.get(),
            sent: stats.packets_sent.get(),
            connections: 0,
            outstanding: 0,
            zxid: Zxid::ZERO,
            node_count: 0,
            proposal_sizes: None,
        }
    }
}

/// The facts of `conf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfStatus {
    /// The plain client port, -1 without one.
    pub client_port: i32,
    /// The TLS client port, -1 without one.
    pub secure_client_port: i32,
    /// Absolute path of the snapshots' folder (`version-2`).
    pub data_dir: String,
    /// Absolute path of the logs' folder (`version-2`).
    pub data_log_dir: String,
    /// Sizes of both.
    pub sizes: DirSizes,
    /// `tickTime`, milliseconds.
    pub tick_time: i32,
    /// `maxClientCnxns`.
    pub max_client_cnxns: i32,
    /// `minSessionTimeout`, milliseconds.
    pub min_session_timeout: i32,
    /// `maxSessionTimeout`, milliseconds.
    pub max_session_timeout: i32,
    /// `clientPortListenBacklog`, -1 for the system's default.
    pub client_port_listen_backlog: i32,
    /// The server's id, 0 when standalone.
    pub server_id: i64,
    /// What a member of a quorum adds.
    pub quorum: Option<QuorumConf>,
}

/// What `conf` adds on a member of a quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumConf {
    /// `initLimit`, ticks.
    pub init_limit: i32,
    /// `syncLimit`, ticks.
    pub sync_limit: i32,
    /// `electionAlg`: 3.
    pub election_alg: i32,
    /// Own election ports.
    pub election_ports: Vec<u16>,
    /// Own quorum ports.
    pub quorum_ports: Vec<u16>,
    /// Does this server vote?
    pub participant: bool,
    /// The members, one `server.N=…` line each, and last `version=<hex>`
    /// without a line end; none in read-only mode.
    pub membership: Option<String>,
}

/// Bytes of the data directories, preallocated length counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DirSizes {
    /// Snapshots.
    pub data: u64,
    /// Logs.
    pub log: u64,
}

/// A client connection, for `cons` and `stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionRow {
    /// The client's address.
    pub peer: SocketAddr,
    /// 1 reads, 4 has output waiting, 0 neither (held back, or the connection
    /// that asks).
    pub interest_ops: u32,
    /// Requests under way.
    pub outstanding: u64,
    /// Packets received.
    pub received: u64,
    /// Packets sent.
    pub sent: u64,
    /// Its session, once there is one.
    pub session: Option<ConnectionSession>,
}

/// The session part of a row of `cons`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionSession {
    /// The session.
    pub id: SessionId,
    /// The last operation's four letters, `NA` before the first.
    pub last_operation: &'static str,
    /// When the connection was made, milliseconds since 1970.
    pub established_ms: i64,
    /// Session time-out, milliseconds.
    pub timeout_ms: i32,
    /// The last request's xid; -1 before the first.
    pub last_cxid: i64,
    /// The zxid of the last reply, -1 before the first.
    pub last_zxid: i64,
    /// When the last reply was made, milliseconds of the monotonic clock.
    pub last_response_ms: i64,
    /// Latency of the last request, milliseconds.
    pub last_latency: i64,
    /// Smallest latency.
    pub min_latency: i64,
    /// Mean latency, rounded down.
    pub avg_latency: i64,
    /// Largest latency.
    pub max_latency: i64,
}

/// Elements by the time at which they expire (`ExpiryQueue`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpirySets<T> {
    /// (milliseconds since 1970, elements), by time.
    pub buckets: Vec<(i64, Vec<T>)>,
}

impl<T> Default for ExpirySets<T> {
    fn default() -> Self {
        Self { buckets: Vec::new() }
    }
}

impl<T> ExpirySets<T> {
    /// Sorts elements into buckets: each with the time, in milliseconds since
    /// 1970, at which it expires.
    pub fn group(elements: impl IntoIterator<Item = (i64, T)>) -> Self {
        let mut buckets = std::collections::BTreeMap::<i64, Vec<T>>::new();
        for (time, element) in elements {
            buckets.entry(time).or_default().push(element);
        }
        Self { buckets: buckets.into_iter().collect() }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.buckets.iter().map(|(_, elements)| elements.len()).sum()
    }

    /// Is there no element?
    pub fn is_empty(&self) -> bool {
        self.buckets.iter().all(|(_, elements)| elements.is_empty())
    }
}

/// The sessions, for `dump`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionsStatus {
    /// Standalone or leader: it tracks all sessions.
    Tracker {
        /// Local sessions, where they are enabled.
        local: Option<ExpirySets<SessionId>>,
        /// Sessions of the ensemble.
        global: ExpirySets<SessionId>,
    },
    /// Follower or observer: the leader tracks.
    Learner {
        /// Local sessions, where they are enabled.
        local: Option<ExpirySets<SessionId>>,
        /// (session, time-out in milliseconds) of the ensemble's sessions.
        global: Vec<(SessionId, i32)>,
    },
}

/// The facts of `wchs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WatchSummary {
    /// Connections that watch data.
    pub connections: usize,
    /// Paths whose data is watched.
    pub paths: usize,
    /// Data watches.
    pub watches: usize,
}

/// The first lines of `mntr`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorStatus {
    /// What the server is.
    pub mode: Mode,
    /// E.g. `leading - broadcast`; on a member of a quorum.
    pub peer_state: Option<String>,
    /// The server that feeds this observer, -1 none; on an observer.
    pub observer_master_id: Option<i64>,
}

/// An element of a list by session or by path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// A session.
    Session(SessionId),
    /// A path.
    Path(&'a str),
}

/// Takes connections until it breaks.
pub type VisitRow<'a> = &'a mut dyn FnMut(&ConnectionRow) -> ControlFlow<()>;

/// Takes sessions and paths until it breaks.
pub type VisitItem<'a> = &'a mut dyn FnMut(Item<'_>) -> ControlFlow<()>;

/// A server that tells about itself. Every method gives one piece and is called
/// only for the commands that print it; methods may wait for the server's own
/// threads, so commands run where waiting is allowed.
pub trait Source {
    /// Are requests served at the moment?
    fn serving(&self) -> bool;
    /// `srvr`, `stat`, `isro`.
    fn server(&self) -> ServerStatus;
    /// `conf`.
    fn conf(&self) -> ConfStatus;
    /// `dirs`.
    fn dirs(&self) -> DirSizes;
    /// `envi`: key and value, in order, beginning with `zookeeper.version`; see
    /// [`super::envi`].
    fn environment(&self) -> Vec<(&'static str, String)>;
    /// `cons`, `stat`: the connections of the port that was asked.
    fn connections(&self, visit: VisitRow<'_>);
    /// `dump`: the sessions.
    fn sessions(&self) -> SessionsStatus;
    /// `dump`: number of sessions that own ephemeral znodes.
    fn ephemeral_owners(&self) -> usize;
    /// `dump`: each owner, followed by its paths.
    fn ephemerals(&self, visit: VisitItem<'_>);
    /// `dump`: the connections of the port that was asked, by expiry.
    fn connection_expiry(&self) -> ExpirySets<(SocketAddr, SessionId)>;
    /// `wchs`.
    fn watch_summary(&self) -> WatchSummary;
    /// `wchc`: each session that watches data, followed by its paths.
    fn watches_by_session(&self, visit: VisitItem<'_>);
    /// `wchp`: each path whose data is watched, followed by its sessions.
    fn watches_by_path(&self, visit: VisitItem<'_>);
    /// `hash`: the logged tree digests, oldest first.
    fn digests(&self) -> Vec<(Zxid, u64)>;
    /// `mntr`: its first lines.
    fn monitor(&self) -> MonitorStatus;
    /// `mntr`: the recorded metrics.
    fn metrics(&self) -> &Metrics;
    /// `mntr`: the gauges.
    fn gauges(&self) -> Gauges;
    /// `srst`: forget the numbers of the server; on a leader those of its
    /// proposals too.
    fn reset_server_stats(&self);
    /// `crst`: forget the numbers of the connections of the port that was asked.
    fn reset_connection_stats(&self);
}
