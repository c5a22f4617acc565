//! Kerberos logins: connect, a session, GSSAPI, and the end of the session.
//!
//! # Invariants
//!
//! * Every login is an exchange of its own with a fresh authenticator; none is replayed.

use std::io::{self, Write};
use std::net::SocketAddr;

use oxkeeper::auth::sasl::Refusal;
use oxkeeper::kerberos::digest_md5::CLIENTS;
use oxkeeper::kerberos::initiator::{Credentials, Initiator, Next, Outward, ServiceRule};

use super::place::{HOST, Place};
use crate::session::Session;
use crate::wire;

/// Op code of a SASL request.
pub const SASL: i32 = 102;

/// Clients with one principal.
pub struct Clients {
    initiator: Initiator,
}

impl Clients {
    /// With the keytab of the place. As Java's clients do, they do not ask the server to prove itself.
    pub fn new(place: &Place) -> Self {
        let credentials =
            Credentials::Keytab { path: place.client_keytab.clone(), principal: place.client() };
        let service = ServiceRule { canonicalize: false, ..ServiceRule::default() };
        let outward = Outward { credentials, service, names: CLIENTS, mutual: false, fips: None };
        Self { initiator: Initiator::new(outward) }
    }

    /// One login, from connect to close.
    pub fn log_in(&self, addr: SocketAddr) -> io::Result<()> {
        self.open(addr, 8 << 10)?.close()
    }

    /// A session that is logged in, with a read buffer of `buffer` bytes.
    pub fn open(&self, addr: SocketAddr, buffer: usize) -> io::Result<Session> {
        let mut session = Session::open_sized(addr, buffer)?;
        self.prove(&mut session).map(|_| session)
    }

    /// The first token of a login that was accepted: a replay from now on.
    pub fn recorded(&self, addr: SocketAddr) -> io::Result<Vec<u8>> {
        let mut session = Session::open_sized(addr, 8 << 10)?;
        let token = self.prove(&mut session)?;
        session.close()?;
        Ok(token)
    }

    /// The exchange, from its first token, which is returned, to its last.
    fn prove(&self, session: &mut Session) -> io::Result<Vec<u8>> {
        let mut conversation = self.initiator.begin(HOST).map_err(refused)?;
        let (mut first, mut from_server) = (None, None);
        let mut xid = 0;
        loop {
            let next = conversation.step(from_server.as_deref()).map_err(refused)?;
            let (token, last) = match next {
                Next::Send(token) => (token, false),
                Next::Last(token) => (token, true),
                Next::Done => break,
            };
            xid += 1;
            from_server = exchange(session, xid, &token)?;
            first.get_or_insert(token);
            if last {
                break;
            }
        }
        first.ok_or_else(|| io::Error::other("a login without a token"))
    }
}

/// Sends a token; the token of the reply.
fn exchange(session: &mut Session, xid: i32, token: &[u8]) -> io::Result<Option<Vec<u8>>> {
    session.stream.write_all(&wire::request(xid, SASL, |out| {
        out.buf(token);
    }))?;
    loop {
        if let Some(frame) = session.replies.frame() {
            let err = frame.get(12..16).and_then(|b| b.try_into().ok()).map_or(-1, i32::from_be_bytes);
            if err != 0 {
                return Err(io::Error::other(format!("the login was refused with error {err}")));
            }
            return Ok(frame.get(20..).filter(|token| !token.is_empty()).map(<[u8]>::to_vec));
        }
        session.replies.fill(&mut session.stream)?;
    }
}

fn refused(refusal: Refusal) -> io::Error {
    io::Error::other(format!("{}: {}", refusal.reason, refusal.detail))
}
