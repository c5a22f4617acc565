//! The recorded clients once more, against Oxkeeper: it answers frame for frame what the Java server answered.
//!
//! # Invariants
//!
//! * Only what a server draws by itself may differ: times, session ids and passwords, the order of children and of
//!   identities. Zxids, versions, codes, order of replies and events, and closes are the same.

use crate::golden::{Frame, recording};
use crate::replies;
use crate::show;
use crate::support::{Server, Spec, ox};
use oxkeeper::proto::{ConnectRequest, ConnectResponse};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Recorded session: ours.
type Sessions = BTreeMap<i64, (i64, Vec<u8>)>;

fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body)?;
    Ok(body)
}

/// The frame to send: a renewal is one of our session, unless it is meant to be refused.
fn outgoing(f: &Frame, sessions: &Sessions) -> Vec<u8> {
    if f.name != "connect" {
        return f.bytes.clone();
    }
    let mut request = ConnectRequest::decode(f.body()).expect("a recorded frame");
    let plain_refusal = request.password == b"wrongwrongwrong!";
    if let Some((id, password)) = sessions.get(&request.session_id) {
        request.session_id = *id;
        if !plain_refusal {
            request.password.clone_from(password);
        }
        let mut out = Vec::new();
        request.encode(&mut out);
        return out;
    }
    f.bytes.clone()
}

/// What may differ, taken out; the lists without an order sorted.
fn comparable(shown: &str, sessions: &Sessions) -> String {
    let mut text = shown.to_owned();
    for (theirs, (ours, _)) in sessions {
        text = text.replace(&format!("{ours:#x}"), &format!("{theirs:#x}"));
    }
    for field in ["ctime=", "mtime="] {
        let parts: Vec<&str> = text.split(field).collect();
        let timeless = |p: &&str| p.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned();
        let rest: Vec<String> = parts.iter().skip(1).map(timeless).collect();
        text = std::iter::once(parts[0].to_owned()).chain(rest).collect::<Vec<_>>().join(field);
    }
    for field in ["children=[", "clientInfo=[", "ephemerals=["] {
        text = sorted(&text, field);
    }
    text
}

fn sorted(text: &str, field: &str) -> String {
    let mut parts = text.split(field);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (list, rest) = part.split_once(']').unwrap_or((part, ""));
        let mut items: Vec<&str> = list.split(", ").collect();
        items.sort_unstable();
        out += &format!("{field}{}]{rest}", items.join(", "));
    }
    out
}

/// Servers before 3.9 sent -1 with a notification, 3.9 the transaction's zxid.
fn without_event_zxid(shown: &str) -> String {
    match shown.strip_prefix("xid=-1 zxid=").and_then(|rest| rest.split_once(' ')) {
        Some((_, rest)) => rest.to_owned(),
        None => shown.to_owned(),
    }
}

/// Replays one recording; `old` is one of a server before 3.9.
fn replay(server: &Server, name: &str, sessions: &mut Sessions, old: bool) -> usize {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    let mut streams: BTreeMap<u32, TcpStream> = BTreeMap::new();
    let mut compared = 0;
    for f in recording(name) {
        let place = &f.place;
        if f.from_client {
            let stream = streams.entry(f.connection).or_insert_with(|| {
                let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the server listens");
                stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
                stream
            });
            // A server that has closed need not take what comes behind.
            let _ = stream.write_all(&outgoing(&f, sessions));
            continue;
        }
        let stream = streams.get_mut(&f.connection).expect("a connection");
        let mut received = receive(stream);
        // Before 3.9 a second persistent watch on a path replaced the first: there were fewer events.
        while old && f.name != "notification" && received.as_ref().is_ok_and(|b| b.starts_with(&[0xff; 4])) {
            received = receive(stream);
        }
        compared += 1;
        if f.name == "closed" {
            let over = received.expect_err(&format!("{place}: not closed"));
            assert_ne!(over.kind(), io::ErrorKind::WouldBlock, "{place}: still open");
            continue;
        }
        let body = received.unwrap_or_else(|e| panic!("{place}: {} {}: {e}", f.name, f.fields));
        if f.name == "connected" {
            connected(&f, &body, sessions);
            continue;
        }
        let shown = replies::shown(&f.name, &body).unwrap_or_else(|e| panic!("{place}: {e}"));
        let (mut ours, mut theirs) = (comparable(&shown, sessions), comparable(&f.fields, &Sessions::new()));
        if old {
            (ours, theirs) = (without_event_zxid(&ours), without_event_zxid(&theirs));
        }
        assert_eq!(ours, theirs, "{place}: {}", f.name);
    }
    compared
}

fn connected(f: &Frame, body: &[u8], sessions: &mut Sessions) {
    let theirs = ConnectResponse::decode(f.body()).expect("a recorded frame");
    let mut ours = ConnectResponse::decode(body).unwrap_or_else(|e| panic!("{}: {e}", f.place));
    if theirs.session_id != 0 && ours.session_id != 0 {
        let known = sessions.entry(theirs.session_id).or_insert((ours.session_id, ours.password.to_vec()));
        assert_eq!(*known, (ours.session_id, ours.password.to_vec()), "{}: the session's own", f.place);
        (ours.session_id, ours.password) = (theirs.session_id, theirs.password);
    }
    assert_eq!(show::connected(&ours), f.fields, "{}", f.place);
}

fn plain() -> Spec {
    Spec::new()
        .flag("-Dzookeeper.extendedTypesEnabled=true")
        .flag("-Dzookeeper.enforceQuota=true")
        .flag("-Dzookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=")
}

fn all(spec: &Spec, names: &[String], old: bool) {
    let mut server = ox::start(spec).expect("the server comes up");
    let mut sessions = Sessions::new();
    let compared: usize = names.iter().map(|name| replay(&server, name, &mut sessions, old)).sum();
    println!("{names:?}: {compared} answers are the same");
    assert_eq!(server.stop().and_then(|status| status.code()), Some(0));
}

/// Scenes that ran on one server, in this order.
fn scenes(client: &str) -> Vec<String> {
    let scenes = ["creates", "nodes", "multis", "watches", "again", "identities", "quotas"];
    scenes.iter().map(|scene| format!("{client}-{scene}")).collect()
}

#[test]
fn java_clients_of_3_9_get_the_same_answers() {
    all(&plain(), &scenes("java-3.9"), false);
}

#[test]
fn kazoo_the_c_client_and_java_3_4_get_the_same_answers() {
    all(&plain(), &["kazoo", "c-client", "java-3.4-new-server"].map(str::to_owned), false);
}

#[test]
fn odd_frames_get_the_same_answers() {
    let names = ["raw-refused-records", "raw-closing", "raw-connects"].map(str::to_owned);
    all(&plain(), &names, false);
}

#[test]
fn settings_that_refuse_refuse_alike() {
    all(&Spec::new(), &["setting-no-ttl".to_owned()], false);
    let enforced = Spec::new()
        .flag("-Dzookeeper.enforce.auth.enabled=true")
        .flag("-Dzookeeper.enforce.auth.schemes=digest");
    all(&enforced, &["raw-enforced".to_owned()], false);
}

/// What a 3.8 server answered its client, but for what 3.9 changed.
#[test]
fn java_clients_of_3_8_get_the_answers_of_their_server() {
    all(&plain(), &scenes("java-3.8"), true);
}

#[test]
fn java_clients_of_3_4_get_the_answers_of_their_server() {
    all(&Spec::new(), &["java-3.4-old-server".to_owned()], true);
}
