//! A connection as the node knows it: identities, session, outgoing bytes.
//!
//! # Invariants
//!
//! * Outgoing bytes are whole frames, in the order in which they must leave.
//! * A connection holds at most one session, for its whole life.
//! * After [`Conn::close_after_flush`] nothing more is queued.

use super::login::LoginState;
use crate::auth::sasl::Login;
use crate::auth::{Identities, address_identity};
use crate::proto::OpCode;
use crate::session::Session;
use crate::types::{ConnId, Id, Instant, Now, SessionId, Zxid};
use parking_lot::{Mutex, RwLock};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// How a connection's task learns that bytes wait for it.
pub trait Wake: Send + Sync {
    /// Outgoing bytes were queued, or the connection is to be closed.
    fn wake(&self);

    /// The same, and the caller has the time to send the bytes by itself.
    fn send(&self) {
        self.wake();
    }
}

/// The scheme of the identity that passes every ACL.
const SUPER: &str = "super";

/// How far a connection has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Phase {
    /// No connect request yet.
    Fresh = 0,
    /// The connect request is with the node: nothing may be read.
    Connecting = 1,
    /// A session is established.
    Established = 2,
    /// The node has let it go.
    Closed = 3,
}

/// What a task took out to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// Close once everything taken is sent.
    pub close_after: bool,
}

#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    close: bool,
}

/// Counters of the `cons` word. All relaxed: they are read for people.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct ConnStats {
    pub received: AtomicU64,
    pub sent: AtomicU64,
    pub last_op: AtomicI32,
    pub last_cxid: AtomicI64,
    pub last_zxid: AtomicI64,
    /// Monotonic ms of the last reply.
    pub last_response_ms: AtomicU64,
    pub last_latency_ms: AtomicU64,
    pub min_latency_ms: AtomicU64,
    pub max_latency_ms: AtomicU64,
    pub total_latency_ms: AtomicU64,
    pub replies: AtomicU64,
}

impl ConnStats {
    /// Forgets everything, as `crst` asks (`ServerCnxn.resetStats`).
    pub fn reset(&self) {
        let sums = [&self.received, &self.sent, &self.total_latency_ms, &self.replies];
        let moments =
            [&self.last_response_ms, &self.last_latency_ms, &self.min_latency_ms, &self.max_latency_ms];
        sums.into_iter().chain(moments).for_each(|counter| counter.store(0, Ordering::Relaxed));
        self.last_op.store(0, Ordering::Relaxed);
        self.last_cxid.store(-1, Ordering::Relaxed);
        self.last_zxid.store(-1, Ordering::Relaxed);
    }
}

/// One client connection. Shared by its task and the core.
pub struct Conn {
    /// Never reused.
    pub id: ConnId,
    /// Who is at the other end.
    pub peer: SocketAddr,
    /// Did it come by the TLS port (`secureClientPort`)?
    pub secure: bool,
    /// Wall time of the accept, ms since 1970.
    pub established_ms: i64,
    /// Counters.
    pub stats: ConnStats,
    queue: Mutex<Queue>,
    wake: Box<dyn Wake>,
    encrypted: AtomicBool,
    phase: AtomicU8,
    touched: AtomicBool,
    in_flight: AtomicU32,
    read_only_byte: AtomicBool,
    session: OnceLock<Arc<Session>>,
    identities: RwLock<Identities>,
    pub(super) login: LoginState,
    /// Place of the last audit record that its bytes have to wait for.
    record: AtomicU64,
}

impl std::fmt::Debug for Conn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} ({})", self.id, self.peer, self.session_id())
    }
}

impl Conn {
    /// A connection that was just accepted. Its first identity is its address.
    pub fn new(id: ConnId, peer: SocketAddr, secure: bool, now: Now, wake: Box<dyn Wake>) -> Arc<Conn> {
        Arc::new(Conn {
            id,
            peer,
            secure,
            established_ms: now.wall_ms,
            stats: ConnStats {
                last_cxid: AtomicI64::new(-1),
                last_op: AtomicI32::new(0),
                ..Default::default()
            },
            queue: Mutex::default(),
            wake,
            encrypted: AtomicBool::new(false),
            phase: AtomicU8::new(Phase::Fresh as u8),
            touched: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            read_only_byte: AtomicBool::new(true),
            session: OnceLock::new(),
            identities: RwLock::new(Arc::from([address_identity(peer.ip())])),
            login: LoginState::default(),
            record: AtomicU64::new(0),
        })
    }

    /// Does it use TLS? On a port that takes both, [`Conn::secure`] does not tell.
    pub fn encrypted(&self) -> bool {
        self.encrypted.load(Ordering::Acquire)
    }

    /// Its TLS handshake is done.
    pub fn set_encrypted(&self) {
        self.encrypted.store(true, Ordering::Release);
    }

    /// How far it has come.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Fresh,
            1 => Phase::Connecting,
            2 => Phase::Established,
            _ => Phase::Closed,
        }
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// The session it holds; [`SessionId::NONE`] before the connect is answered.
    pub fn session_id(&self) -> SessionId {
        self.session.get().map_or(SessionId::NONE, |s| s.id)
    }

    /// The session it holds.
    pub fn session(&self) -> Option<&Arc<Session>> {
        self.session.get()
    }

    pub(super) fn set_session(&self, session: Arc<Session>) {
        // A connection connects once: a second session is impossible by phase.
        let _ = self.session.set(session);
    }

    /// Was its login refused where one is required, and its session made for it? Then that has to
    /// end: the node ends it with [`super::Input::Gone`].
    pub fn is_turned_away(&self) -> bool {
        self.login.is_turned_away()
    }

    pub(super) fn wants_read_only_byte(&self, yes: bool) {
        self.read_only_byte.store(yes, Ordering::Relaxed);
    }

    /// The read-only byte of connect responses, for clients that know it.
    pub(super) fn read_only_byte(&self) -> Option<bool> {
        self.read_only_byte.load(Ordering::Relaxed).then_some(false)
    }

    /// The client was heard.
    pub fn touch(&self, now: Instant) {
        if let Some(s) = self.session.get() {
            s.touch(now);
        }
    }

    /// What it has proven to be.
    pub fn identities(&self) -> Identities {
        self.identities.read().clone()
    }

    /// Adds what it has proven; an identity that it has already is not added twice.
    pub fn add_identities(&self, ids: Vec<Id>) {
        let mut held = self.identities.write();
        let mut list: Vec<Id> = held.to_vec();
        for id in ids {
            if !list.contains(&id) {
                list.push(id);
            }
        }
        *held = list.into();
    }

    /// Who logged in by SASL, if somebody did.
    pub fn login(&self) -> Option<Arc<Login>> {
        self.login.login()
    }

    /// Is a SASL token being looked at? Nothing may be read meanwhile.
    pub fn is_logging_in(&self) -> bool {
        self.login.is_under_way()
    }

    /// Gives it the super identity for a time; false if it has proven that already.
    pub fn grant_super(&self) -> bool {
        let mut held = self.identities.write();
        if held.iter().any(|id| id.scheme == SUPER) {
            return false;
        }
        *held = held.iter().cloned().chain([Id::new(SUPER, "")]).collect();
        true
    }

    /// Takes back what [`Conn::grant_super`] gave. Requests that came before keep it.
    pub fn revoke_super(&self) {
        let mut held = self.identities.write();
        *held = held.iter().filter(|id| id.scheme != SUPER).cloned().collect();
    }

    /// Requests that the node has and has not answered.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }

    pub(super) fn begin_flight(&self) {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn end_flight(&self) {
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
    }

    /// Appends whole frames. Ignored once the connection is closing.
    pub(super) fn push<R>(&self, write: impl FnOnce(&mut Vec<u8>) -> R) -> Option<R> {
        let mut q = self.queue.lock();
        if q.close { None } else { Some(write(&mut q.bytes)) }
    }

    /// Sends what is queued, then closes.
    pub fn close_after_flush(&self) {
        self.queue.lock().close = true;
        self.set_phase(Phase::Closed);
    }

    /// Marks it for a wake-up; true for the first mark since the last wake-up.
    pub(super) fn mark_touched(&self) -> bool {
        !self.touched.swap(true, Ordering::AcqRel)
    }

    /// Wakes its task.
    pub fn wake(&self) {
        self.touched.store(false, Ordering::Release);
        self.wake.wake();
    }

    /// Sends what is queued on the caller's thread if that is possible at once; otherwise wakes its task.
    pub fn send(&self) {
        self.touched.store(false, Ordering::Release);
        self.wake.send();
    }

    /// Moves all queued bytes behind `into`, whose capacity is recycled where possible.
    pub fn take_outgoing(&self, into: &mut Vec<u8>) -> Outgoing {
        take(&mut self.queue.lock(), into)
    }

    /// Bytes that are queued from now on leave only when audit records up to `place` are safe.
    pub fn wait_for_record(&self, place: u64) {
        self.record.fetch_max(place, Ordering::AcqRel);
    }

    /// [`Conn::take_outgoing`], if all records about it are safe. A record is asked for before
    /// its reply is queued, so what is queued now has named its record.
    pub fn take_if_recorded(&self, safe: u64, into: &mut Vec<u8>) -> Option<Outgoing> {
        let mut q = self.queue.lock();
        (self.record.load(Ordering::Acquire) <= safe).then(|| take(&mut q, into))
    }

    /// Lends an empty buffer with room, so that coming answers need no allocation. Left
    /// alone when the queue has room of its own.
    pub fn lend(&self, buffer: &mut Vec<u8>) {
        let mut q = self.queue.lock();
        if q.bytes.capacity() == 0 {
            std::mem::swap(&mut q.bytes, buffer);
        }
    }

    /// Queued bytes.
    pub fn outgoing_len(&self) -> usize {
        self.queue.lock().bytes.len()
    }

    /// Gives back the memory of an empty queue (an idle connection owns no buffer).
    pub fn release_memory(&self) {
        let mut q = self.queue.lock();
        if q.bytes.is_empty() {
            q.bytes = Vec::new();
        }
    }

    /// Books a reply in the counters of the `cons` word.
    pub(super) fn book_reply(&self, op: OpCode, xid: i32, zxid: Zxid, received: Instant, now: Instant) {
        let s = &self.stats;
        let latency = now.since(received).as_millis() as u64;
        s.last_op.store(op.number(), Ordering::Relaxed);
        s.last_cxid.store(i64::from(xid), Ordering::Relaxed);
        s.last_zxid.store(zxid.0, Ordering::Relaxed);
        s.last_response_ms.store(now.millis(), Ordering::Relaxed);
        s.last_latency_ms.store(latency, Ordering::Relaxed);
        if s.replies.fetch_add(1, Ordering::Relaxed) == 0 {
            s.min_latency_ms.store(latency, Ordering::Relaxed);
        } else {
            s.min_latency_ms.fetch_min(latency, Ordering::Relaxed);
        }
        s.max_latency_ms.fetch_max(latency, Ordering::Relaxed);
        s.total_latency_ms.fetch_add(latency, Ordering::Relaxed);
        s.sent.fetch_add(1, Ordering::Relaxed);
    }
}

fn take(q: &mut Queue, into: &mut Vec<u8>) -> Outgoing {
    if into.is_empty() {
        std::mem::swap(into, &mut q.bytes);
    } else {
        into.extend_from_slice(&q.bytes);
        q.bytes.clear();
    }
    Outgoing { close_after: q.close }
}
