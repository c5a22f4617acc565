//! Reads the recordings of `tests/data/wire`: one readable line a frame, its bytes in hex below.
//!
//! # Invariants
//!
//! * A file that cannot be read to its end fails the test: no frame is left out in silence.

use std::fs;
use std::path::{Path, PathBuf};

/// One recorded frame.
pub struct Frame {
    /// File and line, for messages.
    pub place: String,
    /// Number of its connection within the recording.
    pub connection: u32,
    /// Did the client send it?
    pub from_client: bool,
    /// What it is: an op's name, `connect`, `connected`, `notification` or `unknown`; `closed`, without bytes, where
    /// the server closed the connection.
    pub name: String,
    /// What the recorder's own dissector read in it.
    pub fields: String,
    /// Bytes behind the record, which a server ignores.
    pub trailing: usize,
    /// The frame, length field included.
    pub bytes: Vec<u8>,
}

impl Frame {
    /// The frame without its length field.
    pub fn body(&self) -> &[u8] {
        &self.bytes[4..]
    }

    /// The frame as it is without the bytes behind its record.
    pub fn without_trailing(&self) -> Vec<u8> {
        let mut bytes = self.bytes[..self.bytes.len() - self.trailing].to_vec();
        let length = u32::try_from(bytes.len() - 4).expect("a short frame");
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    /// The reply's error code, as recorded.
    pub fn err(&self) -> Option<i32> {
        let rest = self.fields.split_once(" err=")?.1;
        rest.split(' ').next()?.parse().ok()
    }
}

/// Every file below `tests/data/<dir>`, sorted.
pub fn files(dir: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(dir);
    let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    files.sort();
    files
}

/// Every frame of every recording.
pub fn frames() -> Vec<Frame> {
    files("wire").iter().flat_map(|file| read(file)).filter(|f| f.name != "closed").collect()
}

/// One recording, frames and closes, in the order of time.
pub fn recording(name: &str) -> Vec<Frame> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire");
    read(&dir.join(format!("{name}.txt")))
}

fn read(file: &Path) -> Vec<Frame> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut frames: Vec<Frame> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let place = format!("{name}:{}", number + 1);
        if let Some(hex) = line.strip_prefix("    ") {
            let frame = frames.last_mut().unwrap_or_else(|| panic!("{place}: bytes without a frame"));
            frame.bytes.extend(bytes(hex).unwrap_or_else(|| panic!("{place}: no hex")));
        } else if !line.starts_with('#') {
            frames.push(begin(place, line));
        }
    }
    for frame in frames.iter().filter(|f| f.name != "closed") {
        let length = frame.bytes.first_chunk::<4>().map(|b| u32::from_be_bytes(*b) as usize);
        assert_eq!(length, Some(frame.bytes.len() - 4), "{}: not one whole frame", frame.place);
    }
    assert!(!frames.is_empty(), "{name} holds no frames");
    frames
}

/// `<connection> <direction> <name> <fields>`
fn begin(place: String, line: &str) -> Frame {
    let mut parts = line.splitn(4, ' ');
    let connection =
        parts.next().and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{place}: no connection"));
    let direction = parts.next().unwrap_or_default();
    assert!(matches!(direction, ">" | "<"), "{place}: {line:?} has no direction");
    let name = parts.next().unwrap_or_default().to_owned();
    let all = parts.next().unwrap_or_default();
    let (fields, trailing) = match all.split_once("trailing=x'") {
        Some((fields, hex)) => (fields.trim_end(), hex.len() / 2),
        None => (all, 0),
    };
    Frame {
        place,
        connection,
        from_client: direction == ">",
        name,
        fields: fields.to_owned(),
        trailing,
        bytes: Vec::new(),
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect()
}
