//! Between the node and the audit log: names of users, and replies that wait for their record.
//!
//! # Invariants
//!
//! * With "no audit, no service" a connection's bytes leave only when every record about it
//!   is on the disk; the check is made under the lock of those bytes.
//! * While the audit log cannot be written then, nothing is served.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::Failure;
use super::front::Front;
use crate::audit::{Notices, Trail};
use crate::auth::Providers;
use crate::auth::sasl::Refusal;
use crate::config::Settings;
use crate::error::{Code, ExitCode};
use crate::kerberos;
use crate::os::{clock, process};
use crate::replica::{Conn, Outgoing, SessionEvent};
use crate::types::decision::{Decision, Operation, Outcome, Who};
use crate::types::{Id, SessionId};

/// The audit log as the server's rooms see it.
#[derive(Clone)]
pub struct Audit {
    trail: Arc<Trail>,
    providers: Arc<Providers>,
}

impl Audit {
    /// Over an open log; `providers` know the names of identities.
    pub fn new(trail: Arc<Trail>, providers: Providers) -> Audit {
        Audit { trail, providers: Arc::new(providers) }
    }

    /// The log.
    pub fn trail(&self) -> &Arc<Trail> {
        &self.trail
    }

    /// A decision of the node; with the time, and the names of who asked.
    pub fn decided(&self, conn: Option<&Conn>, decision: &Decision<'_>) {
        let users = self.users(decision.who.identities);
        let login = conn.and_then(Conn::login);
        let mut decision = Decision { wall_ms: clock::wall_ms(), ..*decision };
        if decision.who.user.is_none() && !users.is_empty() {
            decision.who.user = Some(&users);
        }
        if decision.who.principal.is_none() {
            decision.who.principal = login.as_ref().map(|login| login.principal.as_str());
        }
        let place = self.trail.record(&decision);
        if let (Some(conn), Some(place)) = (conn, place) {
            conn.wait_for_record(place);
        }
    }

    /// User names between commas, of schemes that have a provider (`AuthUtil.getUsers`).
    fn users(&self, identities: &[Id]) -> String {
        let mut users = String::new();
        for id in identities.iter().filter(|id| self.providers.knows(&id.scheme)) {
            let name = self.providers.user_name(id);
            if !name.trim().is_empty() {
                if !users.is_empty() {
                    users.push(',');
                }
                users.push_str(name);
            }
        }
        users
    }

    /// The life of a session.
    pub fn session(&self, id: SessionId, what: SessionEvent, conn: Option<&Conn>) {
        let (operation, code) = match what {
            SessionEvent::Opened => (Operation::Connect, Code::Ok),
            SessionEvent::Renewed => (Operation::Resume, Code::Ok),
            SessionEvent::Refused => (Operation::Resume, Code::SessionExpired),
            SessionEvent::Closed => (Operation::Close, Code::Ok),
            SessionEvent::Expired => (Operation::Expire, Code::Ok),
        };
        let identities = conn.map(Conn::identities);
        let who = Who {
            session: Some(id),
            address: conn.map(|conn| conn.peer.ip()),
            identities: identities.as_deref().unwrap_or_default(),
            ..Who::default()
        };
        let mut decision = Decision::new(who, operation, code, 0);
        if what == SessionEvent::Refused {
            decision.outcome = Outcome::Denied;
        }
        self.decided(conn, &decision);
    }

    /// An identity was presented on a connection.
    pub fn authenticated(
        &self,
        conn: &Conn,
        scheme: &str,
        principal: Option<&str>,
        refused: Option<&Refusal>,
    ) {
        let identities = conn.identities();
        let who = Who {
            session: Some(conn.session_id()).filter(|id| *id != SessionId::NONE),
            address: Some(conn.peer.ip()),
            principal: principal.or(refused.and_then(|refusal| refusal.who.as_deref())),
            identities: &identities,
            ..Who::default()
        };
        self.login(Some(conn), who, scheme, refused);
    }

    /// Somebody was refused before there was a session.
    pub fn refused_at(&self, peer: IpAddr, scheme: &str, refusal: &Refusal) {
        let who = Who { address: Some(peer), principal: refusal.who.as_deref(), ..Who::default() };
        self.login(None, who, scheme, Some(refusal));
    }

    fn login(&self, conn: Option<&Conn>, who: Who<'_>, scheme: &str, refused: Option<&Refusal>) {
        let code = if refused.is_some() { Code::AuthFailed } else { Code::Ok };
        let mut extra = vec![("scheme", scheme)];
        if let Some(refusal) = refused {
            extra.push(("reason", refusal.reason.code()));
            extra.push(("detail", &refusal.detail));
        }
        let decision = Decision::new(who, Operation::Authenticate, code, 0);
        self.decided(conn, &Decision { extra: &extra, ..decision });
    }

    /// An administrator did something: `what`, from `address`, as `user`; `detail` names no secret.
    pub fn admin(&self, user: Option<&str>, address: Option<IpAddr>, what: &str, code: Code, detail: &str) {
        let who = Who { user, address, ..Who::default() };
        let mut extra = vec![("command", what)];
        if !detail.is_empty() {
            extra.push(("detail", detail));
        }
        self.decided(None, &Decision { extra: &extra, ..Decision::new(who, Operation::Admin, code, 0) });
    }
}

/// Opens the log, where there is one, before anything is served.
///
/// # Errors
///
/// Its file cannot be opened; the text names it.
pub fn open(
    settings: &Settings,
    providers: &Providers,
    front: &Arc<Front>,
) -> Result<Option<Audit>, Failure> {
    if !settings.audit.enable {
        return Ok(None);
    }
    let account = kerberos::config::own_principal(settings)
        .or_else(|| process::environment().user_name)
        .unwrap_or_else(|| "<NA>".to_owned());
    let hold = Arc::new(Hold::default());
    let trail = Trail::start(&settings.audit, account, Arc::clone(&front.metrics), Arc::clone(&hold) as _)
        .map_err(|why| Failure::new(ExitCode::Invocation, why))?;
    if settings.audit.required {
        let held = Arc::downgrade(front);
        hold.on_service(move |may| {
            if let Some(front) = held.upgrade() {
                if may { front.resume() } else { front.suspend() }
            }
        });
        front.hold(hold);
    }
    let audit = Audit::new(Arc::new(trail), providers.clone());
    front.audit_by(audit.clone());
    Ok(Some(audit))
}

/// Replies that wait for their records.
#[derive(Default)]
pub struct Hold {
    safe: AtomicU64,
    waiting: Mutex<Vec<Arc<Conn>>>,
    /// Told when records cannot be written, and when they can again.
    service: OnceLock<Box<dyn Fn(bool) + Send + Sync>>,
    failed: AtomicBool,
}

impl Hold {
    /// Takes a connection's outgoing bytes, if every record about them is on the disk; else
    /// the connection is woken when more records are.
    pub fn take_outgoing(&self, conn: &Arc<Conn>, into: &mut Vec<u8>) -> Option<Outgoing> {
        let taken = conn.take_if_recorded(self.safe.load(Ordering::Acquire), into);
        if taken.is_some() {
            return taken;
        }
        self.waiting.lock().push(Arc::clone(conn));
        // What became safe before it stood in the list would not wake it.
        conn.take_if_recorded(self.safe.load(Ordering::Acquire), into)
    }

    /// `service` is called when records cannot be written (false), and when they can again.
    pub fn on_service(&self, service: impl Fn(bool) + Send + Sync + 'static) {
        if self.failed.load(Ordering::Acquire) {
            service(false);
        }
        let first = self.service.set(Box::new(service));
        debug_assert!(first.is_ok(), "there is one server");
    }
}

impl Notices for Hold {
    fn safe(&self, upto: u64) {
        self.safe.fetch_max(upto, Ordering::AcqRel);
        let waiting = std::mem::take(&mut *self.waiting.lock());
        waiting.iter().for_each(|conn| conn.wake());
    }

    fn service(&self, may: bool) {
        self.failed.store(!may, Ordering::Release);
        if let Some(service) = self.service.get() {
            service(may);
        }
    }
}
