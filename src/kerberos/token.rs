//! The first token of a GSSAPI client: its framing, and what an AP-REQ says in the clear.
//!
//! libgssapi reads the token again and decides; what is read here chooses the mechanism and tells the operator
//! which service, key number and encryption type a refused ticket was made for.
//!
//! # Invariants
//!
//! * Total; a token is bounded by [`crate::limits::SASL_TOKEN`] before it comes here.
//! * Nothing read here is proven: the service's name and key number of a ticket are not protected.

use super::der::{Der, tag};
use super::names;

/// 1.2.840.113554.1.2.2
pub(super) const KERBEROS: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
/// Mechanisms that are met in the field, by object identifier.
const OTHERS: [(&[u8], &str); 3] = [
    (b"\x2b\x06\x01\x05\x05\x02", "SPNEGO"),
    (b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a", "NTLM"),
    (b"\x2a\x86\x48\x82\xf7\x12\x01\x02\x02", "Microsoft's old Kerberos identifier"),
];
/// First byte of every framed GSSAPI token.
pub(super) const FRAMED: u8 = 0x60;
/// Token identifier of an AP-REQ (RFC 4121, 4.1).
const AP_REQ: [u8; 2] = [0x01, 0x00];
/// Components of a name that are looked at.
const COMPONENTS: usize = 8;

/// The readable part of an AP-REQ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApReq<'a> {
    /// Name of the service that the ticket was asked for, without realm, as krb5 prints it.
    pub service: String,
    /// Realm that issued the ticket.
    pub realm: String,
    /// The ticket under the service's key.
    pub ticket: Encrypted<'a>,
    /// The authenticator under the session key.
    pub authenticator: Encrypted<'a>,
}

/// Something encrypted, and with which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encrypted<'a> {
    /// Encryption type.
    pub enctype: i32,
    /// Number of the key, where the sender names it.
    pub kvno: Option<u32>,
    /// The bytes.
    pub cipher: &'a [u8],
}

/// Reads the first token of a client that speaks GSSAPI.
///
/// # Errors
///
/// What it is instead of a Kerberos 5 AP-REQ.
pub fn ap_req(token: &[u8]) -> Result<ApReq<'_>, &'static str> {
    let (mut outer, mut rest) = (Der(token), Der(token));
    let mut framed = outer.expect(FRAMED).ok_or("no GSSAPI framing")?;
    let mechanism = framed.expect(tag::OID).ok_or("no mechanism in the GSSAPI framing")?.0;
    if mechanism != KERBEROS {
        let known = OTHERS.iter().find(|(oid, _)| *oid == mechanism);
        return Err(known.map_or("a mechanism other than Kerberos 5", |(_, name)| name));
    }
    if !outer.0.is_empty() {
        return Err("bytes behind the GSSAPI token");
    }
    let (kind, inner) = framed.0.split_first_chunk::<2>().ok_or("an empty Kerberos token")?;
    if *kind != AP_REQ {
        return Err("a Kerberos token that is no AP-REQ");
    }
    rest.0 = inner;
    request(rest).ok_or("a malformed AP-REQ")
}

fn request(mut der: Der<'_>) -> Option<ApReq<'_>> {
    let mut fields = der.expect(tag::application(14))?.expect(tag::SEQUENCE)?;
    let version = fields.expect(tag::context(0))?.integer()?;
    let kind = fields.expect(tag::context(1))?.integer()?;
    fields.expect(tag::context(2))?.expect(tag::BIT_STRING)?;
    let mut ticket = fields.expect(tag::context(3))?;
    let authenticator = encrypted(fields.expect(tag::context(4))?)?;
    let mut ticket = ticket.expect(tag::application(1))?.expect(tag::SEQUENCE)?;
    ticket.expect(tag::context(0))?.integer()?;
    let realm = names::text(ticket.expect(tag::context(1))?.string()?);
    let service = principal(ticket.expect(tag::context(2))?)?;
    let ticket = encrypted(ticket.expect(tag::context(3))?)?;
    (version == 5 && kind == 14).then_some(ApReq { service, realm, ticket, authenticator })
}

/// EncryptedData.
pub(super) fn encrypted(mut der: Der<'_>) -> Option<Encrypted<'_>> {
    let mut fields = der.expect(tag::SEQUENCE)?;
    let enctype = i32::try_from(fields.expect(tag::context(0))?.integer()?).ok()?;
    let kvno = match fields.optional(tag::context(1)) {
        // Key numbers beyond 31 bits are written as negative ones by some.
        Some(mut number) => Some(number.integer()? as u32),
        None => None,
    };
    let cipher = fields.expect(tag::context(2))?.octets()?;
    Some(Encrypted { enctype, kvno, cipher })
}

/// PrincipalName, as krb5 prints it.
pub(super) fn principal(mut der: Der<'_>) -> Option<String> {
    let mut fields = der.expect(tag::SEQUENCE)?;
    fields.expect(tag::context(0))?.integer()?;
    let mut parts = fields.expect(tag::context(1))?.expect(tag::SEQUENCE)?;
    let mut components = Vec::new();
    while !parts.0.is_empty() {
        if components.len() == COMPONENTS {
            return None;
        }
        components.push(names::text(parts.string()?));
    }
    (!components.is_empty()).then(|| names::join(&components))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(tag: u8, inside: &[u8]) -> Vec<u8> {
        let length = u16::try_from(inside.len()).unwrap().to_be_bytes();
        [&[tag, 0x82], &length[..], inside].concat()
    }

    fn field(n: u8, inside: Vec<u8>) -> Vec<u8> {
        element(tag::context(n), &inside)
    }

    fn name(parts: &[&str]) -> Vec<u8> {
        let parts: Vec<u8> = parts.iter().flat_map(|p| element(tag::GENERAL_STRING, p.as_bytes())).collect();
        let fields = [field(0, element(tag::INTEGER, &[2])), field(1, element(tag::SEQUENCE, &parts))];
        element(tag::SEQUENCE, &fields.concat())
    }

    fn data(enctype: u8, kvno: Option<u8>) -> Vec<u8> {
        let mut fields = field(0, element(tag::INTEGER, &[enctype]));
        fields.extend(kvno.into_iter().flat_map(|n| field(1, element(tag::INTEGER, &[n]))));
        fields.extend(field(2, element(tag::OCTETS, b"secret")));
        element(tag::SEQUENCE, &fields)
    }

    /// An AP-REQ for `service`, framed for `mechanism`.
    fn token(mechanism: &[u8], service: &[&str]) -> Vec<u8> {
        let integer = |n: u8| element(tag::INTEGER, &[n]);
        let ticket = [
            field(0, integer(5)),
            field(1, element(tag::GENERAL_STRING, b"ZK.TEST")),
            field(2, name(service)),
            field(3, data(18, Some(7))),
        ];
        let ticket = element(tag::application(1), &element(tag::SEQUENCE, &ticket.concat()));
        let bits = element(tag::BIT_STRING, &[0, 0, 0, 0, 0]);
        let request = [
            field(0, integer(5)),
            field(1, integer(14)),
            field(2, bits),
            field(3, ticket),
            field(4, data(17, None)),
        ];
        let request = element(tag::application(14), &element(tag::SEQUENCE, &request.concat()));
        element(FRAMED, &[element(tag::OID, mechanism), AP_REQ.to_vec(), request].concat())
    }

    #[test]
    fn the_readable_part_of_an_ap_req_is_read() {
        let token = token(KERBEROS, &["zookeeper", "zk1/x"]);
        let read = ap_req(&token).unwrap();
        assert_eq!((read.service.as_str(), read.realm.as_str()), ("zookeeper/zk1\\/x", "ZK.TEST"));
        assert_eq!((read.ticket.enctype, read.ticket.kvno, read.authenticator.kvno), (18, Some(7), None));
        for end in 0..token.len() {
            assert!(ap_req(&token[..end]).is_err(), "cut at {end}");
        }
        assert_eq!(ap_req(&[&token[..], b"x"].concat()), Err("bytes behind the GSSAPI token"));
    }

    #[test]
    fn other_mechanisms_are_named() {
        assert_eq!(ap_req(&token(OTHERS[0].0, &["zookeeper"])), Err("SPNEGO"));
        assert_eq!(ap_req(&token(b"\x2a\x03", &["zookeeper"])), Err("a mechanism other than Kerberos 5"));
        assert_eq!(ap_req(b"realm=x"), Err("no GSSAPI framing"));
        assert_eq!(ap_req(&token(KERBEROS, &[])), Err("a malformed AP-REQ"));
    }
}
