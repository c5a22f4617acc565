//! What connections ask of the front: frames in, answers and hand-overs out.
//!
//! # Invariants
//!
//! * Reads are answered here, on the connection's own thread; everything else goes to the
//!   core in the order in which it came, one hand-over a read of the socket.
//! * Where a login is required, whoever has none takes a place among the strangers before its session is
//!   asked for.
//! * A connection with requests under way is held back while the server has more than its share of
//!   `globalOutstandingLimit` requests in process.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::super::core::CoreMessage;
use super::super::logins::Token;
use super::super::secure;
use super::super::source::WordSource;
use super::super::strangers::Strangers;
use super::{Front, WakeTask};
use crate::admin::Word;
use crate::auth::sasl::Refusal;
use crate::limits::READ_SAMPLE;
use crate::net::{
    CloseReason, ConnectKind, FirstBytes, Flow, NetEvent, Outgoing, Peer, Service, TaskWaker, Verdict,
    WordAnswer,
};
use crate::os::{clock, entropy};
use crate::proto::ConnectRequest;
use crate::replica::{Accepted, Conn, Input, Phase, Shared, accept, is_proven, note_refusal, without_sasl};
use crate::tls::X509Identity;
use crate::types::{ConnId, Now};

thread_local! {
    static FRAMES: Cell<u32> = const { Cell::new(0) };
}

/// True once in [`READ_SAMPLE`] frames of a thread.
#[inline]
fn is_sample() -> bool {
    FRAMES.with(|count| {
        let next = (count.get() + 1) % READ_SAMPLE;
        count.set(next);
        next == 0
    })
}

impl Front {
    /// Does the throttle let this connect request pass?
    fn passes(&self, body: &[u8], now: Now) -> bool {
        let Some(throttle) = &self.throttle else {
            self.count(NetEvent::Admitted { deficit: 0 });
            return true;
        };
        let kind = match ConnectRequest::decode(body).map(|r| r.session_id) {
            Ok(0) | Err(_) if self.local_sessions => ConnectKind::Local,
            Ok(0) | Err(_) => ConnectKind::Global,
            Ok(_) => ConnectKind::Renew,
        };
        let mut throttle = throttle.lock();
        let passes = throttle.admit(kind, now.mono, entropy::fraction());
        if passes {
            self.count(NetEvent::Admitted { deficit: throttle.deficit() });
        }
        passes
    }

    #[inline]
    fn hand_on(&self, conn: &Arc<Conn>, body: &[u8], now: Now, batch: &mut Vec<CoreMessage>) -> Verdict {
        let Some(serving) = self.serving() else {
            return Verdict::Close(CloseReason::NotServing);
        };
        let guard = match self.large.as_ref().map(|large| large.take(body.len())) {
            Some(None) => {
                self.count(NetEvent::LargeRejected);
                return Verdict::Close(CloseReason::LargeRequests);
            }
            guard => guard.flatten(),
        };
        self.metrics.stats.packets_received.inc();
        self.metrics.bytes_received_count.add(body.len() as u64 + 4);
        let accepted = match &self.strangers {
            Some(strangers) if !is_proven(&serving.shared, conn) => {
                self.accept_unproven(strangers, &serving.shared, conn, body, now)
            }
            _ => self.accept_timed(&serving.shared, conn, body, now),
        };
        match accepted {
            Accepted::Answered => Verdict::Taken,
            Accepted::ToCore(input) => {
                batch.push(CoreMessage::Input(input));
                batch.extend(guard.map(|guard| CoreMessage::Large(Arc::clone(conn), guard)));
                Verdict::Taken
            }
            Accepted::Sasl { xid, token } => {
                let (shared, core) = (Arc::clone(&serving.shared), Arc::clone(&serving.core));
                let conn = Arc::clone(conn);
                match self.logins.get() {
                    Some(logins) => logins.take(Token { shared, core, conn, xid, bytes: token }),
                    None => without_sasl(&conn, xid),
                }
                Verdict::Taken
            }
            Accepted::Close(why) => Verdict::Close(CloseReason::Malformed(why)),
            Accepted::Finish => Verdict::Close(CloseReason::Answered),
        }
    }

    /// A frame; on a member of an ensemble one of many reads is timed.
    #[inline]
    fn accept_timed(&self, shared: &Arc<Shared>, conn: &Arc<Conn>, body: &[u8], now: Now) -> Accepted {
        if self.face().is_none() || !is_sample() {
            return accept(shared, conn, body, now.mono, now, false);
        }
        let begun = clock::mono();
        let accepted = accept(shared, conn, body, now.mono, now, false);
        if matches!(accepted, Accepted::Answered) {
            let millis = i64::try_from(clock::mono().since(begun).as_millis()).unwrap_or(i64::MAX);
            self.metrics.read_final_proc_time_ms.record_many(millis, READ_SAMPLE as usize);
        }
        accepted
    }

    /// A frame of somebody who has not logged in, where a login is required.
    fn accept_unproven(
        &self,
        strangers: &Strangers,
        shared: &Arc<Shared>,
        conn: &Arc<Conn>,
        body: &[u8],
        now: Now,
    ) -> Accepted {
        let bytes = body.len() + 4;
        let place = match conn.phase() {
            Phase::Fresh => strangers.enter(conn, bytes),
            _ => strangers.received(conn, bytes),
        };
        if let Err(refusal) = place {
            note_refusal(shared, conn, "", &refusal);
            return Accepted::Finish;
        }
        let accepted = accept(shared, conn, body, now.mono, now, false);
        if is_proven(shared, conn) {
            strangers.proven(conn);
        }
        accepted
    }
}

impl Service for Front {
    type Client = Conn;
    type Batch = Vec<CoreMessage>;

    fn now(&self) -> Now {
        clock::now()
    }

    fn open(&self, id: ConnId, peer: Peer, waker: &Arc<TaskWaker>) -> Arc<Conn> {
        let address = SocketAddr::new(peer.ip, peer.port);
        let now = clock::now();
        let conn = Conn::new(id, address, peer.secure, now, Box::new(WakeTask(Arc::clone(waker))));
        if let Some(strangers) = &self.strangers {
            strangers.accepted(&conn, now.mono);
        }
        conn
    }

    fn secured(&self, conn: &Arc<Conn>, identity: Option<&X509Identity>) {
        secure::secured(self, conn, identity);
    }

    fn tls_refused(&self, peer: Peer, refusal: &Refusal) {
        secure::refused(self, peer, refusal);
    }

    fn first_bytes(&self, bytes: [u8; 4]) -> FirstBytes {
        match Word::parse(bytes) {
            Some(word) => FirstBytes::Word(self.words.argument_len(word)),
            None => FirstBytes::Length,
        }
    }

    fn answer_word(&self, conn: &Arc<Conn>, word: [u8; 4], argument: &[u8]) -> WordAnswer {
        let Some(word) = Word::parse(word) else { return WordAnswer::default() };
        self.metrics.stats.packets_received.inc();
        let source = WordSource::new(self, conn);
        let answer = self.words.answer(word, argument, &source, clock::mono());
        WordAnswer {
            bytes: answer.text.into_bytes(),
            until_sent: answer.permit.map(|permit| Box::new(permit) as Box<dyn Send>),
        }
    }

    fn is_serving(&self) -> bool {
        self.serving().is_some()
    }

    fn connect(&self, conn: &Arc<Conn>, body: &[u8], now: Now, batch: &mut Vec<CoreMessage>) -> Verdict {
        if !self.passes(body, now) {
            return Verdict::Close(CloseReason::Throttled);
        }
        self.hand_on(conn, body, now, batch)
    }

    #[inline]
    fn request(&self, conn: &Arc<Conn>, body: &[u8], now: Now, batch: &mut Vec<CoreMessage>) -> Verdict {
        self.hand_on(conn, body, now, batch)
    }

    fn submit(&self, mut batch: Vec<CoreMessage>) {
        if let Some(serving) = self.present() {
            serving.core.push_all(&mut batch);
        }
    }

    #[inline]
    fn flow(&self, conn: &Conn) -> Flow {
        let hold = match conn.phase() {
            Phase::Connecting | Phase::Closed => true,
            Phase::Fresh => false,
            Phase::Established if conn.is_logging_in() => true,
            Phase::Established => {
                let limit = || self.outstanding_limit.load(Relaxed);
                conn.in_flight() > 0 && self.serving().is_some_and(|s| s.shared.outstanding() > limit())
            }
        };
        if hold { Flow::Hold } else { Flow::Read }
    }

    fn outgoing_len(&self, conn: &Conn) -> usize {
        conn.outgoing_len()
    }

    fn lend(&self, conn: &Conn, buffer: &mut Vec<u8>) {
        conn.lend(buffer);
    }

    fn take_outgoing(&self, conn: &Arc<Conn>, into: &mut Vec<u8>) -> Outgoing {
        let taken = match self.hold.get() {
            None => Some(conn.take_outgoing(into)),
            Some(hold) => hold.take_outgoing(conn, into),
        };
        match taken {
            Some(taken) => Outgoing { close_after: taken.close_after, held: false },
            None => Outgoing { close_after: false, held: true },
        }
    }

    fn session_timeout(&self, conn: &Conn) -> Option<Duration> {
        conn.session().map(|s| Duration::from_millis(u64::from(s.timeout_ms())))
    }

    fn is_busy(&self, conn: &Conn) -> bool {
        conn.in_flight() > 0 || conn.phase() == Phase::Connecting || conn.is_logging_in()
    }

    fn refuses(&self, conn: &Conn, length: usize) -> Option<CloseReason> {
        let strangers = self.strangers.as_ref()?;
        let serving = self.serving()?;
        if is_proven(&serving.shared, conn) || strangers.has_room(conn, length) {
            return None;
        }
        let refusal = strangers.too_much(length);
        note_refusal(&serving.shared, conn, "", &refusal);
        Some(CloseReason::Ended(refusal.reason.cause()))
    }

    fn closed(&self, conn: &Arc<Conn>, _why: &CloseReason) {
        if let Some(logins) = self.logins.get() {
            logins.gone(conn);
        }
        if let Some(strangers) = &self.strangers {
            strangers.gone(conn, clock::mono());
        }
        if conn.phase() != Phase::Fresh
            && let Some(serving) = self.present()
        {
            serving.core.push(CoreMessage::Input(Input::Gone { conn: Arc::clone(conn) }));
        }
    }

    fn count(&self, event: NetEvent) {
        let metrics = &self.metrics;
        match event {
            NetEvent::Rejected => metrics.connection_rejected.inc(),
            NetEvent::Dropped => metrics.connection_drop_count.inc(),
            NetEvent::Expired => metrics.sessionless_connections_expired.inc(),
            NetEvent::LargeRejected => metrics.large_requests_rejected.inc(),
            NetEvent::DroppedEarly => metrics.cnxn_closed_without_zk_server_running.inc(),
            NetEvent::Plain { local: true } => metrics.stats.non_mtls_local_connections.inc(),
            NetEvent::Plain { local: false } => metrics.stats.non_mtls_remote_connections.inc(),
            NetEvent::Admitted { deficit } => {
                metrics.connection_token_deficit.record(i64::try_from(deficit).unwrap_or(i64::MAX));
                metrics.connection_request_count.inc();
            }
        }
    }
}
