//! What is asked of a server, and what a server can say to it.
//!
//! # Invariants
//! * One value describes a request to the model and to the wire: [`Ask::record`] is its only encoding.
//! * [`Ask::op`] names every op code that a client may send; the coverage test counts them.

use oxkeeper::types::Acl;

/// Which create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// Op 1; an ephemeral with `true`.
    Plain(bool),
    /// Op 15; an ephemeral with `true`.
    WithStat(bool),
    Container,
    Ttl,
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    Create {
        make: Make,
        path: String,
        acl: Vec<Acl>,
    },
    Delete(String),
    SetData(String),
    SetAcl(String, Vec<Acl>),
    /// Only as a part of a multi.
    Check(String),
    Exists(String, bool),
    GetData(String, bool),
    /// getChildren, with the stat: getChildren2.
    GetChildren {
        path: String,
        watch: bool,
        stat: bool,
    },
    GetAcl(String),
    Descendants(String),
    Sync(String),
    Ephemerals,
    AddWatch {
        path: String,
        recursive: bool,
    },
    CheckWatches(String, i32),
    RemoveWatches(String, i32),
    /// setWatches of one data watch on a path, seen up to the end of time.
    SetWatches(String),
    /// setWatches2 of one persistent watch.
    SetWatches2(String),
    WhoAmI,
    Reconfig,
    Ping,
    Multi(Vec<Ask>),
    MultiRead(Vec<Ask>),
}

/// What a server says to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Error code of the header.
    pub err: i32,
    /// The list of getACL, sorted.
    pub acl: Vec<(i32, String, String)>,
    /// The paths of getEphemerals, sorted.
    pub paths: Vec<String>,
    /// Codes of the parts of a multi.
    pub parts: Vec<i32>,
}

impl Said {
    /// Nothing but a code.
    pub fn code(err: i32) -> Said {
        Said { err, acl: Vec::new(), paths: Vec::new(), parts: Vec::new() }
    }
}

/// A notification: type and path.
pub type Told = (i32, String);

pub const CREATED: i32 = 1;
pub const DELETED: i32 = 2;
pub const CHANGED: i32 = 3;
pub const CHILDREN: i32 = 4;

impl Ask {
    /// Op code on the wire.
    pub fn op(&self) -> i32 {
        match self {
            Ask::Create { make: Make::Plain(_), .. } => 1,
            Ask::Create { make: Make::WithStat(_), .. } => 15,
            Ask::Create { make: Make::Container, .. } => 19,
            Ask::Create { make: Make::Ttl, .. } => 21,
            Ask::Delete(_) => 2,
            Ask::Exists(..) => 3,
            Ask::GetData(..) => 4,
            Ask::SetData(_) => 5,
            Ask::GetAcl(_) => 6,
            Ask::SetAcl(..) => 7,
            Ask::GetChildren { stat: false, .. } => 8,
            Ask::Sync(_) => 9,
            Ask::Ping => 11,
            Ask::GetChildren { stat: true, .. } => 12,
            Ask::Check(_) => 13,
            Ask::Multi(_) => 14,
            Ask::Reconfig => 16,
            Ask::CheckWatches(..) => 17,
            Ask::RemoveWatches(..) => 18,
            Ask::MultiRead(_) => 22,
            Ask::SetWatches(_) => 101,
            Ask::Ephemerals => 103,
            Ask::Descendants(_) => 104,
            Ask::SetWatches2(_) => 105,
            Ask::AddWatch { .. } => 106,
            Ask::WhoAmI => 107,
        }
    }

    /// The record behind the header.
    pub fn record(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        self.put(&mut out);
        out
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Ask::Create { make, path, acl } => {
                text(out, path);
                bytes(out, b"d");
                list(out, acl);
                int(out, make.flags());
                if *make == Make::Ttl {
                    out.extend_from_slice(&(1i64 << 30).to_be_bytes());
                }
            }
            Ask::Delete(path) | Ask::Check(path) => {
                text(out, path);
                int(out, -1);
            }
            Ask::SetData(path) => {
                text(out, path);
                bytes(out, b"e");
                int(out, -1);
            }
            Ask::SetAcl(path, acl) => {
                text(out, path);
                list(out, acl);
                int(out, -1);
            }
            Ask::Exists(path, watch) | Ask::GetData(path, watch) | Ask::GetChildren { path, watch, .. } => {
                text(out, path);
                out.push(u8::from(*watch));
            }
            Ask::GetAcl(path) | Ask::Descendants(path) | Ask::Sync(path) => text(out, path),
            Ask::Ephemerals => text(out, "/"),
            Ask::AddWatch { path, recursive } => {
                text(out, path);
                int(out, i32::from(*recursive));
            }
            Ask::CheckWatches(path, kind) | Ask::RemoveWatches(path, kind) => {
                text(out, path);
                int(out, *kind);
            }
            Ask::SetWatches(path) => set_watches(out, &[Some(path), None, None]),
            Ask::SetWatches2(path) => set_watches(out, &[None, None, None, Some(path), None]),
            Ask::WhoAmI | Ask::Ping => {}
            Ask::Reconfig => {
                (0..3).for_each(|_| int(out, -1));
                out.extend_from_slice(&(-1i64).to_be_bytes());
            }
            Ask::Multi(parts) | Ask::MultiRead(parts) => {
                for part in parts {
                    int(out, part.op());
                    out.push(0);
                    int(out, -1);
                    part.put(out);
                }
                int(out, -1);
                out.push(1);
                int(out, -1);
            }
        }
    }
}

impl Make {
    fn flags(self) -> i32 {
        match self {
            Make::Plain(ephemeral) | Make::WithStat(ephemeral) => i32::from(ephemeral),
            Make::Container => 4,
            Make::Ttl => 5,
        }
    }
}

fn set_watches(out: &mut Vec<u8>, lists: &[Option<&String>]) {
    out.extend_from_slice(&i64::MAX.to_be_bytes());
    for path in lists {
        int(out, i32::from(path.is_some()));
        path.iter().for_each(|p| text(out, p));
    }
}

pub fn int(out: &mut Vec<u8>, n: i32) {
    out.extend_from_slice(&n.to_be_bytes());
}

pub fn bytes(out: &mut Vec<u8>, b: &[u8]) {
    int(out, b.len() as i32);
    out.extend_from_slice(b);
}

pub fn text(out: &mut Vec<u8>, t: &str) {
    bytes(out, t.as_bytes());
}

fn list(out: &mut Vec<u8>, acl: &[Acl]) {
    int(out, acl.len() as i32);
    for entry in acl {
        int(out, entry.perms);
        text(out, &entry.id.scheme);
        text(out, &entry.id.id);
    }
}
