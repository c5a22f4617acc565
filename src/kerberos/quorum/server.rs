//! The side that is connected to.
//!
//! # Invariants
//!
//! * The outcome is told once, and nothing more is read or sent afterwards.
//! * At most [`QUORUM_AUTH_ROUNDS`] tokens of a learner are looked at.

use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::limits::QUORUM_AUTH_ROUNDS;
use crate::peer::auth_packet::{AuthPacket, Status};

/// What a token of the learner led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It goes on with this token.
    Challenge(Vec<u8>),
    /// The learner is who it says: its name, and the last token (none for GSSAPI).
    Proven {
        /// Full principal, or user of DIGEST-MD5.
        name: String,
        /// Last token.
        last: Option<Vec<u8>>,
    },
    /// It is refused.
    Refused(Refusal),
}

/// The SASL exchange of one connection: tells GSSAPI from DIGEST-MD5, knows keytab and users, and has checked
/// the name before it says [`Verdict::Proven`].
pub trait Judge: Send {
    /// Looks at the learner's next token.
    fn step(&mut self, token: &[u8]) -> Verdict;
}

impl<F: FnMut(&[u8]) -> Verdict + Send> Judge for F {
    fn step(&mut self, token: &[u8]) -> Verdict {
        self(token)
    }
}

/// How a learner came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    /// It has proven its name.
    Proven(String),
    /// It did not try, and need not: `quorum.auth.serverRequireSasl` is false. Raises an alarm metric.
    Unproven,
}

/// What the connection has to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ServerStep {
    /// Send the packet and read the next one.
    Reply(AuthPacket),
    /// Send the packet, if there is one; the learner is in.
    Enter(Option<AuthPacket>, Entry),
    /// Send the packet, if there is one, and close.
    Close(Option<AuthPacket>, Refusal),
}

/// The exchange on one connection.
pub struct Server<J> {
    judge: J,
    required: bool,
    rounds: usize,
    over: bool,
}

impl<J: Judge> Server<J> {
    /// `required`: `quorum.auth.serverRequireSasl`.
    pub fn new(judge: J, required: bool) -> Server<J> {
        Server { judge, required, rounds: 0, over: false }
    }

    /// The learner's first bytes are no [`AuthPacket`].
    pub fn no_attempt(&mut self) -> ServerStep {
        if std::mem::replace(&mut self.over, true) || self.rounds > 0 || self.required {
            let text = "the server does not try to log in; set quorum.auth.learnerRequireSasl=true on it";
            return ServerStep::Close(None, Refusal::new(Reason::AuthRequired, text));
        }
        ServerStep::Enter(None, Entry::Unproven)
    }

    /// The learner's next packet.
    pub fn packet(&mut self, packet: &AuthPacket) -> ServerStep {
        if self.over {
            return self.refuse(Refusal::new(Reason::SaslSequence, "a packet behind the end of the login"));
        }
        self.rounds += 1;
        if packet.status != Status::InProgress {
            return self
                .refuse(Refusal::new(Reason::SaslSequence, "the learner claims a status of the server's"));
        }
        match self.judge.step(packet.token.as_deref().unwrap_or_default()) {
            Verdict::Challenge(_) if self.rounds > QUORUM_AUTH_ROUNDS => {
                self.refuse(Refusal::new(Reason::SaslSequence, "the login takes too many rounds"))
            }
            Verdict::Challenge(token) => {
                ServerStep::Reply(AuthPacket { status: Status::InProgress, token: Some(token) })
            }
            Verdict::Proven { name, last } => {
                self.over = true;
                ServerStep::Enter(
                    Some(AuthPacket { status: Status::Success, token: last }),
                    Entry::Proven(name),
                )
            }
            Verdict::Refused(refusal) => self.refuse(refusal),
        }
    }

    fn refuse(&mut self, refusal: Refusal) -> ServerStep {
        self.over = true;
        ServerStep::Close(Some(AuthPacket { status: Status::Error, token: Some(Vec::new()) }), refusal)
    }
}
