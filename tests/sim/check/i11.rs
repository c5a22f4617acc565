//! I11: answers come in the order of requests, and a client's zxid never goes back; what a session
//! asked later is never overtaken by what it asked earlier elsewhere.

use super::{Check, Seen, View};
use crate::book::id;
use crate::history::z;
use oxkeeper::error::Code;
use oxkeeper::proto::xid;
use oxkeeper::txn::Txn;
use std::collections::HashMap;

#[derive(Default)]
pub struct ClientOrder {
    /// The last request of a session that became history.
    last: HashMap<i64, i32>,
    /// Up to here the history was looked at.
    place: usize,
}

impl Check for ClientOrder {
    fn number(&self) -> u8 {
        11
    }

    fn see(&mut self, view: &View<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Delivered { .. } => self.history(view),
            Seen::Replied { client, sent, header, who, .. } => {
                if sent.xid != header.xid {
                    let (want, got) = (sent.xid, header.xid);
                    return Err(format!("{} answers {got} where {want} is next: {:?}", id(*who), sent.ask));
                }
                let counts = header.xid != xid::PING && !client.reads_only;
                if counts && header.zxid.0 > 0 && header.zxid.0 < client.last_zxid {
                    let (back, from) = (header.zxid, z(client.last_zxid));
                    return Err(format!(
                        "{} takes client {} back from {from} to {back}",
                        id(*who),
                        client.number
                    ));
                }
                Ok(())
            }
            Seen::Connected { client, who, session, last } if *session != 0 && !client.peeking => {
                if *last < client.last_zxid {
                    return Err(format!(
                        "{} is at {} and takes client {}, which has seen {}",
                        id(*who),
                        z(*last),
                        client.number,
                        z(client.last_zxid)
                    ));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl ClientOrder {
    fn history(&mut self, view: &View<'_>) -> Result<(), String> {
        while let Some(known) = view.history.known.get(self.place) {
            self.place += 1;
            let header = known.record.header;
            if header.client_id == 0 || header.cxid <= 0 || is_refused(&known.record.txn) {
                continue;
            }
            let before = self.last.insert(header.client_id, header.cxid);
            if let Some(before) = before.filter(|b| *b >= header.cxid) {
                let (session, xid) = (header.client_id, header.cxid);
                return Err(format!(
                    "request {xid} of session {session:x} comes behind its request {before}: {}",
                    header.zxid
                ));
            }
        }
        Ok(())
    }
}

/// Was it refused because its session had gone elsewhere, or ended? One that was held up on its way
/// through a member comes behind the session's end, and changes nothing.
fn is_refused(txn: &Txn) -> bool {
    match txn {
        Txn::Error { err } => [Code::SessionMoved, Code::SessionExpired].iter().any(|c| c.number() == *err),
        Txn::Multi(parts) => parts.iter().any(|part| is_refused(&part.txn)),
        _ => false,
    }
}
