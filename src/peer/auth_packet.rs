//! `QuorumAuthPacket`: what servers say to each other before anything else, where they log in.
//!
//! ```text
//! magic (8 bytes)   status (4)   token: length (4), -1 for none, and its bytes
//! ```
//!
//! The packet has no length in front: [`AuthPacket::decode`] says how much it wants.
//!
//! # Invariants
//!
//! * A token is bounded by [`QUORUM_AUTH_TOKEN`] before a byte of it is awaited.
//! * What does not start with the magic number is not an attempt to log in, and not a byte of it is used.

use crate::jute::{JuteError, Reader, Writer};
use crate::limits::QUORUM_AUTH_TOKEN;

/// The first 8 bytes: what Java's `-0xa0dbcafecafe1234L` comes to. No other first packet of a server starts so.
pub const MAGIC: i64 = 0x5f24_3501_3501_edcc;

/// Bytes in front of the token.
const HEAD: usize = 16;

/// Where an exchange stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// It goes on.
    InProgress,
    /// The learner is logged in.
    Success,
    /// It is refused.
    Error,
}

impl Status {
    /// Its number on the wire.
    pub const fn number(self) -> i32 {
        match self {
            Status::InProgress => 0,
            Status::Success => 1,
            Status::Error => -1,
        }
    }

    /// The status of a number; unknown ones are errors, as in Java.
    pub const fn from_number(number: i32) -> Status {
        match number {
            0 => Status::InProgress,
            1 => Status::Success,
            _ => Status::Error,
        }
    }
}

/// One packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthPacket {
    /// Where the exchange stands.
    pub status: Status,
    /// The token; `None` and an empty one are two things.
    pub token: Option<Vec<u8>>,
}

/// Why bytes are no packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadPacket {
    /// They do not start with the magic number.
    NotAuth,
    /// The token's length is negative (but not -1), or beyond the bound.
    Length(i32),
}

/// What bytes are so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decoded {
    /// A packet, and how many bytes it took.
    Packet(AuthPacket, usize),
    /// The beginning of one: so many bytes are wanted in all, at least.
    Wants(usize),
}

/// Do the first 8 bytes that a server sends begin an exchange? `None`: there are fewer than 8.
pub fn is_auth(bytes: &[u8]) -> Option<bool> {
    bytes.first_chunk::<8>().map(|first| i64::from_be_bytes(*first) == MAGIC)
}

impl AuthPacket {
    /// Writes the packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer::new(out);
        w.i64(MAGIC);
        w.i32(self.status.number());
        w.buffer(self.token.as_deref());
    }

    /// Reads a packet from the front of `bytes`.
    ///
    /// # Errors
    ///
    /// The bytes cannot become a packet, however many follow.
    pub fn decode(bytes: &[u8]) -> Result<Decoded, BadPacket> {
        match is_auth(bytes) {
            None => return Ok(Decoded::Wants(8)),
            Some(false) => return Err(BadPacket::NotAuth),
            Some(true) => {}
        }
        let Ok((status, length)) = head(bytes) else { return Ok(Decoded::Wants(HEAD)) };
        let token = match length {
            -1 => None,
            _ => {
                let length = usize::try_from(length)
                    .ok()
                    .filter(|n| *n <= QUORUM_AUTH_TOKEN)
                    .ok_or(BadPacket::Length(length))?;
                match bytes.get(HEAD..HEAD + length) {
                    Some(token) => Some(token.to_vec()),
                    None => return Ok(Decoded::Wants(HEAD + length)),
                }
            }
        };
        let taken = HEAD + token.as_ref().map_or(0, Vec::len);
        Ok(Decoded::Packet(AuthPacket { status: Status::from_number(status), token }, taken))
    }
}

/// Status and length of the token.
fn head(bytes: &[u8]) -> Result<(i32, i32), JuteError> {
    let mut r = Reader::new(bytes);
    r.i64()?;
    Ok((r.i32()?, r.i32()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A packet that Java 3.9.5's `SaslQuorumAuthLearner` sends: an empty token, in progress.
    #[test]
    fn the_layout_is_javas() {
        let mut out = Vec::new();
        AuthPacket { status: Status::InProgress, token: Some(Vec::new()) }.encode(&mut out);
        assert_eq!(out.len(), HEAD);
        assert_eq!(out[..8], [0x5f, 0x24, 0x35, 0x01, 0x35, 0x01, 0xed, 0xcc]);
        assert_eq!(MAGIC, 0xa0db_cafe_cafe_1234_u64.cast_signed().wrapping_neg());
        assert_eq!(out[8..], [0; 8]);
        out.clear();
        AuthPacket { status: Status::Success, token: None }.encode(&mut out);
        assert_eq!(out[8..], [0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]);
        out.clear();
        AuthPacket { status: Status::Error, token: None }.encode(&mut out);
        assert_eq!(out[8..12], [0xff; 4]);
    }

    #[test]
    fn what_is_no_packet_is_told_early() {
        let head = |length: i32| {
            let mut bytes = MAGIC.to_be_bytes().to_vec();
            bytes.extend(0i32.to_be_bytes());
            bytes.extend(length.to_be_bytes());
            bytes
        };
        assert_eq!(AuthPacket::decode(&[]), Ok(Decoded::Wants(8)));
        assert_eq!(AuthPacket::decode(&[0; 8]), Err(BadPacket::NotAuth));
        assert_eq!(AuthPacket::decode(&MAGIC.to_be_bytes()), Ok(Decoded::Wants(HEAD)));
        assert_eq!(AuthPacket::decode(&head(-2)), Err(BadPacket::Length(-2)));
        assert_eq!(AuthPacket::decode(&head(i32::MAX)), Err(BadPacket::Length(i32::MAX)));
        assert_eq!(AuthPacket::decode(&head(7)), Ok(Decoded::Wants(HEAD + 7)));
        assert!(matches!(AuthPacket::decode(&head(-1)), Ok(Decoded::Packet(_, HEAD))));
        assert_eq!(is_auth(&[0; 7]), None);
    }

    proptest! {
        #[test]
        fn packets_come_back(status in -1i32..2, token in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..99)), more in 0usize..5) {
            let packet = AuthPacket { status: Status::from_number(status), token };
            let mut bytes = Vec::new();
            packet.encode(&mut bytes);
            let length = bytes.len();
            for cut in 0..length {
                prop_assert!(matches!(AuthPacket::decode(&bytes[..cut]), Ok(Decoded::Wants(n)) if n > cut && n <= length));
            }
            bytes.extend(std::iter::repeat_n(7, more));
            prop_assert_eq!(AuthPacket::decode(&bytes), Ok(Decoded::Packet(packet, length)));
        }

        #[test]
        fn no_bytes_break_the_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = AuthPacket::decode(&bytes);
            let mut magic = MAGIC.to_be_bytes().to_vec();
            magic.extend(bytes);
            let _ = AuthPacket::decode(&magic);
        }
    }
}
