//! Building blocks of request records, right and wrong ones.

use super::control::put;
use super::script::{Frame, Piece};

/// A record being built, with its description.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pieces: Vec<Piece>,
    text: String,
}

impl Record {
    fn bytes(&mut self) -> &mut Vec<u8> {
        if !matches!(self.pieces.last(), Some(Piece::Bytes(_))) {
            self.pieces.push(Piece::Bytes(Vec::new()));
        }
        match self.pieces.last_mut() {
            Some(Piece::Bytes(bytes)) => bytes,
            _ => unreachable!("just pushed"),
        }
    }

    /// A string.
    pub fn string(mut self, value: Option<&[u8]>) -> Record {
        put(self.bytes(), value);
        let shown = match value {
            None => "null".to_owned(),
            Some(bytes) if bytes.len() > 60 => format!("<{} bytes>", bytes.len()),
            Some(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        };
        self.say(&shown)
    }

    /// A 32-bit integer.
    pub fn int(mut self, value: i32) -> Record {
        self.bytes().extend_from_slice(&value.to_be_bytes());
        self.say(&value.to_string())
    }

    /// A 64-bit integer.
    pub fn long(mut self, value: i64) -> Record {
        self.bytes().extend_from_slice(&value.to_be_bytes());
        self.say(&value.to_string())
    }

    /// A zxid relative to the script's start.
    pub fn zxid(mut self, relative: i64) -> Record {
        self.pieces.push(Piece::Zxid(relative));
        self.say(&format!("zxid{relative:+}"))
    }

    /// A boolean.
    pub fn flag(mut self, value: u8) -> Record {
        self.bytes().push(value);
        self.say(&value.to_string())
    }

    /// Bytes as they are.
    pub fn raw(mut self, bytes: &[u8]) -> Record {
        self.bytes().extend_from_slice(bytes);
        self.say(&format!("raw<{}>", bytes.len()))
    }

    /// Another record behind this one.
    pub fn with(mut self, other: Record) -> Record {
        self.pieces.extend(other.pieces);
        let text = other.text;
        self.say(&text)
    }

    fn say(mut self, word: &str) -> Record {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(word);
        self
    }

    /// The frame of this record.
    pub fn frame(self, xid: i32, op: i32, name: &str) -> Frame {
        Frame { xid, op, body: self.pieces, length: None, text: format!("{name} {}", self.text) }
    }
}
