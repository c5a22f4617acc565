//! The bytes of packets between a leader and its learners.
//!
//! ```text
//! kind (4)   zxid (8)   data: length (4), -1 for none, and its bytes   auth: count (4), -1 for none, and pairs of strings
//! ```
//!
//! Packets follow each other without a length in front: [`Packet::decode`] finds the end of one from within.
//!
//! # Invariants
//!
//! * A length is judged before a byte behind it is awaited: a stream that cannot become a packet is refused
//!   with its header, and one that waits holds no more than the bound.
//! * What is decoded is encoded to the same bytes, but for null strings and empty lists of identities.

use super::{BadPacket, Packet, PacketKind};
use crate::jute::{JuteError, Reader, Writer};
use crate::limits::{PEER_AUTH_BYTES, PEER_AUTH_IDS};
use crate::types::{Id, Zxid};
use bytes::{Buf, Bytes, BytesMut};

/// Bytes in front of the payload.
const HEAD: usize = 16;

/// Bytes of a packet with this payload and nothing proven: what a queue of packets has to count.
pub const fn encoded_len(data: Option<usize>) -> usize {
    match data {
        Some(n) => HEAD + n + 4,
        None => HEAD + 4,
    }
}

/// Writes a packet without identities, as all but requests are.
pub fn write_packet(kind: PacketKind, zxid: Zxid, data: Option<&[u8]>, out: &mut Vec<u8>) {
    out.reserve(encoded_len(data.map(<[u8]>::len)));
    let mut w = Writer::new(out);
    w.i32(kind.number());
    w.i64(zxid.0);
    w.buffer(data);
    // Java's leader takes no null list from a request.
    w.i32(if kind == PacketKind::Request { 0 } else { -1 });
}

impl Packet {
    /// Writes the packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        if self.auth.is_empty() {
            return write_packet(self.kind, self.zxid, self.data.as_deref(), out);
        }
        let mut w = Writer::new(out);
        w.i32(self.kind.number());
        w.i64(self.zxid.0);
        w.buffer(self.data.as_deref());
        w.vector(&self.auth, |w, id| {
            w.string(Some(&id.scheme));
            w.string(Some(&id.id));
        });
    }

    /// The packet as bytes of its own.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::new();
        self.encode(&mut out);
        out.into()
    }

    /// Takes one whole packet from the front, if there is one. `limit` bounds its payload, bytes.
    ///
    /// # Errors
    ///
    /// The bytes cannot become a packet, however many follow.
    pub fn decode(from: &mut BytesMut, limit: usize) -> Result<Option<Packet>, BadPacket> {
        let Some(found) = frame(from, limit)? else { return Ok(None) };
        let whole = from.split_to(found.total).freeze();
        let data = found.data.map(|n| whole.slice(HEAD..HEAD + n));
        Ok(Some(Packet { kind: found.kind, zxid: found.zxid, data, auth: found.auth }))
    }
}

/// A whole packet at the front of a stream.
struct Found {
    kind: PacketKind,
    zxid: Zxid,
    data: Option<usize>,
    auth: Vec<Id>,
    total: usize,
}

/// Looks for a whole packet.
fn frame(bytes: &[u8], limit: usize) -> Result<Option<Found>, BadPacket> {
    let mut head = bytes;
    if head.len() < 4 {
        return Ok(None);
    }
    let number = head.get_i32();
    let kind = PacketKind::from_number(number).ok_or(BadPacket::Kind(number))?;
    if head.len() < 12 {
        return Ok(None);
    }
    let zxid = Zxid(head.get_i64());
    let data = bounded("a payload", head.get_i32(), limit)?;
    let payload = data.unwrap_or(0);
    let Some(rest) = head.get(payload..) else { return Ok(None) };
    let Some((auth, used)) = identities(rest)? else { return Ok(None) };
    Ok(Some(Found { kind, zxid, data, auth, total: HEAD + payload + used }))
}

/// A length of at most `most`; -1 is none.
fn bounded(what: &'static str, n: i32, most: usize) -> Result<Option<usize>, BadPacket> {
    match usize::try_from(n) {
        Ok(length) if length <= most => Ok(Some(length)),
        Err(_) if n == -1 => Ok(None),
        _ => Err(BadPacket::Length(what, i64::from(n))),
    }
}

/// The list of identities at the front of `bytes` and how many bytes it took; `None`: more are to come.
fn identities(bytes: &[u8]) -> Result<Option<(Vec<Id>, usize)>, BadPacket> {
    let mut rest = bytes;
    if rest.len() < 4 {
        return Ok(None);
    }
    let count = bounded("a list of identities", rest.get_i32(), PEER_AUTH_IDS)?.unwrap_or(0);
    let mut spans = 0usize;
    for _ in 0..count * 2 {
        let Some(length) = rest.get(spans..).and_then(|r| r.first_chunk::<4>()) else { return Ok(None) };
        let length = bounded("an identity", i32::from_be_bytes(*length), PEER_AUTH_BYTES)?.unwrap_or(0);
        spans += 4 + length;
        if spans > PEER_AUTH_BYTES {
            return Err(BadPacket::Length("a list of identities", i64::try_from(spans).unwrap_or(i64::MAX)));
        }
        if rest.len() < spans {
            return Ok(None);
        }
    }
    let mut r = Reader::new(rest.get(..spans).unwrap_or_default());
    let mut auth = Vec::with_capacity(count);
    for _ in 0..count {
        auth.push(identity(&mut r).map_err(|_| BadPacket::Form("an identity that is no text"))?);
    }
    Ok(Some((auth, 4 + spans)))
}

fn identity(r: &mut Reader<'_>) -> Result<Id, JuteError> {
    let scheme = r.string()?.unwrap_or_default().into_owned();
    let id = r.string()?.unwrap_or_default().into_owned();
    Ok(Id { scheme, id })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 1 << 20;

    fn decode(bytes: &[u8]) -> Result<Option<Packet>, BadPacket> {
        Packet::decode(&mut BytesMut::from(bytes), LIMIT)
    }

    fn head(kind: i32, length: i32) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &7i64.to_be_bytes(), &length.to_be_bytes()].concat()
    }

    #[test]
    fn the_layout_is_javas() {
        let bytes = Packet::bare(PacketKind::UpToDate, Zxid(-1)).to_bytes();
        assert_eq!(bytes[..], [&[0, 0, 0, 12][..], &[0xff; 8], &[0xff; 4], &[0xff; 4]].concat());
        let request = Packet::with(PacketKind::Request, Zxid(-1), Bytes::from_static(b"x"));
        assert_eq!(request.to_bytes()[12..], [0, 0, 0, 1, b'x', 0, 0, 0, 0]);
        let packet = Packet { auth: vec![Id::new("ip", "::1")], ..request };
        let tail = [&[0, 0, 0, 1, 0, 0, 0, 2][..], b"ip", &[0, 0, 0, 3], b"::1"].concat();
        assert_eq!(packet.to_bytes()[17..], tail);
        for kind in PacketKind::ALL {
            assert_eq!(PacketKind::from_number(kind.number()), Some(kind));
        }
        assert_eq!((PacketKind::from_number(0), PacketKind::from_number(20)), (None, None));
    }

    #[test]
    fn what_cannot_become_a_packet_is_refused_with_its_header() {
        for kind in [0, 20, -1, i32::MAX, i32::from_be_bytes(*b"GET ")] {
            assert_eq!(decode(&kind.to_be_bytes()), Err(BadPacket::Kind(kind)));
        }
        for length in [-2, i32::MIN, i32::MAX, LIMIT as i32 + 1] {
            assert_eq!(decode(&head(3, length)), Err(BadPacket::Length("a payload", i64::from(length))));
        }
        assert_eq!(decode(&head(3, LIMIT as i32)), Ok(None));
        let with = |count: i32| [head(3, -1), count.to_be_bytes().to_vec()].concat();
        for count in [-2, PEER_AUTH_IDS as i32 + 1, i32::MAX] {
            let refused = BadPacket::Length("a list of identities", i64::from(count));
            assert_eq!(decode(&with(count)), Err(refused));
        }
        let long = [with(1), (PEER_AUTH_BYTES as i32 + 1).to_be_bytes().to_vec()].concat();
        assert!(decode(&long).is_err());
        // Many long identities: refused by their sum, before the last one is awaited.
        let one =
            [&(PEER_AUTH_BYTES as i32 - 100).to_be_bytes()[..], &vec![b'x'; PEER_AUTH_BYTES - 100]].concat();
        let two = [with(1), one, (PEER_AUTH_BYTES as i32 - 100).to_be_bytes().to_vec()].concat();
        assert!(decode(&two).is_err());
    }

    #[test]
    fn null_identities_are_empty_ones() {
        let bytes = [head(1, -1), vec![0, 0, 0, 1], vec![0xff; 8]].concat();
        let packet = decode(&bytes).unwrap().unwrap();
        assert_eq!((packet.auth, packet.data), (vec![Id::default()], None));
    }

    fn packets() -> impl Strategy<Value = Packet> {
        let data = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..60));
        let auth = proptest::collection::vec(("[a-z]{0,6}", "[ -~]{0,20}"), 0..4);
        (0usize..19, any::<i64>(), data, auth).prop_map(|(kind, zxid, data, auth)| Packet {
            kind: PacketKind::ALL[kind],
            zxid: Zxid(zxid),
            data: data.map(Bytes::from),
            auth: auth.into_iter().map(|(scheme, id)| Id { scheme, id }).collect(),
        })
    }

    proptest! {
        #[test]
        fn a_stream_comes_back_whatever_the_pieces(sent in proptest::collection::vec(packets(), 1..6), size in 1usize..40) {
            let mut stream = Vec::new();
            sent.iter().for_each(|p| p.encode(&mut stream));
            let (mut buffer, mut got) = (BytesMut::new(), Vec::new());
            for piece in stream.chunks(size) {
                buffer.extend_from_slice(piece);
                while let Some(packet) = Packet::decode(&mut buffer, LIMIT).unwrap() {
                    got.push(packet);
                }
            }
            prop_assert_eq!(got, sent);
            prop_assert!(buffer.is_empty());
        }

        #[test]
        fn no_bytes_break_the_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..80), kind in 1i32..20) {
            let _ = decode(&bytes);
            let _ = decode(&[&kind.to_be_bytes()[..], &bytes].concat());
        }
    }
}
