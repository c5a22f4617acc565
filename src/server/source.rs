//! What four-letter words and admin commands are told: [`Source`] over the live server.
//!
//! # Invariants
//!
//! * The state is held only while it is copied out, or while a bounded text is written:
//!   applying waits for no client.
//! * `cons`, `crst` and the connections of `dump` are those of the port that was asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering::Relaxed;

use super::front::Front;
use crate::admin::{
    ConfStatus, ConnectionRow, ConnectionSession, DirSizes, ExpirySets, Item, Mode, MonitorStatus,
    ServerStatus, SessionsStatus, Source, VisitItem, VisitRow, WatchSummary, envi,
};
use crate::metrics::{Gauges, Metrics};
use crate::net::{Flow, Registry, Service as _};
use crate::os::{clock, process};
use crate::proto::OpCode;
use crate::replica::{Conn, Phase, Shared};
use crate::types::{ConnId, SessionId, Zxid};

/// The live server, as a client of one of its ports sees it.
pub struct WordSource<'a> {
    pub(super) front: &'a Front,
    asking: Option<&'a Conn>,
    /// Of which port are the connections?
    secure: bool,
}

impl<'a> WordSource<'a> {
    /// What `asking`, a connection, is told.
    pub fn new(front: &'a Front, asking: &'a Conn) -> WordSource<'a> {
        WordSource { front, asking: Some(asking), secure: asking.secure }
    }

    /// What somebody is told who is no client; connections are those of one of the ports.
    pub fn of_port(front: &'a Front, secure: bool) -> WordSource<'a> {
        WordSource { front, asking: None, secure }
    }

    fn registry(&self) -> &Registry<Conn> {
        if self.secure { &self.front.secure } else { &self.front.plain }
    }

    pub(super) fn shared(&self) -> Option<&Shared> {
        self.front.serving().map(|s| &*s.shared)
    }

    /// The leader tracks the sessions of the ensemble.
    fn sessions_of_learner(&self) -> SessionsStatus {
        let sessions = |shared: &Shared| {
            let store = shared.store();
            store.sessions.iter().map(|(id, timeout)| (SessionId(*id), *timeout)).collect()
        };
        SessionsStatus::Learner { local: None, global: self.shared().map(sessions).unwrap_or_default() }
    }

    fn mode(&self) -> Mode {
        self.front.face().map_or(Mode::Standalone, |face| face.mode())
    }

    fn row(&self, conn: &Conn) -> ConnectionRow {
        let stats = &conn.stats;
        let reads =
            self.asking.is_none_or(|asking| asking.id != conn.id) && self.front.flow(conn) == Flow::Read;
        let writes = conn.outgoing_len() > 0;
        let replies = stats.replies.load(Relaxed);
        let session = conn.session().map(|session| ConnectionSession {
            id: session.id,
            last_operation: operation_name(stats.last_op.load(Relaxed)),
            established_ms: conn.established_ms,
            timeout_ms: i32::try_from(session.timeout_ms()).unwrap_or(i32::MAX),
            last_cxid: stats.last_cxid.load(Relaxed),
            last_zxid: if replies == 0 { -1 } else { stats.last_zxid.load(Relaxed) },
            last_response_ms: signed(stats.last_response_ms.load(Relaxed)),
            last_latency: signed(stats.last_latency_ms.load(Relaxed)),
            min_latency: signed(stats.min_latency_ms.load(Relaxed)),
            avg_latency: signed(stats.total_latency_ms.load(Relaxed) / replies.max(1)),
            max_latency: signed(stats.max_latency_ms.load(Relaxed)),
        });
        ConnectionRow {
            peer: conn.peer,
            interest_ops: u32::from(reads) | u32::from(writes) << 2,
            outstanding: u64::from(conn.in_flight()),
            received: stats.received.load(Relaxed),
            sent: stats.sent.load(Relaxed),
            session: session.filter(|_| conn.phase() == Phase::Established),
        }
    }
}

/// Sessions by their connections.
fn sessions_of(shared: &Shared) -> HashMap<ConnId, SessionId> {
    shared.connections().iter().map(|conn| (conn.id, conn.session_id())).collect()
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// What `cons` calls an operation (`FinalRequestProcessor`'s `lastOp`).
fn operation_name(op: i32) -> &'static str {
    use OpCode::*;
    match OpCode::from_number(op) {
        Some(Ping) => "PING",
        Some(CreateSession) => "SESS",
        Some(Multi) => "MULT",
        Some(MultiRead) => "MLTR",
        Some(Create | Create2 | CreateContainer | CreateTtl) => "CREA",
        Some(Delete | DeleteContainer) => "DELE",
        Some(SetData) => "SETD",
        Some(Reconfig) => "RECO",
        Some(SetAcl) => "SETA",
        Some(CloseSession) => "CLOS",
        Some(Sync) => "SYNC",
        Some(Check) => "CHEC",
        Some(Exists) => "EXIS",
        Some(GetData) => "GETD",
        Some(SetWatches) => "SETW",
        Some(SetWatches2) => "STW2",
        Some(AddWatch) => "ADDW",
        Some(GetAcl) => "GETA",
        Some(GetChildren | GetChildren2) => "GETC",
        Some(GetAllChildrenNumber) => "GETACN",
        Some(CheckWatches) => "CHKW",
        Some(RemoveWatches) => "REMW",
        Some(WhoAmI) => "HOMI",
        Some(GetEphemerals) => "GETE",
        _ => "NA",
    }
}

impl Source for WordSource<'_> {
    fn serving(&self) -> bool {
        self.shared().is_some()
    }

    fn server(&self) -> ServerStatus {
        let mut status = ServerStatus::of(self.mode(), &self.front.metrics.stats);
        status.connections = self.front.connections();
        if status.mode == Mode::Leader {
            status.proposal_sizes = Some(self.front.metrics.stats.proposals.read());
        }
        if let Some(shared) = self.shared() {
            status.outstanding = shared.outstanding() as u64;
            let store = shared.store();
            // Before its first transaction an established leader is at the beginning of its epoch.
            let led = self.front.face().filter(|_| status.mode == Mode::Leader);
            let begin = led.map_or(Zxid::ZERO, |face| Zxid::new(face.role().epoch, 0));
            status.zxid = store.tree.last_zxid().max(begin);
            status.node_count = store.tree.node_count() as u64;
        }
        status
    }

    fn conf(&self) -> ConfStatus {
        let mut conf = self.front.facts.conf();
        if let Some(face) = self.front.face() {
            conf.server_id = face.me.0;
            if let Some(quorum) = &mut conf.quorum {
                quorum.participant = self.mode() != Mode::Observer;
                // A server that is cut off does not print it.
                quorum.membership = Some(face.membership()).filter(|_| self.mode() != Mode::ReadOnly);
            }
        }
        conf
    }

    fn dirs(&self) -> DirSizes {
        self.front.facts.sizes()
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        envi::environment(&process::environment())
    }

    fn connections(&self, visit: VisitRow<'_>) {
        for entry in self.registry().all() {
            if visit(&self.row(&entry.client)).is_break() {
                return;
            }
        }
    }

    fn sessions(&self) -> SessionsStatus {
        if matches!(self.mode(), Mode::Follower | Mode::Observer) {
            return self.sessions_of_learner();
        }
        let now = clock::now();
        let wall = |ms: u64| now.wall_ms + signed(ms) - signed(now.mono.millis());
        let sets = self.shared().map(|shared| shared.with_sessions(|tracker| tracker.expiry_sets()));
        let buckets = sets.unwrap_or_default().into_iter().map(|(at, ids)| (wall(at), ids)).collect();
        SessionsStatus::Tracker { local: None, global: ExpirySets { buckets } }
    }

    fn ephemeral_owners(&self) -> usize {
        self.shared().map_or(0, |shared| shared.store().tree.ephemeral_sessions().count())
    }

    fn ephemerals(&self, visit: VisitItem<'_>) {
        let Some(shared) = self.shared() else { return };
        let owners: Vec<i64> = shared.store().tree.ephemeral_sessions().collect();
        for owner in owners {
            if visit(Item::Session(SessionId(owner))).is_break() {
                return;
            }
            let paths: Vec<String> = shared.store().tree.ephemerals(owner).collect();
            if paths.iter().any(|path| visit(Item::Path(path)).is_break()) {
                return;
            }
        }
    }

    fn connection_expiry(&self) -> ExpirySets<(SocketAddr, SessionId)> {
        let now = clock::now();
        let registry = self.registry();
        ExpirySets::group(registry.all().iter().map(|entry| {
            let deadline = signed(registry.deadline_ms(self.front, entry));
            let at = now.wall_ms + deadline - signed(now.mono.millis());
            (at, (entry.client.peer, entry.client.session_id()))
        }))
    }

    fn watch_summary(&self) -> WatchSummary {
        let Some(shared) = self.shared() else { return WatchSummary::default() };
        let sum = shared.with_watches(|watches| watches.summary());
        WatchSummary { connections: sum.connections, paths: sum.paths, watches: sum.total }
    }

    fn watches_by_session(&self, visit: VisitItem<'_>) {
        let Some(shared) = self.shared() else { return };
        let sessions = sessions_of(shared);
        let _ = shared.with_watches(|watches| {
            watches.by_connection().try_for_each(|(conn, paths)| {
                let Some(session) = sessions.get(&conn) else { return ControlFlow::Continue(()) };
                visit(Item::Session(*session))?;
                paths.into_iter().try_for_each(|path| visit(Item::Path(path)))
            })
        });
    }

    fn watches_by_path(&self, visit: VisitItem<'_>) {
        let Some(shared) = self.shared() else { return };
        let sessions = sessions_of(shared);
        let _ = shared.with_watches(|watches| {
            watches.by_path().try_for_each(|(path, conns)| {
                visit(Item::Path(path))?;
                let mut holders = conns.iter().filter_map(|conn| sessions.get(conn));
                holders.try_for_each(|session| visit(Item::Session(*session)))
            })
        });
    }

    fn digests(&self) -> Vec<(Zxid, u64)> {
        let Some(shared) = self.shared() else { return Vec::new() };
        shared.store().tree.digest_log().map(|(zxid, digest)| (zxid, digest as u64)).collect()
    }

    fn monitor(&self) -> MonitorStatus {
        let mode = self.mode();
        let face = self.front.face().filter(|_| mode != Mode::ReadOnly);
        MonitorStatus {
            mode,
            peer_state: face.map(|face| face.peer_state()),
            observer_master_id: face
                .filter(|_| mode == Mode::Observer)
                .map(|face| face.status().and_then(|status| status.master).map_or(-1, |id| id.0)),
        }
    }

    fn metrics(&self) -> &Metrics {
        &self.front.metrics
    }

    fn gauges(&self) -> Gauges {
        super::gauges::gauges(self.front)
    }

    fn reset_server_stats(&self) {
        self.front.metrics.reset();
    }

    fn reset_connection_stats(&self) {
        for entry in self.registry().all() {
            entry.client.stats.reset();
        }
    }
}
