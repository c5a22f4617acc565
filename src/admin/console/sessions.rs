//! Sessions with what is left of them, and watches.
//!
//! # Invariants
//!
//! * Lists are bounded, and say how many there are beyond.

use super::html::{Cell, heading, note, table};
use crate::admin::status::WatchSummary;
use crate::types::SessionId;

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLine {
    /// Its number.
    pub id: SessionId,
    /// Where its client is connected here.
    pub client: String,
    /// Who it is.
    pub who: String,
    /// Its time-out, milliseconds; 0 if it is not known here.
    pub timeout_ms: i64,
    /// Ephemeral znodes.
    pub ephemerals: usize,
    /// When it expires unless its client is heard, milliseconds from now; known where sessions are tracked.
    pub left_ms: Option<i64>,
}

/// The page of sessions.
pub fn sessions(lines: &[SessionLine], total: usize) -> String {
    let rows = lines.iter().map(|line| {
        vec![
            Cell::text(line.id.to_string()),
            Cell::text(&*line.client),
            Cell::text(&*line.who),
            Cell::number(line.timeout_ms),
            Cell::number(line.ephemerals),
            line.left_ms.map_or_else(|| Cell::text(""), Cell::Left),
        ]
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    let mut html = table(&["Session", "Client", "Identity", "Time-out ms", "Ephemerals", "Expires"], &rows);
    html.push_str(&beyond(lines.len(), total, "sessions"));
    html.push_str(&note(
        "A session expires when its client is not heard until then; every heartbeat puts that off.",
    ));
    html
}

/// A watched path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchLine {
    /// The path.
    pub path: String,
    /// Sessions that watch its data.
    pub sessions: usize,
}

/// The page of watches.
pub fn watches(summary: WatchSummary, lines: &[WatchLine]) -> String {
    let mut html = note(&format!(
        "{} connections watch {} paths, {} watches of data",
        summary.connections, summary.paths, summary.watches
    ));
    html.push_str(&heading("Paths"));
    let rows = lines.iter().map(|line| {
        let path = Cell::Znode { path: line.path.clone(), text: line.path.clone() };
        vec![path, Cell::number(line.sessions)]
    });
    html.push_str(&table(&["Path", "Sessions"], &rows.collect::<Vec<_>>()));
    html.push_str(&beyond(lines.len(), summary.paths, "paths"));
    html
}

fn beyond(shown: usize, total: usize, what: &str) -> String {
    if total > shown { note(&format!("{shown} of {total} {what} are shown")) } else { String::new() }
}
