//! Paths, data, ACLs and identities that scripts are made of: a small world, so that requests meet.

use super::record::Record;
use super::rng::Rng;

const NAMES: &[&str] = &["a", "b", "c", "d"];

/// Paths that no client library would send, and some at the edge.
const WEIRD: &[&[u8]] = &[
    b"",
    b"a",
    b"a/b",
    b"/a/",
    b"//",
    b"//a",
    b"/a//b",
    b"/.",
    b"/..",
    b"/a/.",
    b"/a/./b",
    b"/a/../b",
    b"/...",
    b"/a\0b",
    b"/\x01",
    b"/\x1f",
    b"/\x7f",
    b"/a b",
    b"/\xc2\x80",                  // U+0080
    b"/\xc2\x9f",                  // U+009F
    b"/\xc2\xa0",                  // U+00A0
    b"/\xc3\xa9",                  // U+00E9
    b"/\xed\x9f\xbf",              // U+D7FF
    b"/\xee\x80\x80",              // U+E000
    b"/\xef\xa3\xbf",              // U+F8FF
    b"/\xef\xa4\x80",              // U+F900
    b"/\xef\xbf\xaf",              // U+FFEF
    b"/\xef\xbf\xb0",              // U+FFF0
    b"/\xef\xbf\xbd",              // U+FFFD
    b"/\xf0\x9f\x98\x80",          // beyond the basic plane
    b"/\xff\xfe",                  // no UTF-8
    b"/a/\xc3",                    // cut UTF-8
    b"/a\xed\xa0\xbd\xed\xb8\x80", // a surrogate pair as Java's clients write it
];

const SYSTEM: &[&[u8]] = &[
    b"/",
    b"/zookeeper",
    b"/zookeeper/quota",
    b"/zookeeper/config",
    b"/zookeeper/quota/a",
    b"/zookeeper/quota/a/zookeeper_limits",
    b"/zookeeper/quota/a/zookeeper_stats",
    b"/zookeeper/a",
];

/// What a script remembers while it is made: a guess at what exists.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Paths that creates have named and whose parents probably exist.
    made: Vec<Vec<u8>>,
    /// Paths that were probably watched.
    watched: Vec<Vec<u8>>,
}

/// Paths that are remembered at once.
const REMEMBERED: usize = 14;

impl World {
    /// Some path.
    pub fn path(&self, rng: &mut Rng) -> Vec<u8> {
        match rng.below(100) {
            0..=64 if !self.made.is_empty() => rng.pick(&self.made).clone(),
            0..=88 => fresh_path(rng),
            89..=93 => rng.pick(SYSTEM).to_vec(),
            94..=96 => {
                let suffix = format!("/a/{}{:010}", rng.pick(NAMES), rng.below(6));
                suffix.into_bytes()
            }
            _ => rng.pick(WEIRD).to_vec(),
        }
    }

    /// Some path, probably a watched one.
    pub fn watched_path(&self, rng: &mut Rng) -> Vec<u8> {
        if !self.watched.is_empty() && rng.chance(70) {
            return rng.pick(&self.watched).clone();
        }
        self.path(rng)
    }

    /// Remembers that a path was watched.
    pub fn watch(&mut self, path: &[u8]) {
        self.watched.push(path.to_vec());
        if self.watched.len() > 6 {
            self.watched.remove(0);
        }
    }

    /// Forgets a path that was probably deleted.
    pub fn forget(&mut self, path: &[u8]) {
        self.made.retain(|p| p != path);
    }

    /// A path to create, often below one that exists.
    pub fn new_path(&mut self, rng: &mut Rng) -> Vec<u8> {
        let path = match rng.below(100) {
            0..=49 if !self.made.is_empty() => {
                let mut path = rng.pick(&self.made).clone();
                path.push(b'/');
                path.extend_from_slice(rng.pick(NAMES).as_bytes());
                path
            }
            0..=79 => fresh_path(rng),
            80..=84 => [fresh_path(rng), b"/".to_vec()].concat(),
            _ => self.path(rng),
        };
        let plain = path.iter().all(|b| *b == b'/' || b.is_ascii_lowercase()) && !path.ends_with(b"/");
        if plain && path.len() < 40 && path.starts_with(b"/") && self.has_parent(&path) {
            self.forget(&path);
            self.made.push(path.clone());
            if self.made.len() > REMEMBERED {
                self.made.remove(0);
            }
        }
        path
    }

    fn has_parent(&self, path: &[u8]) -> bool {
        match path.iter().rposition(|b| *b == b'/') {
            Some(0) => true,
            Some(cut) => self.made.iter().any(|p| p == &path[..cut]),
            None => false,
        }
    }
}

fn fresh_path(rng: &mut Rng) -> Vec<u8> {
    let depth = rng.weighted(&[(40, 1), (35, 2), (20, 3), (5, 5)]);
    let mut path = Vec::new();
    for _ in 0..depth {
        path.push(b'/');
        path.extend_from_slice(rng.pick(NAMES).as_bytes());
    }
    path
}

/// Some data: null, empty, short, long.
pub fn data(rng: &mut Rng) -> Option<Vec<u8>> {
    match rng.below(100) {
        0..=9 => None,
        10..=19 => Some(Vec::new()),
        20..=97 => Some(format!("v{}", rng.below(1000)).into_bytes()),
        98 => Some(vec![b'x'; rng.below(3000)]),
        _ => Some(vec![b'y'; 40_000 + rng.below(60_000)]),
    }
}

/// The text of a quota's limits.
pub fn limits(rng: &mut Rng) -> Vec<u8> {
    let mut limit = |scale: usize| if rng.chance(40) { -1 } else { rng.below(scale) as i64 };
    let (count, bytes, hard_bytes, hard_count) = (limit(6), limit(40), limit(60), limit(8));
    match rng.below(4) {
        0 => format!("count={count},bytes={bytes}"),
        1 => format!("count={count},bytes={bytes}=;byteHardLimit={hard_bytes}"),
        _ => format!("count={count},bytes={bytes}=;byteHardLimit={hard_bytes};countHardLimit={hard_count}"),
    }
    .into_bytes()
}

/// A version: mostly any, else one that may be right.
pub fn version(rng: &mut Rng) -> i32 {
    rng.weighted(&[(60, -1), (15, 0), (10, 1), (6, 2), (3, 3), (2, 7), (2, -2), (1, i32::MIN), (1, i32::MAX)])
}

/// Users whose identities scripts add, as `user:password`.
pub const USERS: &[&str] = &["u1:p1", "u2:p2", "u3:p:with:colons"];

/// `user:base64(sha1(user:password))` of a user, as ACLs name it.
pub fn digest(user: &str) -> String {
    use base64::Engine as _;
    use sha1::Digest as _;
    let hash = sha1::Sha1::digest(user.as_bytes());
    let name = user.split(':').next().unwrap_or_default();
    format!("{name}:{}", base64::engine::general_purpose::STANDARD.encode(hash))
}

/// Identities that no server takes into an ACL.
const REFUSED: &[(&str, &str)] = &[
    ("world", "everyone"),
    ("nonsense", "x"),
    ("digest", "nocolon"),
    ("digest", "a:b:c"),
    ("digest", "a:"),
    ("digest", ":b"),
    ("ip", "not-an-address"),
    ("ip", "1.2.3.4/99"),
    ("ip", "1.2.3"),
    ("ip", "::1"),
    ("ip", "1.2.3.4/"),
    ("", ""),
    ("sasl", "user"),
    ("x509", "CN=x"),
    ("ensemble", "x"),
];

/// An ACL entry: permissions, scheme, id.
fn entry(rng: &mut Rng) -> (i32, String, String) {
    let perms = rng.weighted(&[
        (40, 31),
        (15, 1),
        (8, 3),
        (8, 15),
        (6, 16),
        (5, 4),
        (5, 8),
        (5, 2),
        (3, 0),
        (2, 63),
        (1, -1),
    ]);
    let user = *rng.pick(USERS);
    let valid = rng.chance(93);
    let (scheme, id) = if valid {
        let own = digest(user);
        let (scheme, id) = rng.weighted(&[
            (40, ("world", "anyone")),
            (15, ("auth", "")),
            (20, ("digest", own.as_str())),
            (4, ("digest", "u1:wrong")),
            (8, ("ip", "127.0.0.1")),
            (3, ("ip", "127.0.0.0/8")),
            (3, ("ip", "10.1.2.3")),
            (2, ("auth", "ignored")),
            (2, ("super", "")),
        ]);
        (scheme, id.to_owned())
    } else {
        let (scheme, id) = *rng.pick(REFUSED);
        (scheme, id.to_owned())
    };
    (perms, scheme.to_owned(), id)
}

/// An ACL list; `some`: not null.
pub fn acl(rng: &mut Rng, some: bool) -> Record {
    let none = if some { 0 } else { 3 };
    let count = rng.weighted(&[(none, -1), (3, 0), (70, 1), (16, 2), (8, 3)]);
    let mut record = Record::default().int(count);
    let mut last: Option<(i32, String, String)> = None;
    for _ in 0..count.max(0) {
        let entry = match last.take() {
            Some(same) if rng.chance(20) => same,
            _ if rng.chance(55) => (31, "world".to_owned(), "anyone".to_owned()),
            _ => entry(rng),
        };
        record = record.int(entry.0);
        record = record.string(Some(entry.1.as_bytes()));
        record = record.string(Some(entry.2.as_bytes()));
        last = Some(entry);
    }
    record
}
