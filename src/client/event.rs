//! Events as the owner of a session sees them.
//!
//! # Invariants
//!
//! * Names and text are those of `WatchedEvent`: scripts read them.

use std::fmt;

/// State of the session when an event arose (`Watcher.Event.KeeperState`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum KeeperState {
    Disconnected,
    SyncConnected,
    AuthFailed,
    ConnectedReadOnly,
    SaslAuthenticated,
    Expired,
    Closed,
}

/// What happened (`Watcher.Event.EventType`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum EventType {
    /// The state of the session changed.
    None,
    NodeCreated,
    NodeDeleted,
    NodeDataChanged,
    NodeChildrenChanged,
    DataWatchRemoved,
    ChildWatchRemoved,
    PersistentWatchRemoved,
}

impl EventType {
    /// The type of a notification's number; `None` for numbers that servers never send.
    pub fn from_wire(n: i32) -> Option<EventType> {
        Some(match n {
            1 => EventType::NodeCreated,
            2 => EventType::NodeDeleted,
            3 => EventType::NodeDataChanged,
            4 => EventType::NodeChildrenChanged,
            _ => return None,
        })
    }
}

/// One event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchedEvent {
    /// State of the session.
    pub state: KeeperState,
    /// What happened.
    pub kind: EventType,
    /// The znode, in the caller's chroot; `None` for state changes.
    pub path: Option<String>,
    /// Transaction that caused it; -1 if it is none, or unknown.
    pub zxid: i64,
}

impl WatchedEvent {
    /// A change of the session's state.
    pub fn of_state(state: KeeperState) -> WatchedEvent {
        WatchedEvent { state, kind: EventType::None, path: None, zxid: -1 }
    }
}

impl fmt::Display for WatchedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.as_deref().unwrap_or("null");
        write!(f, "WatchedEvent state:{:?} type:{:?} path:{path} zxid: {}", self.state, self.kind, self.zxid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_print_as_in_java() {
        assert_eq!(
            WatchedEvent::of_state(KeeperState::SyncConnected).to_string(),
            "WatchedEvent state:SyncConnected type:None path:null zxid: -1"
        );
        let e = WatchedEvent {
            state: KeeperState::SyncConnected,
            kind: EventType::NodeCreated,
            path: Some("/a".into()),
            zxid: 7,
        };
        assert_eq!(e.to_string(), "WatchedEvent state:SyncConnected type:NodeCreated path:/a zxid: 7");
    }
}
