//! The exchanges as a mechanism of rsasl, both sides.
//!
//! # Invariants
//!
//! * Nonces are the operating system's entropy; without it there is no exchange.
//! * What goes wrong is a [`Refused`] or a [`Broken`].

use super::{Client, ClientStep, DigestConfig, Login, NONCE_BYTES, Server, Step};
use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::kerberos::refused::{Broken, Refused};
use rsasl::mechanism::{Authentication, EmptyProvider, MechanismData, ThisProvider};
use rsasl::prelude::{Mechanism, Mechname, MessageSent, SASLError, SessionError, State};
use rsasl::property::{AuthId, SizedProperty};
use rsasl::registry::{Matches, Named, Side};
use std::io::Write;
use std::sync::Arc;

/// Asked for by the server's side: who may log in.
pub struct DigestUsers;

impl SizedProperty<'_> for DigestUsers {
    type Value = Arc<DigestConfig>;
    const DESCRIPTION: &'static str = "users of DIGEST-MD5";
}

/// Asked for by the client's side: who logs in.
pub struct DigestLogin;

impl SizedProperty<'_> for DigestLogin {
    type Value = Login;
    const DESCRIPTION: &'static str = "user and password of DIGEST-MD5";
}

/// The registered name.
pub const NAME: &Mechname = Mechname::const_new_unchecked(b"DIGEST-MD5");

/// Both sides. The server speaks first; the user it logged in comes out as rsasl's `AuthId`.
pub static DIGEST_MD5: Mechanism = Mechanism::build(
    NAME,
    0,
    Some(start_client),
    Some(|_| Ok(Box::<ServerSide>::default())),
    Side::Server,
    |_| Some(Matches::<This>::name()),
    |_| true,
);

fn start_client() -> Result<Box<dyn Authentication>, SASLError> {
    Ok(Box::<ClientSide>::default())
}

struct This;

impl Named for This {
    fn mech() -> &'static Mechanism {
        &DIGEST_MD5
    }
}

fn nonce() -> Result<[u8; NONCE_BYTES], SessionError> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|e| {
        Broken(Refusal::new(Reason::SaslBusy, format!("the operating system has no entropy: {e}")))
    })?;
    Ok(nonce)
}

#[derive(Default)]
struct ServerSide(Option<Server>);

impl Authentication for ServerSide {
    fn step(
        &mut self,
        session: &mut MechanismData<'_, '_>,
        input: Option<&[u8]>,
        writer: &mut dyn Write,
    ) -> Result<State, SessionError> {
        let server = match &mut self.0 {
            Some(server) => server,
            none => {
                let config = session.need_with::<DigestUsers, _, _>(&EmptyProvider, |c| Ok(c.clone()))?;
                none.insert(Server::new(config, nonce()?))
            }
        };
        match server.step(input).map_err(Refused)? {
            Step::Challenge(token) => {
                writer.write_all(&token)?;
                Ok(State::Running)
            }
            Step::Done { user, last } => {
                session.validate(&ThisProvider::<AuthId>::with(&user))?;
                writer.write_all(&last)?;
                Ok(State::Finished(MessageSent::Yes))
            }
        }
    }
}

#[derive(Default)]
struct ClientSide(Option<Client>);

impl Authentication for ClientSide {
    fn step(
        &mut self,
        session: &mut MechanismData<'_, '_>,
        input: Option<&[u8]>,
        writer: &mut dyn Write,
    ) -> Result<State, SessionError> {
        let client = match &mut self.0 {
            Some(client) => client,
            none => {
                let login = session.need_with::<DigestLogin, _, _>(&EmptyProvider, |l| Ok(l.clone()))?;
                none.insert(Client::new(login, nonce()?))
            }
        };
        match client.step(input).map_err(Refused)? {
            ClientStep::Send(token) => {
                writer.write_all(&token)?;
                Ok(State::Running)
            }
            ClientStep::Done => Ok(State::Finished(MessageSent::No)),
        }
    }
}
