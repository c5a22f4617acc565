//! Exchanges of both sides with each other and with what Java was recorded to say.

use super::client::{Client, ClientStep, Login};
use super::server::{Server, Step};
use super::{CLIENTS, DigestConfig, NONCE_BYTES, QUORUM, forbidden};
use crate::auth::reason::Reason;
use crate::config::jaas::{LoginModule, parse_jaas};
use crate::config::settings::Secret;
use proptest::prelude::*;
use std::sync::Arc;

fn module(options: &str) -> LoginModule {
    let text = format!("S {{ org.apache.zookeeper.server.auth.DigestLoginModule required {options}; }};");
    parse_jaas(&text, &|_| None).unwrap().sections.remove(0).modules.remove(0)
}

fn users() -> Arc<DigestConfig> {
    Arc::new(DigestConfig::of_clients(&module("user_bob=\"secret\" user_super=\"s\""), None).unwrap())
}

fn server() -> Server {
    Server::new(users(), [7; NONCE_BYTES])
}

fn client(user: &str, password: &str) -> Client {
    let login = Login { user: user.into(), password: Secret::new(password), names: CLIENTS };
    Client::new(login, [9; NONCE_BYTES])
}

fn sent(step: ClientStep) -> Vec<u8> {
    match step {
        ClientStep::Send(token) => token,
        ClientStep::Done => panic!("nothing to send"),
    }
}

/// The client's answer to the server's challenge, as text.
fn answer(server: &mut Server, user: &str, password: &str) -> String {
    let mut client = client(user, password);
    let first = sent(client.step(None).unwrap());
    let Step::Challenge(challenge) = server.step(Some(&first)).unwrap() else { panic!("no challenge") };
    String::from_utf8(sent(client.step(Some(&challenge)).unwrap())).unwrap()
}

fn reason(server: &mut Server, answer: &str) -> Reason {
    server.step(Some(answer.as_bytes())).unwrap_err().reason
}

#[test]
fn both_sides_log_in_and_prove_themselves() {
    for (user, password) in [("bob", "secret"), ("super", "s")] {
        let (mut server, mut client) = (server(), client(user, password));
        let first = sent(client.step(None).unwrap());
        assert!(first.is_empty());
        let Step::Challenge(challenge) = server.step(Some(&first)).unwrap() else { panic!("no challenge") };
        let answer = sent(client.step(Some(&challenge)).unwrap());
        let Step::Done { user: who, last } = server.step(Some(&answer)).unwrap() else { panic!("no end") };
        assert_eq!(who, user);
        assert_eq!(client.step(Some(&last)), Ok(ClientStep::Done));
    }
}

/// Java 3.9.5's client and server, recorded in tests/data/wire/setting-sasl.txt.
#[test]
fn tokens_are_javas() {
    let text = include_str!("../../../tests/data/wire/setting-sasl.txt");
    let tokens: Vec<String> = text
        .lines()
        .filter_map(|l| l.split_once("token=x'").or_else(|| l.split_once("token=\"rsp")))
        .map(|(_, rest)| {
            let digits = rest.trim_end_matches('\'').as_bytes();
            let hex = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).ok();
            match digits.chunks(2).map(hex).collect::<Option<Vec<u8>>>() {
                Some(bytes) => String::from_utf8(bytes).unwrap(),
                None => format!("rsp{}", rest.trim_end_matches('"')),
            }
        })
        .collect();
    let [challenge, answer, last] = tokens.as_slice() else { panic!("{tokens:?}") };
    let inside = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("{name}=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let mut client = client("bob", "secret");
    client.cnonce = inside(answer, "cnonce");
    client.step(None).unwrap();
    let ours = sent(client.step(Some(challenge.as_bytes())).unwrap());
    assert_eq!(String::from_utf8(ours).unwrap(), *answer);
    assert_eq!(client.step(Some(last.as_bytes())), Ok(ClientStep::Done));

    let mut server = server();
    server.nonce = inside(challenge, "nonce");
    assert_eq!(server.step(Some(b"")), Ok(Step::Challenge(challenge.clone().into_bytes())));
    let done = Step::Done { user: "bob".into(), last: last.clone().into_bytes() };
    assert_eq!(server.step(Some(answer.as_bytes())), Ok(done));
}

#[test]
fn unknown_users_and_wrong_passwords_are_refused_alike() {
    let refusal = |user: &str, password: &str| {
        let mut server = server();
        let answer = answer(&mut server, user, password);
        server.step(Some(answer.as_bytes())).unwrap_err()
    };
    let (wrong, unknown) = (refusal("bob", "geheim"), refusal("rob", "secret"));
    assert_eq!(wrong.reason, Reason::DigestRefused);
    assert_eq!((wrong.reason, &wrong.detail), (unknown.reason, &unknown.detail));
    assert_eq!(wrong.who.as_deref(), Some("bob"));
    // The hash behind unknown names opens nothing.
    assert_eq!(refusal("\n", "\n").reason, Reason::DigestMalformed);
    assert_eq!(refusal("", "\n").reason, Reason::DigestRefused);
}

#[test]
fn a_challenge_serves_once() {
    let mut server = server();
    let good = answer(&mut server, "bob", "secret");
    assert!(server.step(Some(good.as_bytes())).is_ok());
    assert_eq!(reason(&mut server, &good), Reason::SaslSequence);

    let mut again = super::tests::server();
    let wrong = answer(&mut again, "bob", "wrong");
    assert_eq!(reason(&mut again, &wrong), Reason::DigestRefused);
    assert_eq!(reason(&mut again, &good), Reason::SaslSequence);

    let mut other = Server::new(users(), [8; NONCE_BYTES]);
    other.step(None).unwrap();
    assert_eq!(reason(&mut other, &good), Reason::DigestMalformed);
    let mut early = super::tests::server();
    assert_eq!(reason(&mut early, &good), Reason::SaslSequence);
}

#[test]
fn answers_that_do_not_fit_are_refused() {
    for (from, to, want) in [
        ("realm=\"zk-sasl-md5\"", "realm=\"other\"", Reason::DigestMalformed),
        ("realm=\"zk-sasl-md5\",", "", Reason::DigestMalformed),
        ("username=\"bob\",", "", Reason::DigestMalformed),
        ("username=\"bob\"", "username=\"bob\",username=\"super\"", Reason::DigestMalformed),
        ("nc=00000001", "nc=00000002", Reason::DigestMalformed),
        ("qop=auth", "qop=auth-int", Reason::DigestMalformed),
        ("charset=utf-8", "charset=utf-16", Reason::DigestMalformed),
        ("zookeeper/zk", "zookeeper-quorum/zk", Reason::DigestMalformed),
        ("digest-uri=\"zookeeper/", "digest-uri=\"ZooKeeper/", Reason::DigestRefused),
        ("authzid=\"bob\"", "authzid=\"super\"", Reason::DigestRefused),
        ("cnonce=\"", "cnonce=\"x", Reason::DigestRefused),
        ("response=", "response=0", Reason::DigestRefused),
        ("username=\"bob\"", "username=\"BOB\"", Reason::DigestRefused),
        ("username=\"bob\"", "username=\"super\"", Reason::DigestRefused),
    ] {
        let mut server = server();
        let good = answer(&mut server, "bob", "secret");
        assert!(good.contains(from), "{from}");
        assert_eq!(reason(&mut server, &good.replace(from, to)), want, "{from} -> {to}");
    }
}

/// A proof that was made for an authzid of somebody else is a proof, but no licence.
#[test]
fn nobody_logs_in_as_somebody_else() {
    let mut server = server();
    let mut forger = client("bob", "secret");
    forger.step(None).unwrap();
    let Step::Challenge(challenge) = server.step(None).unwrap() else { panic!("no challenge") };
    let honest = String::from_utf8(sent(forger.step(Some(&challenge)).unwrap())).unwrap();
    let nonce = server.nonce.clone();
    let ha1 = super::hash::Ha1::of("bob", CLIENTS.host, "secret").unwrap();
    let said = |authzid: Option<&'static [u8]>| super::hash::Said {
        nonce: nonce.as_bytes(),
        cnonce: forger.cnonce.as_bytes(),
        uri: b"zookeeper/zk-sasl-md5",
        authzid,
    };
    let text = |proof: [u8; 32]| String::from_utf8(proof.to_vec()).unwrap();
    let (own, forged) = (
        text(said(Some(b"bob")).response(&ha1).unwrap()),
        text(said(Some(b"super")).response(&ha1).unwrap()),
    );
    let token = honest.replace("authzid=\"bob\"", "authzid=\"super\"").replace(&own, &forged);
    assert_eq!(reason(&mut server, &token), Reason::SaslAuthzid);
    // Without an authzid (kazoo) the user is who it is.
    let mut server = super::tests::server();
    server.step(None).unwrap();
    let without = text(said(None).response(&ha1).unwrap());
    let token = honest.replace(",authzid=\"bob\"", "").replace(&own, &without);
    assert!(matches!(server.step(Some(token.as_bytes())), Ok(Step::Done { user, .. }) if user == "bob"));
}

#[test]
fn a_server_that_does_not_know_the_password_is_not_believed() {
    let mut client = client("bob", "secret");
    client.step(None).unwrap();
    let Step::Challenge(challenge) = server().step(None).unwrap() else { panic!("no challenge") };
    client.step(Some(&challenge)).unwrap();
    let lie = format!("rspauth={}", "0".repeat(32));
    assert_eq!(client.step(Some(lie.as_bytes())).unwrap_err().reason, Reason::DigestRefused);
    for wrong in
        ["nonce=\"a\"", "algorithm=md5,nonce=\"a\"", "algorithm=md5-sess,nonce=\"a\",qop=\"auth-conf\"", ""]
    {
        let mut client = super::tests::client("bob", "secret");
        client.step(None).unwrap();
        assert_eq!(
            client.step(Some(wrong.as_bytes())).unwrap_err().reason,
            Reason::DigestMalformed,
            "{wrong}"
        );
    }
}

#[test]
fn sections_are_read_as_java_reads_them() {
    let config = users();
    assert_eq!((config.len(), config.has_super(), config.is_empty()), (2, true, false));
    let over = DigestConfig::of_clients(&module("user_super=\"s\""), Some(&Secret::new("other"))).unwrap();
    let mut server = Server::new(Arc::new(over), [1; NONCE_BYTES]);
    let answer = answer(&mut server, "super", "other");
    assert!(server.step(Some(answer.as_bytes())).is_ok());
    let none = DigestConfig::of_clients(&module("user_bob=\"s\""), Some(&Secret::new("other"))).unwrap();
    assert!(!none.has_super());
    for wrong in ["user_=\"x\"", "\"user_bob@R\"=\"x\"", "\"user_a\\tb\"=\"x\""] {
        assert!(DigestConfig::of_clients(&module(wrong), None).is_err(), "{wrong}");
    }
    assert!(!format!("{config:?}").contains("secret"));
    assert_eq!(DigestConfig::of_quorum(&module("user_a=\"x\"")).unwrap().names, QUORUM);
}

#[test]
fn fips_mode_counts_when_it_was_written() {
    assert!(forbidden(Some(true)));
    assert_eq!(forbidden(Some(false)), cfg!(feature = "fips"));
    assert_eq!(forbidden(None), cfg!(feature = "fips"));
}

proptest! {
    #[test]
    fn no_token_breaks_either_side(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut server = server();
        server.step(None).unwrap();
        prop_assert!(server.step(Some(&bytes)).is_err());
        let mut client = client("bob", "secret");
        client.step(None).unwrap();
        let _ = client.step(Some(&bytes));
        prop_assert!(client.step(Some(&bytes)).is_err());
    }

    #[test]
    fn one_changed_byte_is_refused(at in 0usize..260, change in 1u8..=255) {
        let mut server = server();
        let mut token = answer(&mut server, "bob", "secret").into_bytes();
        let at = at % token.len();
        let harmless = String::from_utf8_lossy(&token).find("maxbuf").unwrap();
        prop_assume!(!(harmless..harmless + 13).contains(&at));
        // The case of directives' names and of the digest-uri's letters is free; the latter is hashed.
        prop_assume!(!token[at].eq_ignore_ascii_case(&(token[at] ^ change)));
        token[at] ^= change;
        let refused = server.step(Some(&token)).is_err();
        let text = String::from_utf8_lossy(&token).into_owned();
        // A name that nobody reads may be anything; what it named is then missing or optional.
        let optional = !text.contains("qop=") || !text.contains("charset=") || text.contains(", ") || text.contains(",,");
        prop_assert!(refused || optional, "{text}");
    }
}
