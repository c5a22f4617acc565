//! I13: a watch fires once, before its owner can read the change, and none is missed.

use super::{Check, Seen, View};
use crate::clients::{Ask, Client, Kind};
use crate::history::z;
use oxkeeper::proto::xid;

pub struct Watches;

impl Check for Watches {
    fn number(&self) -> u8 {
        13
    }

    fn see(&mut self, view: &View<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Replied { client, sent, header, .. } if sent.ask == Ask::SetWatches => {
                set_again(view, client, header.zxid.0)
            }
            Seen::Replied { client, header, .. } if header.xid != xid::PING && !client.reads_only => {
                missed(view, client, header.zxid.0)
            }
            Seen::Event { client, zxid, kind, path } => {
                let wanted = client.watches.iter().any(|(w, _)| w.kind.takes(*kind) && w.covers(path));
                if !wanted {
                    return Err(format!(
                        "client {} is told of {path} ({kind}) without a watch",
                        client.number
                    ));
                }
                let told = if *zxid > 0 { view.history.told_at(path, *zxid) } else { u8::MAX };
                if told & Kind::told(*kind) == 0 {
                    return Err(format!(
                        "client {} is told of {path} ({kind}) at {}",
                        client.number,
                        z(*zxid)
                    ));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Something younger than a watch and not younger than an answer was not told before it.
fn missed(view: &View<'_>, client: &Client, at: i64) -> Result<(), String> {
    for (watch, since) in &client.watches {
        if watch.kind == Kind::Recursive {
            continue; // told of every path below: looked at through the events alone
        }
        if let Some(change) = view.history.next_told(&watch.path, *since, watch.kind.tells())
            && change <= at
        {
            return Err(format!(
                "client {} reads {} and was not told of {} at {} ({:?})",
                client.number,
                z(at),
                watch.path,
                z(change),
                watch.kind
            ));
        }
    }
    Ok(())
}

/// Behind a setWatches nothing is left to be told of what differs from what the client has seen.
/// (What came and went again meanwhile is not told, as in ZooKeeper.)
fn set_again(view: &View<'_>, client: &Client, at: i64) -> Result<(), String> {
    for (watch, since) in &client.watches {
        let before = view.history.node_at(&watch.path, *since).flatten();
        let now = view.history.node_at(&watch.path, at).flatten();
        let changed = match (watch.kind, before, now) {
            (Kind::Data, None, None) | (Kind::Persistent | Kind::Recursive, ..) => false,
            (Kind::Data, Some(_), Some(n)) => n.stat.mzxid > client.last_zxid,
            (Kind::Child, Some(_), Some(n)) => n.stat.pzxid > client.last_zxid,
            (Kind::Child, None, _) => false,
            (_, before, now) => before.is_some() != now.is_some(),
        };
        if changed {
            let (number, path) = (client.number, &watch.path);
            return Err(format!(
                "client {number} set its watch on {path} again at {} and was not told",
                z(at)
            ));
        }
    }
    Ok(())
}
