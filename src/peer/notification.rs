//! What members tell each other while they elect (`FastLeaderElection.ToSend`).
//!
//! ```text
//! state (4)   leader (8)   zxid (8)   round (8)                    28 bytes: before 3.4
//! epoch (8)   version (4), which is not looked at                  40 bytes: 3.4
//! length (4) and text of the configuration                         version 2: since 3.5
//! ```
//!
//! # Invariants
//!
//! * A notification says what its sender holds durably, never what it hopes for.
//! * Bytes behind what a version has to hold are ignored: a later version may add some.

use super::BadPacket;
use crate::jute::{JuteError, Reader, Writer};
use crate::limits::PEER_NOTIFICATION_BYTES;
use crate::types::{ServerId, Zxid};

/// What a member does (`QuorumPeer.ServerState`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum PeerState {
    /// Elects.
    #[default]
    Looking,
    /// Follows a leader, with a vote.
    Following,
    /// Leads.
    Leading,
    /// Follows a leader, without a vote.
    Observing,
}

impl PeerState {
    /// Its number on the wire.
    pub const fn number(self) -> i32 {
        match self {
            PeerState::Looking => 0,
            PeerState::Following => 1,
            PeerState::Leading => 2,
            PeerState::Observing => 3,
        }
    }

    /// The state of a number.
    pub const fn from_number(number: i32) -> Option<PeerState> {
        Some(match number {
            0 => PeerState::Looking,
            1 => PeerState::Following,
            2 => PeerState::Leading,
            3 => PeerState::Observing,
            _ => return None,
        })
    }
}

/// Bytes of the shortest notification, without an epoch.
const OLDEST: usize = 28;
/// Bytes of a notification whose version is not looked at.
const OLD: usize = 40;

/// A notification.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notification {
    /// What the sender does.
    pub state: PeerState,
    /// Whom it votes for.
    pub leader: ServerId,
    /// The last zxid of the one voted for.
    pub zxid: Zxid,
    /// The sender's round.
    pub election_epoch: i64,
    /// The epoch of the one voted for.
    pub peer_epoch: i64,
    /// The sender's configuration, as text; `None` from members that send none.
    pub config: Option<String>,
}

impl Notification {
    /// Writes it: version 2 with a configuration, version 1 without one (a Java server stumbles over an empty one).
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer::new(out);
        w.i32(self.state.number());
        w.i64(self.leader.0);
        w.i64(self.zxid.0);
        w.i64(self.election_epoch);
        w.i64(self.peer_epoch);
        match &self.config {
            Some(config) => {
                w.i32(2);
                w.buffer(Some(config.as_bytes()));
            }
            None => w.i32(1),
        }
    }

    /// Reads one, without the length in front. `None`: too short, or of a state that does not exist; Java's servers
    /// ignore these, and so are they to be here.
    ///
    /// # Errors
    ///
    /// It is cut or its configuration has an impossible length: no member sends it.
    pub fn decode(bytes: &[u8]) -> Result<Option<Notification>, BadPacket> {
        if bytes.len() > PEER_NOTIFICATION_BYTES {
            let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
            return Err(BadPacket::Length("a notification", length));
        }
        if bytes.len() < OLDEST {
            return Ok(None);
        }
        let read = Notification::read(bytes).map_err(|_| BadPacket::Form("a notification that is cut"))?;
        let Some(state) = PeerState::from_number(read.0) else { return Ok(None) };
        Ok(Some(Notification { state, ..read.1 }))
    }

    /// The number of the state, and everything else.
    fn read(bytes: &[u8]) -> Result<(i32, Notification), JuteError> {
        let mut r = Reader::new(bytes);
        let state = r.i32()?;
        let (leader, zxid, election_epoch) = (ServerId(r.i64()?), Zxid(r.i64()?), r.i64()?);
        let mut note = Notification {
            state: PeerState::Looking,
            leader,
            zxid,
            election_epoch,
            // Arithmetic, as Java's: -1 stays -1.
            peer_epoch: zxid.0 >> 32,
            config: None,
        };
        if bytes.len() > OLDEST {
            note.peer_epoch = r.i64()?;
        }
        let version = if matches!(bytes.len(), OLDEST | OLD) { 0 } else { r.i32()? };
        if version > 1 {
            let text = r.buffer()?.ok_or(JuteError::Null("config"))?;
            note.config = Some(String::from_utf8_lossy(text).into_owned());
        }
        Ok((state, note))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn note(config: Option<&str>) -> Notification {
        Notification {
            state: PeerState::Leading,
            leader: ServerId(3),
            zxid: Zxid(0x5_0000_0002),
            election_epoch: 7,
            peer_epoch: 6,
            config: config.map(str::to_owned),
        }
    }

    fn encoded(config: Option<&str>) -> Vec<u8> {
        let mut out = Vec::new();
        note(config).encode(&mut out);
        out
    }

    #[test]
    fn every_version_is_read() {
        let bytes = encoded(Some("version=0"));
        assert_eq!(bytes.len(), 44 + 9);
        assert_eq!(encoded(None).len(), OLD);
        assert_eq!(bytes[36..44], [&2i32.to_be_bytes()[..], &9i32.to_be_bytes()].concat());
        assert_eq!(Notification::decode(&bytes), Ok(Some(note(Some("version=0")))));
        assert_eq!(Notification::decode(&encoded(None)), Ok(Some(note(None))));
        let oldest = Notification { peer_epoch: 5, ..note(None) };
        assert_eq!(Notification::decode(&bytes[..28]), Ok(Some(oldest)));
        // Of 40 bytes the last four are a version that is not looked at, whatever they say.
        assert_eq!(Notification::decode(&bytes[..40]), Ok(Some(note(None))));
    }

    #[test]
    fn what_java_ignores_is_ignored_and_what_is_cut_is_refused() {
        let bytes = encoded(Some("version=0"));
        for n in 0..bytes.len() {
            let read = Notification::decode(&bytes[..n]);
            match n {
                0..28 => assert_eq!(read, Ok(None), "{n}"),
                28 | 40 => assert!(matches!(read, Ok(Some(_))), "{n}"),
                _ => assert!(read.is_err(), "{n}"),
            }
        }
        for state in [-1, 4, i32::MAX] {
            let foreign = [&state.to_be_bytes()[..], &bytes[4..]].concat();
            assert_eq!(Notification::decode(&foreign), Ok(None));
        }
        for length in [-1, -2, i32::MAX, 10] {
            let wrong = [&bytes[..40], &length.to_be_bytes(), b"version=0"].concat();
            assert!(Notification::decode(&wrong).is_err(), "{length}");
        }
        let more = [&bytes[..], b"more"].concat();
        assert_eq!(Notification::decode(&more), Ok(Some(note(Some("version=0")))));
        assert!(Notification::decode(&vec![0; PEER_NOTIFICATION_BYTES + 1]).is_err());
    }

    proptest! {
        #[test]
        fn notifications_come_back(state in 0i32..4, a: i64, b: i64, c: i64, d: i64, config in proptest::option::of("\\PC{0,60}")) {
            let state = PeerState::from_number(state).unwrap();
            let sent = Notification { state, leader: ServerId(a), zxid: Zxid(b), election_epoch: c, peer_epoch: d, config };
            let mut bytes = Vec::new();
            sent.encode(&mut bytes);
            prop_assert_eq!(Notification::decode(&bytes), Ok(Some(sent)));
        }

        #[test]
        fn no_bytes_break_the_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Notification::decode(&bytes);
        }
    }
}
