//! Logins outward: by keytab, by ticket cache, by password.
//!
//! An [`Initiator`] keeps the credentials alive; a [`Conversation`] is one login at one server. Both block on
//! KDC and resolver: they belong on a thread of their own, never on the reactor.
//!
//! # Invariants
//!
//! * A login that was asked for either succeeds or fails: nobody goes on without one unseen.
//! * Mechanisms come from the explicit list [`MECHANISMS`].

mod credentials;
pub mod mechanism;
mod service;

pub use credentials::of_module;
pub use service::ServiceRule;

use super::digest_md5::mechanism::{DIGEST_MD5, DigestLogin, NAME as DIGEST_NAME};
use super::digest_md5::{Login as DigestPair, Names, forbidden};
use super::tickets::{Ready, Source, Tickets};
use super::{krb5_ffi, refused};
use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::config::Secret;
use mechanism::{GSSAPI_CLIENT, GssLogin, Login as GssPair, NAME as GSSAPI_NAME};
use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::prelude::{
    Mechanism, MessageSent, Registry, SASLClient, SASLConfig, Session, SessionError, State,
};
use std::path::PathBuf;

/// The mechanisms that a client knows.
static MECHANISMS: [Mechanism; 2] = [GSSAPI_CLIENT, DIGEST_MD5];

/// What a login is made with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Credentials {
    /// A key of a keytab.
    Keytab {
        /// The file.
        path: PathBuf,
        /// Whose key.
        principal: String,
    },
    /// Tickets that somebody else asked for (kinit).
    TicketCache {
        /// `FILE:`, `DIR:`, `KEYRING:` or `KCM:` and a name; `None` is this user's default.
        name: Option<String>,
        /// Whose tickets are expected in it, if that was said.
        principal: Option<String>,
    },
    /// A name and a password (DIGEST-MD5).
    Password {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
}

/// A login outward, as it is configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outward {
    /// With what.
    pub credentials: Credentials,
    /// To which service (Kerberos).
    pub service: ServiceRule,
    /// To which service (DIGEST-MD5).
    pub names: Names,
    /// Must the server prove itself, too (Kerberos)?
    pub mutual: bool,
    /// `fips-mode`, if it was written out.
    pub fips: Option<bool>,
}

/// Logs in, again and again.
#[derive(Debug)]
pub struct Initiator {
    outward: Outward,
    tickets: Option<Tickets>,
}

impl Initiator {
    /// Nothing is read or asked before the first [`Initiator::begin`].
    pub fn new(outward: Outward) -> Initiator {
        let source = match outward.credentials.clone() {
            Credentials::Keytab { path, principal } => Some(Source::Keytab { path, principal }),
            Credentials::TicketCache { name, principal } => Some(Source::Cache { name, principal }),
            Credentials::Password { .. } => None,
        };
        Initiator { outward, tickets: source.map(Tickets::new) }
    }

    /// Begins a login at a host. May block on the KDC and on the resolver.
    ///
    /// # Errors
    ///
    /// There are no usable credentials: why, and what helps.
    pub fn begin(&self, host: &str) -> Result<Conversation, Refusal> {
        self.begin_for(&self.outward.service, host)
    }

    /// The same at another service than the configured one: between servers its name depends on the host.
    ///
    /// # Errors
    ///
    /// As [`Initiator::begin`].
    pub fn begin_for(&self, service: &ServiceRule, host: &str) -> Result<Conversation, Refusal> {
        let mut ready = None;
        let (supply, name) = match (&self.tickets, &self.outward.credentials) {
            (Some(tickets), _) => {
                let ready = ready.insert(tickets.ready()?);
                (Supply::Gss(self.ticket(ready, service, host)?), GSSAPI_NAME)
            }
            (None, Credentials::Password { user, password }) => {
                if forbidden(self.outward.fips) {
                    let text = "DIGEST-MD5 is forbidden in FIPS mode; log in with Kerberos";
                    return Err(Refusal::new(Reason::DigestFips, text).of(user));
                }
                let names = self.outward.names;
                let pair = DigestPair { user: user.clone(), password: password.clone(), names };
                (Supply::Digest(pair), DIGEST_NAME)
            }
            (None, _) => return Err(Refusal::new(Reason::KrbOther, "no credentials are configured")),
        };
        let broken = |e: rsasl::prelude::SASLError| Refusal::new(Reason::SaslNotConfigured, e.to_string());
        let registry = Registry::with_mechanisms(&MECHANISMS);
        let config = SASLConfig::builder().with_registry(registry).with_callback(supply).map_err(broken)?;
        let session = SASLClient::new(config).start_suggested(&[name]).map_err(broken)?;
        Ok(Conversation { session, over: false, _ticket: ready })
    }

    fn ticket(&self, ready: &Ready, rule: &ServiceRule, host: &str) -> Result<GssPair, Refusal> {
        let credential = krb5_ffi::initiator(ready.cache())
            .map_err(|e| Refusal::new(Reason::KrbOther, format!("the ticket cannot be used: {e}")))?;
        // A host that the resolver does not know keeps the name that was typed.
        let canonical = if rule.wants_canonical() { krb5_ffi::canonical_host(host).ok() } else { None };
        let realm = ready.principal.rsplit_once('@').map_or("", |(_, realm)| realm);
        let service = rule.name(host, canonical.as_deref(), realm);
        Ok(GssPair { credential, service, mutual: self.outward.mutual })
    }
}

/// What the mechanisms ask for.
enum Supply {
    Gss(GssPair),
    Digest(DigestPair),
}

impl SessionCallback for Supply {
    fn callback(
        &self,
        _: &SessionData,
        _: &Context<'_>,
        request: &mut Request<'_>,
    ) -> Result<(), SessionError> {
        match self {
            Supply::Gss(pair) => request.satisfy::<GssLogin>(pair)?,
            Supply::Digest(pair) => request.satisfy::<DigestLogin>(pair)?,
        };
        Ok(())
    }
}

/// What a token of the server led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// Send this; something comes back.
    Send(Vec<u8>),
    /// Send this; the server's verdict comes back, without a token.
    Last(Vec<u8>),
    /// The server has proven itself, nothing is sent.
    Done,
}

/// One login at one server.
pub struct Conversation {
    session: Session,
    over: bool,
    /// Keeps the cache of the ticket in use, which a renewal or the initiator's end would otherwise free.
    _ticket: Option<Ready>,
}

impl Conversation {
    /// Looks at the server's token, which is `None` at the start. May block on the KDC.
    ///
    /// # Errors
    ///
    /// Why there is no login; nothing more is sent.
    pub fn step(&mut self, token: Option<&[u8]>) -> Result<Next, Refusal> {
        if self.over {
            return Err(Refusal::new(Reason::SaslSequence, "a token behind the end of the exchange"));
        }
        let mut out = Vec::new();
        match self.session.step(token, &mut out) {
            Ok(State::Running) => Ok(Next::Send(out)),
            Ok(State::Finished(sent)) => {
                self.over = true;
                Ok(if sent == MessageSent::Yes { Next::Last(out) } else { Next::Done })
            }
            Err(e) => {
                self.over = true;
                let rsasls_own = || Refusal::new(Reason::SaslSequence, e.to_string());
                Err(refused::of(&e).unwrap_or_else(rsasls_own))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kerberos::digest_md5::CLIENTS;

    fn outward(credentials: Credentials) -> Outward {
        Outward { credentials, service: ServiceRule::default(), names: CLIENTS, mutual: true, fips: None }
    }

    #[test]
    fn a_password_answers_a_challenge() {
        let credentials = Credentials::Password { user: "bob".into(), password: Secret::new("secret") };
        let initiator = Initiator::new(outward(credentials.clone()));
        let mut login = initiator.begin("localhost").unwrap();
        assert_eq!(login.step(None), Ok(Next::Send(Vec::new())));
        let challenge = b"realm=\"zk-sasl-md5\",nonce=\"n\",charset=utf-8,algorithm=md5-sess";
        let Ok(Next::Send(answer)) = login.step(Some(challenge)) else { panic!("no answer") };
        assert!(String::from_utf8(answer).unwrap().contains("username=\"bob\""));
        let refusal = login.step(Some(b"rspauth=no")).unwrap_err();
        assert_eq!(refusal.reason, Reason::DigestRefused);
        assert_eq!(login.step(None).unwrap_err().reason, Reason::SaslSequence);

        let fips = Initiator::new(Outward { fips: Some(true), ..outward(credentials) });
        assert_eq!(fips.begin("localhost").err().map(|r| r.reason), Some(Reason::DigestFips));
    }

    #[test]
    fn without_tickets_there_is_no_login() {
        let credentials =
            Credentials::TicketCache { name: Some("FILE:/nonexistent/cc".into()), principal: None };
        let refusal = Initiator::new(outward(credentials)).begin("localhost").err().unwrap();
        assert!(refusal.detail.contains("kinit"), "{refusal:?}");
    }
}
