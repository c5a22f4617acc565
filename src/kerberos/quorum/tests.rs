//! Learner and server over loopback with DIGEST-MD5, and both against learners and servers that misbehave.

use super::learner::Speak;
use super::*;
use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::config::Secret;
use crate::config::jaas::parse_jaas;
use crate::kerberos::digest_md5::{DigestConfig, QUORUM, Server as DigestServer, Step};
use crate::kerberos::initiator::{Credentials, Initiator, Next, Outward, ServiceRule};
use crate::limits::QUORUM_AUTH_ROUNDS;
use crate::peer::auth_packet::{AuthPacket, Status};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

fn judge() -> impl FnMut(&[u8]) -> Verdict + Send {
    let text = "S { org.apache.zookeeper.server.auth.DigestLoginModule required user_learner=\"pw\"; };";
    let module = parse_jaas(text, &|_| None).unwrap().sections.remove(0).modules.remove(0);
    let mut server = DigestServer::new(Arc::new(DigestConfig::of_quorum(&module).unwrap()), [3; 24]);
    move |token: &[u8]| match server.step(Some(token)) {
        Ok(Step::Challenge(token)) => Verdict::Challenge(token),
        Ok(Step::Done { user, last }) => Verdict::Proven { name: user, last: Some(last) },
        Err(refusal) => Verdict::Refused(refusal),
    }
}

fn learner(password: &str) -> crate::kerberos::initiator::Conversation {
    let credentials = Credentials::Password { user: "learner".into(), password: Secret::new(password) };
    let service = ServiceRule::between_servers("zkquorum/_HOST", "localhost", None);
    let outward = Outward { credentials, service, names: QUORUM, mutual: true, fips: None };
    Initiator::new(outward).begin("localhost").unwrap()
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (two, _) = listener.accept().unwrap();
    for stream in [&one, &two] {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    }
    (one, two)
}

/// Runs a server against what `learner` does; both outcomes.
fn run<T: Send + 'static>(
    required: bool,
    learner: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (T, Result<(Entry, Vec<u8>), DriveError>) {
    let (one, mut two) = pair();
    let other = thread::spawn(move || learner(one));
    let outcome = drive_server(&mut two, judge(), required);
    drop(two);
    (other.join().unwrap(), outcome)
}

fn reason<T: std::fmt::Debug>(outcome: Result<T, DriveError>) -> Reason {
    match outcome {
        Err(DriveError::Refused(refusal)) => refusal.reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_learner_logs_in_and_the_protocol_goes_on() {
    for required in [true, false] {
        let (learnt, entered) = run(required, |mut stream| {
            let outcome = drive_learner(&mut stream, learner("pw"));
            stream.write_all(b"what follows").unwrap();
            outcome
        });
        assert!(learnt.is_ok(), "{learnt:?}");
        assert_eq!(entered.unwrap(), (Entry::Proven("learner".into()), Vec::new()));
    }
}

#[test]
fn a_failed_attempt_is_closed_even_where_none_is_required() {
    for required in [true, false] {
        let (learnt, entered) = run(required, |mut stream| drive_learner(&mut stream, learner("wrong")));
        assert_eq!(reason(learnt), Reason::AuthRefused);
        assert_eq!(reason(entered), Reason::DigestRefused);
    }
}

#[test]
fn who_does_not_try_comes_in_only_where_it_may() {
    let protocol = |mut stream: TcpStream| {
        stream.write_all(b"FOLLOWERINFO").unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        rest
    };
    let (_, entered) = run(false, protocol);
    assert_eq!(entered.unwrap(), (Entry::Unproven, b"FOLLOWER".to_vec()));
    let (heard, entered) = run(true, protocol);
    assert_eq!(reason(entered), Reason::AuthRequired);
    assert!(heard.is_empty());
}

#[test]
fn rounds_are_counted() {
    let mut server = Server::new(|_: &[u8]| Verdict::Challenge(vec![1]), true);
    let packet = AuthPacket { status: Status::InProgress, token: Some(vec![2]) };
    for _ in 0..QUORUM_AUTH_ROUNDS {
        assert!(matches!(server.packet(&packet), ServerStep::Reply(_)));
    }
    let ServerStep::Close(Some(last), refusal) = server.packet(&packet) else { panic!("goes on") };
    assert_eq!((last.status, refusal.reason), (Status::Error, Reason::SaslSequence));
    assert!(matches!(server.packet(&packet), ServerStep::Close(..)));
    assert!(matches!(server.no_attempt(), ServerStep::Close(..)));
}

#[test]
fn a_learner_cannot_claim_the_servers_status() {
    for status in [Status::Success, Status::Error] {
        let mut server = Server::new(|_: &[u8]| panic!("a token was looked at"), false);
        let packet = AuthPacket { status, token: Some(vec![]) };
        assert!(matches!(server.packet(&packet), ServerStep::Close(Some(_), _)));
    }
}

struct Script(Vec<Next>);

impl Speak for Script {
    fn step(&mut self, _: Option<&[u8]>) -> Result<Next, Refusal> {
        Ok(self.0.remove(0))
    }
}

#[test]
fn a_learner_believes_only_a_whole_login() {
    let packet = |status, token: Option<&[u8]>| AuthPacket { status, token: token.map(<[u8]>::to_vec) };
    // GSSAPI: the verdict comes without a token.
    let mut gss = Learner::new(Script(vec![Next::Send(vec![1]), Next::Last(vec![2])]));
    assert!(matches!(gss.begin(), Ok(LearnerStep::Send(_))));
    assert!(matches!(gss.packet(&packet(Status::InProgress, Some(b"offer"))), Ok(LearnerStep::Send(_))));
    assert_eq!(gss.packet(&packet(Status::Success, None)), Ok(LearnerStep::Done));
    // A success in the middle, an end that is no success, a token with the verdict, an error.
    for (script, status, token) in [
        (vec![Next::Send(vec![]), Next::Send(vec![])], Status::Success, None),
        (vec![Next::Send(vec![]), Next::Last(vec![])], Status::Success, None),
        (vec![Next::Send(vec![]), Next::Done], Status::InProgress, None),
        (vec![Next::Last(vec![])], Status::Success, Some(&b"x"[..])),
        (vec![Next::Last(vec![])], Status::InProgress, None),
        (vec![Next::Send(vec![]), Next::Done], Status::Error, None),
    ] {
        let mut learner = Learner::new(Script(script.clone()));
        learner.begin().unwrap();
        assert!(learner.packet(&packet(status, token)).is_err(), "{script:?} {status:?}");
    }
}
