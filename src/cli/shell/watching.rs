//! Commands about watches.
//!
//! # Invariants
//!
//! * A watch that is set or removed here is the session's only one of its kind and path.

use super::Shell;
use super::answer::Failure;
use super::options::Parsed;
use crate::proto::{AddWatchMode, WatcherType};

/// `addWatch`.
pub fn add_watch(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let mode = match p.value("m").map(str::to_uppercase).as_deref() {
        None | Some("PERSISTENT_RECURSIVE") => AddWatchMode::PersistentRecursive,
        Some("PERSISTENT") => AddWatchMode::Persistent,
        Some(_) => {
            let usage = super::table::find("addWatch").map(|c| c.usage_text()).unwrap_or_default();
            return Err(Failure::usage(usage));
        }
    };
    let path = p.arg(1).unwrap_or_default();
    let zk = sh.zk();
    sh.run(path, zk.add_watch(path, mode))
}

/// `removewatches`.
pub fn remove_watches(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let kind = match () {
        () if p.has("c") => WatcherType::Children,
        () if p.has("d") => WatcherType::Data,
        () if p.has("p") => WatcherType::Persistent,
        () if p.has("r") => WatcherType::PersistentRecursive,
        () => WatcherType::Any,
    };
    let path = p.arg(1).unwrap_or_default();
    let zk = sh.zk();
    sh.run(path, zk.remove_watches(path, kind, p.has("l")))
}
