//! I11: answers come in the order of requests, and a client's zxid never goes back.

use super::{Check, Seen, View};
use crate::book::id;
use crate::history::z;
use oxkeeper::proto::xid;

pub struct ClientOrder;

impl Check for ClientOrder {
    fn number(&self) -> u8 {
        11
    }

    fn see(&mut self, _: &View<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Replied { client, sent, header, who, .. } => {
                if sent.xid != header.xid {
                    let (want, got) = (sent.xid, header.xid);
                    return Err(format!("{} answers {got} where {want} is next: {:?}", id(*who), sent.ask));
                }
                if header.xid != xid::PING && header.zxid.0 > 0 && header.zxid.0 < client.last_zxid {
                    let (back, from) = (header.zxid, z(client.last_zxid));
                    return Err(format!(
                        "{} takes client {} back from {from} to {back}",
                        id(*who),
                        client.number
                    ));
                }
                Ok(())
            }
            Seen::Connected { client, who, session, last } if *session != 0 => {
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
