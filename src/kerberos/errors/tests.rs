//! Every code of libkrb5 that a client can cause, and what becomes of it.
//!
//! # Invariants
//!
//! * As of the module under test.

use libgssapi::error::MajorFlags;

use super::super::token::Encrypted;
use super::*;

const FAILURE: u32 = 13 << 16;
const SERVICE: &str = "zookeeper/zk1";

fn request(service: &str, kvno: u32, enctype: i32) -> ApReq<'static> {
    let sealed = Encrypted { enctype, kvno: Some(kvno), cipher: b"sealed" };
    ApReq { service: service.to_owned(), realm: "R".to_owned(), ticket: sealed, authenticator: sealed }
}

/// Keys 3 and 4 of the service, of type 18.
fn keytab() -> Keytab {
    let key = |kvno| Entry {
        name: SERVICE.to_owned(),
        realm: "R".to_owned(),
        written: 0,
        kvno,
        enctype: 18,
        key: Default::default(),
    };
    Keytab { entries: vec![key(3), key(4)], holes: 0 }
}

fn opened(stamped_ms: Option<i64>) -> Opened {
    let (client, service) = ("alice@R".to_owned(), SERVICE.to_owned());
    Opened { client, service, kvno: 4, begins: 2000, ends: 900, stamped_ms }
}

struct Given<'a> {
    major: u32,
    minor: i32,
    request: ApReq<'static>,
    keytab: Result<&'a Keytab, &'a str>,
    opened: Option<Opened>,
}

fn explain(given: &Given<'_>) -> No {
    let error = Error { major: MajorFlags::from_bits_retain(given.major), minor: given.minor as u32 };
    let (request, keytab, opened) = (&given.request, given.keytab, given.opened.as_ref());
    Case { error, request, keytab, opened, now_ms: 1_000_000 }.explain()
}

fn refused(no: No) -> (Reason, String) {
    match no {
        No::Refused(refusal) => (refusal.reason, refusal.detail),
        No::Broken(refusal) => panic!("not the client's fault: {refusal:?}"),
    }
}

fn broken(no: No) -> (Reason, String) {
    match no {
        No::Broken(refusal) => (refusal.reason, refusal.detail),
        No::Refused(refusal) => panic!("the client's fault: {refusal:?}"),
    }
}

#[test]
fn codes_have_their_reasons() {
    let keytab = keytab();
    let given = |major, minor, opened| Given {
        major,
        minor,
        request: request(SERVICE, 4, 18),
        keytab: Ok(&keytab),
        opened,
    };
    let reason = |major, minor| refused(explain(&given(major, minor, None))).0;
    for (minor, wanted) in [
        (krb5::SKEW, Reason::KrbSkew),
        (krb5::REPEAT, Reason::KrbReplay),
        (krb5::RC_REPLAY, Reason::KrbReplay),
        (krb5::TKT_EXPIRED, Reason::KrbTicketExpired),
        (krb5::TKT_NYV, Reason::KrbTicketEarly),
        (krb5::ILL_CR_TKT, Reason::KrbTransit),
        (krb5::NOPERM_ETYPE, Reason::KrbEnctype),
        (krb5::BAD_INTEGRITY, Reason::KrbWrongKey),
        (krb5::BADMATCH, Reason::KrbBadToken),
        (krb5::MSG_TYPE, Reason::KrbBadToken),
        (-1, Reason::KrbOther),
        (0, Reason::KrbOther),
    ] {
        assert_eq!(reason(FAILURE, minor), wanted, "{minor}");
    }
    assert_eq!(reason(routine::DEFECTIVE_TOKEN << 16, 0), Reason::KrbBadToken);
    assert_eq!(reason(routine::CREDENTIALS_EXPIRED << 16, 0), Reason::KrbTicketExpired);
    // The replay cache and other files are ours.
    for minor in [*krb5::RC.start(), 2, 13, 28] {
        assert_eq!(broken(explain(&given(FAILURE, minor, None))).0, Reason::KrbOther, "{minor}");
    }
    let text = |minor, stamped| refused(explain(&given(FAILURE, minor, Some(opened(stamped))))).1;
    assert!(text(krb5::SKEW, Some(1_412_000)).starts_with("client clock is 412 s ahead of this server's"));
    assert!(
        text(krb5::TKT_EXPIRED, None).starts_with("the ticket ended 100 s ago; ticket for zookeeper/zk1@R")
    );
    assert!(text(krb5::TKT_NYV, None).starts_with("the ticket begins in 1000 s"));
}

#[test]
fn a_missing_key_is_told_with_what_there_is() {
    let keytab = keytab();
    let case = |service: &str, kvno, enctype, opened| {
        let request = request(service, kvno, enctype);
        explain(&Given { major: FAILURE, minor: krb5::BADKEYVER, request, keytab: Ok(&keytab), opened })
    };
    let (reason, text) = refused(case("zookeeper/zk2", 4, 18, None));
    assert_eq!(reason, Reason::KrbWrongService);
    assert!(text.contains("zookeeper/zk2@R") && text.ends_with("the keytab has zookeeper/zk1@R"), "{text}");
    assert_eq!(refused(case(SERVICE, 2, 18, None)).0, Reason::KrbNoKey, "an old key");
    assert_eq!(broken(case(SERVICE, 5, 18, None)).0, Reason::KrbNoKey, "a newer key: the keytab is behind");
    let (reason, text) = refused(case(SERVICE, 4, 17, None));
    assert_eq!(reason, Reason::KrbNoKey, "another type");
    assert!(
        text.contains("kvno 4, aes128") && text.contains("kvno 3 aes256-cts-hmac-sha1-96, kvno 4"),
        "{text}"
    );
    assert_eq!(refused(case(SERVICE, 4, 18, None)).0, Reason::KrbWrongKey);
    assert_eq!(refused(case(SERVICE, 4, 18, Some(opened(None)))).0, Reason::KrbBadToken);
    assert_eq!(refused(case(SERVICE, 4, 18, Some(opened(Some(0))))).0, Reason::KrbEnctype);
    let request = request(SERVICE, 4, 18);
    let gone = Given { major: FAILURE, minor: krb5::NOKEY, request, keytab: Err("gone"), opened: None };
    assert_eq!(broken(explain(&gone)), (Reason::KrbKeytab, "gone".to_owned()));
}
