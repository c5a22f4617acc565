//! The bytes inside packets, by kind.
//!
//! # Invariants
//!
//! * Every decoder is total; none allocates more than its input holds.
//! * Bytes behind what a payload has to hold are ignored where Java ignores them, and refused elsewhere.

use super::{Activation, BadPacket, Forwarded, LearnerInfo, Revalidation, Touch};
use crate::jute::{Reader, Writer};
use crate::types::{ServerId, SessionId};
use bytes::Bytes;

/// The protocol that we speak, and every Java server since 3.4 (`ZAB 1.0`).
pub const PROTOCOL: i32 = 0x1_0000;

/// Bytes of a session and its time-out.
const TOUCH: usize = 12;

fn short(what: &'static str) -> BadPacket {
    BadPacket::Form(what)
}

fn bytes(write: impl FnOnce(&mut Writer<'_, Vec<u8>>)) -> Bytes {
    let mut out = Vec::new();
    write(&mut Writer::new(&mut out));
    out.into()
}

/// One 32-bit number: the epoch of an ACKEPOCH (-1: it counts for nothing), the protocol of a LEADERINFO.
pub fn encode_number(number: i32) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

/// See [`encode_number`]. Java's LEADERINFO and ACKEPOCH hold exactly one.
///
/// # Errors
///
/// There are fewer than four bytes.
pub fn decode_number(data: &[u8]) -> Result<i32, BadPacket> {
    data.first_chunk().map(|b| i32::from_be_bytes(*b)).ok_or(short("a number of fewer than four bytes"))
}

/// Who is to lead after a reconfiguration: payload of COMMITANDACTIVATE.
pub fn encode_designated(leader: ServerId) -> Bytes {
    Bytes::copy_from_slice(&leader.0.to_be_bytes())
}

/// See [`encode_designated`].
///
/// # Errors
///
/// There are fewer than eight bytes.
pub fn decode_designated(data: &[u8]) -> Result<ServerId, BadPacket> {
    let first = data.first_chunk().ok_or(short("a designated leader of fewer than eight bytes"))?;
    Ok(ServerId(i64::from_be_bytes(*first)))
}

impl LearnerInfo {
    /// What we say of ourselves.
    pub const fn ours(server: ServerId, config_version: i64) -> LearnerInfo {
        LearnerInfo { server: Some(server), protocol: PROTOCOL, config_version: Some(config_version) }
    }

    /// Writes as much as is known: 8, 12 or 20 bytes; nothing without an id.
    pub fn encode(&self) -> Bytes {
        bytes(|w| {
            let Some(server) = self.server else { return };
            w.i64(server.0);
            if self.protocol == 0 && self.config_version.is_none() {
                return;
            }
            w.i32(self.protocol);
            if let Some(version) = self.config_version {
                w.i64(version);
            }
        })
    }

    /// Reads it: 8, 12 or 20 bytes and more, as Java does; an empty payload is a learner without an id.
    ///
    /// # Errors
    ///
    /// There are some bytes, but fewer than eight.
    pub fn decode(data: &Bytes) -> Result<LearnerInfo, BadPacket> {
        let mut r = Reader::new(data);
        let server = match r.i64() {
            Ok(id) => Some(ServerId(id)),
            Err(_) if data.is_empty() => None,
            Err(_) => return Err(short("a learner's id of fewer than eight bytes")),
        };
        let protocol = r.i32().unwrap_or(0);
        Ok(LearnerInfo { server, protocol, config_version: r.i64().ok() })
    }
}

impl Forwarded {
    /// Writes session, xid, op code and record.
    pub fn encode(&self) -> Bytes {
        bytes(|w| {
            w.i64(self.session.0);
            w.i32(self.cxid);
            w.i32(self.op);
            w.raw(&self.record);
        })
    }

    /// Reads it; the record shares the packet's memory and is judged by whoever admits it.
    ///
    /// # Errors
    ///
    /// There are fewer than 16 bytes.
    pub fn decode(data: &Bytes) -> Result<Forwarded, BadPacket> {
        let mut r = Reader::new(data);
        let head = (|| Ok::<_, crate::jute::JuteError>((r.i64()?, r.i32()?, r.i32()?)))();
        let (session, cxid, op) = head.map_err(|_| short("a request of fewer than 16 bytes"))?;
        let record = data.slice(data.len() - r.remaining()..);
        Ok(Forwarded { session: SessionId(session), cxid, op, record })
    }
}

impl Touch {
    /// Writes one: what a learner asks with REVALIDATE.
    pub fn encode(&self) -> Bytes {
        Touch::encode_list(std::slice::from_ref(self))
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// There are fewer than 12 bytes.
    pub fn decode(data: &Bytes) -> Result<Touch, BadPacket> {
        touch(&mut Reader::new(data)).ok_or(short("a session to revalidate of fewer than 12 bytes"))
    }

    /// Writes many: what a learner answers to a PING.
    pub fn encode_list(touches: &[Touch]) -> Bytes {
        let mut out = Vec::with_capacity(touches.len() * TOUCH);
        let mut w = Writer::new(&mut out);
        for touch in touches {
            w.i64(touch.session.0);
            w.i32(touch.timeout);
        }
        out.into()
    }

    /// Reads many.
    ///
    /// # Errors
    ///
    /// The last one is cut.
    pub fn decode_list(data: &Bytes) -> Result<Vec<Touch>, BadPacket> {
        if !data.len().is_multiple_of(TOUCH) {
            return Err(short("a list of sessions whose last one is cut"));
        }
        let mut r = Reader::new(data);
        Ok(std::iter::from_fn(|| touch(&mut r)).collect())
    }
}

fn touch(r: &mut Reader<'_>) -> Option<Touch> {
    Some(Touch { session: SessionId(r.i64().ok()?), timeout: r.i32().ok()? })
}

impl Revalidation {
    /// Writes session and verdict.
    pub fn encode(&self) -> Bytes {
        bytes(|w| {
            w.i64(self.session.0);
            w.bool(self.valid);
        })
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// There are fewer than nine bytes.
    pub fn decode(data: &Bytes) -> Result<Revalidation, BadPacket> {
        let mut r = Reader::new(data);
        match (r.i64(), r.bool()) {
            (Ok(session), Ok(valid)) => Ok(Revalidation { session: SessionId(session), valid }),
            _ => Err(short("a word on a session of fewer than nine bytes")),
        }
    }
}

impl Activation {
    /// Writes the designated leader and the transaction.
    pub fn encode(&self) -> Bytes {
        bytes(|w| {
            w.i64(self.leader.0);
            w.raw(&self.txn);
        })
    }

    /// Reads it; the transaction shares the packet's memory.
    ///
    /// # Errors
    ///
    /// There are fewer than eight bytes.
    pub fn decode(data: &Bytes) -> Result<Activation, BadPacket> {
        let leader = decode_designated(data)?;
        Ok(Activation { leader, txn: data.slice(8..) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn learners_of_every_age_are_known() {
        let full = LearnerInfo::ours(ServerId(3), 0x1_0000_0001);
        let bytes = full.encode();
        assert_eq!(
            bytes[..],
            [&[0, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 0][..], &[0, 0, 0, 1, 0, 0, 0, 1]].concat()
        );
        let known = |server: Option<i64>, protocol, config_version| LearnerInfo {
            server: server.map(ServerId),
            protocol,
            config_version,
        };
        for (length, expected) in [
            (20, full),
            (19, known(Some(3), PROTOCOL, None)),
            (12, known(Some(3), PROTOCOL, None)),
            (11, known(Some(3), 0, None)),
            (8, known(Some(3), 0, None)),
            (0, known(None, 0, None)),
        ] {
            let cut = bytes.slice(..length);
            assert_eq!(LearnerInfo::decode(&cut), Ok(expected), "{length}");
            if matches!(length, 20 | 12 | 8 | 0) {
                assert_eq!(expected.encode(), cut);
            }
        }
        assert!((1..8).all(|n| LearnerInfo::decode(&bytes.slice(..n)).is_err()));
    }

    #[test]
    fn what_is_cut_is_refused() {
        let cut = |n: usize| Bytes::from(vec![0; n]);
        assert!((0..16).all(|n| Forwarded::decode(&cut(n)).is_err()) && Forwarded::decode(&cut(16)).is_ok());
        assert!((0..12).all(|n| Touch::decode(&cut(n)).is_err()) && Touch::decode(&cut(12)).is_ok());
        assert!(
            (0..9).all(|n| Revalidation::decode(&cut(n)).is_err()) && Revalidation::decode(&cut(9)).is_ok()
        );
        assert!((0..8).all(|n| Activation::decode(&cut(n)).is_err()) && Activation::decode(&cut(8)).is_ok());
        assert!((0..4).all(|n| decode_number(&cut(n)).is_err()) && decode_number(&cut(4)) == Ok(0));
        for n in 0..40 {
            assert_eq!(Touch::decode_list(&cut(n)).is_ok(), n % 12 == 0, "{n}");
        }
        assert_eq!(decode_designated(&encode_designated(ServerId(-1))), Ok(ServerId(-1)));
        assert_eq!(decode_number(&encode_number(-1)), Ok(-1));
    }

    proptest! {
        #[test]
        fn payloads_come_back(a: i64, b: i32, c: i32, more in proptest::collection::vec(any::<u8>(), 0..30), yes: bool, list in proptest::collection::vec((any::<i64>(), any::<i32>()), 0..9)) {
            let request = Forwarded { session: SessionId(a), cxid: b, op: c, record: Bytes::from(more.clone()) };
            prop_assert_eq!(Forwarded::decode(&request.encode()), Ok(request));
            let word = Revalidation { session: SessionId(a), valid: yes };
            prop_assert_eq!(Revalidation::decode(&word.encode()), Ok(word));
            let activation = Activation { leader: ServerId(a), txn: Bytes::from(more) };
            prop_assert_eq!(Activation::decode(&activation.encode()), Ok(activation));
            let touches: Vec<Touch> = list.into_iter().map(|(s, timeout)| Touch { session: SessionId(s), timeout }).collect();
            prop_assert_eq!(Touch::decode_list(&Touch::encode_list(&touches)), Ok(touches));
            let one = Touch { session: SessionId(a), timeout: b };
            prop_assert_eq!(Touch::decode(&one.encode()), Ok(one));
        }
    }
}
