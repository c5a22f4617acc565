//! Runs a script against one server and writes down everything that the server says.
//!
//! # Invariants
//! * Only one session acts at a time, and before the next one acts every connection has answered a
//!   ping: so events fall into the step that caused them, on any server.

use super::control::Control;
use super::coverage::Seen;
use super::decode::{self, Mask};
use super::script::{Connect, Finale, Frame, SLOTS, Script, Step};
use super::wire::{Came, Wire, connect, reply, request};
use std::time::{Duration, Instant, SystemTime};

const PING: i32 = -2;
const CLOSE_SESSION: i32 = -11;
const CREATE_SESSION: i32 = -10;
/// Time-out of a session that is to expire soon, ms.
const MORTAL: i32 = 400;
/// Time-out of all others: none expires by itself, because its transaction would come at any time.
pub const LONG: i32 = 600_000;

/// What happened: lines with the step they belong to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Step, frame of the step if the line is a reply, line.
    pub lines: Vec<(usize, Option<usize>, String)>,
}

#[derive(Default)]
struct Slot {
    wire: Option<Wire>,
    id: i64,
    password: Vec<u8>,
    timeout: i32,
}

/// The pilot of one server.
pub struct Pilot {
    port: u16,
    control: Control,
    slots: Vec<Slot>,
    /// Sessions that live, with their passwords.
    alive: Vec<(i64, Vec<u8>)>,
    mask: Mask,
    named: usize,
    trace: Trace,
    step: usize,
    /// Was a closeSession of this burst answered?
    ended: bool,
    /// Op codes and error codes that the server's replies had.
    pub seen: Seen,
}

impl Pilot {
    /// A pilot of the server at `port`.
    pub fn new(port: u16) -> Result<Pilot, String> {
        Ok(Pilot {
            port,
            control: Control::open(port)?,
            slots: Vec::new(),
            alive: Vec::new(),
            mask: Mask::default(),
            named: 0,
            trace: Trace::default(),
            step: 0,
            ended: false,
            seen: Seen::default(),
        })
    }

    /// Clears the tree, runs the script, ends its sessions, reads the tree.
    pub fn fly(&mut self, script: &Script) -> Result<Trace, String> {
        self.slots = (0..SLOTS).map(|_| Slot { timeout: LONG, ..Slot::default() }).collect();
        self.named = 0;
        self.trace = Trace::default();
        #[allow(clippy::disallowed_methods)] // a test's own clock, only to tell times from numbers
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.mask = Mask { base: self.control.clear()?, started: now.as_millis() as i64, ..Mask::default() };
        for (at, step) in script.steps.iter().enumerate() {
            self.step = at;
            self.take(step)?;
        }
        self.step = script.steps.len();
        let before_end = self.control.dump(&self.mask)?;
        self.note_all(before_end);
        self.end_sessions()?;
        self.step += 1;
        let after_end = self.control.dump(&self.mask)?;
        self.note_all(after_end);
        if let Some(finale) = &script.finale {
            self.step += 1;
            self.finale(finale)?;
        }
        Ok(std::mem::take(&mut self.trace))
    }

    /// What may differ, in a session of its own.
    fn finale(&mut self, finale: &Finale) -> Result<(), String> {
        self.connect(0, &Connect::New, LONG, Some(false), 0)?;
        match finale {
            Finale::Request(frame) => self.burst(0, std::slice::from_ref(frame))?,
            Finale::WrongPassword => {
                self.slots[1].id = self.slots[0].id;
                self.connect(1, &Connect::WrongPassword, LONG, Some(false), 0)?;
                self.fence(None, false);
            }
        }
        self.end_sessions()
    }

    /// Closes every session that is left, abandoned ones too.
    fn end_sessions(&mut self) -> Result<(), String> {
        self.slots.iter_mut().for_each(|slot| slot.wire = None);
        for (id, password) in std::mem::take(&mut self.alive) {
            let mut wire = Wire::open(self.port).map_err(|e| format!("no connection: {e}"))?;
            wire.send(&connect(0, LONG, id, &password, Some(false)));
            let Came::Frame(_) = wire.frame() else { return Err("a session cannot be ended".into()) };
            // Where authentication is enforced, closing needs it too.
            wire.send(&Control::identity());
            wire.frame();
            wire.send(&request(1, CLOSE_SESSION, &[]));
            while let Came::Frame(_) = wire.frame() {}
        }
        Ok(())
    }

    fn note(&mut self, frame: Option<usize>, line: String) {
        self.trace.lines.push((self.step, frame, line));
    }

    fn note_all(&mut self, lines: Vec<String>) {
        lines.into_iter().for_each(|line| self.note(None, line));
    }

    fn take(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Connect { slot, how, timeout, read_only, seen } => {
                if *how == Connect::WrongPassword {
                    // Nobody else may hold the session: what becomes of him is for the finale.
                    let id = self.slots[*slot].id;
                    self.slots.iter_mut().filter(|s| s.id == id).for_each(|s| s.wire = None);
                }
                let seen = seen.map_or(0, |relative| self.mask.base + relative);
                self.connect(*slot, how, *timeout, *read_only, seen)?;
                self.fence(Some(*slot), false);
            }
            Step::Burst { slot, frames } => self.burst(*slot, frames)?,
            Step::Drop { slot } => {
                self.slots[*slot].wire = None;
            }
            Step::Expire { slot } => self.expire(*slot)?,
        }
        Ok(())
    }

    /// Opens a connection and says what the server made of it.
    fn connect(
        &mut self,
        slot: usize,
        how: &Connect,
        timeout: i32,
        read_only: Option<bool>,
        seen: i64,
    ) -> Result<(), String> {
        let of = if let Connect::Steal(other) = how { *other } else { slot };
        let (mut id, mut password) = (self.slots[of].id, self.slots[of].password.clone());
        match how {
            Connect::New => (id, password) = (0, vec![0; 16]),
            Connect::WrongPassword => password = vec![7; 16],
            Connect::Unknown => (id, password) = (0x7654_3210, vec![1; 16]),
            _ => {}
        }
        let mut wire = Wire::open(self.port).map_err(|e| format!("no connection: {e}"))?;
        match how {
            Connect::Garbage(bytes) => wire.send(bytes),
            _ => wire.send(&connect(seen, timeout, id, &password, read_only)),
        }
        match wire.frame() {
            Came::Frame(frame) => self.connected(slot, wire, &frame, id),
            Came::Closed => self.note(None, format!("S{slot} connect: closed")),
            Came::Silence => self.note(None, format!("S{slot} connect: silence")),
        }
        Ok(())
    }

    fn connected(&mut self, slot: usize, wire: Wire, frame: &[u8], asked: i64) {
        let field = |at: usize, n: usize| frame.get(at..at + n);
        let int = |at| field(at, 4).map(|b| i32::from_be_bytes([b[0], b[1], b[2], b[3]]));
        let (Some(version), Some(timeout), Some(high), Some(low), Some(length)) =
            (int(0), int(4), int(8), int(12), int(16))
        else {
            return self.note(None, format!("S{slot} connect: a reply of {} bytes", frame.len()));
        };
        let id = (i64::from(high) << 32) | i64::from(low as u32);
        let password = field(20, 16).unwrap_or_default().to_vec();
        let rest = frame.get(36..).unwrap_or_default().to_vec();
        let zero = password.iter().all(|b| *b == 0);
        if id != 0 && !self.mask.sessions.contains_key(&id) {
            self.named += 1;
            let name = format!("session{}", self.named);
            self.mask.sessions.insert(id, name);
        }
        let name = self.mask.sessions.get(&id).cloned().unwrap_or_else(|| "none".into());
        let kept = if asked != 0 && id == asked { " kept" } else { "" };
        self.note(
            None,
            format!(
                "S{slot} connect: version={version} timeout={timeout} {name}{kept} password={length}{} rest={rest:?}",
                if zero { " zero" } else { "" }
            ),
        );
        let own = &mut self.slots[slot];
        if id == 0 {
            // Refused; the server closes.
            let mut wire = wire;
            own.id = 0;
            own.wire = None;
            if wire.frame() != Came::Closed {
                self.note(None, format!("S{slot} connect: refused, but not closed"));
            }
            return;
        }
        if !self.alive.iter().any(|(a, _)| *a == id) {
            self.alive.push((id, password.clone()));
        }
        (own.id, own.password, own.timeout, own.wire) = (id, password, timeout, Some(wire));
    }

    /// Sends frames and reads as many replies, then fences.
    fn burst(&mut self, slot: usize, frames: &[Frame]) -> Result<(), String> {
        if self.slots[slot].wire.is_none() {
            let timeout = self.slots[slot].timeout;
            let how = if self.slots[slot].id == 0 { Connect::New } else { Connect::Renew };
            self.connect(slot, &how, timeout, Some(false), 0)?;
            if self.slots[slot].wire.is_none() && how == Connect::Renew {
                self.connect(slot, &Connect::New, LONG, Some(false), 0)?;
            }
        }
        let base = self.mask.base;
        let Some(wire) = self.slots[slot].wire.as_mut() else { return Ok(()) };
        let bytes: Vec<u8> = frames.iter().flat_map(|f| f.bytes(base)).collect();
        wire.send(&bytes);
        let closes = frames.iter().any(|f| f.op == CLOSE_SESSION);
        let mut at = 0;
        let mut events = Vec::new();
        while at < frames.len() {
            let Some(wire) = self.slots[slot].wire.as_mut() else { break };
            match wire.frame() {
                Came::Frame(frame) => {
                    if let Some(line) = self.reply(slot, &frames[at], &frame) {
                        self.note(Some(at), line);
                        at += 1;
                    } else {
                        let line = notification(slot, &frame, &self.mask);
                        if closes { events.push(line) } else { self.note(None, line) }
                    }
                }
                Came::Closed => self.lost(slot, "closed"),
                Came::Silence => self.lost(slot, "silent"),
            }
        }
        events.sort();
        self.note_all(events);
        if std::mem::take(&mut self.ended) {
            let id = std::mem::take(&mut self.slots[slot].id);
            self.alive.retain(|(a, _)| *a != id);
        }
        if frames.last().is_some_and(Frame::ends_connection) {
            self.await_end(slot);
        }
        self.fence(None, closes);
        Ok(())
    }

    /// Waits until the server has closed a connection: a fence could still slip in before it does.
    fn await_end(&mut self, slot: usize) {
        while let Some(wire) = self.slots[slot].wire.as_mut() {
            match wire.frame() {
                Came::Frame(frame) => {
                    let line = notification(slot, &frame, &self.mask);
                    self.note(None, line);
                }
                Came::Closed => self.lost(slot, "closed"),
                Came::Silence => self.lost(slot, "silent"),
            }
        }
    }

    fn lost(&mut self, slot: usize, how: &str) {
        self.slots[slot].wire = None;
        self.note(None, format!("S{slot} {how}"));
    }

    /// The line of a reply; `None` for an event.
    fn reply(&mut self, slot: usize, asked: &Frame, frame: &[u8]) -> Option<String> {
        let Some((xid, zxid, err, body)) = reply(frame) else {
            return Some(format!("S{slot} < a frame of {} bytes", frame.len()));
        };
        if xid == -1 && asked.xid != -1 {
            return None;
        }
        if asked.op == CREATE_SESSION && frame.len() > 16 {
            self.seen.note(asked.op, 0, &[]);
            return Some(format!("S{slot} < a connect reply"));
        }
        self.seen.note(asked.op, err, body);
        self.ended |= asked.op == CLOSE_SESSION && err == 0;
        let zxid = self.mask.zxid(zxid);
        let body = decode::body(asked.op, body, &self.mask);
        Some(format!("S{slot} < xid={xid} zxid={zxid} err={err} {body}"))
    }

    /// Waits until every connection has said what it had to say.
    fn fence(&mut self, but: Option<usize>, sort: bool) {
        for slot in 0..SLOTS {
            if Some(slot) == but || self.slots[slot].wire.is_none() {
                continue;
            }
            if let Some(wire) = self.slots[slot].wire.as_mut() {
                wire.send(&request(PING, 11, &[]));
            }
            let mut events = Vec::new();
            while let Some(wire) = self.slots[slot].wire.as_mut() {
                match wire.frame() {
                    Came::Frame(frame) => match reply(&frame) {
                        Some((PING, zxid, err, _)) => {
                            events.push(format!("S{slot} fence zxid={} err={err}", self.mask.zxid(zxid)));
                            break;
                        }
                        _ => events.push(notification(slot, &frame, &self.mask)),
                    },
                    Came::Closed => {
                        self.slots[slot].wire = None;
                        events.push(format!("S{slot} closed"));
                    }
                    Came::Silence => {
                        self.slots[slot].wire = None;
                        events.push(format!("S{slot} silent"));
                    }
                }
            }
            if sort {
                events.sort();
            }
            self.note_all(events);
        }
    }

    /// Lets a session die: takes it up with a short time-out, cuts the connection, waits for the
    /// transaction that closes it.
    fn expire(&mut self, slot: usize) -> Result<(), String> {
        if self.slots[slot].id == 0 {
            return Ok(());
        }
        self.connect(slot, &Connect::Renew, MORTAL, Some(false), 0)?;
        self.slots[slot].timeout = LONG;
        if self.slots[slot].wire.take().is_none() {
            return Ok(());
        }
        let before = self.control.last_zxid()?;
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.control.last_zxid()? == before {
            if Instant::now() > deadline {
                self.note(None, format!("S{slot} did not expire"));
                break;
            }
            // The other sessions live 30 s and are fenced after this step.
            std::thread::sleep(Duration::from_millis(10));
        }
        let id = std::mem::take(&mut self.slots[slot].id);
        self.alive.retain(|(a, _)| *a != id);
        self.fence(None, true);
        Ok(())
    }
}

fn notification(slot: usize, frame: &[u8], mask: &Mask) -> String {
    match reply(frame) {
        Some((-1, zxid, err, body)) => {
            format!("S{slot} ! zxid={} err={err} {}", mask.zxid(zxid), decode::event(body))
        }
        Some((xid, zxid, err, _)) => {
            format!("S{slot} ? xid={xid} zxid={} err={err}", mask.zxid(zxid))
        }
        None => format!("S{slot} ? a frame of {} bytes", frame.len()),
    }
}
