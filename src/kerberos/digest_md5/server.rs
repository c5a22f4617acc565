//! The server's side of an exchange.
//!
//! # Invariants
//!
//! * One challenge, one answer: then the exchange is over, whatever the verdict.
//! * `authzid` may repeat the user's name; nobody logs in as somebody else.

use super::directives::{self, Directives, Malformed};
use super::hash::{NC, NoMd5, Said, same};
use super::{DigestConfig, NONCE_BYTES};
use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;

/// What a token led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Send this and wait for the answer.
    Challenge(Vec<u8>),
    /// The user has proven its password. `last` is the server's own proof and is sent.
    Done {
        /// The name in the JAAS section.
        user: String,
        /// `rspauth=...`.
        last: Vec<u8>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Fresh,
    Challenged,
    Over,
}

/// One exchange with one client.
#[derive(Debug)]
pub struct Server {
    config: Arc<DigestConfig>,
    pub(super) nonce: String,
    state: State,
}

impl Server {
    /// An exchange with the users of `config`; `nonce` is fresh entropy.
    pub fn new(config: Arc<DigestConfig>, nonce: [u8; NONCE_BYTES]) -> Server {
        Server { config, nonce: STANDARD.encode(nonce), state: State::Fresh }
    }

    /// Looks at the client's next token: none or an empty one first, then its answer.
    ///
    /// # Errors
    ///
    /// Why the client is refused; `DIGEST_REFUSED` and `DIGEST_MALFORMED` among others.
    pub fn step(&mut self, token: Option<&[u8]>) -> Result<Step, Refusal> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Fresh if token.unwrap_or_default().is_empty() => {
                self.state = State::Challenged;
                Ok(Step::Challenge(self.challenge()))
            }
            State::Fresh => Err(Refusal::new(Reason::SaslSequence, "the first token is not empty")),
            State::Challenged => self.answer(token.unwrap_or_default()),
            State::Over => Err(Refusal::new(Reason::SaslSequence, "the challenge was answered before")),
        }
    }

    /// Java's challenge, byte for byte but for the nonce. Without `qop`, `auth` is meant.
    fn challenge(&self) -> Vec<u8> {
        let mut out = Vec::new();
        directives::quote(&mut out, "realm", self.config.names.host.as_bytes());
        directives::quote(&mut out, "nonce", self.nonce.as_bytes());
        directives::plain(&mut out, "charset", "utf-8");
        directives::plain(&mut out, "algorithm", "md5-sess");
        out
    }

    fn answer(&self, token: &[u8]) -> Result<Step, Refusal> {
        let d = Directives::parse(token).map_err(malformed)?;
        let user = user(&d).map_err(malformed)?;
        self.check(&d, &user)
    }

    fn check(&self, d: &Directives, user: &str) -> Result<Step, Refusal> {
        let of = |refusal: Refusal| refusal.of(user);
        let said = self.said(d).map_err(malformed).map_err(of)?;
        let response = d.required("response").map_err(malformed).map_err(of)?;
        let (hash, known) = self.config.hash(user);
        let broken = |NoMd5| of(Refusal::new(Reason::DigestFips, "OpenSSL offers no MD5 in this process"));
        let wanted = said.response(hash).map_err(broken)?;
        // Both are looked at in any case: the work is the same for names that are not there.
        let proven = same(&wanted, response) & known;
        if !proven {
            return Err(of(Refusal::new(
                Reason::DigestRefused,
                "the response does not prove a user's password",
            )));
        }
        if said.authzid.is_some_and(|authzid| authzid != d.required("username").unwrap_or_default()) {
            return Err(of(Refusal::new(Reason::SaslAuthzid, "authzid is not the user that logs in")));
        }
        let mut last = Vec::new();
        let rspauth = said.rspauth(hash).map_err(broken)?;
        directives::plain(&mut last, "rspauth", &String::from_utf8_lossy(&rspauth));
        Ok(Step::Done { user: user.to_owned(), last })
    }

    /// What the answer says, as far as it fits our challenge.
    fn said<'a>(&self, d: &'a Directives) -> Result<Said<'a>, Malformed> {
        let names = self.config.names;
        if d.required("realm")? != names.host.as_bytes() {
            return Err(Malformed("another realm"));
        }
        let nonce = d.required("nonce")?;
        if !same(nonce, self.nonce.as_bytes()) {
            return Err(Malformed("another nonce"));
        }
        if d.required("nc")? != NC.as_bytes() {
            return Err(Malformed("a nonce count other than 1"));
        }
        if d.one("qop")?.is_some_and(|qop| qop != b"auth") {
            return Err(Malformed("a quality of protection other than auth"));
        }
        let uri = d.required("digest-uri")?;
        if !uri.eq_ignore_ascii_case(names.uri().as_bytes()) {
            return Err(Malformed("another digest-uri"));
        }
        Ok(Said { nonce, cnonce: d.required("cnonce")?, uri, authzid: d.one("authzid")? })
    }
}

/// The name of who answers: UTF-8 where the answer says so, ISO 8859-1 otherwise.
fn user(d: &Directives) -> Result<String, Malformed> {
    let name = d.required("username")?;
    match d.one("charset")? {
        None => Ok(name.iter().map(|b| char::from(*b)).collect()),
        Some(b"utf-8") => std::str::from_utf8(name).map(str::to_owned).map_err(|_| Malformed("no UTF-8")),
        Some(_) => Err(Malformed("another charset than utf-8")),
    }
}

fn malformed(what: Malformed) -> Refusal {
    Refusal::new(Reason::DigestMalformed, what.0)
}
