//! Random identities, lists and requests.
//!
//! # Invariants
//! * The same seed makes the same requests for ever, whatever a server answers.

use super::ask::{Ask, Make};
use super::rng::Rng;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oxkeeper::types::{Acl, Id};
use std::collections::BTreeSet;

/// Something that a session proves.
#[derive(Clone, Debug, PartialEq)]
pub enum Proof {
    /// `addauth digest` of this user and password.
    Digest(String),
    /// `addauth ip`: nothing new.
    Ip,
    /// A login by SASL with this id.
    Sasl(&'static str),
    /// A client certificate with this name.
    X509(&'static str),
}

/// Ids of scheme `sasl`, as entries and as identities.
pub const SASL: &[&str] = &[
    "alice",
    "bob@R.TEST",
    "hdfs/nn1@R.TEST",
    "hdfs/nn2@R.TEST",
    "hdfs@OTHER.TEST",
    "alice@R.TEST",
    "super",
];
/// Names of certificates.
pub const X509: &[&str] = &["CN=client,O=Ox", "CN=other,O=Ox", "CN=client"];
/// Password of the super user of scheme `digest`.
pub const SUPER: &str = "super:janitor";

const NETWORKS: &[&str] = &[
    "127.0.0.1",
    "127.0.0.2",
    "127.0.0.2/31",
    "127.0.0.0/8",
    "127.0.0.0/30",
    "10.1.2.0/23",
    "10.0.0.0/8",
    "10.1.3.77/32",
    "0.0.0.0/0",
    "192.168.7.0/25",
    "128.0.0.0/1",
];
const NETWORKS6: &[&str] = &["::1", "fe80::/10", "fe80::1:0/111", "2001:db8::/33"];
const INVALID: &[(&str, &str)] = &[
    ("world", "everyone"),
    ("ip", "127.0.0.1/33"),
    ("ip", "somewhere"),
    ("digest", "nobody"),
    ("digest", "a:b:c"),
    ("super", ""),
    ("nonsense", "x"),
    ("ensemble", "x"),
    ("sasl", "a/b/c@R.TEST"),
    ("x509", "noname"),
];

/// The digest of `user:password`, made here and not by the server's own code.
pub fn digest(user_password: &str) -> String {
    let user = user_password.split(':').next().unwrap_or_default();
    let hash = openssl::sha::sha1(user_password.as_bytes());
    format!("{user}:{}", STANDARD.encode(hash))
}

/// A random stream of requests.
pub struct Maker {
    rng: Rng,
    users: Vec<(String, String)>,
    /// IPv6 in lists: the reference compares addresses of two families byte by byte.
    ipv6: bool,
}

impl Maker {
    pub fn new(seed: u64, ipv6: bool) -> Maker {
        let users = (0..4).map(|n| format!("u{n}:p{n}")).map(|user| (digest(&user), user)).collect();
        Maker { rng: Rng::new(seed), users, ipv6 }
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.rng.below(bound)
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.rng.chance(percent)
    }

    /// What a new session proves, in this order.
    pub fn proofs(&mut self, certificate: bool) -> Vec<Proof> {
        let mut proofs = Vec::new();
        for _ in 0..self.rng.below(4) {
            proofs.push(match self.rng.below(8) {
                0 => Proof::Ip,
                1 | 2 => Proof::Sasl(SASL[self.rng.below(SASL.len())]),
                3 if certificate => Proof::X509(X509[self.rng.below(X509.len())]),
                _ => Proof::Digest(self.rng.pick(&self.users).1.clone()),
            });
        }
        proofs
    }

    /// A path: the top, a room, something in a room, something below nothing.
    pub fn path(&mut self) -> String {
        match self.rng.below(20) {
            0 => "/t".to_owned(),
            1..=7 => format!("/t/{}", self.rng.below(6)),
            8..=18 => format!("/t/{}/{}", self.rng.below(6), ["a", "b", "c"][self.rng.below(3)]),
            _ => "/t/0/a/deep".to_owned(),
        }
    }

    /// A list as a client may send it.
    pub fn acl(&mut self) -> Vec<Acl> {
        let count = self.rng.weighted(&[(1, 0), (40, 1), (35, 2), (20, 3), (4, 5)]);
        let mut list: Vec<Acl> = (0..count).map(|_| self.entry()).collect();
        if self.rng.chance(5) {
            list.extend(list.first().cloned());
        }
        list
    }

    fn entry(&mut self) -> Acl {
        let perms = match self.rng.below(4) {
            0 => 31,
            1 => 1 << self.rng.below(5),
            _ => self.rng.below(32) as i32,
        };
        let (scheme, id) = match self.rng.below(100) {
            0..=24 => ("world", "anyone".to_owned()),
            25..=34 => ("auth", String::new()),
            35..=59 => ("digest", self.rng.pick(&self.users).0.clone()),
            60..=76 if self.ipv6 && self.rng.chance(30) => ("ip", (*self.rng.pick(NETWORKS6)).to_owned()),
            60..=76 => ("ip", (*self.rng.pick(NETWORKS)).to_owned()),
            77..=88 => ("sasl", (*self.rng.pick(SASL)).to_owned()),
            89..=96 => ("x509", (*self.rng.pick(X509)).to_owned()),
            _ => {
                let (scheme, id) = *self.rng.pick(INVALID);
                (scheme, id.to_owned())
            }
        };
        Acl { perms, id: Id::new(scheme, id) }
    }

    /// A request; what the super user asks keeps the tree from closing up.
    pub fn ask(&mut self) -> Ask {
        let path = self.path();
        match self.rng.below(100) {
            0..=11 => self.create(path),
            12..=18 => Ask::Delete(path),
            19..=28 => Ask::SetData(path),
            29..=36 => Ask::SetAcl(path, self.acl()),
            37..=42 => Ask::Exists(path, self.chance(20)),
            43..=49 => Ask::GetData(path, self.chance(20)),
            50..=57 => Ask::GetChildren { path, watch: self.chance(20), stat: self.chance(50) },
            58..=67 => Ask::GetAcl(path),
            68..=70 => Ask::Descendants(path),
            71..=80 => Ask::Multi(self.parts()),
            81..=87 => Ask::MultiRead((0..1 + self.below(4)).map(|_| self.part_read()).collect()),
            88..=90 => Ask::AddWatch { path, recursive: self.chance(50) },
            91 => Ask::CheckWatches(path, 1 + self.below(5) as i32),
            92 => Ask::RemoveWatches(path, 1 + self.below(5) as i32),
            93 => Ask::SetWatches(path),
            94 => Ask::SetWatches2(path),
            95 => Ask::Ephemerals,
            96 => Ask::Sync(path),
            97 => Ask::WhoAmI,
            98 => Ask::Reconfig,
            _ => Ask::Ping,
        }
    }

    /// What the super user does to keep things moving.
    pub fn tend(&mut self) -> Ask {
        let path = self.path();
        if self.chance(50) { Ask::SetAcl(path, self.acl()) } else { self.create(path) }
    }

    fn create(&mut self, path: String) -> Ask {
        let make = match self.rng.below(10) {
            0 => Make::Container,
            1 => Make::Ttl,
            2 => Make::Plain(true),
            3 => Make::WithStat(true),
            4..=6 => Make::WithStat(false),
            _ => Make::Plain(false),
        };
        Ask::Create { make, path, acl: self.acl() }
    }

    fn parts(&mut self) -> Vec<Ask> {
        let count = 1 + self.below(4);
        (0..count)
            .map(|_| {
                let path = self.path();
                match self.rng.below(4) {
                    0 => self.create(path),
                    1 => Ask::Delete(path),
                    2 => Ask::SetData(path),
                    _ => Ask::Check(path),
                }
            })
            .collect()
    }

    fn part_read(&mut self) -> Ask {
        let path = self.path();
        if self.chance(50) {
            Ask::GetData(path, false)
        } else {
            Ask::GetChildren { path, watch: false, stat: false }
        }
    }
}

/// Op codes in a request, parts included.
pub fn ops(ask: &Ask, into: &mut BTreeSet<i32>) {
    into.insert(ask.op());
    if let Ask::Multi(parts) | Ask::MultiRead(parts) = ask {
        parts.iter().for_each(|part| ops(part, into));
    }
}
