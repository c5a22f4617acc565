//! Opening an AP-REQ beside libgssapi: who sent it, when by his clock, and how long the ticket lasts.
//!
//! libgssapi decides and tells none of this, neither for those that it accepts (the skew of clients is a metric) nor
//! for those that it refuses (how far is the clock off, when did the ticket end, whose was it).
//!
//! # Invariants
//!
//! * What is opened explains and measures; it never lets anybody in.
//! * Session keys are overwritten when they are dropped.

use super::der::{Der, tag};
use super::ffi::{Usage, decrypt};
use super::keytab::{Entry, Keytab};
use super::names;
use super::token::{ApReq, Encrypted, principal};

/// What stands in a ticket and its authenticator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// Whose ticket it is.
    pub client: String,
    /// Key that opened it: principal and number.
    pub service: String,
    /// See `service`.
    pub kvno: u32,
    /// When it begins to be valid, seconds of Unix time.
    pub begins: i64,
    /// When it ends.
    pub ends: i64,
    /// When the client made the authenticator by its own clock, milliseconds of Unix time; none if that part
    /// does not open with the ticket's session key.
    pub stamped_ms: Option<i64>,
}

/// Opens an AP-REQ with a key of `keytab`; the one that the ticket names is tried first.
pub(super) fn open(request: &ApReq<'_>, keytab: &Keytab) -> Option<Opened> {
    let mut keys: Vec<&Entry> = keytab.of_type(request.ticket.enctype).collect();
    keys.sort_by_key(|e| (Some(e.kvno) != request.ticket.kvno, e.name != request.service));
    keys.into_iter().find_map(|entry| {
        let plain = decrypt(&entry.key, Usage::Ticket, &request.ticket)?;
        ticket(Der(&plain), entry, &request.authenticator)
    })
}

/// EncTicketPart.
fn ticket(mut der: Der<'_>, entry: &Entry, sealed: &Encrypted<'_>) -> Option<Opened> {
    let mut fields = der.expect(tag::application(3))?.expect(tag::SEQUENCE)?;
    fields.expect(tag::context(0))?;
    let mut key = fields.expect(tag::context(1))?.expect(tag::SEQUENCE)?;
    let enctype = i32::try_from(key.expect(tag::context(0))?.integer()?).ok()?;
    let session = key.expect(tag::context(1))?.octets()?;
    let realm = names::text(fields.expect(tag::context(2))?.string()?);
    let client = names::full(&principal(fields.expect(tag::context(3))?)?, &realm);
    fields.expect(tag::context(4))?;
    let authenticated = fields.expect(tag::context(5))?.time()?;
    let begins = fields.optional(tag::context(6)).and_then(|mut time| time.time()).unwrap_or(authenticated);
    let ends = fields.expect(tag::context(7))?.time()?;
    let sealed = Encrypted { enctype, ..*sealed };
    let stamped_ms =
        decrypt(session, Usage::Authenticator, &sealed).and_then(|plain| authenticator(Der(&plain)));
    Some(Opened { client, service: entry.principal(), kvno: entry.kvno, begins, ends, stamped_ms })
}

/// Authenticator: its time, milliseconds.
fn authenticator(mut der: Der<'_>) -> Option<i64> {
    let mut fields = der.expect(tag::application(2))?.expect(tag::SEQUENCE)?;
    for field in 0..=2 {
        fields.expect(tag::context(field))?;
    }
    fields.optional(tag::context(3));
    let micros = fields.expect(tag::context(4))?.integer()?;
    let seconds = fields.expect(tag::context(5))?.time()?;
    Some(seconds * 1000 + micros.clamp(0, 999_999) / 1000)
}

/// A difference of clocks in words: `412 s ahead of`.
pub(super) fn in_words(ms: i64) -> String {
    let seconds = ms.unsigned_abs() / 1000;
    if ms >= 0 { format!("{seconds} s ahead of") } else { format!("{seconds} s behind") }
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn a_difference_has_a_direction() {
        assert_eq!(in_words(412_900), "412 s ahead of");
        assert_eq!(in_words(-400_001), "400 s behind");
    }
}
