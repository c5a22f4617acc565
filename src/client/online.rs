//! A session while it is connected: requests out, replies and events in, pings between.
//!
//! # Invariants
//!
//! * Replies are matched to requests in the order in which the requests were sent.
//! * No more than [`CLIENT_OUT_HIGH_WATER`] bytes wait to be written before further
//!   requests are left in their queue.

use super::connect_string::HostPort;
use super::error::ClientError;
use super::event::{EventType, WatchedEvent};
use super::session::{Answer, Command, Control, Ending, Identity, Session};
use super::stream::{ByteStream, Connector};
use super::watches::{Effect, removal_event};
use super::wire::{self, Reply};
use crate::error::Code;
use crate::jute::Reader;
use crate::limits::{
    CLIENT_BATCH, CLIENT_OUT_HIGH_WATER, CLIENT_PING_MAX_MS, CLIENT_SEEK_MAX_MS, CLIENT_SEEK_MIN_MS,
};
use crate::proto::{OpCode, Proof, Request, WatcherEvent, xid};
use bytes::BytesMut;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

struct Pending {
    xid: i32,
    effect: Effect,
    answer: Option<Answer>,
}

/// One connection.
pub struct Online {
    read: ReadHalf<Box<dyn ByteStream>>,
    write: WriteHalf<Box<dyn ByteStream>>,
    out: Vec<u8>,
    written: usize,
    input: BytesMut,
    pending: VecDeque<Pending>,
    /// Positions in the session's identities whose replies are awaited, in order.
    auths: VecDeque<usize>,
    read_timeout: Duration,
    last_sent: Instant,
    /// When the server last said anything.
    pub last_heard: Instant,
    closing: bool,
    seek: Option<Seek>,
}

/// The search for a read/write server while this one is read-only.
struct Seek {
    found: mpsc::Receiver<HostPort>,
    finder: mpsc::Sender<HostPort>,
    at: Instant,
    wait: Duration,
}

impl Online {
    /// Puts identities and watches in front of everything else.
    pub fn new(
        s: &mut Session,
        stream: Box<dyn ByteStream>,
        negotiated: Duration,
        read_only: bool,
    ) -> Online {
        let (read, write) = tokio::io::split(stream);
        let now = Instant::now();
        let mut online = Online {
            read,
            write,
            out: Vec::new(),
            written: 0,
            input: BytesMut::with_capacity(8 * 1024),
            pending: VecDeque::new(),
            auths: VecDeque::new(),
            read_timeout: negotiated * 2 / 3,
            last_sent: now,
            last_heard: now,
            closing: false,
            seek: read_only.then(|| {
                let (finder, found) = mpsc::channel(1);
                let wait = Duration::from_millis(CLIENT_SEEK_MIN_MS);
                Seek { found, finder, at: now + wait, wait }
            }),
        };
        for (i, identity) in s.identities.iter().enumerate() {
            online.send_auth(i, identity);
        }
        for (op, record) in s.watches.restore(s.last_zxid) {
            wire::request(&mut online.out, xid::SET_WATCHES, op.number(), &record);
            online.pending.push_back(Pending { xid: xid::SET_WATCHES, effect: Effect::None, answer: None });
        }
        online
    }

    fn send_auth(&mut self, index: usize, identity: &Identity) {
        let mut record = Vec::new();
        let request =
            Request::Auth { scheme: identity.scheme.as_str().into(), auth: Some(Proof(&identity.auth)) };
        request.encode_record(&mut record);
        wire::request(&mut self.out, xid::AUTH, OpCode::Auth.number(), &record);
        self.auths.push_back(index);
    }

    /// Fails what was sent and not answered.
    pub fn fail_pending(&mut self, why: &ClientError) {
        for answer in self.pending.drain(..).filter_map(|p| p.answer) {
            let _ = answer.send(Err(why.clone()));
        }
    }

    fn ping(&mut self) {
        wire::request(&mut self.out, xid::PING, OpCode::Ping.number(), &[]);
    }

    /// When the next ping is due.
    fn ping_at(&self) -> Instant {
        self.last_sent + (self.read_timeout / 2).min(Duration::from_millis(CLIENT_PING_MAX_MS))
    }
}

/// Serves the connection until it ends.
pub async fn serve(s: &mut Session, c: &mut Online) -> Ending {
    let mut batch: Vec<Command> = Vec::new();
    loop {
        let unwritten = c.out.len() - c.written;
        let may_take = unwritten < CLIENT_OUT_HIGH_WATER && !c.closing;
        let wake = c.ping_at().min(c.last_heard + c.read_timeout).min(seek_at(c));
        tokio::select! {
            n = c.read.read_buf(&mut c.input) => match n {
                Ok(0) => return closed_by_peer(s, c),
                Ok(_) => if let Err(ending) = receive(s, c) { return ending },
                Err(e) => return Ending::Lost(ClientError::ConnectionLost(e.to_string())),
            },
            n = c.write.write(c.out.get(c.written..).unwrap_or_default()), if unwritten > 0 => match n {
                Ok(n) => sent(c, n),
                Err(e) => return Ending::Lost(ClientError::ConnectionLost(e.to_string())),
            },
            n = s.commands.recv_many(&mut batch, CLIENT_BATCH), if may_take => {
                if n == 0 {
                    return Ending::Over(ClientError::Closed);
                }
                batch.drain(..).for_each(|command| submit(s, c, command));
            }
            order = s.control.recv(), if !c.closing => match order {
                Some(Control::Close(done)) => {
                    s.closing = Some(done);
                    close(s, c);
                }
                Some(Control::Reconnect) => {
                    return Ending::Lost(ClientError::ConnectionLost("asked to reconnect".into()));
                }
                None => return Ending::Over(ClientError::Closed),
            },
            () = sleep_until(wake) => if let Some(ending) = tick(s, c) { return ending },
        }
    }
}

fn closed_by_peer(s: &Session, c: &Online) -> Ending {
    if c.closing {
        return Ending::Over(ClientError::Closed);
    }
    let id = s.id();
    Ending::Lost(ClientError::ConnectionLost(format!("the server closed the connection of session {id}")))
}

fn sent(c: &mut Online, n: usize) {
    c.last_sent = Instant::now();
    c.written += n;
    if c.written == c.out.len() {
        c.out.clear();
        c.written = 0;
        c.out.shrink_to(CLIENT_OUT_HIGH_WATER);
    }
}

fn submit(s: &mut Session, c: &mut Online, command: Command) {
    match command {
        Command::Request { op, record, effect, answer } => {
            if record.len() + 8 > s.config.max_buffer {
                let (n, max) = (record.len() + 8, s.config.max_buffer);
                let why = format!("a request of {n} bytes, at most {max} are sent (jute.maxbuffer)");
                let _ = answer.send(Err(ClientError::Config(why)));
                return;
            }
            s.xid = if s.xid == i32::MAX { 1 } else { s.xid + 1 };
            wire::request(&mut c.out, s.xid, op, &record);
            c.pending.push_back(Pending { xid: s.xid, effect, answer: Some(answer) });
        }
        Command::Auth { scheme, auth, answer } => {
            let identity = Identity { scheme, auth, answer: Some(answer) };
            c.send_auth(s.identities.len(), &identity);
            s.identities.push(identity);
        }
    }
}

/// Sends what was asked before, then the closing.
fn close(s: &mut Session, c: &mut Online) {
    while let Ok(command) = s.commands.try_recv() {
        submit(s, c, command);
    }
    s.xid = s.xid.wrapping_add(1).max(1);
    wire::request(&mut c.out, s.xid, OpCode::CloseSession.number(), &[]);
    c.pending.push_back(Pending { xid: s.xid, effect: Effect::None, answer: None });
    c.closing = true;
}

/// Pings, gives up on a silent server, looks for a read/write one.
fn tick(s: &mut Session, c: &mut Online) -> Option<Ending> {
    let now = Instant::now();
    if now >= c.last_heard + c.read_timeout {
        if c.closing {
            return Some(Ending::Over(ClientError::Closed));
        }
        let ms = c.read_timeout.as_millis();
        return Some(Ending::Lost(ClientError::ConnectionLost(format!(
            "nothing heard from the server for {ms} ms"
        ))));
    }
    if now >= c.ping_at() {
        c.ping();
        c.last_sent = now;
    }
    seek_writable(s, c, now)
}

fn seek_at(c: &Online) -> Instant {
    c.seek.as_ref().map_or_else(|| c.last_heard + c.read_timeout, |seek| seek.at)
}

fn seek_writable(s: &mut Session, c: &mut Online, now: Instant) -> Option<Ending> {
    let seek = c.seek.as_mut()?;
    if let Ok(server) = seek.found.try_recv() {
        s.prefer(&server);
        return Some(Ending::Lost(ClientError::ConnectionLost(format!(
            "{server} is read/write, moving there"
        ))));
    }
    if now >= seek.at {
        seek.wait = (seek.wait * 2).min(Duration::from_millis(CLIENT_SEEK_MAX_MS));
        seek.at = now + seek.wait;
        tokio::spawn(ask_writable(s.config.connector.clone(), s.peek_next(), seek.finder.clone()));
    }
    None
}

/// Asks one server whether it is read/write.
async fn ask_writable(connector: Arc<dyn Connector>, server: HostPort, found: mpsc::Sender<HostPort>) {
    let asking = async {
        let mut stream = connector.connect(&server).await.ok()?;
        stream.write_all(b"isro").await.ok()?;
        let mut answer = [0u8; 2];
        stream.read_exact(&mut answer).await.ok()?;
        (&answer == b"rw").then_some(())
    };
    if let Ok(Some(())) = timeout(Duration::from_secs(1), asking).await {
        let _ = found.try_send(server.clone());
    }
}

/// Handles every complete frame that has arrived.
fn receive(s: &mut Session, c: &mut Online) -> Result<(), Ending> {
    c.last_heard = Instant::now();
    while let Some(frame) = wire::take_frame(&mut c.input, s.config.max_buffer).map_err(Ending::Lost)? {
        let reply = wire::parse_reply(frame).map_err(Ending::Lost)?;
        match reply.header.xid {
            xid::NOTIFICATION => notify(s, &reply)?,
            xid::PING => {}
            xid::AUTH => authenticated(s, c, reply)?,
            _ => answered(s, c, reply)?,
        }
    }
    Ok(())
}

fn notify(s: &mut Session, reply: &Reply) -> Result<(), Ending> {
    let event = WatcherEvent::decode(&mut Reader::new(&reply.body)).map_err(|e| Ending::Lost(e.into()))?;
    let Some(kind) = EventType::from_wire(event.kind) else {
        return Err(Ending::Lost(ClientError::Protocol(format!("an event of type {}", event.kind))));
    };
    if !s.watches.fire(kind, &event.path) {
        return Ok(());
    }
    let path = s.config.servers.strip(&event.path).to_owned();
    let event = WatchedEvent { state: s.keeper_state, kind, path: Some(path), zxid: reply.header.zxid.0 };
    emit(s, event)
}

fn emit(s: &mut Session, event: WatchedEvent) -> Result<(), Ending> {
    if s.event(event) {
        return Ok(());
    }
    Err(Ending::Over(ClientError::Config(
        "events were not read for too long; read them, or drop their receiver".into(),
    )))
}

fn authenticated(s: &mut Session, c: &mut Online, reply: Reply) -> Result<(), Ending> {
    let identity = c.auths.pop_front().and_then(|i| s.identities.get_mut(i));
    let failed = reply.header.err != 0;
    let why = || {
        let code = Code::from_number(reply.header.err);
        ClientError::AuthFailed(format!("the server answered {code:?}"))
    };
    if let Some(answer) = identity.and_then(|i| i.answer.take()) {
        let _ = answer.send(if failed { Err(why()) } else { Ok(reply.clone()) });
    }
    if failed { Err(Ending::Over(why())) } else { Ok(()) }
}

fn answered(s: &mut Session, c: &mut Online, reply: Reply) -> Result<(), Ending> {
    let Some(pending) = c.pending.pop_front() else {
        return Err(Ending::Lost(ClientError::Protocol(format!(
            "a reply {} to no request",
            reply.header.xid
        ))));
    };
    if pending.xid != reply.header.xid {
        let (want, got) = (pending.xid, reply.header.xid);
        let why = ClientError::Protocol(format!("reply {got} where {want} was due"));
        if let Some(answer) = pending.answer {
            let _ = answer.send(Err(why.clone()));
        }
        return Err(Ending::Lost(why));
    }
    if reply.header.zxid.0 > 0 {
        s.last_zxid = reply.header.zxid.0;
    }
    let outcome = apply(s, pending.effect, reply);
    if let Some(answer) = pending.answer {
        let _ = answer.send(outcome);
    } else if c.closing && c.pending.is_empty() {
        return Err(Ending::Over(ClientError::Closed));
    }
    Ok(())
}

/// What the reply does to the watch table, and the outcome that the caller hears.
fn apply(s: &mut Session, effect: Effect, mut reply: Reply) -> Result<Reply, ClientError> {
    let ok = reply.header.err == 0;
    match effect {
        Effect::Remove { path, kind, local } if ok || local => {
            let removed = s.watches.remove(&path, kind);
            if removed.is_empty() {
                reply.header.err = Code::NoWatcher.number();
            } else {
                reply.header.err = 0;
                let mine = s.config.servers.strip(&path).to_owned();
                for event in removed {
                    let _ = s.event(removal_event(event, s.keeper_state, &mine));
                }
            }
        }
        effect @ Effect::Exists(_) if ok || reply.header.err == Code::NoNode.number() => {
            s.watches.set(effect, ok);
        }
        effect if ok => s.watches.set(effect, true),
        _ => {}
    }
    if reply.header.err == 0 {
        return Ok(reply);
    }
    match Code::from_number(reply.header.err) {
        Some(code) => Err(ClientError::Refused { code, path: String::new() }),
        None => Err(ClientError::Protocol(format!("the unknown error code {}", reply.header.err))),
    }
}
