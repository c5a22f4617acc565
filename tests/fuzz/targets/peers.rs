//! What members of an ensemble send each other, before anything of it is believed.
//!
//! # Invariants
//!
//! * A stream gives the same packets whatever the pieces it comes in; what is decoded is encoded to what it was.

use bytes::{Bytes, BytesMut};

/// A stream of packets between leader and learner. The first byte is the size of the pieces.
pub mod packet {
    use super::BytesMut;
    use oxkeeper::peer::{BadPacket, Packet};

    const LIMIT: usize = 300;

    fn pieces(stream: &[u8], size: usize) -> (Vec<Packet>, Option<BadPacket>, usize) {
        let (mut buffer, mut packets) = (BytesMut::new(), Vec::new());
        for piece in stream.chunks(size) {
            buffer.extend_from_slice(piece);
            loop {
                match Packet::decode(&mut buffer, LIMIT) {
                    Ok(Some(packet)) => packets.push(packet),
                    Ok(None) => break,
                    Err(e) => return (packets, Some(e), 0),
                }
            }
        }
        (packets, None, buffer.len())
    }

    pub fn decode(data: &[u8]) -> bool {
        let Some((_, stream)) = data.split_first() else { return false };
        let mut buffer = BytesMut::from(stream);
        let mut taken = false;
        while let Ok(Some(_)) = Packet::decode(&mut buffer, LIMIT) {
            taken = true;
        }
        taken
    }

    pub fn check(data: &[u8]) {
        let Some((size, stream)) = data.split_first() else { return };
        let whole = pieces(stream, stream.len().max(1));
        assert_eq!(pieces(stream, usize::from(*size).max(1)), whole);
        let mut again = Vec::new();
        for packet in &whole.0 {
            assert!(packet.data.as_ref().is_none_or(|d| d.len() <= LIMIT));
            packet.encode(&mut again);
        }
        let (packets, error, rest) = pieces(&again, again.len().max(1));
        if !data.iter().any(|b| *b >= 0xf0) {
            assert_eq!(packets, whole.0);
        }
        assert_eq!((error, rest), (None, 0));
    }
}

/// What is in a packet, by its kind.
pub mod payload {
    use super::Bytes;
    use oxkeeper::peer::payload::{decode_designated, decode_number, encode_designated, encode_number};
    use oxkeeper::peer::{Activation, Forwarded, LearnerInfo, Revalidation, Touch};

    pub fn decode(data: &[u8]) -> bool {
        Touch::decode_list(&Bytes::copy_from_slice(data)).is_ok_and(|list| !list.is_empty())
    }

    pub fn check(data: &[u8]) {
        let bytes = Bytes::copy_from_slice(data);
        if let Ok(list) = Touch::decode_list(&bytes) {
            assert_eq!(Touch::encode_list(&list), bytes);
        }
        if let Ok(touch) = Touch::decode(&bytes) {
            assert_eq!(touch.encode(), bytes[..12]);
        }
        if let Ok(request) = Forwarded::decode(&bytes) {
            assert_eq!(request.encode(), bytes);
        }
        if let Ok(activation) = Activation::decode(&bytes) {
            assert_eq!(activation.encode(), bytes);
        }
        if let Ok(info) = LearnerInfo::decode(&bytes) {
            assert_eq!(LearnerInfo::decode(&info.encode()), Ok(info));
        }
        if let Ok(word) = Revalidation::decode(&bytes) {
            assert_eq!(Revalidation::decode(&word.encode()), Ok(word));
        }
        if let Ok(number) = decode_number(data) {
            assert_eq!(encode_number(number), bytes[..4]);
        }
        if let Ok(leader) = decode_designated(data) {
            assert_eq!(encode_designated(leader), bytes[..8]);
        }
    }
}

/// One notification of an election.
pub mod notification {
    use oxkeeper::peer::Notification;

    pub fn decode(data: &[u8]) -> bool {
        matches!(Notification::decode(data), Ok(Some(_)))
    }

    pub fn check(data: &[u8]) {
        let Ok(Some(note)) = Notification::decode(data) else { return };
        let mut again = Vec::new();
        note.encode(&mut again);
        assert_eq!(again[..28], data[..28]);
        let second =
            Notification::decode(&again).expect("what we encode, we decode").expect("and do not ignore");
        // The epoch is told by us even where it follows from the zxid, and text that is none is replaced.
        assert_eq!(second, note);
    }
}

/// The first message of an election connection.
pub mod initial {
    use oxkeeper::peer::{Initial, InitialDecoded, InitialProtocol};

    pub fn decode(data: &[u8]) -> bool {
        matches!(Initial::decode(data), Ok(InitialDecoded::Initial(..)))
    }

    pub fn check(data: &[u8]) {
        match Initial::decode(data) {
            Ok(InitialDecoded::Initial(initial, used)) => {
                assert!(used <= data.len());
                // A caller that names nothing but wildcards is called where the configuration says.
                let told = initial.addresses.len();
                if told == 0 && initial.protocol != InitialProtocol::Legacy {
                    return;
                }
                let one = initial.protocol == InitialProtocol::One;
                let initial = Initial {
                    protocol: if one && told > 1 { InitialProtocol::Several } else { initial.protocol },
                    ..initial
                };
                let mut again = Vec::new();
                initial.encode(&mut again);
                let length = again.len();
                assert_eq!(Initial::decode(&again), Ok(InitialDecoded::Initial(initial, length)));
            }
            Ok(InitialDecoded::Wants(n)) => assert!(n > data.len() && n <= 20 + 2048),
            Err(e) => assert!(!e.to_string().is_empty()),
        }
    }
}

/// A configuration as members tell it.
pub mod configtext {
    use oxkeeper::config::quorum::Ensemble;

    fn read(text: &str) -> Result<Ensemble, String> {
        Ensemble::parse(text, true).map_err(|fault| fault.what)
    }

    pub fn decode(data: &[u8]) -> bool {
        read(&String::from_utf8_lossy(data)).is_ok()
    }

    pub fn check(data: &[u8]) {
        match read(&String::from_utf8_lossy(data)) {
            Ok(ensemble) => {
                let text = ensemble.to_string();
                let again = read(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
                assert_eq!(again.to_string(), text);
                // The addresses of a member are sorted when they are written.
                assert_eq!((again.voters(), again.version), (ensemble.voters(), ensemble.version));
            }
            Err(why) => assert!(!why.is_empty() && !why.contains('\n')),
        }
    }
}
