//! GSSAPI, the server's side, as a mechanism of rsasl.
//!
//! rsasl's own knows neither an authorization id nor the client's name, and cannot be told the keytab.
//!
//! # Invariants
//!
//! * rsasl's `validate` is called once, and only after everything was proven.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use rsasl::mechanism::{Authentication, EmptyProvider, MechanismData, ProviderExt, ThisProvider};
use rsasl::prelude::{Mechanism, Mechname, MessageSent, SessionError, State};
use rsasl::property::{AuthId, AuthzId, SizedProperty};
use rsasl::registry::Side;

use super::acceptor::{Acceptor, Exchange, Next};
use crate::auth::sasl::Login;

/// The property by which a session asks for the server's acceptor.
pub(super) struct Accepting;

impl SizedProperty<'_> for Accepting {
    type Value = Arc<Acceptor>;
    const DESCRIPTION: &'static str = "the acceptor of the server's keytab";
}

/// The property by which a session tells who logged in.
pub(super) struct Proven;

impl SizedProperty<'_> for Proven {
    type Value = Login;
    const DESCRIPTION: &'static str = "who logged in, and as whom";
}

/// The mechanism's name.
pub(super) const NAME: &Mechname = Mechname::const_new_unchecked(b"GSSAPI");

/// The server's side; clients register one of their own.
pub(super) const GSSAPI: Mechanism = Mechanism::build(
    NAME,
    300,
    None,
    Some(|_| Ok(Box::<Server>::default())),
    Side::Client,
    |_| None,
    |_| true,
);

/// An exchange that begins with its first token. rsasl wants mechanisms to be shared between threads, a context of
/// GSSAPI must not be: the lock is never contended.
#[derive(Default)]
struct Server(Option<Mutex<Exchange>>);

impl Authentication for Server {
    fn step(
        &mut self,
        session: &mut MechanismData<'_, '_>,
        input: Option<&[u8]>,
        writer: &mut dyn Write,
    ) -> Result<State, SessionError> {
        let exchange = match &mut self.0 {
            Some(exchange) => exchange,
            none => {
                let acceptor = session
                    .need_with::<Accepting, _, _>(&EmptyProvider, |acceptor| Ok(Arc::clone(acceptor)))?;
                none.insert(Mutex::new(Exchange::new(acceptor)))
            }
        };
        let exchange = exchange.get_mut().unwrap_or_else(PoisonError::into_inner);
        match exchange.step(input.unwrap_or_default())? {
            Next::Reply(token) => {
                writer.write_all(&token)?;
                Ok(State::Running)
            }
            Next::Done(login, authzid) => {
                let who = ThisProvider::<AuthId>::with(&login.principal);
                let asked = ThisProvider::<AuthzId>::with(&authzid);
                session.validate(&who.and(asked).and(ThisProvider::<Proven>::with(&login)))?;
                Ok(State::Finished(MessageSent::No))
            }
        }
    }
}
