//! The long answers: connections, sessions, ephemeral znodes, watches.
//!
//! # Invariants
//!
//! * Elements are printed as they come; a list stops when its text is full.

use std::fmt::Display;
use std::ops::ControlFlow;

use super::status::{ConnectionRow, ExpirySets, Item, SessionsStatus, Source};
use super::text::Text;
use crate::types::java::{java_date, java_socket_address};

/// `cons`, and the part of `stat` that is `brief`.
pub(super) fn connections(source: &dyn Source, brief: bool, text: &mut Text) -> ControlFlow<()> {
    source.connections(&mut |row| connection(row, brief, text));
    text.put(format_args!("\n"))
}

fn connection(row: &ConnectionRow, brief: bool, text: &mut Text) -> ControlFlow<()> {
    let mut line = format!(
        " {}[{:x}](queued={},recved={},sent={}",
        java_socket_address(row.peer),
        row.interest_ops,
        row.outstanding,
        row.received,
        row.sent,
    );
    if let (false, Some(session)) = (brief, &row.session) {
        line.push_str(&format!(
            ",sid={},lop={},est={},to={}",
            session.id, session.last_operation, session.established_ms, session.timeout_ms
        ));
        if session.last_cxid >= 0 {
            line.push_str(&format!(",lcxid=0x{:x}", session.last_cxid));
        }
        line.push_str(&format!(
            ",lzxid=0x{:x},lresp={},llat={},minlat={},avglat={},maxlat={}",
            session.last_zxid,
            session.last_response_ms,
            session.last_latency,
            session.min_latency,
            session.avg_latency,
            session.max_latency,
        ));
    }
    text.put(format_args!("{line})\n"))
}

/// `dump`.
pub(super) fn dump(source: &dyn Source, text: &mut Text) -> ControlFlow<()> {
    text.put(format_args!("SessionTracker dump:\n"))?;
    sessions(&source.sessions(), text)?;
    text.put(format_args!("ephemeral nodes dump:\n"))?;
    text.put(format_args!("Sessions with Ephemerals ({}):\n", source.ephemeral_owners()))?;
    source.ephemerals(&mut |item| match item {
        Item::Session(owner) => text.put(format_args!("{owner}:\n")),
        Item::Path(path) => text.put(format_args!("\t{path}\n")),
    });
    text.put(format_args!("Connections dump:\nConnections "))?;
    expiry_sets(&source.connection_expiry(), text, |(peer, session)| {
        format!("ip: {} sessionId: {session}", java_socket_address(*peer))
    })
}

fn sessions(sessions: &SessionsStatus, text: &mut Text) -> ControlFlow<()> {
    let (SessionsStatus::Tracker { local, .. } | SessionsStatus::Learner { local, .. }) = sessions;
    if let Some(local) = local {
        text.put(format_args!("Local Session "))?;
        expiry_sets(local, text, |session| session)?;
    }
    match sessions {
        SessionsStatus::Tracker { local, global } => {
            let prefix = if local.is_some() { "Global " } else { "" };
            text.put(format_args!("{prefix}Session "))?;
            expiry_sets(global, text, |session| session)
        }
        SessionsStatus::Learner { global, .. } => {
            text.put(format_args!("Global Sessions({}):\n", global.len()))?;
            let mut sorted = global.clone();
            sorted.sort_unstable_by_key(|(session, _)| *session);
            for (session, timeout) in sorted {
                text.put(format_args!("{session}\t{timeout}ms\n"))?;
            }
            ControlFlow::Continue(())
        }
    }
}

/// `ExpiryQueue.dump`, after the caller's word for the elements.
fn expiry_sets<'a, T, D: Display + 'a>(
    sets: &'a ExpirySets<T>,
    text: &mut Text,
    show: impl Fn(&'a T) -> D,
) -> ControlFlow<()> {
    text.put(format_args!("Sets ({})/({}):\n", sets.buckets.len(), sets.len()))?;
    for (time, elements) in &sets.buckets {
        text.put(format_args!("{} expire at {}:\n", elements.len(), java_date(*time)))?;
        for element in elements {
            text.put(format_args!("\t{}\n", show(element)))?;
        }
    }
    ControlFlow::Continue(())
}

/// `wchc`.
pub(super) fn watches_by_session(source: &dyn Source, text: &mut Text) -> ControlFlow<()> {
    source.watches_by_session(&mut |item| match item {
        Item::Session(session) => text.put(format_args!("{session}\n")),
        Item::Path(path) => text.put(format_args!("\t{path}\n")),
    });
    text.put(format_args!("\n"))
}

/// `wchp`.
pub(super) fn watches_by_path(source: &dyn Source, text: &mut Text) -> ControlFlow<()> {
    source.watches_by_path(&mut |item| match item {
        Item::Path(path) => text.put(format_args!("{path}\n")),
        Item::Session(session) => text.put(format_args!("\t{session}\n")),
    });
    text.put(format_args!("\n"))
}
