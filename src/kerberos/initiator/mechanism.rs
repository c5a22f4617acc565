//! The client's side of GSSAPI (RFC 4752) as a mechanism of rsasl.
//!
//! ```text
//! client                    server
//! AP-REQ                ->
//!                       <-  AP-REP            (mutual authentication)
//! (empty)               ->
//!                       <-  offer of layers, wrapped
//! layer "none", wrapped ->
//! ```
//!
//! # Invariants
//!
//! * No security layer is taken, no authorization id is sent, nothing is delegated.
//! * Where mutual authentication is asked for, a server that has not proven itself gets no further token.

use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::kerberos::refused::Refused;
use crate::kerberos::unwrap::unwrap;
use libgssapi::context::{ClientCtx, CtxFlags, SecurityContext};
use libgssapi::credential::Cred;
use libgssapi::error::Error as GssError;
use libgssapi::name::Name;
use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_KRB5_PRINCIPAL};
use rsasl::mechanism::{Authentication, EmptyProvider, MechanismData};
use rsasl::prelude::{Mechanism, Mechname, MessageSent, SASLError, SessionError, State};
use rsasl::property::SizedProperty;
use rsasl::registry::{Matches, Named, Side};
use std::io::Write;
use std::sync::Mutex;

/// Asked for by the mechanism: with what, and to whom.
pub struct GssLogin;

/// The value of [`GssLogin`].
#[derive(Clone, Debug)]
pub struct Login {
    /// Whose tickets.
    pub credential: Cred,
    /// The full principal of the service.
    pub service: String,
    /// Must the server prove itself?
    pub mutual: bool,
}

impl SizedProperty<'_> for GssLogin {
    type Value = Login;
    const DESCRIPTION: &'static str = "credentials and service of GSSAPI";
}

/// The registered name.
pub const NAME: &Mechname = Mechname::const_new_unchecked(b"GSSAPI");

/// The client's side; the client speaks first.
pub static GSSAPI_CLIENT: Mechanism =
    Mechanism::build(NAME, 300, Some(start), None, Side::Client, |_| Some(Matches::<This>::name()), |_| true);

fn start() -> Result<Box<dyn Authentication>, SASLError> {
    Ok(Box::<ClientSide>::default())
}

struct This;

impl Named for This {
    fn mech() -> &'static Mechanism {
        &GSSAPI_CLIENT
    }
}

/// RFC 4752: "no security layer", as a bit of the offer and as the choice.
const NO_LAYER: u8 = 1;

#[derive(Default)]
enum ClientSide {
    #[default]
    Fresh,
    /// Contexts are not to be shared between threads: the lock is never waited for, `get_mut` takes it.
    Context(Mutex<ClientCtx>, Login),
    Layer(Mutex<ClientCtx>),
    Over,
}

impl Authentication for ClientSide {
    fn step(
        &mut self,
        session: &mut MechanismData<'_, '_>,
        input: Option<&[u8]>,
        writer: &mut dyn Write,
    ) -> Result<State, SessionError> {
        let input = input.unwrap_or_default();
        match std::mem::replace(self, ClientSide::Over) {
            ClientSide::Fresh => {
                let login = session.need_with::<GssLogin, _, _>(&EmptyProvider, |l| Ok(l.clone()))?;
                let context = begin(&login)?;
                self.advance(Mutex::new(context), login, None, writer)
            }
            ClientSide::Context(context, login) => self.advance(context, login, Some(input), writer),
            ClientSide::Layer(context) => {
                let mut context = context.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
                writer.write_all(&choose(&mut context, input)?)?;
                Ok(State::Finished(MessageSent::Yes))
            }
            ClientSide::Over => Err(refused(Reason::SaslSequence, "a token behind the end")),
        }
    }
}

impl ClientSide {
    /// One step of the context.
    fn advance(
        &mut self,
        mut context: Mutex<ClientCtx>,
        login: Login,
        input: Option<&[u8]>,
        writer: &mut dyn Write,
    ) -> Result<State, SessionError> {
        let gss = context.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        let out = gss.step(input, None).map_err(|e| failed(e, &login.service))?;
        writer.write_all(out.as_deref().unwrap_or_default())?;
        if !gss.is_complete() {
            *self = ClientSide::Context(context, login);
            return Ok(State::Running);
        }
        let proven = gss.flags().is_ok_and(|flags| flags.contains(CtxFlags::GSS_C_MUTUAL_FLAG));
        if login.mutual && !proven {
            return Err(refused(Reason::KrbOther, "the server has not proven who it is"));
        }
        *self = ClientSide::Layer(context);
        Ok(State::Running)
    }
}

fn begin(login: &Login) -> Result<ClientCtx, SessionError> {
    let target = Name::new(login.service.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL))
        .map_err(|e| failed(e, &login.service))?;
    let mut flags = CtxFlags::GSS_C_INTEG_FLAG | CtxFlags::GSS_C_REPLAY_FLAG | CtxFlags::GSS_C_SEQUENCE_FLAG;
    if login.mutual {
        flags |= CtxFlags::GSS_C_MUTUAL_FLAG;
    }
    Ok(ClientCtx::new(Some(login.credential.clone()), target, flags, Some(GSS_MECH_KRB5)))
}

/// Looks at the server's offer and takes "no layer".
fn choose(context: &mut ClientCtx, input: &[u8]) -> Result<Vec<u8>, SessionError> {
    let offer = unwrap(context, input).map_err(|e| failed(e, "the offer of layers"))?;
    let &[layers, _, _, _] = offer.as_slice() else {
        return Err(refused(Reason::KrbBadToken, "the server's offer of layers is not 4 bytes long"));
    };
    if layers & NO_LAYER == 0 {
        let text = "the server insists on a SASL security layer; set its quality of protection to auth";
        return Err(refused(Reason::SaslLayer, text));
    }
    let choice = context.wrap(false, &[NO_LAYER, 0, 0, 0]).map_err(|e| failed(e, "the choice of a layer"))?;
    Ok(choice.to_vec())
}

fn refused(reason: Reason, text: &str) -> SessionError {
    Refused(Refusal::new(reason, text)).into()
}

/// A failure of GSSAPI, told on the thread that saw it: MIT keeps the text per thread.
fn failed(error: GssError, what: &str) -> SessionError {
    let text = error.to_string();
    let reason = reason(&text);
    Refused(Refusal::new(reason, format!("{what}: {text}"))).into()
}

/// GSSAPI has one code for most failures: the text of the Kerberos library tells them apart.
fn reason(text: &str) -> Reason {
    for (part, reason) in [
        ("Server not found", Reason::KrbWrongService),
        ("not found in Kerberos database", Reason::KrbWrongService),
        ("Clock skew", Reason::KrbSkew),
        ("expired", Reason::KrbTicketExpired),
        ("Ticket not yet valid", Reason::KrbTicketEarly),
        ("encryption type", Reason::KrbEnctype),
    ] {
        if text.contains(part) {
            return reason;
        }
    }
    Reason::KrbOther
}
