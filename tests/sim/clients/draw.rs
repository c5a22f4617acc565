//! What a client asks next, drawn by its own random stream.
//!
//! # Invariants
//!
//! * Every value that is written is written once: a reader can tell whose it is.

use super::{Ask, Client, Kind};
use crate::heap::Time;
use oxkeeper::proto::{AddWatchMode, CreateKind, MultiOp, OpCode, Request};
use oxkeeper::types::Acl;

/// How the requests of a run are mixed, per cent of requests.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// Writes.
    pub writes: u64,
    /// Of the reads, those that leave a watch.
    pub watches: u64,
    /// Registers under contention.
    pub registers: u64,
}

impl Client {
    /// Draws a request; its frame body. `floor` is the greatest zxid acknowledged to anybody.
    pub fn ask(&mut self, mix: &Mix, floor: i64, now: Time) -> Vec<u8> {
        match self.rng.below(100) < mix.writes {
            true => self.write(mix, floor, now),
            false => self.read(mix, floor, now),
        }
    }

    /// Draws a request to a server that only reads.
    pub fn peek(&mut self, mix: &Mix, floor: i64, now: Time) -> Vec<u8> {
        match self.rng.below(6) {
            0 => {
                let step = self.rng.below(6);
                self.lay_ground(step, floor, now)
            }
            _ => self.read(&Mix { watches: 0, ..*mix }, floor, now),
        }
    }

    fn register(&mut self, mix: &Mix) -> String {
        format!("/r{}", self.rng.below(mix.registers.max(1)))
    }

    fn read(&mut self, mix: &Mix, floor: i64, now: Time) -> Vec<u8> {
        let path = self.register(mix);
        let watch = self.rng.below(100) < mix.watches;
        let (op, request, ask) = match self.rng.below(20) {
            0..=9 => {
                let ask = Ask::Get { path: path.clone(), watch };
                (OpCode::GetData, Request::GetData { path: path.into(), watch }, ask)
            }
            10..=13 => {
                let path = if self.rng.below(2) == 0 { "/left".to_owned() } else { path };
                let ask = Ask::Exists { path: path.clone(), watch };
                (OpCode::Exists, Request::Exists { path: path.into(), watch }, ask)
            }
            14..=16 => {
                let path = ["/q", "/e"][self.rng.below(2) as usize].to_owned();
                let ask = Ask::Children { path: path.clone(), watch };
                let request = Request::GetChildren { path: path.into(), watch, with_stat: true };
                (OpCode::GetChildren2, request, ask)
            }
            17 if mix.watches > 0 => {
                let (mode, kind) = match self.rng.below(2) {
                    0 => (AddWatchMode::Persistent, Kind::Persistent),
                    _ => (AddWatchMode::PersistentRecursive, Kind::Recursive),
                };
                let ask = Ask::AddWatch { path: path.clone(), kind };
                (OpCode::AddWatch, Request::AddWatch { path: path.into(), mode }, ask)
            }
            _ => (OpCode::Sync, Request::Sync { path: path.into() }, Ask::Sync),
        };
        self.frame(op, &request, ask, floor, now)
    }

    fn write(&mut self, mix: &Mix, floor: i64, now: Time) -> Vec<u8> {
        self.made += 1;
        let value = format!("{}-{}", self.number, self.made).into_bytes();
        let path = self.register(mix);
        let data: Option<&[u8]> = Some(&value);
        let acl = vec![Acl::open()];
        let (path, request) = match self.rng.below(100) {
            0..=49 => {
                let known = self.versions.get(&path).copied();
                let version = if self.rng.below(3) == 0 { known.unwrap_or(-1) } else { -1 };
                (path.clone(), Request::SetData { path: path.into(), data, version })
            }
            50..=59 => {
                let flags = 0;
                (
                    path.clone(),
                    Request::Create { kind: CreateKind::Create, path: path.into(), data, acl, flags },
                )
            }
            60..=69 => {
                let path = format!("/e/{}-{}", self.number, self.rng.below(3));
                let flags = 1;
                (
                    path.clone(),
                    Request::Create { kind: CreateKind::Create, path: path.into(), data, acl, flags },
                )
            }
            70..=74 => match self.owned.len() < 8 {
                true => {
                    let (path, kind, flags) = ("/q/n-".to_owned(), CreateKind::Create, 2);
                    (path.clone(), Request::Create { kind, path: path.into(), data, acl, flags })
                }
                false => self.clean(),
            },
            75..=79 => self.clean(),
            80..=83 => (path.clone(), Request::Delete { path: path.into(), version: -1 }),
            84..=86 => {
                let acl = vec![Acl::open(), Acl::read_only()];
                (path.clone(), Request::SetAcl { path: path.into(), acl, version: -1 })
            }
            87 => {
                let (path, kind) = (["/q", "/e"][self.rng.below(2) as usize].to_owned(), CreateKind::Create);
                (path.clone(), Request::Create { kind, path: path.into(), data, acl, flags: 0 })
            }
            88 if self.rng.below(8) == 0 => {
                return self.frame(OpCode::CloseSession, &Request::CloseSession, Ask::Close, floor, now);
            }
            _ => ("/left".to_owned(), self.twins(&path, &value)),
        };
        let op = op_of(&request);
        let ask = Ask::Write { op, path };
        // The request borrows the value, which is no part of the client.
        let owned: Vec<u8> = body(op, &request);
        self.raw(op, &owned, ask, floor, now)
    }

    /// Deletes something of its own.
    fn clean<'a>(&mut self) -> (String, Request<'a>) {
        let path = match self.owned.is_empty() {
            true => format!("/e/{}-{}", self.number, self.rng.below(3)),
            false => self.owned.remove(0),
        };
        (path.clone(), Request::Delete { path: path.into(), version: -1 })
    }

    /// Two nodes that exist together or not at all.
    fn twins<'a>(&mut self, register: &str, value: &'a [u8]) -> Request<'a> {
        let delete = self.rng.below(2) == 0;
        let mut ops = Vec::new();
        if self.rng.below(3) == 0 {
            let version = self.versions.get(register).copied().unwrap_or(0);
            let request = Request::Check { path: register.to_owned().into(), version };
            ops.push(MultiOp { op: OpCode::Check, request });
        }
        for twin in ["/left", "/right"] {
            let request = match delete {
                true => Request::Delete { path: twin.into(), version: -1 },
                false => Request::Create {
                    kind: CreateKind::Create,
                    path: twin.into(),
                    data: Some(value),
                    acl: vec![Acl::open()],
                    flags: 0,
                },
            };
            ops.push(MultiOp { op: op_of(&request), request });
        }
        if self.rng.below(3) == 0 {
            let request =
                Request::SetData { path: register.to_owned().into(), data: Some(value), version: -1 };
            ops.push(MultiOp { op: OpCode::SetData, request });
        }
        Request::Multi(ops)
    }

    /// What the others build on: created by whoever is first.
    pub fn lay_ground(&mut self, step: u64, floor: i64, now: Time) -> Vec<u8> {
        let path = ["/q", "/e", "/r0", "/r1", "/r2", "/r3"][step as usize % 6].to_owned();
        let (kind, acl) = (CreateKind::Create, vec![Acl::open()]);
        let request = Request::Create { kind, path: path.clone().into(), data: Some(b""), acl, flags: 0 };
        let bytes = body(OpCode::Create, &request);
        self.raw(OpCode::Create, &bytes, Ask::Write { op: OpCode::Create, path }, floor, now)
    }

    /// A reconfiguration; `joining` are server lines, `leaving` are ids.
    pub fn reconfigure(&mut self, joining: &str, leaving: &str, floor: i64, now: Time) -> Vec<u8> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned().into());
        let request = Request::Reconfig {
            joining: some(joining),
            leaving: some(leaving),
            members: None,
            config_id: -1,
        };
        let bytes = body(OpCode::Reconfig, &request);
        let ask = Ask::Write { op: OpCode::Reconfig, path: oxkeeper::tree::CONFIG_PATH.to_owned() };
        self.raw(OpCode::Reconfig, &bytes, ask, floor, now)
    }

    fn raw(&mut self, op: OpCode, record: &[u8], ask: Ask, floor: i64, now: Time) -> Vec<u8> {
        let mut frame = self.frame(op, &Request::Ping, ask, floor, now);
        frame.truncate(8);
        frame.extend_from_slice(record);
        frame
    }
}

fn body(_: OpCode, request: &Request<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    request.encode_record(&mut out);
    out
}

fn op_of(request: &Request<'_>) -> OpCode {
    match request {
        Request::Create { .. } => OpCode::Create,
        Request::Delete { .. } => OpCode::Delete,
        Request::SetData { .. } => OpCode::SetData,
        Request::SetAcl { .. } => OpCode::SetAcl,
        Request::Check { .. } => OpCode::Check,
        _ => OpCode::Multi,
    }
}
