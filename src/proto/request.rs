//! Requests as clients send them, borrowed from their frame.
//!
//! # Invariants
//!
//! * Bytes behind a complete record are ignored, as in Java.
//! * What cannot be decoded is a [`JuteError`]: the reply is MARSHALLINGERROR and
//!   the connection stays.

use super::multi::{MultiOp, read_multi};
use super::op::OpCode;
use crate::jute::records::{read_acls, write_acls};
use crate::jute::{JuteError, Reader, Writer};
use crate::types::Acl;
use std::borrow::Cow;

/// `RequestHeader`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestHeader {
    /// The client's number of the request.
    pub xid: i32,
    /// Op code number, known or not.
    pub op: i32,
}

impl RequestHeader {
    /// Reads the header at the start of a frame's body.
    pub fn decode(r: &mut Reader<'_>) -> Result<RequestHeader, JuteError> {
        Ok(RequestHeader { xid: r.i32()?, op: r.i32()? })
    }
}

/// Which create a request is: decides the transaction and the reply's shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CreateKind {
    /// Op 1: the reply is the path.
    Create,
    /// Op 15: path and stat.
    Create2,
    /// Op 19: path and stat.
    Container,
    /// Op 21 with its TTL in ms: path and stat.
    Ttl(i64),
}

impl CreateKind {
    /// The op code of this create.
    pub fn op(self) -> OpCode {
        match self {
            CreateKind::Create => OpCode::Create,
            CreateKind::Create2 => OpCode::Create2,
            CreateKind::Container => OpCode::CreateContainer,
            CreateKind::Ttl(_) => OpCode::CreateTtl,
        }
    }
}

/// Modes of addWatch (`AddWatchMode`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddWatchMode {
    /// 0: stays, on the path.
    Persistent,
    /// 1: stays, on the path and everything below.
    PersistentRecursive,
}

/// Types of checkWatches and removeWatches (`Watcher.WatcherType`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatcherType {
    /// 1
    Children,
    /// 2
    Data,
    /// 3
    Any,
    /// 4
    Persistent,
    /// 5
    PersistentRecursive,
}

impl WatcherType {
    /// Decodes the type field; `None` is MARSHALLINGERROR.
    pub fn from_number(n: i32) -> Option<WatcherType> {
        Some(match n {
            1 => WatcherType::Children,
            2 => WatcherType::Data,
            3 => WatcherType::Any,
            4 => WatcherType::Persistent,
            5 => WatcherType::PersistentRecursive,
            _ => return None,
        })
    }
}

/// A decoded request.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Request<'a> {
    Create {
        kind: CreateKind,
        path: Cow<'a, str>,
        data: Option<&'a [u8]>,
        acl: Vec<Acl>,
        flags: i32,
    },
    Delete {
        path: Cow<'a, str>,
        version: i32,
    },
    DeleteContainer {
        path: Cow<'a, str>,
    },
    Exists {
        path: Cow<'a, str>,
        watch: bool,
    },
    GetData {
        path: Cow<'a, str>,
        watch: bool,
    },
    SetData {
        path: Cow<'a, str>,
        data: Option<&'a [u8]>,
        version: i32,
    },
    GetAcl {
        path: Cow<'a, str>,
    },
    SetAcl {
        path: Cow<'a, str>,
        acl: Vec<Acl>,
        version: i32,
    },
    /// `with_stat`: getChildren2.
    GetChildren {
        path: Cow<'a, str>,
        watch: bool,
        with_stat: bool,
    },
    Sync {
        path: Cow<'a, str>,
    },
    Check {
        path: Cow<'a, str>,
        version: i32,
    },
    Multi(Vec<MultiOp<'a>>),
    MultiRead(Vec<MultiOp<'a>>),
    Reconfig {
        joining: Option<Cow<'a, str>>,
        leaving: Option<Cow<'a, str>>,
        members: Option<Cow<'a, str>>,
        config_id: i64,
    },
    CheckWatches {
        path: Cow<'a, str>,
        kind: WatcherType,
    },
    RemoveWatches {
        path: Cow<'a, str>,
        kind: WatcherType,
    },
    AddWatch {
        path: Cow<'a, str>,
        mode: AddWatchMode,
    },
    /// Both forms; the older one has no persistent lists.
    SetWatches(SetWatches<'a>),
    /// A null prefix is an empty one: all of the session's.
    GetEphemerals {
        prefix: Cow<'a, str>,
    },
    GetAllChildrenNumber {
        path: Cow<'a, str>,
    },
    WhoAmI,
    Ping,
    CloseSession,
    Auth {
        scheme: Cow<'a, str>,
        auth: Option<Proof<'a>>,
    },
    Sasl {
        token: Option<Proof<'a>>,
    },
}

/// What a client proves itself with: a password, a token. Printed as its length alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Proof<'a>(pub &'a [u8]);

impl std::fmt::Debug for Proof<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "*** ({} bytes)", self.0.len())
    }
}

/// The lists of setWatches and setWatches2, in the order in which they are processed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SetWatches<'a> {
    /// Last zxid that the client saw: younger changes are told at once.
    pub relative_zxid: i64,
    /// One-shot data watches of nodes that existed.
    pub data: Vec<Cow<'a, str>>,
    /// One-shot watches of nodes that did not exist.
    pub exist: Vec<Cow<'a, str>>,
    /// One-shot child watches.
    pub child: Vec<Cow<'a, str>>,
    /// Persistent watches.
    pub persistent: Vec<Cow<'a, str>>,
    /// Persistent recursive watches.
    pub recursive: Vec<Cow<'a, str>>,
}

impl<'a> Request<'a> {
    /// Decodes the record that follows the header of a request with op code `op`.
    pub fn decode(op: OpCode, r: &mut Reader<'a>) -> Result<Request<'a>, JuteError> {
        Ok(match op {
            OpCode::Create => create(CreateKind::Create, r)?,
            OpCode::Create2 => create(CreateKind::Create2, r)?,
            OpCode::CreateContainer => create(CreateKind::Container, r)?,
            OpCode::CreateTtl => create_ttl(r)?,
            OpCode::Delete => Request::Delete { path: path(r)?, version: r.i32()? },
            OpCode::DeleteContainer => Request::DeleteContainer { path: path(r)? },
            OpCode::Exists => Request::Exists { path: path(r)?, watch: r.bool()? },
            OpCode::GetData => Request::GetData { path: path(r)?, watch: r.bool()? },
            OpCode::SetData => Request::SetData { path: path(r)?, data: r.buffer()?, version: r.i32()? },
            OpCode::GetAcl => Request::GetAcl { path: path(r)? },
            OpCode::SetAcl => Request::SetAcl { path: path(r)?, acl: read_acls(r)?, version: r.i32()? },
            OpCode::GetChildren => {
                Request::GetChildren { path: path(r)?, watch: r.bool()?, with_stat: false }
            }
            OpCode::GetChildren2 => {
                Request::GetChildren { path: path(r)?, watch: r.bool()?, with_stat: true }
            }
            OpCode::Sync => Request::Sync { path: path(r)? },
            OpCode::Check => Request::Check { path: path(r)?, version: r.i32()? },
            OpCode::Multi => Request::Multi(read_multi(r)?),
            OpCode::MultiRead => Request::MultiRead(read_multi(r)?),
            OpCode::Reconfig => Request::Reconfig {
                joining: r.string()?,
                leaving: r.string()?,
                members: r.string()?,
                config_id: r.i64()?,
            },
            OpCode::CheckWatches => Request::CheckWatches { path: path(r)?, kind: watcher_type(r)? },
            OpCode::RemoveWatches => Request::RemoveWatches { path: path(r)?, kind: watcher_type(r)? },
            OpCode::AddWatch => Request::AddWatch { path: path(r)?, mode: add_watch_mode(r)? },
            OpCode::SetWatches => Request::SetWatches(set_watches(r, false)?),
            OpCode::SetWatches2 => Request::SetWatches(set_watches(r, true)?),
            OpCode::GetEphemerals => Request::GetEphemerals { prefix: r.string()?.unwrap_or_default() },
            OpCode::GetAllChildrenNumber => Request::GetAllChildrenNumber { path: path(r)? },
            OpCode::Auth => {
                r.i32()?;
                Request::Auth { scheme: r.required_string("scheme")?, auth: r.buffer()?.map(Proof) }
            }
            OpCode::Sasl => Request::Sasl { token: r.buffer()?.map(Proof) },
            OpCode::WhoAmI => Request::WhoAmI,
            OpCode::Ping => Request::Ping,
            OpCode::CloseSession => Request::CloseSession,
            OpCode::CreateSession => return Err(JuteError::Value("op", i64::from(op.number()))),
        })
    }

    /// Appends a request frame body after its header (clients, multi parts, tests).
    pub fn encode_record(&self, out: &mut Vec<u8>) {
        let mut w = Writer::new(out);
        match self {
            Request::Create { kind, path, data, acl, flags } => {
                w.string(Some(path));
                w.buffer(*data);
                write_acls(&mut w, acl);
                w.i32(*flags);
                if let CreateKind::Ttl(ttl) = kind {
                    w.i64(*ttl);
                }
            }
            Request::Delete { path, version } | Request::Check { path, version } => {
                w.string(Some(path));
                w.i32(*version);
            }
            Request::Exists { path, watch }
            | Request::GetData { path, watch }
            | Request::GetChildren { path, watch, .. } => {
                w.string(Some(path));
                w.bool(*watch);
            }
            Request::SetData { path, data, version } => {
                w.string(Some(path));
                w.buffer(*data);
                w.i32(*version);
            }
            Request::SetAcl { path, acl, version } => {
                w.string(Some(path));
                write_acls(&mut w, acl);
                w.i32(*version);
            }
            Request::DeleteContainer { path }
            | Request::GetAcl { path }
            | Request::Sync { path }
            | Request::GetAllChildrenNumber { path } => w.string(Some(path)),
            Request::GetEphemerals { prefix } => w.string(Some(prefix)),
            Request::Multi(ops) | Request::MultiRead(ops) => super::multi::write_multi(out, ops),
            Request::Reconfig { joining, leaving, members, config_id } => {
                w.string(joining.as_deref());
                w.string(leaving.as_deref());
                w.string(members.as_deref());
                w.i64(*config_id);
            }
            Request::CheckWatches { path, kind } | Request::RemoveWatches { path, kind } => {
                w.string(Some(path));
                w.i32(*kind as i32 + 1);
            }
            Request::AddWatch { path, mode } => {
                w.string(Some(path));
                w.i32(*mode as i32);
            }
            Request::SetWatches(lists) => write_set_watches(&mut w, lists),
            Request::Auth { scheme, auth } => {
                w.i32(0);
                w.string(Some(scheme));
                w.buffer(auth.map(|proof| proof.0));
            }
            Request::Sasl { token } => w.buffer(token.map(|proof| proof.0)),
            Request::WhoAmI | Request::Ping | Request::CloseSession => {}
        }
    }
}

fn path<'a>(r: &mut Reader<'a>) -> Result<Cow<'a, str>, JuteError> {
    r.required_string("path")
}

fn create<'a>(kind: CreateKind, r: &mut Reader<'a>) -> Result<Request<'a>, JuteError> {
    Ok(Request::Create { kind, path: path(r)?, data: r.buffer()?, acl: read_acls(r)?, flags: r.i32()? })
}

fn create_ttl<'a>(r: &mut Reader<'a>) -> Result<Request<'a>, JuteError> {
    let (path, data, acl, flags) = (path(r)?, r.buffer()?, read_acls(r)?, r.i32()?);
    Ok(Request::Create { kind: CreateKind::Ttl(r.i64()?), path, data, acl, flags })
}

fn watcher_type(r: &mut Reader<'_>) -> Result<WatcherType, JuteError> {
    let n = r.i32()?;
    WatcherType::from_number(n).ok_or(JuteError::Value("watcher type", i64::from(n)))
}

fn add_watch_mode(r: &mut Reader<'_>) -> Result<AddWatchMode, JuteError> {
    match r.i32()? {
        0 => Ok(AddWatchMode::Persistent),
        1 => Ok(AddWatchMode::PersistentRecursive),
        n => Err(JuteError::Value("watch mode", i64::from(n))),
    }
}

fn set_watches<'a>(r: &mut Reader<'a>, two: bool) -> Result<SetWatches<'a>, JuteError> {
    let relative_zxid = r.i64()?;
    let mut list = || -> Result<Vec<Cow<'a, str>>, JuteError> {
        r.vector(path)?.ok_or(JuteError::Null("list of watches"))
    };
    let (data, exist, child) = (list()?, list()?, list()?);
    let (persistent, recursive) = if two { (list()?, list()?) } else { (Vec::new(), Vec::new()) };
    Ok(SetWatches { relative_zxid, data, exist, child, persistent, recursive })
}

fn write_set_watches(w: &mut Writer<'_, Vec<u8>>, s: &SetWatches<'_>) {
    w.i64(s.relative_zxid);
    for list in [&s.data, &s.exist, &s.child, &s.persistent, &s.recursive] {
        w.vector(list, |w, p| w.string(Some(p)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn back(op: OpCode, request: Request<'_>) {
        let mut out = Vec::new();
        request.encode_record(&mut out);
        out.push(0xee);
        assert_eq!(Request::decode(op, &mut Reader::new(&out)), Ok(request));
    }

    #[test]
    fn requests_round_trip_and_trailing_bytes_are_ignored() {
        let acl = vec![Acl::open()];
        back(
            OpCode::CreateTtl,
            Request::Create {
                kind: CreateKind::Ttl(5),
                path: "/a".into(),
                data: None,
                acl: acl.clone(),
                flags: 5,
            },
        );
        back(
            OpCode::Create,
            Request::Create {
                kind: CreateKind::Create,
                path: "/a".into(),
                data: Some(b"x"),
                acl: acl.clone(),
                flags: 0,
            },
        );
        back(OpCode::SetAcl, Request::SetAcl { path: "/a".into(), acl, version: -1 });
        back(OpCode::RemoveWatches, Request::RemoveWatches { path: "/a".into(), kind: WatcherType::Any });
        back(
            OpCode::AddWatch,
            Request::AddWatch { path: "/a".into(), mode: AddWatchMode::PersistentRecursive },
        );
        back(
            OpCode::SetWatches2,
            Request::SetWatches(SetWatches {
                relative_zxid: 3,
                data: vec!["/d".into()],
                ..Default::default()
            }),
        );
        back(
            OpCode::Reconfig,
            Request::Reconfig { joining: None, leaving: Some("1".into()), members: None, config_id: -1 },
        );
        back(OpCode::Auth, Request::Auth { scheme: "digest".into(), auth: Some(Proof(b"u:p")) });
    }

    #[test]
    fn impossible_enums_are_marshalling_errors() {
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out);
        w.string(Some("/a"));
        w.i32(9);
        assert!(Request::decode(OpCode::AddWatch, &mut Reader::new(&out)).is_err());
        assert!(Request::decode(OpCode::CheckWatches, &mut Reader::new(&out)).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_fail_without_panic(op in 0usize..31, bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Request::decode(OpCode::ALL[op % OpCode::ALL.len()], &mut Reader::new(&bytes));
        }
    }
}
