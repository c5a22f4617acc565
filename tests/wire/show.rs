//! Values of our own decoders in the recordings' notation (`record/frames.py` is its twin).
//!
//! # Invariants
//!
//! * Every field of a record is shown, under its name in `zookeeper.jute`.

use std::fmt::Write;

use oxkeeper::client::{OpResult, ReadResult};
use oxkeeper::proto::{
    AddWatchMode, ConnectRequest, ConnectResponse, CreateKind, MultiOp, ReplyHeader, Request, SetWatches,
    WatcherEvent,
};
use oxkeeper::types::{Acl, Stat};

/// Text, or hex when a byte is not plain ASCII.
pub fn text(bytes: &[u8]) -> String {
    let plain = |b: &u8| (0x20..0x7f).contains(b) && !matches!(b, b'"' | b'\\');
    if bytes.iter().all(plain) {
        return format!("\"{}\"", String::from_utf8_lossy(bytes));
    }
    let mut out = String::from("x'");
    for b in bytes {
        let _ = write!(out, "{b:02x}");
    }
    out + "'"
}

/// A buffer or string that may be null.
pub fn optional(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "null".to_owned(), text)
}

/// A list.
pub fn list<T>(items: &[T], one: impl Fn(&T) -> String) -> String {
    format!("[{}]", items.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// A list of strings.
pub fn strings<S: AsRef<str>>(items: &[S]) -> String {
    list(items, |s| text(s.as_ref().as_bytes()))
}

/// An ACL list.
pub fn acls(items: &[Acl]) -> String {
    list(items, |a| format!("{} {} {}", a.perms, text(a.id.scheme.as_bytes()), text(a.id.id.as_bytes())))
}

/// A stat.
pub fn stat(s: &Stat) -> String {
    format!(
        "{{czxid={:#x} mzxid={:#x} ctime={} mtime={} version={} cversion={} aversion={} ephemeralOwner={:#x} \
         dataLength={} numChildren={} pzxid={:#x}}}",
        s.czxid,
        s.mzxid,
        s.ctime,
        s.mtime,
        s.version,
        s.cversion,
        s.aversion,
        s.ephemeral_owner,
        s.data_length,
        s.num_children,
        s.pzxid
    )
}

/// The first frame of a connection.
pub fn connect(r: &ConnectRequest) -> String {
    format!(
        "protocolVersion={} lastZxidSeen={:#x} timeOut={} sessionId={:#x} passwd={}{}",
        r.protocol_version,
        r.last_zxid_seen,
        r.timeout,
        r.session_id,
        text(&r.password),
        read_only(r.read_only)
    )
}

/// Its answer.
pub fn connected(r: &ConnectResponse) -> String {
    format!(
        "protocolVersion=0 timeOut={} sessionId={:#x} passwd={}{}",
        r.timeout,
        r.session_id,
        text(&r.password),
        read_only(r.read_only)
    )
}

fn read_only(byte: Option<bool>) -> String {
    byte.map(|ro| format!(" readOnly={ro}")).unwrap_or_default()
}

/// A reply's header.
pub fn header(h: &ReplyHeader) -> String {
    format!("xid={} zxid={:#x} err={}", h.xid, h.zxid.0, h.err)
}

/// A notification's record.
pub fn event(e: &WatcherEvent) -> String {
    format!("type={} state={} path={}", e.kind, e.state, text(e.path.as_bytes()))
}

/// A request's record.
pub fn request(request: &Request<'_>) -> String {
    let t = |s: &str| text(s.as_bytes());
    match request {
        Request::Create { kind, path, data, acl, flags } => {
            let ttl = if let CreateKind::Ttl(ttl) = kind { format!(" ttl={ttl}") } else { String::new() };
            format!("path={} data={} acl={} flags={flags}{ttl}", t(path), optional(*data), acls(acl))
        }
        Request::Delete { path, version } | Request::Check { path, version } => {
            format!("path={} version={version}", t(path))
        }
        Request::Exists { path, watch }
        | Request::GetData { path, watch }
        | Request::GetChildren { path, watch, .. } => format!("path={} watch={watch}", t(path)),
        Request::SetData { path, data, version } => {
            format!("path={} data={} version={version}", t(path), optional(*data))
        }
        Request::SetAcl { path, acl, version } => {
            format!("path={} acl={} version={version}", t(path), acls(acl))
        }
        Request::DeleteContainer { path }
        | Request::GetAcl { path }
        | Request::Sync { path }
        | Request::GetAllChildrenNumber { path } => format!("path={}", t(path)),
        Request::GetEphemerals { prefix } => format!("prefixPath={}", t(prefix)),
        Request::Multi(ops) | Request::MultiRead(ops) => format!("ops={}", list(ops, part)),
        Request::Reconfig { joining, leaving, members, config_id } => format!(
            "joiningServers={} leavingServers={} newMembers={} curConfigId={config_id}",
            optional(joining.as_ref().map(|s| s.as_bytes())),
            optional(leaving.as_ref().map(|s| s.as_bytes())),
            optional(members.as_ref().map(|s| s.as_bytes()))
        ),
        Request::CheckWatches { path, kind } | Request::RemoveWatches { path, kind } => {
            format!("path={} type={}", t(path), *kind as i32 + 1)
        }
        Request::AddWatch { path, mode } => {
            format!("path={} mode={}", t(path), i32::from(*mode == AddWatchMode::PersistentRecursive))
        }
        Request::SetWatches(lists) => set_watches(lists),
        Request::Auth { scheme, auth } => {
            format!("type=0 scheme={} auth={}", t(scheme), optional(auth.map(|proof| proof.0)))
        }
        Request::Sasl { token } => format!("token={}", optional(token.map(|proof| proof.0))),
        Request::WhoAmI | Request::Ping | Request::CloseSession => String::new(),
    }
}

/// The two young lists are shown by the caller's frame alone: setWatches does not have them.
fn set_watches(s: &SetWatches<'_>) -> String {
    format!(
        "relativeZxid={:#x} dataWatches={} existWatches={} childWatches={} persistentWatches={} \
         persistentRecursiveWatches={}",
        s.relative_zxid,
        strings(&s.data),
        strings(&s.exist),
        strings(&s.child),
        strings(&s.persistent),
        strings(&s.recursive)
    )
}

fn part(op: &MultiOp<'_>) -> String {
    format!("{{{} {}}}", op.op.name(), request(&op.request))
}

/// The results of a multi that succeeded.
pub fn results(results: &[OpResult]) -> String {
    list(results, |r| match r {
        OpResult::Created(path) => format!("{{create path={}}}", text(path.as_bytes())),
        OpResult::Created2(path, s) => format!("{{create2 path={} stat={}}}", text(path.as_bytes()), stat(s)),
        OpResult::Deleted => "{delete}".to_owned(),
        OpResult::Set(s) => format!("{{setData stat={}}}", stat(s)),
        OpResult::Checked => "{check}".to_owned(),
    })
}

/// The results of a multiRead.
pub fn reads(results: &[ReadResult]) -> String {
    list(results, |r| match r {
        ReadResult::Data((data, s)) => {
            format!("{{getData data={} stat={}}}", optional(data.as_deref()), stat(s))
        }
        ReadResult::Children(names) => format!("{{getChildren children={}}}", strings(names)),
        ReadResult::Refused(code) => format!("{{error {0} | err={0}}}", code.number()),
    })
}
