//! The exchanges over a blocking stream whose time-outs the caller has set.
//!
//! # Invariants
//!
//! * Exactly the bytes of the login are read: what follows belongs to the protocol behind. A server that does
//!   not try to log in gets its first 8 bytes back.

use super::{Entry, Judge, Learner, LearnerStep, Server, ServerStep};
use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::kerberos::quorum::learner::Speak;
use crate::peer::auth_packet::{AuthPacket, BadPacket, Decoded};
use std::io::{self, Read, Write};

/// Why a login between servers did not come about.
#[derive(Debug)]
pub enum DriveError {
    /// The connection broke or timed out.
    Io(io::Error),
    /// One side does not accept the other.
    Refused(Refusal),
}

impl From<io::Error> for DriveError {
    fn from(e: io::Error) -> DriveError {
        DriveError::Io(e)
    }
}

impl From<Refusal> for DriveError {
    fn from(refusal: Refusal) -> DriveError {
        DriveError::Refused(refusal)
    }
}

/// Logs in at a server.
///
/// # Errors
///
/// The connection or the login failed; the connection is of no use any more.
pub fn drive_learner(stream: &mut (impl Read + Write), speak: impl Speak) -> Result<(), DriveError> {
    let mut learner = Learner::new(speak);
    let mut step = learner.begin()?;
    loop {
        match step {
            LearnerStep::Done => return Ok(()),
            LearnerStep::Send(packet) => send(stream, &packet)?,
        }
        match read(stream)? {
            First::Packet(packet) => step = learner.packet(&packet)?,
            First::Other(_) => {
                return Err(
                    Refusal::new(Reason::SaslSequence, "the server does not take part in the login").into()
                );
            }
        }
    }
}

/// Lets a learner log in. With [`Entry::Unproven`] come the bytes that were read already.
///
/// # Errors
///
/// The connection or the login failed; the connection is to be closed.
pub fn drive_server(
    stream: &mut (impl Read + Write),
    judge: impl Judge,
    required: bool,
) -> Result<(Entry, Vec<u8>), DriveError> {
    let mut server = Server::new(judge, required);
    loop {
        let (step, rest) = match read(stream)? {
            First::Packet(packet) => (server.packet(&packet), Vec::new()),
            First::Other(bytes) => (server.no_attempt(), bytes),
        };
        match step {
            ServerStep::Reply(packet) => send(stream, &packet)?,
            ServerStep::Enter(packet, entry) => {
                packet.map_or(Ok(()), |packet| send(stream, &packet))?;
                return Ok((entry, rest));
            }
            ServerStep::Close(packet, refusal) => {
                // The refusal is what counts; the learner may be gone already.
                let _ = packet.map(|packet| send(stream, &packet));
                return Err(refusal.into());
            }
        }
    }
}

enum First {
    Packet(AuthPacket),
    Other(Vec<u8>),
}

fn send(stream: &mut impl Write, packet: &AuthPacket) -> io::Result<()> {
    let mut out = Vec::new();
    packet.encode(&mut out);
    stream.write_all(&out)?;
    stream.flush()
}

/// Reads one packet, and not a byte more.
fn read(stream: &mut impl Read) -> Result<First, DriveError> {
    let mut bytes = Vec::new();
    loop {
        match AuthPacket::decode(&bytes) {
            Ok(Decoded::Packet(packet, _)) => return Ok(First::Packet(packet)),
            Ok(Decoded::Wants(n)) => {
                let have = bytes.len();
                bytes.resize(n, 0);
                stream.read_exact(bytes.get_mut(have..).unwrap_or_default())?;
            }
            Err(BadPacket::NotAuth) => return Ok(First::Other(bytes)),
            Err(BadPacket::Length(n)) => {
                return Err(Refusal::new(Reason::SaslTooLong, format!("a token of {n} bytes")).into());
            }
        }
    }
}
