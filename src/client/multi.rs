//! Multi: several operations as one transaction, or several reads as one request.
//!
//! # Invariants
//!
//! * A multi that failed is an error: a caller cannot take its results for done.

use super::error::ClientError;
use super::handle::{Client, CreateAs, Data};
use super::reply;
use super::watches::Effect;
use crate::error::Code;
use crate::proto::{MultiOp, OpCode, Request};
use crate::types::{Acl, Stat};
use bytes::Bytes;

/// One operation of a multi.
#[derive(Clone, PartialEq, Debug)]
pub enum Op {
    /// Create a znode.
    Create {
        /// Its path.
        path: String,
        /// Its data.
        data: Option<Bytes>,
        /// Its ACL.
        acl: Vec<Acl>,
        /// Its kind.
        how: CreateAs,
    },
    /// Delete a znode at a version, -1 is any.
    Delete(String, i32),
    /// Set data at a version, -1 is any.
    Set(String, Option<Bytes>, i32),
    /// Only check the version.
    Check(String, i32),
}

impl Op {
    /// The znode.
    pub fn path(&self) -> &str {
        match self {
            Op::Create { path, .. } | Op::Delete(path, _) | Op::Set(path, _, _) | Op::Check(path, _) => path,
        }
    }
}

/// What one operation of a successful multi did.
#[derive(Clone, PartialEq, Debug)]
pub enum OpResult {
    /// Created, under this path.
    Created(String),
    /// Created, with its stat (containers and TTL nodes).
    Created2(String, Stat),
    /// Deleted.
    Deleted,
    /// Set.
    Set(Stat),
    /// The version is right.
    Checked,
}

/// One read of a multiRead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Read {
    /// Data and stat.
    Data(String),
    /// Names of children.
    Children(String),
}

/// What one read gave.
#[derive(Clone, PartialEq, Debug)]
pub enum ReadResult {
    /// Data and stat.
    Data(Data),
    /// Names of children.
    Children(Vec<String>),
    /// This read was refused.
    Refused(Code),
}

impl Client {
    /// Does all of `ops` or nothing.
    pub async fn multi(&self, ops: &[Op]) -> Result<Vec<OpResult>, ClientError> {
        let parts = ops.iter().map(|op| self.part(op)).collect::<Result<Vec<_>, _>>()?;
        let body = self.ask(OpCode::Multi, Request::Multi(parts), Effect::None, "").await?;
        let mut results = match reply::multi(&body)? {
            Ok(results) => results,
            Err((index, code)) => {
                let path = ops.get(index).map(|op| op.path().to_owned()).unwrap_or_default();
                return Err(ClientError::Multi { index, code, path });
            }
        };
        for result in &mut results {
            if let OpResult::Created(path) | OpResult::Created2(path, _) = result {
                *path = self.mine(path);
            }
        }
        Ok(results)
    }

    fn part<'a>(&self, op: &'a Op) -> Result<MultiOp<'a>, ClientError> {
        Ok(match op {
            Op::Create { path, data, acl, how } => {
                crate::types::path::validate_create(path, how.mode.is_sequential())
                    .map_err(|problem| ClientError::Path { path: path.clone(), problem })?;
                let kind = how.kind(false);
                let path = if path.ends_with('/') && path.len() > 1 {
                    // Only a sequential create may end so; the chroot goes in front all the same.
                    format!("{}/", self.path(path.trim_end_matches('/'))?)
                } else {
                    self.path(path)?
                };
                let request = Request::Create {
                    kind,
                    path: path.into(),
                    data: data.as_deref(),
                    acl: acl.clone(),
                    flags: how.flags(),
                };
                MultiOp { op: kind.op(), request }
            }
            Op::Delete(path, version) => MultiOp {
                op: OpCode::Delete,
                request: Request::Delete { path: self.path(path)?.into(), version: *version },
            },
            Op::Set(path, data, version) => MultiOp {
                op: OpCode::SetData,
                request: Request::SetData {
                    path: self.path(path)?.into(),
                    data: data.as_deref(),
                    version: *version,
                },
            },
            Op::Check(path, version) => MultiOp {
                op: OpCode::Check,
                request: Request::Check { path: self.path(path)?.into(), version: *version },
            },
        })
    }

    /// Answers all of `reads` in one request; each succeeds or fails by itself.
    pub async fn multi_read(&self, reads: &[Read]) -> Result<Vec<ReadResult>, ClientError> {
        let mut parts = Vec::with_capacity(reads.len());
        for read in reads {
            let watch = false;
            parts.push(match read {
                Read::Data(path) => MultiOp {
                    op: OpCode::GetData,
                    request: Request::GetData { path: self.path(path)?.into(), watch },
                },
                Read::Children(path) => MultiOp {
                    op: OpCode::GetChildren,
                    request: Request::GetChildren { path: self.path(path)?.into(), watch, with_stat: false },
                },
            });
        }
        let body = self.ask(OpCode::MultiRead, Request::MultiRead(parts), Effect::None, "").await?;
        reply::multi_read(&body)
    }
}
