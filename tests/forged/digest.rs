//! DIGEST-MD5: wrong secrets, others' names, answers to other challenges.
//!
//! # Invariants
//! * The client's half is the tests' own (`support/digest_md5.rs`): an honest answer is accepted first.

use crate::support::digest_md5::Answer;
use crate::table::{OWN, Table};
use oxkeeper::auth::Providers;
use oxkeeper::auth::names::NamePolicy;
use oxkeeper::auth::reason::Reason;
use oxkeeper::auth::sasl::{Login, Mechanism, Refusal};
use oxkeeper::config::Settings;
use oxkeeper::config::jaas::parse_jaas;
use oxkeeper::kerberos::digest_md5::{DigestConfig, Server, Step};
use std::sync::Arc;

/// The section of a server with two users.
pub const SECTION: &str = "Server { org.apache.zookeeper.server.auth.DigestLoginModule required \
                           user_bob=\"b secret\" user_super=\"s secret\"; };\n";

fn users() -> Arc<DigestConfig> {
    let mut jaas = parse_jaas(SECTION, &|_| None).expect("a section");
    let module = jaas.sections.remove(0).modules.remove(0);
    Arc::new(DigestConfig::of_clients(&module, None).expect("users"))
}

/// A server, and the challenge that it gave.
fn challenged(nonce: u8) -> (Server, Vec<u8>) {
    let mut server = Server::new(users(), [nonce; 24]);
    match server.step(Some(b"")) {
        Ok(Step::Challenge(challenge)) => (server, challenge),
        other => panic!("no challenge: {other:?}"),
    }
}

/// Who a token is: the user whose password it proves, by the name that ACLs know.
fn said(server: &mut Server, token: &[u8]) -> Result<Login, Refusal> {
    match server.step(Some(token))? {
        Step::Done { user, .. } => {
            let mut settings = Settings::default();
            settings.auth.kerberos_remove_realm_from_principal = true;
            let names = NamePolicy::new(&settings.auth, Some("ZK.TEST")).expect("a policy");
            let id = names.id(Mechanism::DigestMd5, &user)?;
            Ok(Login { mechanism: Mechanism::DigestMd5, principal: user, id, service: None, ends: None })
        }
        Step::Challenge(_) => panic!("a second challenge"),
    }
}

fn honest(user: &str, password: &str) -> Login {
    let (mut server, challenge) = challenged(1);
    said(&mut server, &Answer::to(&challenge, user, password).token()).expect("an honest answer")
}

pub fn cases(table: &mut Table) {
    assert_eq!(honest("bob", "b secret").id, "bob");
    // As Java: this user's id matches every entry of scheme sasl, and superUser may name it.
    let providers = Providers { sasl: true, super_users: vec!["super".into()], ..Providers::default() };
    let login = honest("super", "s secret");
    assert!(providers.matches("sasl", &login.id, "anybody@ELSE"));
    assert!(providers.login_identities(&login).iter().any(|id| id.scheme == "super"));

    changed(table);
    others(table);
}

type Change = fn(&mut Answer);

/// Answers that are honest but for one thing, and what they are refused for.
pub const CHANGES: &[(&str, Reason, Change)] = &[
    ("a wrong password", Reason::DigestRefused, |a| a.password = "b Secret".into()),
    ("an empty password", Reason::DigestRefused, |a| a.password.clear()),
    ("bob's password for super", Reason::DigestRefused, |a| take(a, "super")),
    ("an unknown user", Reason::DigestRefused, |a| take(a, "mallory")),
    ("another case", Reason::DigestRefused, |a| take(a, "Bob")),
    ("capitals", Reason::DigestRefused, |a| take(a, "BOB")),
    ("a space behind", Reason::DigestRefused, |a| take(a, "bob ")),
    ("the key of the section", Reason::DigestRefused, |a| take(a, "user_bob")),
    ("a realm in the name", Reason::DigestRefused, |a| take(a, "bob@ZK.TEST")),
    ("a Cyrillic letter", Reason::DigestRefused, |a| take(a, "b\u{43e}b")),
    ("no name", Reason::DigestRefused, |a| take(a, "")),
    ("another authorization id", Reason::SaslAuthzid, |a| a.authzid = Some("super".into())),
    ("an authorization id with a realm", Reason::SaslAuthzid, |a| a.authzid = Some("bob@ZK.TEST".into())),
    ("an authorization id in capitals", Reason::SaslAuthzid, |a| a.authzid = Some("BOB".into())),
    ("another realm", Reason::DigestMalformed, |a| a.realm = "ZK.TEST".into()),
    ("no realm", Reason::DigestMalformed, |a| a.realm.clear()),
    ("another nonce", Reason::DigestMalformed, |a| a.nonce = "AAAAAAAAAAAAAAAAAAAAAAAA".into()),
    ("no nonce", Reason::DigestMalformed, |a| a.nonce.clear()),
    ("another service", Reason::DigestMalformed, |a| a.uri = "kafka/zk-sasl-md5".into()),
    ("the service of servers", Reason::DigestMalformed, |a| {
        a.uri = "zookeeper-quorum/zk-quorum-sasl-md5".into();
    }),
    ("a second use of the nonce", Reason::DigestMalformed, |a| a.nc = "00000002".into()),
    ("a layer", Reason::DigestMalformed, |a| a.qop = "auth-int".into()),
    ("two names", Reason::DigestMalformed, |a| a.more = ",username=\"super\"".into()),
    ("two authorization ids", Reason::DigestMalformed, |a| a.more = ",authzid=\"super\"".into()),
];

/// Every change, at the functions.
fn changed(table: &mut Table) {
    for (case, reason, change) in CHANGES {
        let (mut server, challenge) = challenged(2);
        let mut answer = Answer::to(&challenge, "bob", "b secret");
        change(&mut answer);
        let came = said(&mut server, &answer.token()).map(|login| login.id);
        table.refused("digest-md5", case, *reason, came);
    }
}

fn take(answer: &mut Answer, user: &str) {
    answer.user = user.to_owned();
    answer.authzid = Some(user.to_owned());
}

/// What was heard elsewhere, or is no answer at all.
fn others(table: &mut Table) {
    let (mut first, challenge) = challenged(3);
    let recorded = Answer::to(&challenge, "bob", "b secret").token();
    assert!(said(&mut first, &recorded).is_ok());
    let again = said(&mut first, &recorded).map(|login| login.id);
    table.refused("digest-md5", "the same answer again", Reason::SaslSequence, again);
    let (mut second, challenge) = challenged(4);
    let came = said(&mut second, &recorded).map(|login| login.id);
    table.refused("digest-md5", "a recorded answer to a new challenge", Reason::DigestMalformed, came);
    let answer = Answer::to(&challenge, "bob", "b secret");
    let proofs = [("a proof of zeros", "0".repeat(32)), ("half a proof", answer.proof()[..16].to_owned())];
    for (case, proof) in proofs {
        let (mut server, challenge) = challenged(5);
        let token = Answer::to(&challenge, "bob", "b secret").token_with(&proof);
        let came = said(&mut server, &token).map(|login| login.id);
        table.refused("digest-md5", case, Reason::DigestRefused, came);
    }
    let (mut server, _) = challenged(6);
    let came = said(&mut server, b"rspauth=00000000000000000000000000000000").map(|login| login.id);
    table.refused("digest-md5", "the server's own message", Reason::DigestMalformed, came);
    let mut honest = Answer::to(&challenged(7).1, "bob", "b secret");
    honest.authzid = None;
    let (mut server, _) = challenged(7);
    let came = said(&mut server, &honest.token());
    let came = came.map_or_else(
        |r| r.reason.code().to_owned(),
        |login| {
            if login.id == "bob" { OWN.to_owned() } else { login.id }
        },
    );
    table.note("digest-md5", "no authorization id", OWN, came);
}
