//! Replies as text in which only what servers may choose is masked.
//!
//! Written apart from the library's decoders: an error there must not hide itself here.
//!
//! # Invariants
//! * A body that has not exactly the shape of its op is shown as it came, in hexadecimal.

use std::collections::HashMap;
use std::fmt::Write as _;

/// What a server chose: the zxid at the script's start, and session ids.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    /// Zxid at the script's start.
    pub base: i64,
    /// Session ids and their names in the script.
    pub sessions: HashMap<i64, String>,
    /// Wall clock when the script started, ms.
    pub started: i64,
}

impl Mask {
    /// A zxid relative to the script's start; one from before it is only that.
    pub fn zxid(&self, zxid: i64) -> String {
        match zxid {
            ..=0 => zxid.to_string(),
            _ if zxid <= self.base => "old".to_owned(),
            _ => format!("{:+}", zxid - self.base),
        }
    }

    fn owner(&self, id: i64) -> String {
        match self.sessions.get(&id) {
            Some(name) => name.clone(),
            None if id == 0 => "0".to_owned(),
            None => format!("{id:#x}"),
        }
    }

    /// Times are masked if they lie around the run.
    fn time(&self, time: i64) -> String {
        if time == 0 {
            "0".to_owned()
        } else if (time - self.started).abs() < 6 * 3600 * 1000 {
            "T".to_owned()
        } else {
            time.to_string()
        }
    }
}

/// Bytes still to be taken apart.
struct Cut<'a>(&'a [u8]);

impl<'a> Cut<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn int(&mut self) -> Option<i32> {
        self.take(4).map(|b| i32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn long(&mut self) -> Option<i64> {
        Some((i64::from(self.int()?) << 32) | i64::from(self.int()? as u32))
    }

    /// A string or buffer: text where it is printable ASCII, else escaped; `-` for null.
    fn text(&mut self) -> Option<String> {
        let length = self.int()?;
        if length == -1 {
            return Some("-".to_owned());
        }
        let bytes = self.take(usize::try_from(length).ok()?)?;
        if bytes.len() > 200 {
            return Some(format!("<{} bytes, sum {:x}>", bytes.len(), sum(bytes)));
        }
        Some(format!("\"{}\"", bytes.escape_ascii()))
    }

    fn list(&mut self, mut item: impl FnMut(&mut Cut<'a>) -> Option<String>) -> Option<Vec<String>> {
        let count = self.int()?;
        if count == -1 {
            return Some(vec!["(null)".to_owned()]);
        }
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Some(items)
    }

    fn stat(&mut self, mask: &Mask) -> Option<String> {
        let (czxid, mzxid, ctime, mtime) = (self.long()?, self.long()?, self.long()?, self.long()?);
        let (version, cversion, aversion) = (self.int()?, self.int()?, self.int()?);
        let (owner, length, children, pzxid) = (self.long()?, self.int()?, self.int()?, self.long()?);
        let z = |zxid| mask.zxid(zxid);
        Some(format!(
            "stat[c={} m={} p={} ct={} mt={} v={version} cv={cversion} av={aversion} owner={} len={length} kids={children}]",
            z(czxid),
            z(mzxid),
            z(pzxid),
            mask.time(ctime),
            mask.time(mtime),
            mask.owner(owner)
        ))
    }

    fn acl(&mut self) -> Option<String> {
        let mut items = self.list(|c| Some(format!("{:#x}:{}:{}", c.int()?, c.text()?, c.text()?)))?;
        // `auth` stands for all identities of a connection, whose order is the server's.
        let kind =
            |item: &String| item.split("digest").next().filter(|k| k.len() < item.len()).map(str::to_owned);
        for run in items.chunk_by_mut(|a, b| kind(a).is_some() && kind(a) == kind(b)) {
            run.sort();
        }
        Some(format!("acl[{}]", items.join(", ")))
    }

    /// Names whose order a server chooses.
    fn names(&mut self) -> Option<String> {
        let mut names = self.list(Cut::text)?;
        names.sort();
        Some(format!("[{}]", names.join(", ")))
    }

    fn multi(&mut self, mask: &Mask) -> Option<String> {
        let mut text = "multi{".to_owned();
        loop {
            let (kind, done, err) = (self.int()?, self.byte()?, self.int()?);
            let _ = write!(text, "{kind}/{done}/{err}");
            if done != 0 {
                return Some(text + "}");
            }
            let result = match kind {
                -1 => self.int()?.to_string(),
                1 => self.text()?,
                15 => format!("{} {}", self.text()?, self.stat(mask)?),
                2 | 13 => String::new(),
                5 => self.stat(mask)?,
                4 => format!("{} {}", self.text()?, self.stat(mask)?),
                8 => self.names()?,
                _ => return None,
            };
            let _ = write!(text, " {result}; ");
        }
    }
}

/// A checksum of long data.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

/// A reply body of `op` as text.
pub fn body(op: i32, bytes: &[u8], mask: &Mask) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    let mut cut = Cut(bytes);
    match shaped(op, &mut cut, mask) {
        Some(text) if cut.0.is_empty() => text,
        _ => format!("hex {}", hex(bytes)),
    }
}

fn shaped(op: i32, cut: &mut Cut<'_>, mask: &Mask) -> Option<String> {
    Some(match op {
        1 | 9 => cut.text()?,
        15 | 19 | 21 => format!("{} {}", cut.text()?, cut.stat(mask)?),
        3 | 5 | 7 => cut.stat(mask)?,
        4 | 16 => format!("{} {}", cut.text()?, cut.stat(mask)?),
        6 => format!("{} {}", cut.acl()?, cut.stat(mask)?),
        8 | 103 => cut.names()?,
        12 => format!("{} {}", cut.names()?, cut.stat(mask)?),
        14 | 22 => cut.multi(mask)?,
        104 | 106 => cut.int()?.to_string(),
        107 => {
            let mut ids = cut.list(|c| Some(format!("{}:{}", c.text()?, c.text()?)))?;
            ids.sort();
            format!("ids[{}]", ids.join(", "))
        }
        102 => cut.text()?,
        _ => return None,
    })
}

/// The body of a notification as text.
pub fn event(bytes: &[u8]) -> String {
    let mut cut = Cut(bytes);
    let parts = (cut.int(), cut.int(), cut.text());
    match parts {
        (Some(kind), Some(state), Some(path)) if cut.0.is_empty() => {
            format!("type={kind} state={state} path={path}")
        }
        _ => format!("hex {}", hex(bytes)),
    }
}

/// Children of a getChildren reply, as bytes.
pub fn children(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut cut = Cut(bytes);
    let count = cut.int()?;
    let mut names = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(cut.int()?).ok()?;
        names.push(cut.take(length)?.to_vec());
    }
    Some(names)
}

fn hex(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(300)];
    shown.iter().fold(String::new(), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zxids_times_and_sessions_are_masked() {
        let mut mask = Mask { base: 100, started: 1_795_162_472_000, ..Mask::default() };
        mask.sessions.insert(77, "S1".into());
        let mut stat = Vec::new();
        for long in [101i64, 99, 1_795_162_472_500, 5] {
            stat.extend_from_slice(&long.to_be_bytes());
        }
        for int in [1i32, 2, 3] {
            stat.extend_from_slice(&int.to_be_bytes());
        }
        stat.extend_from_slice(&77i64.to_be_bytes());
        stat.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 5]);
        stat.extend_from_slice(&(-1i64).to_be_bytes());
        assert_eq!(
            body(3, &stat, &mask),
            "stat[c=+1 m=old p=-1 ct=T mt=5 v=1 cv=2 av=3 owner=S1 len=4 kids=5]"
        );
        stat.push(0);
        assert!(body(3, &stat, &mask).starts_with("hex "), "a byte too many shows");
        assert_eq!(body(8, &[0, 0, 0, 2, 0, 0, 0, 1, b'b', 0, 0, 0, 1, b'a'], &mask), "[\"a\", \"b\"]");
    }
}
