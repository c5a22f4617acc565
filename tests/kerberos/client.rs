//! A client's half of GSSAPI under SASL (RFC 4752), over MIT's library, with every liberty that a client can take.
//!
//! # Invariants
//! * Tokens go straight into an [`Exchange`]; what travelled is kept, so that it can be sent again.

use std::time::Duration;

use libgssapi::context::{ClientCtx, CtxFlags, SecurityContext};
use libgssapi::credential::{Cred, CredUsage};
use libgssapi::name::Name;
use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_KRB5_PRINCIPAL, OidSet};
use oxkeeper::auth::sasl::SaslStep;
use oxkeeper::kerberos::server::Exchange;
use rustix::time::{ClockId, clock_gettime};

/// What a client wants.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Service principal, with realm.
    pub service: String,
    /// Mutual authentication, as C and Python clients ask for and Java clients do not.
    pub mutual: bool,
    /// Handing over the client's own ticket, as some clients do unasked.
    pub delegate: bool,
    /// Layer and buffer size of the last token.
    pub choice: [u8; 4],
    /// Authorization id.
    pub authzid: String,
}

impl Wish {
    /// As a Java client does it, without an authorization id.
    pub fn of(service: &str) -> Wish {
        let (service, authzid) = (service.to_owned(), String::new());
        Wish { service, mutual: false, delegate: false, choice: [1, 0, 0, 0], authzid }
    }

    pub fn mutual(self) -> Wish {
        Wish { mutual: true, ..self }
    }

    pub fn delegating(self) -> Wish {
        Wish { delegate: true, ..self }
    }

    pub fn layer(self, layer: u8) -> Wish {
        Wish { choice: [layer, 0, 0xff, 0xff], ..self }
    }

    pub fn authzid(self, authzid: &str) -> Wish {
        Wish { authzid: authzid.to_owned(), ..self }
    }
}

/// How a login ended, what the client sent, and how much processor time the server took for its part.
pub struct Ended {
    pub last: SaslStep,
    pub sent: Vec<Vec<u8>>,
    pub spent: Duration,
}

/// A client that has its tickets and has sent nothing yet.
pub struct Client {
    context: ClientCtx,
    wish: Wish,
}

impl Client {
    /// With the tickets of this process.
    pub fn new(wish: Wish) -> Client {
        let mechanisms = OidSet::singleton(GSS_MECH_KRB5).expect("a set of mechanisms");
        let tickets =
            Cred::acquire(None, None, CredUsage::Initiate, Some(&mechanisms)).expect("tickets in the cache");
        let name = Name::new(wish.service.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL)).expect("a service's name");
        let mut flags = CtxFlags::GSS_C_INTEG_FLAG | CtxFlags::GSS_C_CONF_FLAG;
        flags.set(CtxFlags::GSS_C_MUTUAL_FLAG, wish.mutual);
        flags.set(CtxFlags::GSS_C_DELEG_FLAG, wish.delegate);
        Client { context: ClientCtx::new(Some(tickets), name, flags, Some(GSS_MECH_KRB5)), wish }
    }

    /// The first token.
    pub fn first(&mut self) -> Vec<u8> {
        self.try_first().expect("a ticket for the service")
    }

    /// The first token, if the tickets still serve.
    pub fn try_first(&mut self) -> Option<Vec<u8>> {
        self.context.step(None, None).ok().flatten().map(|token| token.to_vec())
    }

    /// The whole login; `send` sends a token and returns the one that comes back, if the exchange goes on. Returns
    /// what was sent.
    pub fn converse(mut self, send: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>) -> Vec<Vec<u8>> {
        let first = self.first();
        let mut reply = send(&first);
        let mut sent = vec![first];
        if self.wish.mutual
            && let Some(token) = &reply
        {
            assert!(self.context.step(Some(token), None).expect("a good AP-REP").is_none());
            reply = send(&[]);
            sent.push(Vec::new());
        }
        let Some(offer) = reply else { return sent };
        let offer = self.context.unwrap(&offer).expect("a signed offer");
        assert_eq!(&*offer, [1, 0, 0, 0], "no layer is offered");
        let choice = [&self.wish.choice[..], self.wish.authzid.as_bytes()].concat();
        let choice = self.context.wrap(false, &choice).expect("a signed choice").to_vec();
        send(&choice);
        sent.push(choice);
        sent
    }

    /// The whole login at an exchange in this process.
    pub fn login(self, exchange: &mut Exchange) -> Ended {
        let (mut last, mut spent) = (None, Duration::ZERO);
        let sent = self.converse(&mut |token| {
            let begun = cpu();
            let step = exchange.step(Some(token));
            spent += cpu().saturating_sub(begun);
            let SaslStep::Challenge(reply) = &step else {
                last = Some(step);
                return None;
            };
            Some(reply.clone())
        });
        Ended { last: last.expect("an end"), sent, spent }
    }
}

/// Processor time of this thread.
fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs().try_into().unwrap_or(0))
}

/// A login with the tickets of this process.
pub fn login(exchange: &mut Exchange, wish: Wish) -> SaslStep {
    Client::new(wish).login(exchange).last
}
