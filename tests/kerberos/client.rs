//! A client's half of GSSAPI under SASL (RFC 4752), over MIT's library, with every liberty that a client can take.
//!
//! # Invariants
//! * Tokens go straight into an [`Exchange`]; what travelled is kept, so that it can be sent again.

use libgssapi::context::{ClientCtx, CtxFlags, SecurityContext};
use libgssapi::credential::{Cred, CredUsage};
use libgssapi::name::Name;
use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_KRB5_PRINCIPAL, OidSet};
use oxkeeper::auth::sasl::SaslStep;
use oxkeeper::kerberos::server::Exchange;

/// What a client wants.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Service principal, with realm.
    pub service: String,
    /// Mutual authentication, as C and Python clients ask for and Java clients do not.
    pub mutual: bool,
    /// Layer and buffer size of the last token.
    pub choice: [u8; 4],
    /// Authorization id.
    pub authzid: String,
}

impl Wish {
    /// As a Java client does it, without an authorization id.
    pub fn of(service: &str) -> Wish {
        Wish { service: service.to_owned(), mutual: false, choice: [1, 0, 0, 0], authzid: String::new() }
    }

    pub fn mutual(self) -> Wish {
        Wish { mutual: true, ..self }
    }

    pub fn layer(self, layer: u8) -> Wish {
        Wish { choice: [layer, 0, 0xff, 0xff], ..self }
    }

    pub fn authzid(self, authzid: &str) -> Wish {
        Wish { authzid: authzid.to_owned(), ..self }
    }
}

/// How a login ended, and what the client sent.
pub struct Ended {
    pub last: SaslStep,
    pub sent: Vec<Vec<u8>>,
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
        Client { context: ClientCtx::new(Some(tickets), name, flags, Some(GSS_MECH_KRB5)), wish }
    }

    /// The first token.
    pub fn first(&mut self) -> Vec<u8> {
        let token = self.context.step(None, None).expect("a ticket for the service");
        token.expect("an AP-REQ").to_vec()
    }

    /// The whole login.
    pub fn login(mut self, exchange: &mut Exchange) -> Ended {
        let first = self.first();
        self.login_with(first, exchange)
    }

    /// The whole login from a first token that was made before.
    pub fn login_with(mut self, first: Vec<u8>, exchange: &mut Exchange) -> Ended {
        let mut step = exchange.step(Some(&first));
        let mut sent = vec![first];
        if self.wish.mutual
            && let SaslStep::Challenge(reply) = &step
        {
            assert!(self.context.step(Some(reply), None).expect("a good AP-REP").is_none());
            step = exchange.step(Some(&[]));
            sent.push(Vec::new());
        }
        let SaslStep::Challenge(offer) = step else { return Ended { last: step, sent } };
        let offer = self.context.unwrap(&offer).expect("a signed offer");
        assert_eq!(&*offer, [1, 0, 0, 0], "no layer is offered");
        let choice = [&self.wish.choice[..], self.wish.authzid.as_bytes()].concat();
        let choice = self.context.wrap(false, &choice).expect("a signed choice").to_vec();
        let last = exchange.step(Some(&choice));
        sent.push(choice);
        Ended { last, sent }
    }
}

/// A login with the tickets of this process.
pub fn login(exchange: &mut Exchange, wish: Wish) -> SaslStep {
    Client::new(wish).login(exchange).last
}
