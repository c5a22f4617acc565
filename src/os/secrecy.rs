//! What keeps secrets in this process and in its files: no core dumps, no data in the text of
//! a panic, and who else may read a file.
//!
//! # Invariants
//!
//! * Protection that the system refuses is reported, never assumed.

use std::any::Any;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::{DumpableBehavior, Resource, Rlimit, getuid, set_dumpable_behavior, setrlimit};
use tracing::error;

/// From now on this process leaves no core file, and only root can look into its memory.
///
/// # Errors
///
/// The system refuses; the text says what.
pub fn forbid_core_dumps() -> Result<(), String> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .map_err(|e| format!("RLIMIT_CORE: {e}"))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|e| format!("PR_SET_DUMPABLE: {e}"))
}

/// From now on a panic is reported by place and thread. Its text is told where it is part of
/// the program; one that was put together at run time may hold data and is withheld, unless
/// `tell` allows it.
pub fn guard_panics(tell: bool) {
    std::panic::set_hook(Box::new(move |info| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("without a name");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let text = panic_text(info.payload(), tell);
        // The log may be what panicked: standard error is told as well.
        eprintln!("bug: the thread {name} panicked at {place}: {text}");
        error!("bug: the thread {name} panicked at {place}: {text}");
    }));
}

fn panic_text(payload: &(dyn Any + Send), tell: bool) -> &str {
    match (payload.downcast_ref::<&'static str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) if tell => text,
        _ => "its text may hold data and is withheld (process.coreDumps=true tells it)",
    }
}

/// How a file is open to others than the account that needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    /// Permission bits.
    pub mode: u32,
    /// The command that closes it.
    pub cure: String,
}

/// May others read the file? Everybody's bit always counts; the group's only where the file is
/// our own, because a file of root's that a service may read belongs to the service's group.
/// `None` as well where the file is not there: whoever needs it will say so.
pub fn exposed(path: &Path) -> Option<Exposed> {
    let meta = std::fs::metadata(path).ok()?;
    let mode = meta.mode() & 0o7777;
    let own = meta.uid() == getuid().as_raw();
    let everybody = mode & 0o004 != 0;
    let group = own && mode & 0o040 != 0;
    let bits = if own { "go-rwx" } else { "o-rwx" };
    let quoted = path.display().to_string().replace('\'', "'\\''");
    (everybody || group).then(|| Exposed { mode, cure: format!("chmod {bits} '{quoted}'") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_text_of_a_panic_is_told_only_where_it_can_hold_no_data() {
        let formatted: Box<dyn Any + Send> = Box::new(format!("not a char boundary of `{}`", "hunter2"));
        let literal: Box<dyn Any + Send> = Box::new("a literal");
        assert_eq!(panic_text(&*literal, false), "a literal");
        assert!(!panic_text(&*formatted, false).contains("hunter2"));
        assert!(panic_text(&*formatted, true).contains("hunter2"));
        assert!(panic_text(&7, true).contains("withheld"));
    }

    #[test]
    fn a_file_that_others_may_read_is_told_with_its_cure() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("it's.keytab");
        std::fs::write(&path, "key").expect("written");
        for (mode, open) in
            [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o644, true), (0o620, false)]
        {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
            assert_eq!(exposed(&path).map(|e| e.mode), open.then_some(mode), "{mode:o}");
        }
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("set");
        let cure = exposed(&path).expect("open").cure;
        let done = std::process::Command::new("sh").args(["-c", &cure]).status().expect("ran");
        assert!(done.success() && exposed(&path).is_none(), "{cure}");
        assert_eq!(exposed(&home.path().join("none")), None);
    }
}
