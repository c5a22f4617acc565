//! Keytab files, read for what they hold: whose keys, of which number, type and age.
//!
//! Logins are decided by libkrb5, which reads the file itself. This reader explains refusals, feeds metrics of
//! key numbers, and is what `oxkeeper doctor keytab` prints.
//!
//! # Invariants
//!
//! * Total: a file of any content gives entries or a [`BadKeytab`]; memory is bounded by the file's size,
//!   which [`crate::limits::KEYTAB_BYTES`] bounds.
//! * Keys are overwritten when they are dropped, and never printed.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::names;
use crate::limits::KEYTAB_BYTES;

/// Components of a name, at most: real ones have two, and empty ones cost much more memory than file.
const COMPONENTS: u16 = 16;

/// Format 2, big-endian; format 1 was written in the byte order of the machine and is long gone.
const VERSION: [u8; 2] = [5, 2];

/// What a keytab holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keytab {
    /// Its keys in the order of the file.
    pub entries: Vec<Entry>,
    /// Entries that were deleted and left a hole.
    pub holes: usize,
}

/// One key of one principal.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name without realm, as krb5 prints it.
    pub name: String,
    /// Realm.
    pub realm: String,
    /// When the key was written, seconds of Unix time.
    pub written: u32,
    /// Key number.
    pub kvno: u32,
    /// Encryption type.
    pub enctype: i32,
    /// The key.
    pub(super) key: Zeroizing<Vec<u8>>,
}

impl Entry {
    /// Name and realm.
    pub fn principal(&self) -> String {
        names::full(&self.name, &self.realm)
    }

    /// The first component of the name: the service.
    pub fn primary(&self) -> &str {
        names::primary(&self.name)
    }

    /// Length of the key, bytes.
    pub fn key_length(&self) -> usize {
        self.key.len()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kvno {} {}", self.principal(), self.kvno, enctype_name(self.enctype))
    }
}

/// Where and why bytes are no keytab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadKeytab {
    /// Offset of the entry, or of the file's beginning.
    pub at: usize,
    /// What is wrong.
    pub what: &'static str,
}

impl fmt::Display for BadKeytab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a keytab: {} at byte {}", self.what, self.at)
    }
}

/// Why a keytab file cannot be used.
#[derive(Debug)]
pub enum KeytabError {
    /// It cannot be read.
    Io(io::Error),
    /// It is something else.
    Bad(BadKeytab),
}

impl fmt::Display for KeytabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeytabError::Io(error) => write!(f, "{error}"),
            KeytabError::Bad(bad) => write!(f, "{bad}"),
        }
    }
}

impl std::error::Error for KeytabError {}

impl Keytab {
    /// Keys of one encryption type.
    pub fn of_type(&self, enctype: i32) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |e| e.enctype == enctype)
    }

    /// Keys of one service, whatever its host.
    pub fn of_service<'a>(&'a self, primary: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |e| e.primary() == primary)
    }

    /// The principals, each once, in the order of the file.
    pub fn principals(&self) -> Vec<String> {
        let mut names = Vec::new();
        for name in self.entries.iter().map(Entry::principal) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

/// Reads a keytab file.
///
/// # Errors
///
/// [`KeytabError`].
pub fn read(path: &Path) -> Result<Keytab, KeytabError> {
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(path).map_err(KeytabError::Io)?;
    let limit = u64::try_from(KEYTAB_BYTES).unwrap_or(u64::MAX);
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(KeytabError::Io)?;
    parse(&bytes).map_err(KeytabError::Bad)
}

/// Reads the bytes of a keytab file.
///
/// # Errors
///
/// [`BadKeytab`].
pub fn parse(bytes: &[u8]) -> Result<Keytab, BadKeytab> {
    let bad = |at, what| Err(BadKeytab { at, what });
    if bytes.len() > KEYTAB_BYTES {
        return bad(0, "the file is too long");
    }
    match bytes.first_chunk() {
        Some(&VERSION) => {}
        Some([5, 1]) => return bad(0, "an old format (1)"),
        _ => return bad(0, "no version"),
    }
    let mut keytab = Keytab::default();
    let mut input = Input(bytes.get(2..).unwrap_or_default());
    while !input.0.is_empty() {
        let at = bytes.len() - input.0.len();
        let Some(size) = input.take::<4>().map(i32::from_be_bytes) else {
            return bad(at, "a length that is cut off");
        };
        let length = usize::try_from(size.unsigned_abs()).unwrap_or(usize::MAX);
        // libkrb5 takes a length of nothing for the end.
        if length == 0 {
            break;
        }
        let Some(inside) = input.bytes(length) else {
            return bad(at, "an entry that is cut off");
        };
        if size < 0 {
            keytab.holes += 1;
            continue;
        }
        match entry(Input(inside)) {
            Some(entry) => keytab.entries.push(entry),
            None => return bad(at, "a malformed entry"),
        }
    }
    Ok(keytab)
}

fn entry(mut input: Input<'_>) -> Option<Entry> {
    let components = u16::from_be_bytes(input.take()?);
    if components > COMPONENTS {
        return None;
    }
    let realm = names::text(input.counted()?);
    let mut name = Vec::new();
    for _ in 0..components {
        name.push(names::text(input.counted()?));
    }
    let _type = input.take::<4>()?;
    let written = u32::from_be_bytes(input.take()?);
    let [short] = input.take()?;
    let enctype = i32::from(i16::from_be_bytes(input.take()?));
    let key = Zeroizing::new(input.counted()?.to_vec());
    // Eight bits were too few: a longer number may follow.
    let long = input.take().map_or(0, u32::from_be_bytes);
    let kvno = if long == 0 { u32::from(short) } else { long };
    Some(Entry { name: names::join(&name), realm, written, kvno, enctype, key })
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn counted(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(self.take()?);
        self.bytes(usize::from(length))
    }
}

/// Name of an encryption type as MIT's tools print it.
pub fn enctype_name(enctype: i32) -> String {
    let name = match enctype {
        1 => "des-cbc-crc",
        3 => "des-cbc-md5",
        16 => "des3-cbc-sha1",
        17 => "aes128-cts-hmac-sha1-96",
        18 => "aes256-cts-hmac-sha1-96",
        19 => "aes128-cts-hmac-sha256-128",
        20 => "aes256-cts-hmac-sha384-192",
        23 => "arcfour-hmac",
        24 => "arcfour-hmac-exp",
        25 => "camellia128-cts-cmac",
        26 => "camellia256-cts-cmac",
        _ => return format!("enctype {enctype}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests;
