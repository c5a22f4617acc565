//! Accepting Kerberos: one credential over the whole keytab, one exchange of tokens (RFC 4752).
//!
//! # Invariants
//!
//! * The keytab alone is needed: no KDC, no name server, no environment variable.
//! * A key of another service in the keytab opens nothing: the name that was really used is compared.
//! * The client's name is judged right after its ticket, before the last reply, so that it learns of a refusal.
//! * No security layer is offered, so none can be chosen; encryption is TLS's task.
//! * The replay cache is on, and is a file of this server alone.

use std::fmt;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libgssapi::context::{CtxFlags, SecurityContext, ServerCtx};
use libgssapi::credential::Cred;

use super::errors::{Case, KerberosError};
use super::ffi;
use super::keytab::{Entry, Keytab};
use super::names;
use super::refused::No;
use super::server::{Meters, Names};
use super::skew::{self, Opened};
use super::store::KeytabFile;
use super::token::{self, ApReq};
use super::unwrap::unwrap;
use crate::auth::reason::Reason;
use crate::auth::sasl::{Login, Mechanism, Refusal};
use crate::os::clock;

/// The only security layer on offer, none, with no room for wrapped messages.
const OFFER: [u8; 4] = [1, 0, 0, 0];
/// That layer.
const NO_LAYER: u8 = 1;

/// What accepting needs to know.
#[derive(Clone, PartialEq, Eq)]
pub struct GssapiConfig {
    /// The keytab file.
    pub keytab: PathBuf,
    /// The configured principal: `zookeeper/host@REALM`, `zookeeper/host`, `zookeeper@REALM`, or the service's name
    /// alone. Its first component is the service; keys of any host of it are accepted for.
    pub principal: String,
    /// File of the replay cache, in a directory that only this server writes; without, the library's own.
    pub replay_cache: Option<PathBuf>,
}

impl fmt::Debug for GssapiConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.principal, self.keytab.display())
    }
}

/// Accepts Kerberos logins for one service; shared by all connections.
pub(super) struct Acceptor {
    cred: Cred,
    keytab: KeytabFile,
    service: String,
    names: Names,
    meters: Arc<dyn Meters>,
}

impl Acceptor {
    /// Opens the keytab and makes sure that it serves.
    pub fn open(
        config: &GssapiConfig,
        names: Names,
        meters: Arc<dyn Meters>,
    ) -> Result<Acceptor, KerberosError> {
        let path = config.keytab.display();
        let keytab = KeytabFile::open(&config.keytab)?;
        let held = keytab.now().map_err(|why| KerberosError::config(why, "put a good keytab there"))?;
        let service = names::primary(&config.principal).to_owned();
        holds(&held, config)?;
        let mut store = vec![(c"keytab", format!("FILE:{path}"))];
        if let Some(cache) = &config.replay_cache {
            writable(cache)?;
            store.push((c"rcache", format!("file2:{}", cache.display())));
        }
        let cred = ffi::credential(ffi::Role::Accept, &store).map_err(|error| {
            let what = format!("the Kerberos library cannot use the keytab {path}: {error}");
            KerberosError::config(what, "check krb5.conf and the keytab: `oxkeeper doctor keytab`")
        })?;
        Ok(Acceptor { cred, keytab, service, names, meters })
    }
}

impl Acceptor {
    /// What the keytab holds for the service now, for people: names and key numbers.
    pub fn look(&self) -> Result<String, String> {
        let keytab = self.keytab.now()?;
        let mut keys: Vec<String> =
            keytab.of_service(&self.service).map(|e| format!("{} kvno {}", e.principal(), e.kvno)).collect();
        keys.dedup();
        match keys.is_empty() {
            true => Err(format!(
                "the keytab has no key of {} any more; nobody can log in by Kerberos",
                self.service
            )),
            false => Ok(keys.join(", ")),
        }
    }
}

/// Nobody could log in without the replay cache: better to hear of it at the start. A directory that is not there
/// yet is made by the first start, before anybody is served.
fn writable(cache: &Path) -> Result<(), KerberosError> {
    if cache.parent().is_some_and(|directory| !directory.exists()) {
        return Ok(());
    }
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(cache);
    file.map(drop).map_err(|error| {
        let what = format!("the replay cache {} cannot be written: {error}", cache.display());
        KerberosError::config(what, "make its directory writable for the server's user")
    })
}

/// The keytab must have a key of the configured principal.
fn holds(keytab: &Keytab, config: &GssapiConfig) -> Result<(), KerberosError> {
    let fits = |e: &Entry| match &config.principal {
        full if full.contains('@') => e.principal() == *full,
        name if name.contains('/') => e.name == *name,
        service => e.primary() == service,
    };
    if keytab.entries.iter().any(fits) {
        return Ok(());
    }
    let (path, principal) = (config.keytab.display(), &config.principal);
    let held = keytab.principals().join(", ");
    let held = if held.is_empty() { "no key at all" } else { &held };
    let what = format!("the keytab {path} has no key of {principal}; it has {held}");
    Err(KerberosError::config(what, "export that principal into it, or correct the principal"))
}

/// How far an exchange is.
enum State {
    /// Nothing came yet.
    Start,
    /// The AP-REP was sent; the client answers with nothing.
    Offer(Login),
    /// The layers were offered; the client chooses.
    Choice(Login),
    /// Over.
    Over,
}

/// What one token led to.
#[derive(Debug)]
pub(super) enum Next {
    /// This token is sent.
    Reply(Vec<u8>),
    /// The client is logged in; nothing more is sent. The second text is the authorization id that it asked for.
    Done(Login, String),
}

/// One login.
pub(super) struct Exchange {
    acceptor: Arc<Acceptor>,
    context: ServerCtx,
    state: State,
}

impl Exchange {
    /// Before the first token.
    pub fn new(acceptor: Arc<Acceptor>) -> Exchange {
        let context = ServerCtx::new(Some(acceptor.cred.clone()));
        Exchange { acceptor, context, state: State::Start }
    }

    /// Takes a token. After an error the exchange is over.
    pub fn step(&mut self, token: &[u8]) -> Result<Next, No> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Start => self.ticket(token),
            State::Offer(login) if token.is_empty() => self.offer(login),
            State::Offer(login) => Err(sequence("an answer to the AP-REP that is not empty", login)),
            State::Choice(login) => self.choice(token, login),
            State::Over => Err(Refusal::new(Reason::SaslSequence, "a token behind the last one").into()),
        }
    }

    /// The AP-REQ: everything about the client is decided here.
    fn ticket(&mut self, token: &[u8]) -> Result<Next, No> {
        let request = token::ap_req(token).map_err(|what| Refusal::new(Reason::KrbBadToken, what))?;
        let (login, reply) = self.open(&request, token)?;
        match reply {
            Some(reply) => {
                self.state = State::Offer(login);
                Ok(Next::Reply(reply))
            }
            // Without mutual authentication there is nothing to wait for.
            None => self.offer(login),
        }
    }

    /// Opens the ticket of `request`, which came in `token`; who it is, and the token that proves who we are.
    pub(super) fn open(&mut self, request: &ApReq<'_>, token: &[u8]) -> Result<(Login, Option<Vec<u8>>), No> {
        let accepted = self.context.step(token, None);
        let keytab = self.acceptor.keytab.now();
        let opened = keytab.as_ref().ok().and_then(|keytab| skew::open(request, keytab));
        let reply = accepted.map_err(|error| {
            let keytab = keytab.as_deref().map_err(String::as_str);
            let now_ms = clock::wall_ms();
            Case { error, request, keytab, opened: opened.as_ref(), now_ms }.explain()
        })?;
        // A ticket of the client's that it handed over is of no use here.
        drop(self.context.take_delegated_cred());
        if !self.context.is_complete() {
            return Err(Refusal::new(Reason::KrbBadToken, "a third message is asked for (DCE style)").into());
        }
        let login = self.judge(request, opened.as_ref())?;
        Ok((login, reply.filter(|reply| !reply.is_empty()).map(|reply| reply.to_vec())))
    }

    /// Who it is, for which of our names, and which id that gives.
    fn judge(&self, request: &ApReq<'_>, opened: Option<&Opened>) -> Result<Login, No> {
        let info = self.context.info().map_err(|e| Refusal::new(Reason::KrbOther, e.to_string()))?;
        let shown = |name: &libgssapi::name::Name| name.display_name().map(|text| text.to_vec());
        let client = shown(&info.source_name).map_err(|e| Refusal::new(Reason::KrbOther, e.to_string()))?;
        let service = shown(&info.target_name).map_err(|e| Refusal::new(Reason::KrbOther, e.to_string()))?;
        let service = names::text(&service);
        let client = names::identity(&client)?;
        if info.flags.contains(CtxFlags::GSS_C_ANON_FLAG) {
            return Err(Refusal::new(Reason::NameShape, "an anonymous login").of(client).into());
        }
        if names::primary(&service) != self.acceptor.service {
            let wanted = &self.acceptor.service;
            let detail = format!("ticket for {service}; this server is the service {wanted}");
            return Err(Refusal::new(Reason::KrbWrongService, detail).of(client).into());
        }
        let id = (self.acceptor.names)(Mechanism::Gssapi, client)?;
        let now_ms = clock::wall_ms();
        if let Some(stamped) = opened.and_then(|o| o.stamped_ms) {
            self.acceptor.meters.skew_ms(stamped - now_ms);
        }
        if let Some(kvno) = opened.map(|o| o.kvno) {
            self.acceptor.meters.key(&service, kvno, request.ticket.enctype);
        }
        let left = i64::try_from(info.lifetime.as_secs()).unwrap_or(i64::MAX);
        let ends = opened.map_or_else(|| (now_ms / 1000).saturating_add(left), |o| o.ends);
        Ok(Login {
            mechanism: Mechanism::Gssapi,
            principal: client.to_owned(),
            id,
            service: Some(service),
            ends: Some(ends),
        })
    }

    /// Offers the layers, signed and not encrypted.
    fn offer(&mut self, login: Login) -> Result<Next, No> {
        let offer = self.context.wrap(false, &OFFER);
        let offer = offer.map_err(|e| Refusal::new(Reason::KrbOther, e.to_string()).of(&login.principal))?;
        self.state = State::Choice(login);
        Ok(Next::Reply(offer.to_vec()))
    }

    /// The client's choice: one byte of layer, three of buffer size, and whom it wants to be.
    fn choice(&mut self, token: &[u8], login: Login) -> Result<Next, No> {
        let refuse = |reason, detail: String| Err(Refusal::new(reason, detail).of(&login.principal).into());
        let plain = match unwrap(&mut self.context, token) {
            Ok(plain) => plain,
            Err(error) => return refuse(Reason::KrbBadToken, format!("the last token: {error}")),
        };
        let Some(([layer, _, _, _], authzid)) = plain.split_first_chunk::<4>() else {
            return refuse(Reason::KrbBadToken, format!("the last token holds {} bytes", plain.len()));
        };
        if *layer != NO_LAYER {
            return refuse(Reason::SaslLayer, format!("layer {layer} of which only {NO_LAYER} is offered"));
        }
        let Ok(authzid) = std::str::from_utf8(authzid) else {
            return refuse(Reason::SaslAuthzid, "an authorization id that is not UTF-8".to_owned());
        };
        if !authzid.is_empty() && authzid != login.principal && authzid != login.id {
            return refuse(Reason::SaslAuthzid, format!("asked to be {authzid}"));
        }
        let authzid = authzid.to_owned();
        Ok(Next::Done(login, authzid))
    }
}

fn sequence(what: &str, login: Login) -> No {
    Refusal::new(Reason::SaslSequence, what).of(login.principal).into()
}
