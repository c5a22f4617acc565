//! What the server does with SASL tokens: which mechanism, which exchange, who it is.
//!
//! # Invariants
//!
//! * No mechanism's name travels: the first token tells it. Empty is DIGEST-MD5; a framed Kerberos token is
//!   GSSAPI; anything else is refused, and so is what is not configured.
//! * A token is no longer than [`SASL_TOKEN`].
//! * After a login, a refusal or a failure the next token begins a new exchange.
//! * [`Exchange::step`] reads files and computes: it is called on a thread of [`super::pool`] alone.

use std::sync::Arc;

use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::prelude::{
    MessageSent, Registry, SASLConfig, SASLServer, Session, SessionError, State, Validation,
};
use rsasl::property::AuthId;
use rsasl::validate::{Validate, ValidationError};

use super::acceptor::{Acceptor, GssapiConfig};
use super::digest_md5::DigestConfig;
use super::digest_md5::mechanism::{self as digest, DIGEST_MD5, DigestUsers};
use super::errors::KerberosError;
use super::mechanism::{self, Accepting, Proven};
use super::{refused, token};
use crate::auth::reason::Reason;
use crate::auth::sasl::{Login, Mechanism, Refusal, SaslStep};
use crate::limits::SASL_TOKEN;

/// From a proven name to the id that ACLs know, or why not: a full principal, or a DIGEST-MD5 user.
pub type Names = Arc<dyn Fn(Mechanism, &str) -> Result<String, Refusal> + Send + Sync>;

/// What is measured at logins beside their outcome.
pub trait Meters: Send + Sync {
    /// How far the clock of a client that was let in is ahead of ours (negative: behind), milliseconds.
    fn skew_ms(&self, _ms: i64) {}
    /// Which key a ticket was opened with: our principal, key number, encryption type.
    fn key(&self, _service: &str, _kvno: u32, _enctype: i32) {}
}

/// Measures nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMeters;

impl Meters for NoMeters {}

/// What clients may log in with.
#[derive(Clone)]
pub struct SaslServerConfig {
    /// Kerberos.
    pub gssapi: Option<GssapiConfig>,
    /// Names and passwords.
    pub digest: Option<Digest>,
    /// From names to ids.
    pub names: Names,
    /// Who is told of skew and keys.
    pub meters: Arc<dyn Meters>,
}

impl SaslServerConfig {
    /// Is there nothing to log in with?
    pub fn is_empty(&self) -> bool {
        self.gssapi.is_none() && self.digest.is_none()
    }
}

/// What DIGEST-MD5 is to clients.
#[derive(Clone, Debug)]
pub enum Digest {
    /// These may log in.
    Users(Arc<DigestConfig>),
    /// Users are configured, and FIPS mode forbids it: whoever tries is told so.
    Forbidden,
}

/// The mechanisms of this server, never the registry that other crates can add to.
static MECHANISMS: [rsasl::prelude::Mechanism; 2] = [mechanism::GSSAPI, DIGEST_MD5];

/// Who logged in, out of a session.
struct Outcome;

impl Validation for Outcome {
    type Value = Result<Login, Refusal>;
}

/// Answers what mechanisms ask, and maps names.
struct Answers {
    acceptor: Option<Arc<Acceptor>>,
    users: Option<Arc<DigestConfig>>,
    names: Names,
}

impl SessionCallback for Answers {
    fn callback(
        &self,
        _session: &SessionData,
        _context: &Context<'_>,
        request: &mut Request<'_>,
    ) -> Result<(), SessionError> {
        if let Some(acceptor) = &self.acceptor {
            request.satisfy::<Accepting>(acceptor)?;
        }
        if let Some(users) = &self.users {
            request.satisfy::<DigestUsers>(users)?;
        }
        Ok(())
    }

    fn validate(
        &self,
        session: &SessionData,
        context: &Context<'_>,
        validate: &mut Validate<'_>,
    ) -> Result<(), ValidationError> {
        if let Some(login) = context.get_ref::<Proven>() {
            validate.finalize::<Outcome>(Ok(login.clone()));
        } else if let (true, Some(user)) =
            (session.mechanism().mechanism == digest::NAME, context.get_ref::<AuthId>())
        {
            validate.finalize::<Outcome>(self.user(user));
        }
        Ok(())
    }
}

impl Answers {
    /// The login of a user whose password was proven.
    fn user(&self, user: &str) -> Result<Login, Refusal> {
        let mechanism = Mechanism::DigestMd5;
        let id = (self.names)(mechanism, user)?;
        Ok(Login { mechanism, principal: user.to_owned(), id, service: None, ends: None })
    }
}

/// Accepts logins for all connections of a server.
#[derive(Clone)]
pub struct SaslServer {
    sasl: Arc<SASLConfig>,
    gssapi: Option<Arc<Acceptor>>,
    digest: Option<Digest>,
}

impl SaslServer {
    /// Opens the keytab; no KDC is asked.
    ///
    /// # Errors
    ///
    /// [`KerberosError`]: an unreadable keytab, one without the configured principal.
    pub fn new(config: SaslServerConfig) -> Result<SaslServer, KerberosError> {
        let SaslServerConfig { gssapi, digest, names, meters } = config;
        let open = |gssapi: GssapiConfig| Acceptor::open(&gssapi, Arc::clone(&names), meters);
        let acceptor = gssapi.map(open).transpose()?.map(Arc::new);
        let users = match &digest {
            Some(Digest::Users(users)) => Some(Arc::clone(users)),
            Some(Digest::Forbidden) | None => None,
        };
        let gssapi = acceptor.clone();
        let sasl = SASLConfig::builder()
            .with_registry(Registry::with_mechanisms(&MECHANISMS))
            .with_callback(Answers { acceptor, users, names })
            .map_err(|e| KerberosError::bug(e.to_string()))?;
        Ok(SaslServer { sasl, gssapi, digest })
    }

    /// Looks at the keytab, as the next login would: which keys it holds now, for people; `None` without Kerberos.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, or that it lacks the service's key.
    pub fn look(&self) -> Option<Result<String, String>> {
        self.gssapi.as_ref().map(|acceptor| acceptor.look())
    }

    /// The exchange of one connection.
    pub fn exchange(&self) -> Exchange {
        Exchange { server: self.clone(), session: None }
    }

    /// The mechanism that a first token is of.
    fn mechanism(&self, first: &[u8]) -> Result<&'static rsasl::prelude::Mechname, Refusal> {
        if first.is_empty() {
            return match self.digest {
                Some(Digest::Users(_)) => Ok(digest::NAME),
                Some(Digest::Forbidden) => {
                    Err(Refusal::new(Reason::DigestFips, "this server is in FIPS mode"))
                }
                None => Err(Refusal::new(Reason::SaslNotConfigured, "DIGEST-MD5")),
            };
        }
        token::ap_req(first).map_err(|what| Refusal::new(Reason::KrbBadToken, what))?;
        let refusal = || Refusal::new(Reason::SaslNotConfigured, "GSSAPI");
        self.gssapi.as_ref().map(|_| mechanism::NAME).ok_or_else(refusal)
    }
}

/// The logins of one connection, one after the other.
pub struct Exchange {
    server: SaslServer,
    session: Option<Session<Outcome>>,
}

impl Exchange {
    /// Takes a token of the client; a null token counts as an empty one.
    pub fn step(&mut self, token: Option<&[u8]>) -> SaslStep {
        let token = token.unwrap_or_default();
        if token.len() > SASL_TOKEN {
            self.session = None;
            let detail = format!("{} bytes of at most {SASL_TOKEN}", token.len());
            return SaslStep::Refused(Refusal::new(Reason::SaslTooLong, detail));
        }
        match self.session.take() {
            Some(session) => self.advance(session, Some(token)),
            None => match self.begin(token) {
                Ok(session) => {
                    // Who goes first begins without a token: the client's empty one has said so.
                    let input = (!session.are_we_first()).then_some(token);
                    self.advance(session, input)
                }
                Err(refusal) => SaslStep::Refused(refusal),
            },
        }
    }

    fn begin(&self, first: &[u8]) -> Result<Session<Outcome>, Refusal> {
        let name = self.server.mechanism(first)?;
        let server = SASLServer::<Outcome>::new(Arc::clone(&self.server.sasl));
        server.start_suggested(name).map_err(|e| Refusal::new(Reason::SaslNotConfigured, e.to_string()))
    }

    fn advance(&mut self, mut session: Session<Outcome>, token: Option<&[u8]>) -> SaslStep {
        let mut reply = Vec::new();
        match session.step(token, &mut reply) {
            Ok(State::Running) => {
                self.session = Some(session);
                SaslStep::Challenge(reply)
            }
            Ok(State::Finished(sent)) => match session.validation() {
                Some(Ok(login)) => {
                    SaslStep::Done { last: (sent == MessageSent::Yes).then_some(reply), login }
                }
                Some(Err(refusal)) => SaslStep::Refused(refusal),
                None => SaslStep::Refused(Refusal::new(Reason::SaslSequence, "the exchange proved nobody")),
            },
            Err(error) => refused::step_of(&error),
        }
    }
}
