//! Texts of failures, as zkCli.sh prints them.
//!
//! # Invariants
//!
//! * A text names the path as the user wrote it; Java's "null" stands where it has none.

use crate::client::{ClientError, LOGIN};
use crate::error::Code;

/// The line for a failed operation about `path`.
pub fn of_error(e: &ClientError, path: &str) -> String {
    match e {
        ClientError::Refused { code, path } | ClientError::Multi { code, path, .. } => of_code(*code, path),
        ClientError::Path { path, .. } => bad_path(path).unwrap_or_else(|| e.to_string()),
        ClientError::Config(_) | ClientError::Protocol(_) | ClientError::Unreachable(_) => e.to_string(),
        // Java says no more than its code; who asked for a login is told what became of it.
        ClientError::AuthFailed(why) if why.starts_with(LOGIN) => {
            format!("{}\n{why}", of_code(e.code(), path))
        }
        _ => of_code(e.code(), path),
    }
}

/// The line for an error code about a path, empty if there is none.
pub fn of_code(code: Code, path: &str) -> String {
    let shown = if path.is_empty() { "null" } else { path };
    match code {
        Code::NoNode => format!("Node does not exist: {shown}"),
        Code::NoChildrenForEphemerals => format!("Ephemerals cannot have children: {shown}"),
        Code::NodeExists => format!("Node already exists: {shown}"),
        Code::NotEmpty => format!("Node not empty: {shown}"),
        Code::NotReadOnly => format!("Not a read-only call: {shown}"),
        Code::InvalidAcl => format!("Acl is not valid : {shown}"),
        Code::NoAuth => format!("Insufficient permission : {shown}"),
        Code::BadArguments => format!("Arguments are not valid : {shown}"),
        Code::BadVersion => format!("version No is not valid : {shown}"),
        Code::QuotaExceeded => format!("Quota has exceeded : {shown}"),
        Code::ReconfigInProgress => {
            "Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)".to_owned()
        }
        Code::NewConfigNoQuorum => {
            "No quorum of new config is connected and up-to-date with the leader of last \
                                    commmitted config - try invoking reconfiguration after new servers are \
                                    connected and synced"
                .to_owned()
        }
        _ => keeper_error(code, path),
    }
}

/// The text of Java's `KeeperException`.
pub fn keeper_error(code: Code, path: &str) -> String {
    let name = match code {
        Code::Ok => "ok",
        Code::SystemError => "SystemError",
        Code::RuntimeInconsistency => "RuntimeInconsistency",
        Code::DataInconsistency => "DataInconsistency",
        Code::ConnectionLoss => "ConnectionLoss",
        Code::MarshallingError => "MarshallingError",
        Code::Unimplemented => "Unimplemented",
        Code::OperationTimeout => "OperationTimeout",
        Code::BadArguments => "BadArguments",
        Code::UnknownSession => "Unknown error UNKNOWNSESSION",
        Code::NewConfigNoQuorum => "NewConfigNoQuorum",
        Code::ReconfigInProgress => "ReconfigInProgress",
        Code::NoNode => "NoNode",
        Code::NoAuth => "NoAuth",
        Code::BadVersion => "BadVersion",
        Code::NoChildrenForEphemerals => "NoChildrenForEphemerals",
        Code::NodeExists => "NodeExists",
        Code::NotEmpty => "Directory not empty",
        Code::SessionExpired => "Session expired",
        Code::InvalidAcl => "InvalidACL",
        Code::AuthFailed => "AuthFailed",
        Code::SessionMoved => "Session moved",
        Code::NotReadOnly => "Not a read-only call",
        Code::EphemeralOnLocalSession => "Ephemeral node on local session",
        Code::NoWatcher => "No such watcher",
        Code::ReconfigDisabled => "Reconfig is disabled",
        Code::SessionClosedRequireSaslAuth => "Session closed because client failed to authenticate",
        Code::QuotaExceeded => "Quota has exceeded",
        Code::ThrottledOp => "Op throttled due to high load",
    };
    if path.is_empty() {
        format!("KeeperErrorCode = {name}")
    } else {
        format!("KeeperErrorCode = {name} for {path}")
    }
}

/// What is wrong with a path, in Java's words and with Java's positions (UTF-16 units).
/// `None`: nothing.
pub fn bad_path(path: &str) -> Option<String> {
    let units: Vec<u16> = path.encode_utf16().collect();
    let slash = u16::from(b'/');
    match (units.first(), units.last()) {
        (None, _) => return Some("Path length must be > 0".to_owned()),
        (Some(first), _) if *first != slash => {
            return Some("Path must start with / character".to_owned());
        }
        _ if units.len() == 1 => return None,
        (_, Some(last)) if *last == slash => return Some("Path must not end with / character".to_owned()),
        _ => {}
    }
    let at = |i: usize| units.get(i).copied();
    let dot = Some(u16::from(b'.'));
    for (i, unit) in units.iter().enumerate().skip(1) {
        let ends = at(i + 1).is_none_or(|next| next == slash);
        let before = at(i - 1);
        let single = before == Some(slash);
        let double = before == dot && i >= 2 && at(i - 2) == Some(slash);
        let reason = match *unit {
            0 => "null character not allowed",
            u if u == slash && before == Some(slash) => "empty node name specified",
            u if Some(u) == dot && ends && (single || double) => "relative paths not allowed",
            1..=0x1f | 0x7f..=0x9f | 0xd800..=0xf8ff | 0xfff0..=0xffff => "invalid character",
            _ => continue,
        };
        return Some(format!("Invalid path string \"{path}\" caused by {reason} @{i}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_refused_in_javas_words_exactly_when_they_are_invalid() {
        for (path, want) in [
            ("", "Path length must be > 0"),
            ("a", "Path must start with / character"),
            ("/a/", "Path must not end with / character"),
            ("/a//b", "Invalid path string \"/a//b\" caused by empty node name specified @3"),
            ("/a/./b", "Invalid path string \"/a/./b\" caused by relative paths not allowed @3"),
            ("/..", "Invalid path string \"/..\" caused by relative paths not allowed @2"),
            ("/a\u{1}", "Invalid path string \"/a\u{1}\" caused by invalid character @2"),
            ("/\u{1f600}", "Invalid path string \"/\u{1f600}\" caused by invalid character @1"),
        ] {
            assert_eq!(bad_path(path).as_deref(), Some(want));
            assert!(crate::types::path::validate(path).is_err());
        }
        for path in ["/", "/a", "/a/...", "/a.b", "/.a"] {
            assert_eq!(bad_path(path), None);
        }
    }

    #[test]
    fn codes_read_as_in_java() {
        assert_eq!(of_code(Code::NoNode, "/a"), "Node does not exist: /a");
        assert_eq!(of_code(Code::InvalidAcl, ""), "Acl is not valid : null");
        assert_eq!(of_code(Code::ConnectionLoss, "/"), "KeeperErrorCode = ConnectionLoss for /");
        assert_eq!(of_code(Code::ReconfigDisabled, ""), "KeeperErrorCode = Reconfig is disabled");
    }
}
