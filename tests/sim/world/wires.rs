//! Connections of clients, and the clients' days: connect, ask, ping, go elsewhere.
//!
//! # Invariants
//!
//! * A client talks to a member through frames alone, and to whichever serves.
//! * A connection that is lost may leave the member believing in it.

use super::{Event, TICK, World};
use crate::book::id;
use crate::check::{Seen, View};
use crate::clients::Phase;
use crate::heap::{MS, Time};
use crate::net::{Who, exponential};
use oxkeeper::jute::Reader;
use oxkeeper::proto::{ConnectResponse, ReplyHeader, WatcherEvent, xid};
use oxkeeper::replica::member::MemberInput;
use oxkeeper::replica::{Accepted, Conn, Input, Wake, accept};
use oxkeeper::types::ConnId;
use std::hash::Hash;
use std::sync::Arc;

/// A connection of a client.
pub struct Wire {
    pub client: usize,
    pub who: Who,
    /// The process at the other end; 0 before it was reached.
    pub life: u32,
    pub conn: Option<Arc<Conn>>,
    /// Arrival of the last frame in each direction (to the member, to the client).
    last: [Time; 2],
    /// The client has let go of it.
    left: bool,
}

/// Shows something that borrows from the clients to the checkers.
macro_rules! show {
    ($world:ident, $seen:expr) => {{
        let (book, history, now) = (&$world.book, &$world.history, $world.heap.now());
        let view = View { book, history, now, tick: TICK, image: None };
        if let Err(what) = $world.checks.see(&view, &$seen) {
            panic!("{what}");
        }
    }};
}

/// How often a client looks whether it has to ping or to go elsewhere.
const LOOK: Time = 300 * MS;

struct NoWake;
impl Wake for NoWake {
    fn wake(&self) {}
}

impl World {
    fn outside_way(&mut self) -> Time {
        MS / 10 + exponential(&mut self.outside, MS / 2)
    }

    /// A client looks what it has to do.
    pub(super) fn client(&mut self, number: usize) {
        let (now, depth) = (self.heap.now(), self.plan.shape.depth);
        let c = &mut self.clients[number];
        let asking = self.asking && now >= c.asks_at;
        if asking {
            c.asks_at = now + exponential(&mut c.rng, self.plan.shape.think).max(MS);
        }
        let next = if self.asking { c.asks_at.min(now + LOOK) } else { now + LOOK };
        self.heap.at(next, Event::Client { number });
        match c.phase {
            Phase::Away => self.dial_member(number),
            _ if c.is_left_alone(now) => self.leave(number),
            Phase::Connecting => {}
            Phase::There if c.reads_only && (now > c.peek_until || !c.peeks) => self.leave(number),
            Phase::There => {
                if asking && c.sent.len() < depth {
                    let body = match c.rng.below(40) {
                        _ if c.reads_only => c.peek(&self.plan.shape.mix, self.floor, now),
                        0 => {
                            let step = c.rng.below(6);
                            c.lay_ground(step, self.floor, now)
                        }
                        _ => c.ask(&self.plan.shape.mix, self.floor, now),
                    };
                    self.frame_out(number, body);
                } else if c.is_quiet(now) {
                    let body = c.ping(now);
                    self.frame_out(number, body);
                }
            }
        }
    }

    /// Any member will do, as a client's shuffled list has it.
    fn dial_member(&mut self, number: usize) {
        let who = self.clients[number].rng.below(self.machines.len() as u64) as Who;
        self.next_wire += 1;
        let wire = self.next_wire;
        let now = self.heap.now();
        let body = self.clients[number].connect(who, wire, now);
        let entry = Wire { client: number, who, life: 0, conn: None, last: [0; 2], left: false };
        self.wires.insert(wire, entry);
        self.frame_out(number, body);
    }

    /// Sends a frame of a client to its member.
    pub(super) fn frame_out(&mut self, number: usize, body: Vec<u8>) {
        let wire = self.clients[number].wire;
        let way = self.outside_way();
        let Some(w) = self.wires.get_mut(&wire) else { return };
        w.last[0] = (self.heap.now() + way).max(w.last[0]);
        let at = w.last[0];
        self.heap.at(at, Event::Frame { wire, body: Some(body) });
    }

    /// A client gives its connection up. The member may not hear of it for ever.
    pub(super) fn leave(&mut self, number: usize) {
        let wire = self.clients[number].wire;
        self.clients[number].lose_connection();
        let told = self.outside.below(4) != 0;
        let way = self.outside_way();
        let Some(w) = self.wires.get_mut(&wire) else { return };
        w.left = true;
        if told {
            let at = (self.heap.now() + way).max(w.last[0]);
            self.heap.at(at, Event::Frame { wire, body: None });
        }
    }

    /// A frame of a client arrives at its member.
    pub(super) fn frame(&mut self, wire: u64, body: Option<Vec<u8>>) {
        let Some(w) = self.wires.get(&wire) else { return };
        let (who, life) = (w.who, w.life);
        let Some(body) = body else { return self.gone(wire) };
        if life == 0 {
            return self.first_frame(wire, &body);
        }
        let Some(conn) = w.conn.clone().filter(|_| self.alive(who, life)) else { return };
        let session = conn.session_id().0;
        self.see(&Seen::Heard { who, session });
        self.hand_in(wire, &conn, &body);
    }

    /// The first frame: only a member that serves takes it.
    fn first_frame(&mut self, wire: u64, body: &[u8]) {
        let Some(w) = self.wires.get_mut(&wire) else { return };
        let who = w.who;
        let page = &self.book.pages[who];
        let serves = self.machines[who].process.is_some() && (page.serving || page.reads);
        if !serves {
            return self.close_wire(wire);
        }
        let peer = "10.1.0.1:5000".parse().expect("an address");
        let now = self.now(who);
        let conn = Conn::new(ConnId(wire), peer, false, now, Box::new(NoWake));
        if let Some(w) = self.wires.get_mut(&wire) {
            (w.life, w.conn) = (self.machines[who].life, Some(conn.clone()));
        }
        self.hand_in(wire, &conn, body);
    }

    fn hand_in(&mut self, wire: u64, conn: &Arc<Conn>, body: &[u8]) {
        let Some(w) = self.wires.get(&wire) else { return };
        let who = w.who;
        let now = self.now(who);
        let Some(shared) = self.machines[who].process.as_ref().map(|p| p.shared.clone()) else { return };
        match accept(&shared, conn, body, now.mono, now, false) {
            Accepted::Answered | Accepted::Finish => self.collect(who),
            Accepted::ToCore(input) => self.tell(who, MemberInput::Client(input)),
            // What was sent before the connection's end was seen.
            Accepted::Close(_) => self.close_wire(wire),
            Accepted::Sasl { .. } => panic!("nobody logs in here"),
        }
    }

    /// A member hears that a client's connection ended.
    fn gone(&mut self, wire: u64) {
        let Some(w) = self.wires.remove(&wire) else { return };
        if let Some(conn) = w.conn.filter(|_| self.alive(w.who, w.life)) {
            self.tell(w.who, MemberInput::Client(Input::Gone { conn }));
        }
    }

    /// The member's end closes: the client hears of it behind what was sent.
    fn close_wire(&mut self, wire: u64) {
        let way = self.outside_way();
        if let Some(w) = self.wires.get_mut(&wire) {
            let at = (self.heap.now() + way).max(w.last[1]);
            w.last[1] = at;
            self.heap.at(at, Event::Frames { wire, bytes: Vec::new(), close: true, last: 0 });
        }
    }

    /// A process died: its clients hear of it, or not before they lose patience.
    pub(super) fn break_wires(&mut self, who: Who, silently: bool) {
        let of: Vec<u64> =
            self.wires.iter().filter(|(_, w)| w.who == who && w.life > 0).map(|(n, _)| *n).collect();
        for wire in of {
            match silently {
                true => drop(self.wires.get_mut(&wire).map(|w| w.conn = None)),
                false => self.close_wire(wire),
            }
        }
    }

    /// Takes what waits for clients of a member.
    pub(super) fn collect(&mut self, who: Who) {
        let Some(p) = &mut self.machines[who].process else { return };
        let mut touched = Vec::new();
        p.member.take_touched(&mut touched);
        touched.iter().for_each(|conn| conn.wake());
        let last = p.shared.store().tree.last_zxid().0;
        let life = self.machines[who].life;
        let mut out = Vec::new();
        for (number, w) in &self.wires {
            let Some(conn) = w.conn.as_ref().filter(|_| w.who == who && w.life == life) else { continue };
            let mut bytes = Vec::new();
            let close = conn.take_outgoing(&mut bytes).close_after;
            if !bytes.is_empty() || close {
                out.push((*number, bytes, close));
            }
        }
        for (wire, bytes, close) in out {
            (wire, &bytes).hash(&mut self.hash);
            let way = self.outside_way();
            let mut ended = None;
            if let Some(w) = self.wires.get_mut(&wire) {
                w.last[1] = (self.heap.now() + way).max(w.last[1]);
                self.heap.at(w.last[1], Event::Frames { wire, bytes, close, last });
                if close {
                    ended = w.conn.take();
                }
            }
            if let Some(conn) = ended {
                self.tell(who, MemberInput::Client(Input::Gone { conn }));
            }
        }
    }

    /// Frames of a member arrive at a client.
    pub(super) fn frames(&mut self, wire: u64, bytes: &[u8], close: bool, last: i64) {
        let Some(w) = self.wires.get(&wire) else { return };
        let (number, who, left) = (w.client, w.who, w.left);
        if !left {
            let mut r = Reader::new(bytes);
            while !r.is_empty() && self.clients[number].wire == wire {
                let frame = r.buffer().ok().flatten().expect("a whole frame");
                self.incoming(number, who, frame, last);
            }
        }
        if close && self.clients[number].wire == wire {
            self.clients[number].lose_connection();
        }
        if close {
            self.wires.remove(&wire);
        }
    }

    fn incoming(&mut self, number: usize, who: Who, frame: &[u8], last: i64) {
        self.clients[number].heard = self.heap.now();
        if self.clients[number].phase == Phase::Connecting {
            return self.welcome(number, who, frame, last);
        }
        let mut r = Reader::new(frame);
        let header = ReplyHeader::decode(&mut r).expect("a reply's header");
        match header.xid {
            xid::NOTIFICATION => self.notification(number, header.zxid.0, &mut r),
            _ => self.reply(number, who, &header, r.rest()),
        }
    }

    fn welcome(&mut self, number: usize, who: Who, frame: &[u8], last: i64) {
        let answer = ConnectResponse::decode(frame).expect("a connect response");
        let session = answer.session_id;
        self.say(|| format!("client {number} holds session {session:x} at {}", id(who)));
        show!(self, Seen::Connected { client: &self.clients[number], who, session, last });
        let now = self.heap.now();
        if self.clients[number].peeking {
            return match session != 0 && answer.read_only == Some(true) {
                true => self.clients[number].welcomed_to_read(now),
                false => self.leave(number),
            };
        }
        if session == 0 {
            self.clients[number].lose_session();
            return self.leave(number);
        }
        if let Some(body) = self.clients[number].welcomed(session, &answer.password, now) {
            self.frame_out(number, body);
        }
    }

    fn notification(&mut self, number: usize, zxid: i64, r: &mut Reader<'_>) {
        let event = WatcherEvent::decode(r).expect("an event");
        self.summary.events += 1;
        self.say(|| format!("client {number} is told {event:?} at {zxid:x}"));
        let (kind, path) = (event.kind, event.path);
        show!(self, Seen::Event { client: &self.clients[number], zxid, kind, path: &path });
        self.clients[number].told(zxid, kind, &path);
    }

    fn reply(&mut self, number: usize, who: Who, header: &ReplyHeader, body: &[u8]) {
        let Some(sent) = self.clients[number].sent.pop_front() else {
            panic!("I11: {} answers {} to client {number}, which asked nothing", id(who), header.xid);
        };
        self.say(|| format!("client {number}: {:?} is answered {header:?} by {}", sent.ask, id(who)));
        show!(self, Seen::Replied { client: &self.clients[number], sent: &sent, header, body, who });
        if header.xid != xid::PING {
            let reads = u64::from(!matches!(sent.ask, crate::clients::Ask::Write { .. }));
            self.summary.reads += reads;
            self.summary.peeks += reads * u64::from(self.clients[number].reads_only);
        }
        if self.clients[number].answered(&sent, header, body) {
            self.floor = self.floor.max(header.zxid.0);
        }
        if sent.ask == crate::clients::Ask::Close && header.err == 0 {
            self.clients[number].lose_session();
            self.leave(number);
        }
    }
}
