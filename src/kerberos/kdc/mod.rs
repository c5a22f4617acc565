//! One question to a KDC and its answer: the AS exchange of RFC 4120, as far as it tells something.
//!
//! Nobody logs in with this: the question is whether a principal exists, which encryption types its key has, how
//! the KDC's clock stands, and whether a keytab's key is the KDC's. Tickets that come back are looked at and thrown
//! away. Logins are libkrb5's.
//!
//! # Invariants
//!
//! * Nothing is changed at the KDC. A wrong key is presented at most once a question, so that a principal with a
//!   lock-out policy is not locked by looking.
//! * Answers are decoded within bounds ([`KDC_ANSWER_BYTES`]); any bytes give an answer or `None`.
//! * Keys are never printed; what they open is overwritten when it is dropped.

mod ask;
mod encode;
mod reply;

pub use ask::{Asked, Transport, addresses, ask};
pub use reply::{Answer, KdcError, Reply, TicketTimes, read};

use super::ffi::{self, Usage};
use super::keytab::Entry;
use crate::os::entropy;
use encode::{element, field, flags, integer, name, octets, sequence, time};

/// NT-PRINCIPAL.
const PRINCIPAL: i64 = 1;
/// NT-SRV-INST.
const SERVICE: i64 = 2;
/// PA-ENC-TIMESTAMP.
const ENC_TIMESTAMP: i64 = 2;
/// A pre-authentication type of nobody's, to make a question long.
const FILLER: i64 = 32_767;
/// KDCOptions: renewable.
const RENEWABLE: u32 = 0x0080_0000;
/// How long the tickets that are asked for may live, seconds.
const LIFE: i64 = 600;

/// Encryption types that are asked for unless krb5.conf names others: AES, the new ones first.
pub const AES: [i32; 4] = [20, 19, 18, 17];

/// A question.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// Whose ticket, without realm.
    pub client: &'a str,
    /// For which service, without realm.
    pub service: &'a str,
    /// The realm of both.
    pub realm: &'a str,
    /// Encryption types that are taken, best first.
    pub enctypes: &'a [i32],
    /// A key that proves the client, and the KDC's time, seconds.
    pub proof: Option<(&'a Entry, i64)>,
    /// Bytes of nothing, to see whether long datagrams arrive.
    pub filler: usize,
}

impl Question<'_> {
    /// The message.
    pub fn encode(&self, now: i64) -> Vec<u8> {
        let mut padata = Vec::new();
        if let Some((entry, kdc_time)) = self.proof
            && let Some(value) = proof(entry, kdc_time)
        {
            padata.push(pa_data(ENC_TIMESTAMP, &value));
        }
        if self.filler > 0 {
            padata.push(pa_data(FILLER, &vec![0; self.filler]));
        }
        let service_kind = if self.service.contains('/') { SERVICE } else { PRINCIPAL };
        let nonce = i64::try_from(entropy::seed() >> 33).unwrap_or(0);
        let enctypes: Vec<Vec<u8>> = self.enctypes.iter().map(|&e| integer(i64::from(e))).collect();
        let body = sequence(&[
            field(0, flags(RENEWABLE)),
            field(1, name(PRINCIPAL, self.client)),
            field(2, encode::string(self.realm)),
            field(3, name(service_kind, self.service)),
            field(5, time(now + LIFE)),
            field(6, time(now + 100 * LIFE)),
            field(7, integer(nonce)),
            field(8, sequence(&enctypes)),
        ]);
        let mut parts = vec![field(1, integer(5)), field(2, integer(10))];
        if !padata.is_empty() {
            parts.push(field(3, sequence(&padata)));
        }
        parts.push(field(4, body));
        element(super::der::tag::application(10), &sequence(&parts))
    }
}

fn pa_data(kind: i64, value: &[u8]) -> Vec<u8> {
    sequence(&[field(1, integer(kind)), field(2, octets(value))])
}

/// PA-ENC-TIMESTAMP with a key of a keytab; `None` if libkrb5 does not know the key's type.
fn proof(entry: &Entry, kdc_time: i64) -> Option<Vec<u8>> {
    let stamp = sequence(&[field(0, time(kdc_time)), field(1, integer(0))]);
    let cipher = ffi::encrypt(entry.enctype, &entry.key, Usage::Timestamp, &stamp)?;
    Some(sequence(&[field(0, integer(i64::from(entry.enctype))), field(2, octets(&cipher))]))
}

/// What a KDC's error number means, in words that name the question's subject.
pub fn error_text(code: i64) -> &'static str {
    match code {
        6 => "client not found in the Kerberos database",
        7 => "service not found in the Kerberos database",
        12 => "the KDC's policy refuses it",
        14 => "the KDC supports none of the encryption types",
        18 => "the principal is locked or disabled",
        23 => "the principal's key or password has expired",
        24 => "pre-authentication failed: another key",
        25 => "pre-authentication is required",
        37 => "the clocks differ too much",
        52 => "the answer is too long for UDP",
        68 => "this KDC does not serve the realm",
        _ => "another error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_a_kdc_request() {
        let question = Question {
            client: "zookeeper/zk1",
            service: "krbtgt/R",
            realm: "R",
            enctypes: &AES,
            proof: None,
            filler: 1500,
        };
        let bytes = question.encode(1_795_173_081);
        let mut der = super::super::der::Der(&bytes);
        let mut fields = der.expect(0x6a).unwrap().expect(0x30).unwrap();
        assert_eq!(fields.expect(0xa1).unwrap().integer(), Some(5));
        assert_eq!(fields.expect(0xa2).unwrap().integer(), Some(10));
        assert!(fields.optional(0xa3).is_some());
        let mut body = fields.expect(0xa4).unwrap().expect(0x30).unwrap();
        body.expect(0xa0).unwrap();
        assert_eq!(
            super::super::token::principal(body.expect(0xa1).unwrap()).as_deref(),
            Some("zookeeper/zk1")
        );
        assert!(bytes.len() > 1500);
    }
}
