//! What a KDC answers: an error with its number and clock, or a ticket.
//!
//! # Invariants
//!
//! * Total; lists inside are bounded by the answer's length, which the socket bounds.

use std::fmt;

use zeroize::Zeroizing;

use super::super::der::{Der, tag};
use super::super::ffi::{self, Usage};
use super::super::keytab::Entry;
use super::super::names;
use super::super::token::{Encrypted, encrypted};

/// PA-ETYPE-INFO2.
const ETYPE_INFO2: i64 = 19;
/// Encryption types that are remembered of one answer.
const ENCTYPES: usize = 32;
/// TicketFlags: renewable.
const RENEWABLE: u32 = 0x0080_0000;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// KRB-ERROR.
    Error(KdcError),
    /// AS-REP.
    Reply(Reply),
}

/// KRB-ERROR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KdcError {
    /// Its number (RFC 4120, 7.5.9).
    pub code: i64,
    /// The KDC's clock, seconds of Unix time.
    pub time: i64,
    /// Its text, if it has one; from a peer, not escaped.
    pub text: String,
    /// Encryption types of the client's keys, where the KDC names them.
    pub enctypes: Vec<i32>,
}

/// AS-REP.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// Number of the service's key, as the ticket names it.
    pub service_kvno: Option<u32>,
    /// Type of the service's key.
    pub service_enctype: i32,
    /// Number of the client's key.
    pub client_kvno: Option<u32>,
    /// Type of the client's key.
    pub client_enctype: i32,
    cipher: Vec<u8>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply(kvno {:?}, enctype {})", self.client_kvno, self.client_enctype)
    }
}

/// What the part under the client's key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketTimes {
    /// When the key or password ends, if it does; seconds of Unix time.
    pub key_ends: Option<i64>,
    /// The KDC's clock.
    pub authenticated: i64,
    /// When the ticket ends.
    pub ends: i64,
    /// Until when it can be renewed; `None` if it cannot.
    pub renew_till: Option<i64>,
}

impl Reply {
    /// Opens the client's part with a key of a keytab; `None` if it is another key.
    pub fn open(&self, key: &Entry) -> Option<TicketTimes> {
        let data = Encrypted { enctype: self.client_enctype, kvno: self.client_kvno, cipher: &self.cipher };
        if key.enctype != self.client_enctype {
            return None;
        }
        let plain: Zeroizing<Vec<u8>> = ffi::decrypt(&key.key, Usage::AsReply, &data)?;
        times(Der(&plain))
    }
}

/// Reads an answer; `None` if it is none.
pub fn read(bytes: &[u8]) -> Option<Answer> {
    let mut der = Der(bytes);
    match der.element()? {
        (t, mut inside) if t == tag::application(30) => {
            error(inside.expect(tag::SEQUENCE)?).map(Answer::Error)
        }
        (t, mut inside) if t == tag::application(11) => {
            reply(inside.expect(tag::SEQUENCE)?).map(Answer::Reply)
        }
        _ => None,
    }
}

fn error(mut fields: Der<'_>) -> Option<KdcError> {
    let mut found = KdcError { code: -1, time: 0, text: String::new(), enctypes: Vec::new() };
    while !fields.0.is_empty() {
        let (t, mut inside) = fields.element()?;
        match t {
            _ if t == tag::context(4) => found.time = inside.time()?,
            _ if t == tag::context(6) => found.code = inside.integer()?,
            _ if t == tag::context(11) => found.text = names::text(inside.string()?),
            // Not every error has a list of methods here: what cannot be read as one says nothing.
            _ if t == tag::context(12) => {
                found.enctypes = inside.octets().and_then(|data| methods(Der(data))).unwrap_or_default();
            }
            _ => {}
        }
    }
    (found.code >= 0).then_some(found)
}

/// METHOD-DATA: the encryption types of ETYPE-INFO2.
fn methods(mut der: Der<'_>) -> Option<Vec<i32>> {
    let mut methods = der.expect(tag::SEQUENCE)?;
    let mut found = Vec::new();
    while !methods.0.is_empty() {
        let mut method = methods.expect(tag::SEQUENCE)?;
        let kind = method.expect(tag::context(1))?.integer()?;
        let Some(mut value) = method.optional(tag::context(2)) else { continue };
        if kind != ETYPE_INFO2 {
            continue;
        }
        let mut list = Der(value.octets()?).expect(tag::SEQUENCE)?;
        while !list.0.is_empty() && found.len() < ENCTYPES {
            let mut entry = list.expect(tag::SEQUENCE)?;
            found.push(i32::try_from(entry.expect(tag::context(0))?.integer()?).ok()?);
        }
    }
    Some(found)
}

fn reply(mut fields: Der<'_>) -> Option<Reply> {
    fields.expect(tag::context(0))?;
    fields.expect(tag::context(1))?;
    fields.optional(tag::context(2));
    fields.expect(tag::context(3))?;
    fields.expect(tag::context(4))?;
    let mut ticket = fields.expect(tag::context(5))?.expect(tag::application(1))?.expect(tag::SEQUENCE)?;
    ticket.expect(tag::context(0))?;
    ticket.expect(tag::context(1))?;
    ticket.expect(tag::context(2))?;
    let service = encrypted(ticket.expect(tag::context(3))?)?;
    let client = encrypted(fields.expect(tag::context(6))?)?;
    Some(Reply {
        service_kvno: service.kvno,
        service_enctype: service.enctype,
        client_kvno: client.kvno,
        client_enctype: client.enctype,
        cipher: client.cipher.to_vec(),
    })
}

/// EncASRepPart; some KDCs write the tag of EncTGSRepPart.
fn times(mut der: Der<'_>) -> Option<TicketTimes> {
    let mut fields = match der.element()? {
        (t, inside) if t == tag::application(25) || t == tag::application(26) => inside,
        _ => return None,
    }
    .expect(tag::SEQUENCE)?;
    let (mut key_ends, mut authenticated, mut ends, mut renew, mut flags) = (None, 0, 0, None, 0_u32);
    while !fields.0.is_empty() {
        let (t, mut inside) = fields.element()?;
        match t {
            _ if t == tag::context(3) => key_ends = Some(inside.time()?).filter(|&t| t != 0),
            _ if t == tag::context(4) => {
                let bits = inside.expect(tag::BIT_STRING)?.0.get(1..5)?;
                flags = u32::from_be_bytes(bits.try_into().ok()?);
            }
            _ if t == tag::context(5) => authenticated = inside.time()?,
            _ if t == tag::context(7) => ends = inside.time()?,
            _ if t == tag::context(8) => renew = Some(inside.time()?),
            _ => {}
        }
    }
    let renew_till = renew.filter(|_| flags & RENEWABLE != 0);
    Some(TicketTimes { key_ends, authenticated, ends, renew_till })
}

#[cfg(test)]
mod tests {
    use super::super::encode::{element, field, integer, octets, sequence, string, time};
    use super::*;

    fn an_error() -> Vec<u8> {
        let info = sequence(&[sequence(&[field(0, integer(18))]), sequence(&[field(0, integer(17))])]);
        let other = sequence(&[field(1, integer(2)), field(2, octets(b""))]);
        let methods = sequence(&[other, sequence(&[field(1, integer(19)), field(2, octets(&info))])]);
        let fields = [
            field(0, integer(5)),
            field(1, integer(30)),
            field(4, time(1_795_173_081)),
            field(5, integer(7)),
            field(6, integer(25)),
            field(9, string("R")),
            field(11, string("NEEDED_PREAUTH")),
            field(12, octets(&methods)),
        ];
        element(tag::application(30), &sequence(&fields))
    }

    #[test]
    fn an_error_has_number_clock_and_types() {
        let Some(Answer::Error(error)) = read(&an_error()) else { panic!("no error") };
        assert_eq!((error.code, error.time), (25, 1_795_173_081));
        assert_eq!(error.enctypes, [18, 17]);
        assert_eq!(error.text, "NEEDED_PREAUTH");
    }

    #[test]
    fn cut_and_changed_answers_are_nothing_or_something_but_no_panic() {
        let whole = an_error();
        for at in 0..whole.len() {
            let cut = whole.get(..at).unwrap();
            assert_eq!(read(cut), None, "{at}");
            for value in [0, 0x7f, 0x80, 0xff] {
                let mut changed = whole.clone();
                *changed.get_mut(at).unwrap() = value;
                let _ = read(&changed);
            }
        }
    }
}
