//! The answers to admin commands, as ZooKeeper 3.9.5 gives them: fields, their order, their types.
//!
//! # Invariants
//!
//! * Data comes first, then `command` with the primary name, then `error`, null without one.
//! * An unknown command and a server that does not serve are told with status 200, as in ZooKeeper.
//! * An answer stays below [`FOUR_LETTER_ANSWER`]; one that was cut has the field `truncated`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::ControlFlow;

use super::command::Command;
use super::facts::AdminSource;
use super::fourlw::{FourLetterWords, NOT_SERVING};
use super::json::{Fields, Json};
use super::members;
use super::status::{ConnectionRow, Item, Mode, SessionsStatus, VisitRow};
use crate::limits::FOUR_LETTER_ANSWER;
use crate::metrics::{BufferSizes, Value, mntr};
use crate::types::version::FULL_VERSION;

/// The version of tree digests (`DigestCalculator`).
const DIGEST_VERSION: i32 = 2;

/// A finished answer: the fields of one command.
///
/// `data` gets the fields that every answer ends with.
pub fn finish(command: &str, mut data: Fields, error: Option<&str>) -> Fields {
    if data.get("command").is_none() {
        data.push("command", command);
    }
    if data.get("error").is_none() {
        data.push("error", error.map_or(Json::Null, Json::from));
    }
    data
}

/// The answer to a name that no command has.
pub fn unknown(name: &str) -> Fields {
    finish(name, Fields::new(), Some(&format!("Unknown command: {name}")))
}

/// Why `command` cannot be answered now, if it cannot.
pub fn not_serving(command: Command, asked_as: &str, source: &dyn AdminSource) -> Option<Fields> {
    let refuses = command.needs_serving() && !source.serving();
    refuses.then(|| finish(asked_as, Fields::new(), Some(NOT_SERVING)))
}

/// The answer to a command that looks or resets; snapshot, restore and shedding are the server's. `parameter` gives the query's values.
pub fn answer(
    command: Command,
    parameter: &dyn Fn(&str) -> Option<String>,
    source: &dyn AdminSource,
    words: &FourLetterWords,
) -> Fields {
    let mut data = Fields::new();
    match command {
        Command::Configuration => configuration(source, &mut data),
        Command::Connections => connections(source, false, &mut data),
        Command::Stats => {
            server_stats(source, &mut data);
            connections(source, true, &mut data);
        }
        Command::ServerStats => server_stats(source, &mut data),
        Command::Dirs => {
            let sizes = source.dirs();
            data.put("datadir_size", sizes.data);
            data.put("logdir_size", sizes.log);
        }
        Command::Dump => dump(source, &mut data),
        Command::Environment => {
            source.environment().into_iter().for_each(|(key, value)| data.put(key, value));
        }
        Command::GetTraceMask => data.put("tracemask", words.trace_mask()),
        Command::SetTraceMask => set_trace_mask(parameter("traceMask"), words, &mut data),
        Command::Hash => {
            let row = |(zxid, digest): (crate::types::Zxid, u64)| {
                Json::from(
                    Fields::new()
                        .with("zxid", zxid.0)
                        .with("digest", digest.cast_signed())
                        .with("digest_version", DIGEST_VERSION),
                )
            };
            data.put("digests", source.digests().into_iter().map(row).collect::<Vec<_>>());
        }
        Command::InitialConfiguration => data.put("initial_configuration", source.initial_configuration()),
        Command::IsReadOnly => data.put("read_only", source.server().mode == Mode::ReadOnly),
        Command::LastSnapshot => {
            let (zxid, time) = source.last_snapshot().map_or((-1, -1), |(zxid, time)| (zxid.0, time));
            data.put("zxid", format!("{zxid:x}"));
            data.put("timestamp", time);
        }
        Command::Monitor => monitor(source, &mut data),
        Command::ConnectionStatReset => source.reset_connection_stats(),
        Command::StatReset => source.reset_server_stats(),
        Command::SystemProperties => {
            let sorted: BTreeMap<String, String> = source.properties().into_iter().collect();
            sorted.into_iter().for_each(|(key, value)| data.push(key, value));
        }
        Command::Leader => members::leader(source, &mut data),
        Command::Observers => members::observers(source, &mut data),
        Command::VotingView => members::voting_view(source, &mut data),
        Command::ZabState => members::zab_state(source, &mut data),
        Command::WatchSummary => {
            let sum = source.watch_summary();
            data.put("num_connections", sum.connections);
            data.put("num_paths", sum.paths);
            data.put("num_total_watches", sum.watches);
        }
        Command::Watches => {
            let visit = |visit: super::VisitItem<'_>| source.watches_by_session(visit);
            grouped("session_id_to_watched_paths", visit, &mut data);
        }
        Command::WatchesByPath => {
            let visit = |visit: super::VisitItem<'_>| source.watches_by_path(visit);
            grouped("path_to_session_ids", visit, &mut data);
        }
        // Observers' numbers live as long as their connections.
        Command::ObserverConnectionStatReset | Command::Ruok => {}
        Command::RestoreSnapshot | Command::Snapshot | Command::ShedConnections => {}
    }
    finish(command.name(), data, None)
}

/// Room for lists: past it nothing is added, and the answer says so.
struct Room {
    left: usize,
    cut: bool,
}

impl Room {
    fn new() -> Room {
        Room { left: FOUR_LETTER_ANSWER, cut: false }
    }

    fn take(&mut self, bytes: usize) -> ControlFlow<()> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                ControlFlow::Continue(())
            }
            None => {
                self.cut = true;
                ControlFlow::Break(())
            }
        }
    }

    fn tell(&self, data: &mut Fields) {
        if self.cut {
            data.put("truncated", true);
        }
    }
}

/// About what an element of a list takes beside its text.
const ELEMENT: usize = 24;
/// About what a connection takes.
const CONNECTION: usize = 640;

fn configuration(source: &dyn AdminSource, data: &mut Fields) {
    let conf = source.conf();
    data.put("client_port", conf.client_port);
    data.put("data_dir", conf.data_dir);
    data.put("data_log_dir", conf.data_log_dir);
    data.put("tick_time", conf.tick_time);
    data.put("max_client_cnxns", conf.max_client_cnxns);
    data.put("min_session_timeout", conf.min_session_timeout);
    data.put("max_session_timeout", conf.max_session_timeout);
    data.put("server_id", conf.server_id);
    data.put("client_port_listen_backlog", conf.client_port_listen_backlog);
}

fn connections(source: &dyn AdminSource, brief: bool, data: &mut Fields) {
    let mut room = Room::new();
    let mut rows = |list: &dyn Fn(VisitRow<'_>)| {
        let mut rows = Vec::new();
        list(&mut |row| {
            room.take(CONNECTION)?;
            rows.push(Json::from(connection(row, brief)));
            ControlFlow::Continue(())
        });
        rows
    };
    data.put("connections", rows(&|visit| source.connections(visit)));
    data.put("secure_connections", rows(&|visit| source.secure_connections(visit)));
    room.tell(data);
}

/// `host:port`, as Jackson prints a socket's address.
pub(super) fn host_and_port(address: SocketAddr) -> String {
    SocketAddr::new(address.ip().to_canonical(), address.port()).to_string()
}

fn connection(row: &ConnectionRow, brief: bool) -> Fields {
    let mut fields = Fields::new();
    fields.push("remote_socket_address", host_and_port(row.peer));
    fields.push("interest_ops", i64::from(row.interest_ops));
    fields.push("outstanding_requests", row.outstanding);
    fields.push("packets_received", row.received);
    fields.push("packets_sent", row.sent);
    if brief {
        return fields;
    }
    let session = row.session.as_ref();
    let number = |of: fn(&super::ConnectionSession) -> i64, none: i64| session.map_or(none, of);
    fields.push("session_id", number(|s| s.id.0, 0));
    fields.push("last_operation", session.map_or("NA", |s| s.last_operation));
    fields.push("established", number(|s| s.established_ms, 0));
    fields.push("session_timeout", number(|s| s.timeout_ms.into(), 0));
    fields.push("last_cxid", number(|s| s.last_cxid, -1));
    fields.push("last_zxid", number(|s| s.last_zxid, -1));
    fields.push("last_response_time", number(|s| s.last_response_ms, 0));
    fields.push("last_latency", number(|s| s.last_latency, 0));
    fields.push("min_latency", number(|s| s.min_latency, 0));
    fields.push("avg_latency", number(|s| s.avg_latency, 0));
    fields.push("max_latency", number(|s| s.max_latency, 0));
    fields
}

fn sizes(sizes: BufferSizes) -> Fields {
    Fields::new()
        .with("last_buffer_size", sizes.last)
        .with("min_buffer_size", sizes.min)
        .with("max_buffer_size", sizes.max)
}

/// `server_stats`, the part that `stats` shares.
fn server_stats(source: &dyn AdminSource, data: &mut Fields) {
    let (status, gauges, dirs) = (source.server(), source.gauges(), source.dirs());
    let counted = &source.metrics().stats;
    let replies = sizes(counted.client_responses.read());
    data.put("version", FULL_VERSION);
    data.put("read_only", status.mode == Mode::ReadOnly);
    let stats = Fields::new()
        .with("packets_sent", status.sent)
        .with("packets_received", status.received)
        .with("fsync_threshold_exceed_count", counted.fsync_threshold_exceeded.get())
        .with("client_response_stats", replies.clone())
        .with("provider_null", false)
        .with("server_state", status.mode.as_str())
        .with("outstanding_requests", status.outstanding)
        .with("min_latency", status.min_latency)
        .with("avg_latency", status.avg_latency)
        .with("max_latency", status.max_latency)
        .with("data_dir_size", dirs.data)
        .with("log_dir_size", dirs.log)
        .with("last_processed_zxid", status.zxid.0)
        .with("num_alive_client_connections", status.connections)
        .with("auth_failed_count", gauges.auth_failed_count)
        .with("non_mtlsremote_conn_count", gauges.non_mtls_remote_conn_count)
        .with("non_mtlslocal_conn_count", gauges.non_mtls_local_conn_count)
        .with("uptime", gauges.uptime);
    data.put("server_stats", stats);
    data.put("client_response", replies);
    if let (Mode::Leader, Some(proposals)) = (status.mode, status.proposal_sizes) {
        data.put("proposal_stats", sizes(proposals));
    }
    data.put("node_count", status.node_count);
}

fn dump(source: &dyn AdminSource, data: &mut Fields) {
    let mut room = Room::new();
    let mut expiry = Fields::new();
    if let SessionsStatus::Tracker { global, .. } = source.sessions() {
        for (time, sessions) in global.buckets {
            if room.take(ELEMENT * (1 + sessions.len())).is_break() {
                break;
            }
            let ids = sessions.iter().map(|id| Json::from(id.0)).collect::<Vec<_>>();
            expiry.push(time.to_string(), ids);
        }
    }
    data.put("expiry_time_to_session_ids", expiry);
    grouped("session_id_to_ephemeral_paths", |visit| source.ephemerals(visit), data);
    room.tell(data);
}

/// A list of groups, each an item followed by those of the other kind, as an object of lists.
fn grouped(name: &str, list: impl FnOnce(super::VisitItem<'_>), data: &mut Fields) {
    let mut room = Room::new();
    let mut groups: Vec<(String, Vec<Json>)> = Vec::new();
    let mut heads_are_sessions = None;
    list(&mut |item| {
        let (is_session, text) = match item {
            Item::Session(id) => (true, id.0.to_string()),
            Item::Path(path) => (false, path.to_owned()),
        };
        room.take(ELEMENT + text.len())?;
        match groups.last_mut() {
            Some((_, group)) if heads_are_sessions != Some(is_session) => group.push(match item {
                Item::Session(id) => Json::from(id.0),
                Item::Path(_) => Json::from(text),
            }),
            _ => {
                heads_are_sessions = Some(is_session);
                groups.push((text, Vec::new()));
            }
        }
        ControlFlow::Continue(())
    });
    let mut object = Fields::new();
    groups.into_iter().for_each(|(head, group)| object.push(head, group));
    data.put(name, object);
    room.tell(data);
}

fn monitor(source: &dyn AdminSource, data: &mut Fields) {
    let status = source.monitor();
    data.push("version", FULL_VERSION);
    data.push("server_state", status.mode.as_str());
    if let Some(state) = status.peer_state {
        data.push("peer_state", state);
    }
    if let Some(id) = status.observer_master_id {
        data.push("observer_master_id", id);
    }
    mntr::lines(source.metrics(), &source.gauges(), &mut |key, value| match value {
        Value::Int(value) => data.push(key, value),
        Value::Double(value) => data.push(key, value),
    });
}

fn set_trace_mask(mask: Option<String>, words: &FourLetterWords, data: &mut Fields) {
    const NEEDS: &str = "setTraceMask requires long traceMask argument";
    let Some(text) = mask else { return data.put("error", NEEDS) };
    match text.parse::<i64>() {
        Ok(mask) => {
            words.trace_mask_is(mask);
            data.put("tracemask", mask);
        }
        Err(_) => data.put("error", format!("{NEEDS}, got {text}")),
    }
}
