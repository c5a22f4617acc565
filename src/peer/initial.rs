//! The first bytes of an election connection: who calls (`QuorumCnxManager.InitialMessage`).
//!
//! ```text
//! protocol (8): -65536 (one address) or -65535 (several, joined by |), or, before 3.5, the id and nothing else
//! id (8)   length (4)   host:port, an IPv6 address in brackets
//! ```
//!
//! # Invariants
//!
//! * The text of addresses is bounded by [`PEER_INITIAL_BYTES`] before a byte of it is awaited.
//! * Nothing is resolved here: a host stays a name.

use super::BadPacket;
use crate::jute::Writer;
use crate::limits::PEER_INITIAL_BYTES;
use crate::types::ServerId;
use std::fmt;
use std::net::IpAddr;

/// How a caller introduces itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InitialProtocol {
    /// By its id alone: servers before 3.5.
    Legacy,
    /// With one address (3.5, and later ones without `multiAddress.enabled`).
    One,
    /// With several.
    Several,
}

impl InitialProtocol {
    /// Its number on the wire; legacy callers have none.
    const fn number(self) -> Option<i64> {
        match self {
            InitialProtocol::Legacy => None,
            InitialProtocol::One => Some(-65536),
            InitialProtocol::Several => Some(-65535),
        }
    }
}

/// A host and its election port.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ElectionAddress {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for ElectionAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Who calls, and where it can be called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Initial {
    /// How it introduces itself.
    pub protocol: InitialProtocol,
    /// Its id.
    pub server: ServerId,
    /// Where it listens, wildcards left out; empty: where the configuration says.
    pub addresses: Vec<ElectionAddress>,
}

/// What bytes are so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InitialDecoded {
    /// A whole message, and how many bytes it took.
    Initial(Initial, usize),
    /// The beginning of one: so many bytes are wanted in all, at least.
    Wants(usize),
}

/// Bytes in front of the addresses.
const HEAD: usize = 20;

impl Initial {
    /// Writes the message. With [`InitialProtocol::One`] the first address alone is sent, as Java does.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer::new(out);
        if let Some(number) = self.protocol.number() {
            w.i64(number);
        }
        w.i64(self.server.0);
        let several = match self.protocol {
            InitialProtocol::Legacy => return,
            InitialProtocol::One => 1,
            InitialProtocol::Several => usize::MAX,
        };
        let texts: Vec<String> = self.addresses.iter().take(several).map(ToString::to_string).collect();
        w.buffer(Some(texts.join("|").as_bytes()));
    }

    /// Reads a message from the front of `bytes`.
    ///
    /// # Errors
    ///
    /// The bytes cannot become a message: an unknown protocol, an impossible length, or addresses that are none.
    pub fn decode(bytes: &[u8]) -> Result<InitialDecoded, BadPacket> {
        let Some(first) = number(bytes, 0) else { return Ok(InitialDecoded::Wants(8)) };
        let protocol = match first {
            0.. => {
                let legacy = Initial {
                    protocol: InitialProtocol::Legacy,
                    server: ServerId(first),
                    addresses: Vec::new(),
                };
                return Ok(InitialDecoded::Initial(legacy, 8));
            }
            -65536 => InitialProtocol::One,
            -65535 => InitialProtocol::Several,
            _ => return Err(BadPacket::Version(first)),
        };
        let (Some(server), Some(length)) = (
            number(bytes, 8),
            bytes.get(16..HEAD).and_then(|b| b.first_chunk()).map(|b| i32::from_be_bytes(*b)),
        ) else {
            return Ok(InitialDecoded::Wants(HEAD));
        };
        let end = usize::try_from(length)
            .ok()
            .filter(|n| (1..=PEER_INITIAL_BYTES).contains(n))
            .map(|n| HEAD + n)
            .ok_or(BadPacket::Length("a list of election addresses", i64::from(length)))?;
        let Some(text) = bytes.get(HEAD..end) else { return Ok(InitialDecoded::Wants(end)) };
        let text =
            std::str::from_utf8(text).map_err(|_| BadPacket::Form("election addresses that are no text"))?;
        let addresses = addresses(text)?;
        Ok(InitialDecoded::Initial(Initial { protocol, server: ServerId(server), addresses }, end))
    }
}

fn number(bytes: &[u8], at: usize) -> Option<i64> {
    Some(i64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// `host:port|host:port`; addresses that stand for all are left out, as in Java.
fn addresses(text: &str) -> Result<Vec<ElectionAddress>, BadPacket> {
    let mut addresses = Vec::new();
    for part in text.split('|') {
        let address =
            address(part).ok_or(BadPacket::Form("an election address that does not read host:port"))?;
        if !address.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified()) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

fn address(part: &str) -> Option<ElectionAddress> {
    let (host, port) = match part.strip_prefix('[') {
        Some(rest) => rest.split_once("]:")?,
        None => part.split_once(':')?,
    };
    let plain =
        !host.is_empty() && host.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '[' | ']' | '/'));
    let port = port.parse().ok()?;
    plain.then(|| ElectionAddress { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(host: &str, port: u16) -> ElectionAddress {
        ElectionAddress { host: host.to_owned(), port }
    }

    fn encoded(protocol: InitialProtocol, addresses: &[ElectionAddress]) -> Vec<u8> {
        let mut out = Vec::new();
        Initial { protocol, server: ServerId(2), addresses: addresses.to_vec() }.encode(&mut out);
        out
    }

    fn framed(protocol: i64, text: &[u8]) -> Vec<u8> {
        let length = i32::try_from(text.len()).unwrap();
        [&protocol.to_be_bytes()[..], &2i64.to_be_bytes(), &length.to_be_bytes(), text].concat()
    }

    #[test]
    fn the_layout_is_javas() {
        let two = [at("zk1.example.com", 3888), at("::1", 3889)];
        assert_eq!(encoded(InitialProtocol::One, &two), framed(-65536, b"zk1.example.com:3888"));
        assert_eq!(
            encoded(InitialProtocol::Several, &two),
            framed(-65535, b"zk1.example.com:3888|[::1]:3889")
        );
        assert_eq!(encoded(InitialProtocol::Legacy, &two), 2i64.to_be_bytes());
    }

    #[test]
    fn callers_of_every_age_are_read() {
        let read = |bytes: &[u8]| match Initial::decode(bytes) {
            Ok(InitialDecoded::Initial(initial, used)) if used == bytes.len() => initial,
            other => panic!("{other:?}"),
        };
        let legacy = read(&encoded(InitialProtocol::Legacy, &[]));
        assert_eq!((legacy.server, legacy.addresses), (ServerId(2), vec![]));
        let one = read(&framed(-65536, b"10.0.0.1:3888"));
        assert_eq!((one.protocol, one.addresses), (InitialProtocol::One, vec![at("10.0.0.1", 3888)]));
        let several = read(&framed(-65535, b"h:1|0.0.0.0:2|[::]:3|[fe80::1]:4"));
        assert_eq!(several.addresses, [at("h", 1), at("fe80::1", 4)]);
    }

    #[test]
    fn what_no_member_sends_is_refused_early() {
        assert_eq!(Initial::decode(&[]), Ok(InitialDecoded::Wants(8)));
        for version in [-1, -65534, -65537, i64::MIN] {
            assert_eq!(Initial::decode(&version.to_be_bytes()), Err(BadPacket::Version(version)));
        }
        let with = |length: i32| {
            [&(-65536i64).to_be_bytes()[..], &2i64.to_be_bytes(), &length.to_be_bytes()].concat()
        };
        for length in [0, -1, i32::MIN, i32::MAX, PEER_INITIAL_BYTES as i32 + 1] {
            assert!(
                matches!(Initial::decode(&with(length)), Err(BadPacket::Length(_, n)) if n == i64::from(length))
            );
        }
        assert_eq!(Initial::decode(&with(7)), Ok(InitialDecoded::Wants(HEAD + 7)));
        for text in [
            "h", ":1", "h:", "h:65536", "h:-1", "h:1:2", "[::1", "[::1]", "[::1]1", "h:1|", "|h:1", "a b:1",
            "[]:1", "h\n:1", "h/:1",
        ] {
            assert!(Initial::decode(&framed(-65535, text.as_bytes())).is_err(), "{text:?}");
        }
        assert!(Initial::decode(&framed(-65535, b"\xff:1")).is_err());
    }

    proptest! {
        #[test]
        fn messages_come_back(id in 0i64.., hosts in proptest::collection::vec(("[a-z0-9.]{1,12}", any::<u16>()), 1..4), several: bool, more in 0usize..4) {
            let protocol = if several { InitialProtocol::Several } else { InitialProtocol::One };
            let addresses: Vec<_> = hosts.iter().map(|(h, p)| at(&format!("h{h}"), *p)).collect();
            let sent = Initial { protocol, server: ServerId(id), addresses: addresses[..if several { addresses.len() } else { 1 }].to_vec() };
            let mut bytes = Vec::new();
            sent.encode(&mut bytes);
            let length = bytes.len();
            for cut in 0..length {
                let wants = Initial::decode(&bytes[..cut]);
                prop_assert!(matches!(wants, Ok(InitialDecoded::Wants(n)) if n > cut && n <= length), "{:?}", wants);
            }
            bytes.extend(std::iter::repeat_n(9, more));
            prop_assert_eq!(Initial::decode(&bytes), Ok(InitialDecoded::Initial(sent, length)));
        }

        #[test]
        fn no_bytes_break_the_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..64), several: bool) {
            let _ = Initial::decode(&bytes);
            let _ = Initial::decode(&framed(-65536 + i64::from(several), &bytes));
        }
    }
}
