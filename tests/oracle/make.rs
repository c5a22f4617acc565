//! Makes scripts from seeds.
//!
//! # Invariants
//! * What servers answer before they look at earlier requests stands alone: auth, sasl, op codes that
//!   do not exist, impossible frames, and everything where authentication is enforced. Only
//!   closeSession ends a burst, because it keeps the order.
//! * Nothing goes out behind a setACL before its answer is in: the reference checks it against the old
//!   list, Oxkeeper against the new one (row 21 of `security/differences.md`).

use super::pilot::LONG;
use super::record::Record;
use super::rng::Rng;
use super::script::{Connect, Finale, Frame, SLOTS, Script, Step};
use super::values::{self, USERS, World};

/// Op code of setACL.
const SET_ACL: i32 = 7;

/// What kind of server the scripts are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// TTL nodes on.
    Full,
    /// TTL nodes and enforced quotas on, one request at a time: a hard quota counts what is committed,
    /// so the answer to pipelined writes is a matter of time.
    Quota,
    /// ZooKeeper's defaults, reconfiguration enabled, ACLs not checked.
    Open,
    /// Nothing without the digest scheme.
    Enforced,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Profile; 4] = [Profile::Full, Profile::Quota, Profile::Open, Profile::Enforced];
}

/// Makes a script of about `length` requests.
pub fn script(profile: Profile, seed: u64, length: usize) -> Script {
    let mut maker = Maker { rng: Rng::new(seed), world: World::default(), xid: 0, profile };
    let mut steps = Vec::new();
    let mut requests = 0;
    for slot in 0..SLOTS {
        maker.opening(slot, &mut steps);
    }
    while requests < length {
        let step = maker.step(&mut steps);
        if let Step::Burst { frames, .. } = &step {
            requests += frames.len();
        }
        steps.push(step);
    }
    let finale = Some(maker.finale());
    Script { seed, steps, finale }
}

/// A script in the making.
pub(super) struct Maker {
    pub(super) rng: Rng,
    pub(super) world: World,
    xid: i32,
    profile: Profile,
}

impl Maker {
    /// First connection and identity of a slot.
    fn opening(&mut self, slot: usize, steps: &mut Vec<Step>) {
        steps.push(Step::Connect {
            slot,
            how: Connect::New,
            timeout: LONG,
            read_only: Some(false),
            seen: None,
        });
        if slot < 2 || self.profile == Profile::Enforced {
            steps.push(self.auth(slot, "digest", USERS[slot % USERS.len()].as_bytes()));
        }
    }

    /// Are ACLs looked at?
    fn checks_acls(&self) -> bool {
        self.profile != Profile::Open
    }

    /// May several requests be under way at once?
    fn pipelines(&self) -> bool {
        matches!(self.profile, Profile::Full | Profile::Open)
    }

    fn step(&mut self, steps: &mut Vec<Step>) -> Step {
        let slot = self.rng.below(SLOTS);
        match self.rng.below(1000) {
            0..=19 => self.reconnect(slot),
            20..=27 => Step::Drop { slot },
            28..=30 => Step::Expire { slot },
            31..=50 => self.any_auth(slot),
            51..=56 => self.sasl(slot),
            57..=70 if self.pipelines() => self.quota(slot),
            57..=110 if self.profile == Profile::Quota => {
                let Step::Burst { slot, frames } = self.quota(slot) else { unreachable!() };
                let mut singles: Vec<Step> =
                    frames.into_iter().map(|f| Step::Burst { slot, frames: vec![f] }).collect();
                let last = singles.pop().unwrap_or(Step::Drop { slot });
                steps.extend(singles);
                last
            }
            71..=90 => {
                if self.rng.chance(30) {
                    // What was open at the end of a session is what closing is about.
                    steps.push(self.burst(slot));
                }
                self.ending(slot)
            }
            _ => self.burst(slot),
        }
    }

    /// A request that servers are meant to answer differently.
    fn finale(&mut self) -> Finale {
        if self.rng.chance(12) {
            return Finale::WrongPassword;
        }
        Finale::Request(self.last_request())
    }

    fn last_request(&mut self) -> Frame {
        let xid = self.next_xid();
        let anyone = || Record::default().int(1).int(31).string(Some(b"world")).string(Some(b"anyone"));
        match self.rng.below(7) {
            0 => Record::default().string(Some(b"/no/such/node")).frame(xid, 20, "deleteContainer"),
            1 => Record::default().frame(xid, -10, "createSession"),
            2 => {
                let part = Record::default().string(Some(b"/a")).string(None).int(-1).int(0);
                let multi = Record::default().int(1).flag(0).int(-1).with(part);
                multi.int(-1).flag(1).int(-1).frame(xid, 14, "multi")
            }
            3 => {
                let acl = Record::default().int(1).int(31).string(Some(b"digest")).string(None);
                let create = Record::default().string(Some(b"/null/acl")).string(None);
                create.with(acl).int(0).frame(xid, 1, "create1")
            }
            5 => {
                let acl = Record::default().int(1).int(31).string(Some(b"digest")).string(Some(b"no colon"));
                let create = Record::default().string(Some(b"/no/flag")).string(None).with(acl);
                create.int(0).long(-1).frame(xid, 21, "create21")
            }
            4 => {
                let create = Record::default().string(None).string(None).with(anyone()).int(0);
                create.frame(xid, 1, "create1")
            }
            _ => {
                let op = *self.rng.pick(&[2, 3, 4, 5, 6, 7, 8, 9, 12, 17, 18, 104, 106]);
                let record = Record::default().string(None);
                let record = match op {
                    5 => record.string(None).int(-1),
                    7 => record.with(anyone()).int(-1),
                    3 | 4 | 8 | 12 => record.flag(0),
                    17 | 18 => record.int(3),
                    2 => record.int(-1),
                    106 => record.int(0),
                    _ => record,
                };
                record.frame(xid, op, "null path")
            }
        }
    }

    fn reconnect(&mut self, slot: usize) -> Step {
        let how = match self.rng.below(100) {
            0..=14 => Connect::New,
            15..=54 => Connect::Renew,
            55..=64 => Connect::Steal(self.rng.below(SLOTS)),
            65..=79 => Connect::WrongPassword,
            80..=89 => Connect::Unknown,
            _ => Connect::Garbage(self.garbage()),
        };
        let timeout = self.rng.weighted(&[(70, LONG), (10, 0), (5, -1), (5, 1), (10, i32::MAX)]);
        // A session of the shortest time-out would expire at a time of its own.
        let timeout = if timeout <= 1 && how != Connect::Unknown { LONG } else { timeout };
        Step::Connect {
            slot,
            how,
            timeout,
            read_only: self.rng.weighted(&[(70, Some(false)), (15, None), (15, Some(true))]),
            seen: self.rng.weighted(&[(80, None), (10, Some(0)), (10, Some(100_000))]),
        }
    }

    /// Frames that cannot be a connect request.
    fn garbage(&mut self) -> Vec<u8> {
        match self.rng.below(4) {
            0 => vec![0x7f, 0xff, 0xff, 0xff],
            1 => vec![0xff, 0xff, 0xff, 0xf0],
            2 => [vec![0, 0, 0, 8], vec![0; 8]].concat(),
            _ => {
                let mut frame = vec![0, 0, 0, 44];
                frame.extend_from_slice(&[0; 24]);
                frame.extend_from_slice(&[0x7f, 0, 0, 0]); // a password of 2 GiB
                frame.extend_from_slice(&[0; 16]);
                frame
            }
        }
    }

    /// The next xid: mostly one more, sometimes an odd one.
    pub(super) fn next_xid(&mut self) -> i32 {
        self.xid += 1;
        match self.rng.below(200) {
            0 => 0,
            1 => i32::MAX,
            2 => -7,
            _ => self.xid,
        }
    }

    fn auth(&mut self, slot: usize, scheme: &str, auth: &[u8]) -> Step {
        let record = Record::default().int(0).string(Some(scheme.as_bytes())).string(Some(auth));
        Step::Burst { slot, frames: vec![record.frame(-4, 100, "auth")] }
    }

    fn any_auth(&mut self, slot: usize) -> Step {
        let user = *self.rng.pick(USERS);
        let (scheme, auth): (&str, &[u8]) = match self.rng.below(100) {
            0..=69 => ("digest", user.as_bytes()),
            70..=77 => ("digest", b"super:wrong"),
            78..=83 => ("digest", b"nocolon"),
            84..=87 => ("digest", b""),
            88..=91 => ("nonsense", b"x"),
            92..=93 => ("world", b"anyone"),
            94..=95 => ("auth", b""),
            96..=97 => ("ip", b"1.2.3.4"),
            _ => ("digest", b"super:oracle"),
        };
        self.auth(slot, scheme, auth)
    }

    fn sasl(&mut self, slot: usize) -> Step {
        let token: Option<&[u8]> = if self.rng.chance(50) { Some(b"token") } else { Some(b"") };
        let frame = Record::default().string(token).frame(self.next_xid(), 102, "sasl");
        Step::Burst { slot, frames: vec![frame] }
    }

    /// A burst whose last frame makes the server close the connection.
    fn ending(&mut self, slot: usize) -> Step {
        let xid = self.next_xid();
        // All but closeSession are of [`Frame::ends_connection`].
        let op = self.rng.weighted(&[
            (50, -11),
            (9, 13),
            (6, 0),
            (6, -1),
            (4, 10),
            (4, 23),
            (4, 99),
            (4, 108),
            (4, i32::MAX),
        ]);
        let mut frames = Vec::new();
        if op == -11 && self.pipelines() {
            let count = self.rng.below(3);
            frames = self.requests(count);
        }
        let record = match op {
            13 => Record::default().string(Some(b"/a")).int(-1),
            -11 => Record::default(),
            _ if self.rng.chance(50) => Record::default().raw(&[0; 12]),
            _ => Record::default(),
        };
        let mut frame = record.frame(xid, op, &format!("op {op}"));
        if op == i32::MAX && self.rng.chance(50) {
            frame.length = Some(*self.rng.pick(&[-1, i32::MIN, i32::MAX, 0x10_0001]));
            frame.text = format!("a frame of length {:?}", frame.length);
        }
        frames.push(frame);
        Step::Burst { slot, frames }
    }

    fn burst(&mut self, slot: usize) -> Step {
        let count = match self.pipelines() {
            false => 1,
            true => self.rng.weighted(&[(55, 1), (20, 2), (15, 4), (10, 8)]),
        };
        Step::Burst { slot, frames: self.requests(count) }
    }

    /// At most `count` requests that go out together; nothing follows a setACL.
    fn requests(&mut self, count: usize) -> Vec<Frame> {
        let mut frames = Vec::with_capacity(count);
        while frames.len() < count {
            frames.push(self.request());
            if self.checks_acls() && frames.last().is_some_and(|f| f.op == SET_ACL) {
                break;
            }
        }
        frames
    }

    /// What setquota does for `/a` or `/a/b`, and a use of it.
    fn quota(&mut self, slot: usize) -> Step {
        let (own, of): (&[u8], &[u8]) = match self.rng.below(3) {
            0 => (b"/a/b", b"/zookeeper/quota/a/b"),
            _ => (b"/a", b"/zookeeper/quota/a"),
        };
        let limits = values::limits(&mut self.rng);
        let mut frames = Vec::new();
        let open = || Record::default().int(1).int(31).string(Some(b"world")).string(Some(b"anyone")).int(0);
        let mut create = |maker: &mut Maker, path: &[u8], data: Option<&[u8]>| {
            let record = Record::default().string(Some(path)).string(data).with(open());
            frames.push(record.frame(maker.next_xid(), 1, "create1"));
        };
        create(self, own, None);
        create(self, b"/zookeeper/quota/a", None);
        create(self, of, None);
        create(self, &[of, b"/zookeeper_limits"].concat(), Some(&limits));
        if self.rng.chance(90) {
            create(self, &[of, b"/zookeeper_stats"].concat(), Some(b"count=0,bytes=0"));
        }
        create(self, &[own, b"/c"].concat(), Some(b"some more bytes, enough for a quota"));
        create(self, &[own, b"/d"].concat(), None);
        if self.rng.chance(30) {
            let node = if self.rng.chance(50) { "/zookeeper_limits" } else { "/zookeeper_stats" };
            let path = [of, node.as_bytes()].concat();
            frames.push(Record::default().string(Some(&path)).int(-1).frame(self.next_xid(), 2, "delete"));
        }
        Step::Burst { slot, frames }
    }
}
