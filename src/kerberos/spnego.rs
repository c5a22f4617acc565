//! Kerberos over HTTP (RFC 4559, SPNEGO of RFC 4178): one token in, one out, and who it is.
//!
//! # Invariants
//!
//! * Only a Kerberos ticket in the first token is taken: what would need a second round, another mechanism or
//!   another service is refused. The negotiation is read and answered here; GSSAPI sees the ticket alone.
//! * Everything that holds for logins of clients (`acceptor`) holds here: names, realms, replay cache.

use std::sync::Arc;

use super::acceptor::{Acceptor, Exchange, GssapiConfig};
use super::der::{Der, tag};
use super::errors::KerberosError;
use super::refused::No;
use super::server::{Meters, Names};
use super::token;
use crate::auth::reason::Reason;
use crate::auth::sasl::{Login, Refusal};
use crate::limits::SASL_TOKEN;

/// 1.3.6.1.5.5.2
const SPNEGO: &[u8] = b"\x2b\x06\x01\x05\x05\x02";
/// Microsoft's old identifier of Kerberos, which some clients name first.
const KERBEROS_OF_OLD: &[u8] = b"\x2a\x86\x48\x82\xf7\x12\x01\x02\x02";

/// Accepts logins over HTTP for one service.
#[derive(Clone)]
pub struct Spnego(Arc<Acceptor>);

impl std::fmt::Debug for Spnego {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Spnego")
    }
}

impl Spnego {
    /// Opens the keytab; no KDC is asked.
    ///
    /// # Errors
    ///
    /// An unreadable keytab, one without the configured principal.
    pub fn open(
        config: &GssapiConfig,
        names: Names,
        meters: Arc<dyn Meters>,
    ) -> Result<Spnego, KerberosError> {
        Ok(Spnego(Arc::new(Acceptor::open(config, names, meters)?)))
    }

    /// Takes the token of a request: who it is, and the token that proves who we are. Computes and reads the
    /// keytab: not for threads of the runtime.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub fn accept(&self, token: &[u8]) -> Result<(Login, Option<Vec<u8>>), Refusal> {
        if token.len() > SASL_TOKEN {
            return Err(Refusal::new(Reason::SaslTooLong, format!("{} bytes", token.len())));
        }
        let bad = |what: &str| Refusal::new(Reason::KrbBadToken, what);
        let (ticket, mechanism) = mechanism_token(token).map_err(bad)?;
        let request = token::ap_req(ticket).map_err(bad)?;
        let mut exchange = Exchange::new(Arc::clone(&self.0));
        let (login, reply) = exchange.open(&request, ticket).map_err(|no| match no {
            No::Refused(refusal) | No::Broken(refusal) => refusal,
        })?;
        let reply = match mechanism {
            Some(mechanism) => Some(last_message(mechanism, reply.as_deref())),
            None => reply,
        };
        Ok((login, reply))
    }
}

/// The Kerberos token in a token of a client, and the mechanism to answer with: within SPNEGO's first message, or
/// bare.
fn mechanism_token(token: &[u8]) -> Result<(&[u8], Option<&[u8]>), &'static str> {
    let mut framed = Der(token).expect(token::FRAMED).ok_or("no GSSAPI framing (NTLM is not taken)")?;
    let mechanism = framed.expect(tag::OID).ok_or("no mechanism in the GSSAPI framing")?.0;
    if mechanism != SPNEGO {
        return Ok((token, None));
    }
    first_message(framed).ok_or("a malformed SPNEGO token")?
}

/// A token and the mechanism that it is of, or why there is none.
type Found<'a> = Result<(&'a [u8], Option<&'a [u8]>), &'static str>;

/// NegTokenInit: mechanisms in the client's order, flags, the token of the first mechanism.
fn first_message(mut der: Der<'_>) -> Option<Found<'_>> {
    let mut fields = der.expect(tag::context(0))?.expect(tag::SEQUENCE)?;
    let mut mechanisms = fields.expect(tag::context(0))?.expect(tag::SEQUENCE)?;
    let first = mechanisms.expect(tag::OID)?.0;
    if first != token::KERBEROS && first != KERBEROS_OF_OLD {
        return Some(Err("a client that prefers another mechanism than Kerberos"));
    }
    fields.optional(tag::context(1));
    match fields.optional(tag::context(2)) {
        Some(mut token) => Some(Ok((token.octets()?, Some(first)))),
        None => Some(Err("a SPNEGO token without a ticket")),
    }
}

/// NegTokenResp: accepted, by the client's first mechanism (which needs no checksum over the list), with the token
/// that proves who we are.
fn last_message(mechanism: &[u8], token: Option<&[u8]>) -> Vec<u8> {
    /// `accept-completed`.
    const ACCEPTED: [u8; 3] = [0x0a, 1, 0];
    let mut fields = element(tag::context(0), &ACCEPTED);
    fields.extend(element(tag::context(1), &element(tag::OID, mechanism)));
    if let Some(token) = token {
        fields.extend(element(tag::context(2), &element(tag::OCTETS, token)));
    }
    element(tag::context(1), &element(tag::SEQUENCE, &fields))
}

/// An element of DER.
fn element(tag: u8, inside: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(inside.len()) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            let length = inside.len().to_be_bytes();
            let digits: Vec<u8> = length.into_iter().skip_while(|digit| *digit == 0).collect();
            bytes.push(0x80 | u8::try_from(digits.len()).unwrap_or(0));
            bytes.extend(digits);
        }
    }
    bytes.extend_from_slice(inside);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn init(mechanism: &[u8], token: Option<&[u8]>) -> Vec<u8> {
        let mechanisms = element(0xa0, &element(0x30, &element(6, mechanism)));
        let token = token.map(|t| element(0xa2, &element(4, t))).unwrap_or_default();
        let inner = element(0xa0, &element(0x30, &[mechanisms, token].concat()));
        element(0x60, &[element(6, SPNEGO), inner].concat())
    }

    #[test]
    fn the_ticket_is_found_within_spnego_or_bare() {
        let inner = b"ticket";
        for mechanism in [token::KERBEROS, KERBEROS_OF_OLD] {
            let message = init(mechanism, Some(inner));
            assert_eq!(mechanism_token(&message), Ok((&inner[..], Some(mechanism))));
        }
        let bare = element(0x60, &element(6, token::KERBEROS));
        assert_eq!(mechanism_token(&bare), Ok((&bare[..], None)));
    }

    #[test]
    fn the_answer_is_what_rfc_4178_says() {
        let answer = last_message(b"\x2a", Some(&[7; 200]));
        let mut fields = Der(&answer).expect(0xa1).and_then(|mut d| d.expect(0x30)).expect("a sequence");
        assert_eq!(fields.expect(0xa0).map(|d| d.0), Some(&[0x0a, 1, 0][..]));
        assert_eq!(fields.expect(0xa1).and_then(|mut d| d.expect(6)).map(|d| d.0), Some(&b"\x2a"[..]));
        assert_eq!(fields.expect(0xa2).and_then(|mut d| d.octets()), Some(&[7; 200][..]));
        assert!(fields.0.is_empty());
    }

    #[test]
    fn other_mechanisms_and_half_tokens_are_refused() {
        let ntlm = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a";
        assert!(mechanism_token(&init(ntlm, Some(b"x"))).is_err());
        assert!(mechanism_token(&init(token::KERBEROS, None)).is_err());
        assert!(mechanism_token(b"NTLMSSP\0").is_err());
    }

    proptest! {
        #[test]
        fn whatever_comes_is_judged(bytes in proptest::collection::vec(any::<u8>(), 0..80), cut in 0usize..40) {
            let _ = mechanism_token(&bytes);
            let good = init(token::KERBEROS, Some(b"ticket"));
            prop_assert!(cut >= good.len() || mechanism_token(&good[..cut]).is_err());
        }
    }
}
