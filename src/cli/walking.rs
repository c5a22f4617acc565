//! Walks the tree of a running ensemble in order, many znodes asked for at once.
//!
//! # Invariants
//!
//! * Only reads are sent. Memory is the names of the children along one path, and a few znodes.
//! * A znode that goes away meanwhile is passed over; one that may not be read is counted, never passed over silently.

use super::fault::Fault;
use crate::client::{Blocking, Client, ClientError};
use crate::error::Code;
use crate::limits::WALK_AHEAD;
use crate::types::{Acl, Stat};
use bytes::Bytes;
use std::collections::VecDeque;

/// What is asked of each znode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Its data.
    pub data: bool,
}

/// A znode of the ensemble.
#[derive(Clone, Debug)]
pub struct Znode {
    /// Its path.
    pub path: String,
    /// Its data, if it was asked for.
    pub data: Option<Bytes>,
    /// Its ACL.
    pub acl: Vec<Acl>,
    /// Its stat.
    pub stat: Stat,
    children: Vec<String>,
}

/// One level of the walk.
struct Level {
    parent: String,
    names: VecDeque<String>,
    ready: VecDeque<Znode>,
}

/// A walk under way.
pub struct Walk<'s> {
    session: &'s Blocking,
    ask: Ask,
    levels: Vec<Level>,
    first: Option<String>,
    /// Znodes that may not be read.
    pub forbidden: u64,
}

impl<'s> Walk<'s> {
    /// From `top` downwards.
    pub fn new(session: &'s Blocking, top: &str, ask: Ask) -> Walk<'s> {
        Walk { session, ask, levels: Vec::new(), first: Some(top.to_owned()), forbidden: 0 }
    }

    /// The next znode, parents before children, children by name.
    pub fn step(&mut self) -> Result<Option<Znode>, Fault> {
        if let Some(top) = self.first.take() {
            let mut found = self.fetch(vec![top.clone()])?;
            return match found.pop_front() {
                Some(znode) => Ok(Some(self.enter(znode))),
                None => Err(Fault::Refused(format!(
                    "{top} does not exist, or may not be read; log in as somebody who may"
                ))),
            };
        }
        while let Some(level) = self.levels.last_mut() {
            if let Some(znode) = level.ready.pop_front() {
                return Ok(Some(self.enter(znode)));
            }
            let some: Vec<String> = level
                .names
                .drain(..level.names.len().min(WALK_AHEAD))
                .map(|n| format!("{}/{n}", level.parent))
                .collect();
            if some.is_empty() {
                self.levels.pop();
                continue;
            }
            let ready = self.fetch(some)?;
            if let Some(level) = self.levels.last_mut() {
                level.ready = ready;
            }
        }
        Ok(None)
    }

    /// Hands a znode on; its children come next.
    fn enter(&mut self, mut znode: Znode) -> Znode {
        let mut names = std::mem::take(&mut znode.children);
        names.sort_unstable();
        if !names.is_empty() {
            let parent = if znode.path == "/" { String::new() } else { znode.path.clone() };
            self.levels.push(Level { parent, names: names.into(), ready: VecDeque::new() });
        }
        znode
    }

    fn fetch(&mut self, paths: Vec<String>) -> Result<VecDeque<Znode>, Fault> {
        let mut found = VecDeque::with_capacity(paths.len());
        for answer in self.session.wait(several(self.session.client(), paths, self.ask)) {
            match answer {
                Ok(znode) => found.push_back(znode),
                Err(ClientError::Refused { code: Code::NoNode, .. }) => {}
                Err(ClientError::Refused { code: Code::NoAuth, .. }) => self.forbidden += 1,
                Err(e) => return Err(e.into()),
            }
        }
        Ok(found)
    }
}

async fn several(client: &Client, paths: Vec<String>, ask: Ask) -> Vec<Result<Znode, ClientError>> {
    let asked: Vec<_> = paths
        .into_iter()
        .map(|path| {
            let client = client.clone();
            tokio::spawn(async move { one(&client, path, ask).await })
        })
        .collect();
    let mut answers = Vec::with_capacity(asked.len());
    for answer in asked {
        answers.push(answer.await.unwrap_or(Err(ClientError::Closed)));
    }
    answers
}

async fn one(client: &Client, path: String, ask: Ask) -> Result<Znode, ClientError> {
    let (acl, stat) = client.get_acl(&path).await?;
    let (data, stat) = if ask.data { client.get(&path, false).await? } else { (None, stat) };
    let children = if stat.num_children > 0 { client.children(&path, false).await? } else { Vec::new() };
    Ok(Znode { path, data, acl, stat, children })
}
