//! Failure replies, byte for byte: the same frames to Java and to ours.

use crate::need;
use crate::site::{PROVIDER, Site, logged, start};
use crate::support::server::{Kind, Server, Spec};
use crate::wire::Wire;
use oxkeeper::jute::Reader;
use oxkeeper::proto::OpCode;
use std::io::Read;

/// What came back for a token: code and token of the reply, and whether the connection closed behind it.
type Answer = (i32, Option<Vec<u8>>, bool);

fn token(server: &Server, token: &[u8]) -> Answer {
    let mut client = Wire::connect(server.port(), 10_000).expect("a session");
    let mut out = Vec::new();
    client.put(&mut out, OpCode::Sasl, |w| w.buffer(Some(token)));
    client.send(&out).expect("sent");
    let reply = client.reply().expect("a reply");
    let sent = Reader::new(&reply.body).buffer().expect("a token").map(<[u8]>::to_vec);
    (reply.err, sent, closes(client))
}

/// Is nothing more to come? A ping tells an open connection.
fn closes(mut client: Wire) -> bool {
    let mut out = Vec::new();
    client.put(&mut out, OpCode::Ping, |_| {});
    if client.send(&out).is_err() {
        return true;
    }
    let mut byte = [0];
    !matches!(client.stream().read(&mut byte), Ok(1))
}

fn get(server: &Server) -> (i32, bool) {
    let mut client = Wire::connect(server.port(), 10_000).expect("a session");
    let mut out = Vec::new();
    client.put(&mut out, OpCode::GetData, |w| {
        w.string(Some("/"));
        w.bool(false);
    });
    client.send(&out).expect("sent");
    let err = client.reply().expect("a reply").err;
    (err, closes(client))
}

fn on_both(spec: &Spec, ask: impl Fn(&Server) -> Vec<Answer>) -> Vec<Answer> {
    let control = ask(&start(Kind::Java395, spec));
    let ours = start(Kind::Oxkeeper, spec);
    assert_eq!(ask(&ours), control, "{}", ours.log());
    control
}

#[test]
fn a_refused_token_is_answered_as_java_does() {
    let site = need!("failure replies", Site::new("FAIL.TEST", &[]));
    let garbage = |server: &Server| vec![token(server, b"garbage")];
    assert_eq!(on_both(&site.spec(), garbage), [(-115, None, true)]);
    let kept = site.spec().cfg("allowSaslFailedClients=true");
    assert_eq!(on_both(&kept, garbage), [(0, None, false)]);
    let required = site.spec().cfg("sessionRequireClientSASLAuth=true");
    let both = |server: &Server| {
        let (err, closed) = get(server);
        vec![token(server, b"garbage"), (err, None, closed)]
    };
    assert_eq!(on_both(&required, both), [(-124, None, true), (-124, None, true)]);
    let enforced = site.spec().cfg("enforce.auth.enabled=true").cfg("enforce.auth.schemes=digest,sasl");
    assert_eq!(on_both(&enforced, both), [(-124, None, true), (-124, None, true)]);
}

#[test]
fn without_a_login_a_token_is_answered_by_none() {
    let ask = |server: &Server| vec![token(server, b""), token(server, b"garbage")];
    assert_eq!(on_both(&Spec::new().cfg(PROVIDER), ask), [(0, None, false), (0, None, false)]);
}

#[test]
fn another_ensemble_closes_without_a_word() {
    let provider = "authProvider.2=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider";
    let spec = Spec::new().cfg(provider).flag("-Dzookeeper.ensembleAuthName=one,two");
    let ask = |server: &Server| {
        let say = |name: &str| {
            let mut client = Wire::connect(server.port(), 10_000).expect("a session");
            let mut out = Vec::new();
            client.put(&mut out, OpCode::Auth, |w| {
                w.i32(0);
                w.string(Some("ensemble"));
                w.buffer(Some(name.as_bytes()));
            });
            client.send(&out).expect("sent");
            match client.reply() {
                Ok(reply) => (reply.err, None, closes(client)),
                Err(_) => (1, None, true),
            }
        };
        vec![say("two"), say(""), say("three")]
    };
    assert_eq!(on_both(&spec, ask), [(0, None, false), (0, None, false), (1, None, true)]);
}

#[test]
fn a_refusal_is_one_line_with_code_cause_and_cure() {
    let site = need!("the log line of a refusal", Site::new("LINE.TEST", &[]));
    let server = start(Kind::Oxkeeper, &site.spec());
    token(&server, b"garbage");
    let log = logged(&server, "KRB_BAD_TOKEN");
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("KRB_BAD_TOKEN")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    for part in ["refused: ", "session=0x", "peer=127.0.0.1:", "reason=\"KRB_BAD_TOKEN\""] {
        assert!(lines[0].contains(part), "{part} in {}", lines[0]);
    }
}
