//! The client's side of an exchange.
//!
//! # Invariants
//!
//! * A login is complete only when the server has proven that it knows the password, too.
//! * The answer is Java's, byte for byte but for the nonces.

use super::directives::{self, Directives, Malformed};
use super::hash::{Ha1, NC, NoMd5, Said, same};
use super::{NONCE_BYTES, Names};
use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::config::settings::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Who logs in, and where.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// What the service is called.
    pub names: Names,
}

/// What a challenge led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientStep {
    /// Send this; the first one is empty.
    Send(Vec<u8>),
    /// The server has accepted and has proven itself; nothing is sent.
    Done,
}

#[derive(Debug)]
enum State {
    Fresh,
    Begun,
    Answered { rspauth: [u8; 32] },
    Over,
}

/// One exchange with one server.
#[derive(Debug)]
pub struct Client {
    login: Login,
    pub(super) cnonce: String,
    state: State,
}

impl Client {
    /// An exchange; `cnonce` is fresh entropy.
    pub fn new(login: Login, cnonce: [u8; NONCE_BYTES]) -> Client {
        Client { login, cnonce: STANDARD.encode(cnonce), state: State::Fresh }
    }

    /// Looks at the server's next token; there is none at the start.
    ///
    /// # Errors
    ///
    /// Why this server is not believed, or cannot be answered.
    pub fn step(&mut self, token: Option<&[u8]>) -> Result<ClientStep, Refusal> {
        let token = token.unwrap_or_default();
        match std::mem::replace(&mut self.state, State::Over) {
            State::Fresh if token.is_empty() => {
                self.state = State::Begun;
                Ok(ClientStep::Send(Vec::new()))
            }
            State::Fresh | State::Begun => self.answer(token),
            State::Answered { rspauth } => {
                let d = Directives::parse(token).map_err(malformed)?;
                let proof = d.required("rspauth").map_err(malformed)?;
                if same(proof, &rspauth) { Ok(ClientStep::Done) } else { Err(impostor()) }
            }
            State::Over => Err(Refusal::new(Reason::SaslSequence, "a token behind the end of the exchange")),
        }
    }

    fn answer(&mut self, challenge: &[u8]) -> Result<ClientStep, Refusal> {
        let d = Directives::parse(challenge).map_err(malformed)?;
        let offer = Offer::of(&d, self.login.names.host).map_err(malformed)?;
        let user = self.encode(&offer)?;
        let (host, uri) = (offer.realm, self.login.names.uri());
        let said = Said {
            nonce: offer.nonce,
            cnonce: self.cnonce.as_bytes(),
            uri: uri.as_bytes(),
            authzid: Some(&user),
        };
        let broken = |NoMd5| Refusal::new(Reason::DigestFips, "OpenSSL offers no MD5 in this process");
        let hash = Ha1::of(&self.login.user, &host, self.login.password.reveal()).map_err(broken)?;
        let response = said.response(&hash).map_err(broken)?;
        let rspauth = said.rspauth(&hash).map_err(broken)?;
        let mut out = Vec::new();
        if offer.utf8 {
            directives::plain(&mut out, "charset", "utf-8");
        }
        directives::quote(&mut out, "username", &user);
        directives::quote(&mut out, "realm", host.as_bytes());
        directives::quote(&mut out, "nonce", offer.nonce);
        directives::plain(&mut out, "nc", NC);
        directives::quote(&mut out, "cnonce", self.cnonce.as_bytes());
        directives::quote(&mut out, "digest-uri", uri.as_bytes());
        directives::plain(&mut out, "maxbuf", "65536");
        directives::plain(&mut out, "response", &String::from_utf8_lossy(&response));
        directives::plain(&mut out, "qop", "auth");
        directives::quote(&mut out, "authzid", &user);
        self.state = State::Answered { rspauth };
        Ok(ClientStep::Send(out))
    }

    /// The user's name in the charset of the exchange.
    fn encode(&self, offer: &Offer<'_>) -> Result<Vec<u8>, Refusal> {
        let user = &self.login.user;
        if offer.utf8 {
            return Ok(user.as_bytes().to_vec());
        }
        let latin: Option<Vec<u8>> = user.chars().map(|c| u8::try_from(c).ok()).collect();
        latin
            .ok_or_else(|| Refusal::new(Reason::DigestMalformed, "the server takes names of ISO 8859-1 only"))
    }
}

/// What a challenge offers.
struct Offer<'a> {
    realm: String,
    nonce: &'a [u8],
    utf8: bool,
}

impl<'a> Offer<'a> {
    fn of(d: &'a Directives, host: &str) -> Result<Offer<'a>, Malformed> {
        if d.required("algorithm")? != b"md5-sess" {
            return Err(Malformed("another algorithm than md5-sess"));
        }
        let auth = |qop: &[u8]| qop.split(|b| *b == b',').any(|one| one.trim_ascii() == b"auth");
        if d.one("qop")?.is_some_and(|qop| !auth(qop)) {
            return Err(Malformed("no quality of protection auth"));
        }
        let utf8 = match d.one("charset")? {
            None => false,
            Some(b"utf-8") => true,
            Some(_) => return Err(Malformed("another charset than utf-8")),
        };
        let mut realms = d.all("realm");
        let realm = match (realms.next(), realms.next()) {
            (None, _) => host.to_owned(),
            (Some(realm), None) => {
                std::str::from_utf8(realm).map_err(|_| Malformed("a realm that is no text"))?.to_owned()
            }
            _ => return Err(Malformed("more than one realm")),
        };
        Ok(Offer { realm, nonce: d.required("nonce")?, utf8 })
    }
}

fn malformed(what: Malformed) -> Refusal {
    Refusal::new(Reason::DigestMalformed, format!("the server's token has {}", what.0))
}

fn impostor() -> Refusal {
    Refusal::new(Reason::DigestRefused, "the server does not know this user's password: it is not ours")
}
