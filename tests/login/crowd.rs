//! A crowd from one address: half-open connections and bad logins beside a session that is logged in.
//!
//! # Invariants
//! * The session is never closed, and every one of its requests is answered.
//! * Who proves itself is let in, whatever else came from its address.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::site::{PROVIDER, logged, start};
use crate::support::dirs::Dir;
use crate::support::server::{Kind, Server, Spec};
use crate::wire::Wire;
use oxkeeper::config::settings::Secret;
use oxkeeper::jute::Reader;
use oxkeeper::kerberos::digest_md5::{CLIENTS, Client, ClientStep, Login, NONCE_BYTES};
use oxkeeper::proto::OpCode;

/// Connections that never say a word.
const HALF_OPEN: usize = 600;
/// Logins that are refused.
const BAD: u32 = 1000;

/// Sessions without a login beyond the places there are.
const STRANGERS: usize = 80;

/// A server whose sessions may or have to log in; users come from its own section, no KDC is needed.
fn server(dir: &Dir, required: bool) -> Server {
    let module = "org.apache.zookeeper.server.auth.DigestLoginModule required";
    let jaas = dir.write("jaas.conf", &format!("Server {{ {module} user_bob=\"b0b\"; }};\n"));
    let spec = Spec::new()
        .cfg(PROVIDER)
        .cfg(&format!("sessionRequireClientSASLAuth={required}"))
        .flag(&format!("-Djava.security.auth.login.config={}", jaas.display()));
    start(Kind::Oxkeeper, &spec)
}

fn token(client: &mut Wire, token: &[u8]) -> std::io::Result<(i32, Option<Vec<u8>>)> {
    let mut out = Vec::new();
    client.put(&mut out, OpCode::Sasl, |w| w.buffer(Some(token)));
    client.send(&out)?;
    let reply = client.reply()?;
    let sent = Reader::new(&reply.body).buffer().ok().flatten().map(<[u8]>::to_vec);
    Ok((reply.err, sent))
}

/// A session of bob's; the code of the answer that ended the exchange.
fn log_in(server: &Server, password: &str) -> std::io::Result<(Wire, i32)> {
    let mut wire = Wire::connect(server.port(), 40_000)?;
    let login = Login { user: "bob".to_owned(), password: Secret::new(password), names: CLIENTS };
    let mut client = Client::new(login, [7; NONCE_BYTES]);
    let mut received = None;
    loop {
        match client.step(received.as_deref()) {
            Ok(ClientStep::Send(bytes)) => {
                let (err, answer) = token(&mut wire, &bytes)?;
                if err != 0 {
                    return Ok((wire, err));
                }
                received = answer;
            }
            Ok(ClientStep::Done) => return Ok((wire, 0)),
            Err(refusal) => return Err(std::io::Error::other(refusal.detail)),
        }
    }
}

#[test]
fn nobody_who_is_logged_in_is_lost_to_a_crowd_of_strangers() {
    let dir = Dir::new("login-crowd");
    let server = server(&dir, true);
    let (mut neighbour, err) = log_in(&server, "b0b").expect("a login");
    assert_eq!(err, 0, "{}", server.log());
    assert_eq!(neighbour.create("/kept", b"x", 1).expect("an answer"), 0);

    let over = AtomicBool::new(false);
    let (refused, closed, answered) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    let crowd = || {
        let _ends = Ends(&over);
        let half_open: Vec<_> =
            (0..HALF_OPEN).filter_map(|_| TcpStream::connect(("127.0.0.1", server.port())).ok()).collect();
        // Sessions of refused logins end with them: good logins have places while bad ones come and go.
        for n in 0..BAD {
            if n % 100 == 99 {
                assert_eq!(
                    log_in(&server, "b0b").expect("an answer").1,
                    0,
                    "a good login among the bad ones"
                );
            }
            match log_in(&server, "wrong") {
                Ok((_, err)) => assert_eq!(err, -124, "refused where a login is required"),
                Err(_) => drop(closed.fetch_add(1, Ordering::Relaxed)),
            }
            refused.fetch_add(1, Ordering::Relaxed);
        }
        assert!(half_open.len() > HALF_OPEN / 2, "the machine gives sockets");
        let strangers: Vec<_> = (0..STRANGERS).map(|_| Wire::connect(server.port(), 40_000)).collect();
        closed.fetch_add(strangers.iter().filter(|s| s.is_err()).count() as u32, Ordering::Relaxed);
    };
    thread::scope(|scope| {
        scope.spawn(crowd);
        while !over.load(Ordering::Acquire) {
            assert_eq!(neighbour.get("/kept").expect("an answer").as_deref(), Some(&b"x"[..]));
            answered.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(2));
        }
    });
    let (closed, answered) = (closed.into_inner(), answered.into_inner());
    println!(
        "{HALF_OPEN} half open, {} bad logins, {closed} strangers without a place, {answered} gets answered",
        refused.into_inner()
    );
    assert!(closed as usize >= STRANGERS - 64, "beyond their places strangers are turned away");
    assert!(answered > 0 && neighbour.get("/kept").expect("an answer").is_some());
    let sessions = server.ask("mntr");
    let ours =
        sessions.lines().find_map(|l| l.strip_prefix("zk_global_sessions")).map(|n| n.trim().to_owned());
    let sessions: f64 = ours.and_then(|n| n.parse().ok()).expect("a number of sessions");
    assert!(sessions <= 80.0, "a stranger's session is not made beyond its places: {sessions}");
    let log = logged(&server, "refused: ");
    let lines = log.lines().filter(|line| line.contains("refused: ")).count();
    assert!(lines > 0 && lines < 500, "{lines} lines of refusals");
}

#[test]
fn good_logins_of_a_flooding_address_succeed() {
    let dir = Dir::new("login-flood");
    let server = server(&dir, false);
    let over = AtomicBool::new(false);
    let bad = AtomicU32::new(0);
    let flood = || {
        while !over.load(Ordering::Acquire) {
            // Refused, or turned away while the lane is full.
            if let Ok((_, err)) = log_in(&server, "wrong") {
                assert_eq!(err, -115);
            }
            bad.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let _ends = Ends(&over);
        for _ in 0..4 {
            scope.spawn(flood);
        }
        // Far beyond what is forgiven: from here on the address is in the slow lane.
        while bad.load(Ordering::Relaxed) < 2000 {
            thread::sleep(Duration::from_millis(5));
        }
        for n in 0..20 {
            let (mut wire, err) = log_in(&server, "b0b").expect("an answer");
            assert_eq!(err, 0, "good login {n}");
            assert_eq!(wire.create(&format!("/good{n}"), b"x", 0).expect("an answer"), 0);
        }
    });
}

/// Says that it is over, also when an assertion failed.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
