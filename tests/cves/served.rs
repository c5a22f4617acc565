//! Behaviour of a running server, as a client and an operator see it.

use crate::support::dirs::Dir;
use crate::support::{Kind, Server, Spec, process};
use crate::wire::Wire;
use oxkeeper::proto::OpCode;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

const WORDS: &[&str] =
    &["conf", "envi", "srvr", "stat", "cons", "dump", "mntr", "wchs", "wchc", "wchp", "dirs", "crst"];

fn start(spec: &Spec) -> Server {
    Server::start(Kind::Oxkeeper, spec).unwrap_or_else(|why| panic!("{why}"))
}

fn auth(server: &Server, scheme: &str, proof: &[u8]) -> Wire {
    let mut client = Wire::connect(server.port(), 10_000).expect("a session");
    let mut out = Vec::new();
    client.put(&mut out, OpCode::Auth, |w| {
        w.i32(0);
        w.string(Some(scheme));
        w.buffer(Some(proof));
    });
    client.send(&out).expect("sent");
    let _ = client.reply();
    client
}

#[test]
fn no_secret_is_logged_or_told() {
    let dir = Dir::new("canaries");
    let jaas = dir.write(
        "jaas.conf",
        "Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_bob=\"canary-jaas\"; };\n",
    );
    let mut spec = Spec::new()
        .cfg("ssl.keyStore.password=canary-keystore")
        .cfg("ssl.trustStore.password=canary-truststore")
        .cfg("my.own.secret=canary-unknown")
        .cfg("authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider")
        .flag(&format!("-Djava.security.auth.login.config={}", jaas.display()))
        .flag("-Dzookeeper.DigestAuthenticationProvider.superDigest=super:canary-super-digest=");
    spec.env.push(("OXKEEPER_LOG".into(), "trace".into()));
    spec.env.push(("RUST_LOG".into(), "trace".into()));
    let mut server = start(&spec);
    let mut clients = [
        auth(&server, "digest", b"bob:canary-digest"),
        auth(&server, "digest", b"super:canary-guess"),
        auth(&server, "canary-scheme-is-no-secret", b"canary-proof"),
    ];
    let _ = clients[0].create("/a", b"canary-data", 0);
    let mut said: String = WORDS.iter().map(|word| server.ask(word)).collect();
    server.stop();
    said.push_str(&server.log());
    let said = said.replace("canary-scheme-is-no-secret", "");
    let leaks: Vec<&str> = said.lines().filter(|line| line.contains("canary-")).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    assert!(said.contains("Zookeeper version") && said.len() > 2000, "the server talked: {said}");
}

#[test]
fn what_a_peer_sends_stays_one_line() {
    let mut server = start(&Spec::new());
    drop(auth(&server, "x\nforged line\r\u{1b}[31m\u{2028}", b"y"));
    server.stop();
    let log = server.log();
    assert!(log.lines().any(|line| line.contains("forged line")), "{log}");
    let begun = |line: &str| line.starts_with("forged") || line.contains('\u{1b}') || line.contains('\r');
    assert!(!log.lines().any(begun) && !log.contains('\u{2028}'), "{log}");
}

/// The ports are held by the test: a server that wanted one of them could not start, or would say so.
#[test]
fn no_port_is_open_but_those_that_are_asked_for() {
    let held = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"));
    let [admin, quorum, election] = held.each_ref().map(|l| l.local_addr().expect("an address").port());
    let spec = Spec::new()
        .cfg("admin.enableServer=false")
        .cfg("admin.serverAddress=127.0.0.1")
        .cfg(&format!("admin.serverPort={admin}"))
        .cfg(&format!("server.1=127.0.0.1:{quorum}:{election}"));
    let mut server = start(&spec);
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).is_ok());
    server.stop();
    let log = server.log();
    assert!(!log.contains("in use") && !log.contains("AddrInUse"), "{log}");
}

#[test]
fn an_enormous_argument_is_an_error_and_no_crash() {
    // The longest single argument that Linux hands over.
    let long = "A".repeat(131_000);
    for args in [
        vec!["shell", "-server", &long, "ls", "/"],
        vec![&long],
        vec!["shell", "--", &long],
        vec!["check", &long],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oxkeeper"));
        command.args(&args);
        let (status, _) = process::run(command, None, Duration::from_secs(60)).expect("it ends");
        assert!(status.code().is_some_and(|code| code != 0 && code != 101 && code < 128), "{status}");
    }
}

#[test]
fn logins_leave_no_threads_behind() {
    let mut server = start(&Spec::new());
    let pid = server.process().pid();
    let threads = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running server");
        let line = status.lines().find(|l| l.starts_with("Threads:")).expect("a count").to_owned();
        line.split_whitespace().nth(1).and_then(|n| n.parse::<u32>().ok()).expect("a number")
    };
    let round = |n: u32| (0..n).for_each(|i| drop(auth(&server, "digest", format!("u{i}:p").as_bytes())));
    round(20);
    let before = threads();
    round(300);
    assert!(threads() <= before + 16, "{before} threads before, {} after", threads());
}

#[test]
fn the_process_leaves_no_core() {
    let mut server = start(&Spec::new());
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.process().pid())).expect("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
}
