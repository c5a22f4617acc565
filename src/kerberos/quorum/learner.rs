//! The side that connects.
//!
//! # Invariants
//!
//! * The server is believed only when its status is success and our mechanism is satisfied, too.

use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::kerberos::initiator::{Conversation, Next};
use crate::peer::auth_packet::{AuthPacket, Status};

/// A SASL exchange of a client.
pub trait Speak: Send {
    /// Looks at the server's token, which is `None` at the start.
    ///
    /// # Errors
    ///
    /// Why there is no login.
    fn step(&mut self, token: Option<&[u8]>) -> Result<Next, Refusal>;
}

impl Speak for Conversation {
    fn step(&mut self, token: Option<&[u8]>) -> Result<Next, Refusal> {
        Conversation::step(self, token)
    }
}

/// What the connection has to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LearnerStep {
    /// Send the packet and read the next one.
    Send(AuthPacket),
    /// The login is done; the protocol behind begins.
    Done,
}

/// The exchange on one connection.
pub struct Learner<S> {
    speak: S,
    /// Our mechanism has sent its last token: only the verdict is missing.
    waiting: bool,
}

impl<S: Speak> Learner<S> {
    /// An exchange that nothing was sent of yet.
    pub fn new(speak: S) -> Learner<S> {
        Learner { speak, waiting: false }
    }

    /// The first packet.
    ///
    /// # Errors
    ///
    /// There are no usable credentials.
    pub fn begin(&mut self) -> Result<LearnerStep, Refusal> {
        self.advance(None, false)
    }

    /// The server's next packet.
    ///
    /// # Errors
    ///
    /// The server refuses us, or we do not believe it.
    pub fn packet(&mut self, packet: &AuthPacket) -> Result<LearnerStep, Refusal> {
        let success = match packet.status {
            Status::Error => {
                let text = "the server refuses this login; its log says why";
                return Err(Refusal::new(Reason::AuthRefused, text));
            }
            Status::Success => true,
            Status::InProgress => false,
        };
        if self.waiting {
            // GSSAPI ends with a packet without a token.
            return match (success, packet.token.as_deref().unwrap_or_default()) {
                (true, []) => Ok(LearnerStep::Done),
                _ => Err(out_of_turn()),
            };
        }
        self.advance(Some(packet.token.as_deref().unwrap_or_default()), success)
    }

    fn advance(&mut self, token: Option<&[u8]>, success: bool) -> Result<LearnerStep, Refusal> {
        match (self.speak.step(token)?, success) {
            (Next::Done, true) => Ok(LearnerStep::Done),
            (Next::Send(token), false) => Ok(LearnerStep::Send(in_progress(token))),
            (Next::Last(token), false) => {
                self.waiting = true;
                Ok(LearnerStep::Send(in_progress(token)))
            }
            // A success that our mechanism does not know of, or its end without one.
            (Next::Done, false) | (Next::Send(_) | Next::Last(_), true) => Err(out_of_turn()),
        }
    }
}

fn in_progress(token: Vec<u8>) -> AuthPacket {
    AuthPacket { status: Status::InProgress, token: Some(token) }
}

fn out_of_turn() -> Refusal {
    Refusal::new(Reason::SaslSequence, "the server's status does not fit the login")
}
