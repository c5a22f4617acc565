//! Logins of client connections: exchanges, the threads they run on, and what follows a refusal.
//!
//! # Invariants
//!
//! * A token is looked at on a thread that may block, never where connections are served; when all of those
//!   are busy and their queue is full the connection is closed, which sends a client to another server.
//! * Tokens of an address that floods us with bad ones have a lane of their own: they take no thread from others, and
//!   the good ones among them succeed.
//! * Where a login is required, whoever is refused has no session and no place among the strangers any more, even
//!   while its connection lasts.
//! * One exchange a connection; it is gone when the client is logged in, refused, or away.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::core::CoreMessage;
use super::penalties::Penalties;
use super::queue::Queue;
use super::strangers::Strangers;
use crate::auth::reason::Reason;
use crate::auth::sasl::{Refusal, SaslStep};
use crate::kerberos::pool::{Job, Lane};
use crate::limits::LATE_REFUSAL_MS;
use crate::os::clock;
use crate::replica::{Conn, Input, SaslEnd, Shared, finish_sasl, sasl_token_refusal};
use crate::types::ConnId;

/// The exchange of one connection: a token in, a step out. Blocks.
pub type Exchange = Box<dyn FnMut(Option<&[u8]>) -> SaslStep + Send>;

/// What is behind logins: exchanges, and threads for them.
pub struct Mechanisms {
    /// Begins an exchange.
    pub begin: Box<dyn Fn() -> Exchange + Send + Sync>,
    /// Hands a job to a thread of a lane; false when there is no room.
    pub submit: Box<dyn Fn(Lane, Job) -> bool + Send + Sync>,
    /// Which Kerberos keys there are now, for people, or why there are none; `None` without Kerberos.
    pub look: Box<dyn Fn() -> Option<Result<String, String>> + Send + Sync>,
}

/// A token and where its answer goes.
pub struct Token {
    /// The node.
    pub shared: Arc<Shared>,
    /// The way to the core.
    pub core: Arc<Queue<CoreMessage>>,
    /// The connection, which is held until the step is finished.
    pub conn: Arc<Conn>,
    /// Xid of the request.
    pub xid: i32,
    /// The token; a null buffer is none.
    pub bytes: Option<Vec<u8>>,
}

/// Logins of all connections.
pub struct Logins {
    mechanisms: Mechanisms,
    exchanges: Mutex<HashMap<ConnId, Arc<Mutex<Exchange>>>>,
    penalties: Penalties,
    strangers: Option<Arc<Strangers>>,
    runtime: Handle,
}

impl Logins {
    /// Nobody is logging in yet. Must be called within the runtime of connections.
    pub fn new(mechanisms: Mechanisms, strangers: Option<Arc<Strangers>>) -> Logins {
        Logins {
            mechanisms,
            exchanges: Mutex::default(),
            penalties: Penalties::default(),
            strangers,
            runtime: Handle::current(),
        }
    }

    /// Takes a token. The answer follows on another thread, or at once where nothing has to be computed.
    pub fn take(self: &Arc<Self>, token: Token) {
        if let Some(refusal) = sasl_token_refusal(&token.conn, token.bytes.as_deref()) {
            return self.finish(&token, SaslStep::Refused(refusal));
        }
        let (lane, full) = match self.penalties.is_flooding(token.conn.peer.ip(), clock::mono()) {
            true => (Lane::Slow, "the queue of addresses with many refused logins is full"),
            false => (Lane::Usual, "the queue of logins is full"),
        };
        let exchange = {
            let mut exchanges = self.exchanges.lock();
            let begin = || Arc::new(Mutex::new((self.mechanisms.begin)()));
            Arc::clone(exchanges.entry(token.conn.id).or_insert_with(begin))
        };
        let (me, conn) = (Arc::clone(self), Arc::clone(&token.conn));
        let (shared, core, xid) = (Arc::clone(&token.shared), Arc::clone(&token.core), token.xid);
        let job = Box::new(move || {
            let step = (exchange.lock())(token.bytes.as_deref());
            me.finish(&token, step);
        });
        if !(self.mechanisms.submit)(lane, job) {
            let refusal = Refusal::new(Reason::SaslBusy, full);
            let token = Token { shared, core, conn, xid, bytes: None };
            self.finish(&token, SaslStep::Broken(refusal));
        }
    }

    fn finish(&self, token: &Token, step: SaslStep) {
        let conn = &token.conn;
        let ended = finish_sasl(&token.shared, conn, token.xid, step);
        match ended {
            SaslEnd::GoesOn => return,
            SaslEnd::LoggedIn => {
                if let Some(strangers) = &self.strangers {
                    strangers.proven(conn);
                }
            }
            SaslEnd::Kept(_) | SaslEnd::Closes(_) => self.penalise(conn),
            SaslEnd::ClosesLater(_) => {
                self.penalise(conn);
                self.close_later(Arc::clone(conn));
            }
            SaslEnd::Broken(_) => {}
        }
        if conn.is_turned_away() {
            // Its session ends now, and its place is free; the connection may stay until the client has read why.
            token.core.push(CoreMessage::Input(Input::Gone { conn: Arc::clone(conn) }));
            self.strangers.iter().for_each(|strangers| strangers.gone(conn, clock::mono()));
        }
        self.exchanges.lock().remove(&conn.id);
    }

    fn penalise(&self, conn: &Conn) {
        self.penalties.refused(conn.peer.ip(), clock::mono());
    }

    fn close_later(&self, conn: Arc<Conn>) {
        self.runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(LATE_REFUSAL_MS)).await;
            conn.close_after_flush();
            conn.wake();
        });
    }

    /// Looks at the keytab.
    pub fn look(&self) -> Option<Result<String, String>> {
        (self.mechanisms.look)()
    }

    /// The connection is gone.
    pub fn gone(&self, conn: &Conn) {
        self.exchanges.lock().remove(&conn.id);
    }
}
