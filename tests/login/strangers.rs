//! Sessions without a login, where one is required: bounded in number, time and bytes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::need;
use crate::site::{Site, logged, start};
use crate::support::server::{Kind, Server};
use crate::wire::Wire;
use oxkeeper::proto::OpCode;

/// A server that demands a login, with small bounds for strangers.
fn strict(site: &Site) -> Server {
    let spec = site
        .spec()
        .cfg("sessionRequireClientSASLAuth=true")
        .cfg("sessionsWithoutLogin.maxPerSource=5")
        .cfg("sessionsWithoutLogin.timeoutMs=8000")
        .cfg("sessionsWithoutLogin.maxBytes=2000");
    start(Kind::Oxkeeper, &spec)
}

/// Does the far end close within a few seconds?
fn ends(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(40))).expect("set");
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(e) => e.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn places_time_and_bytes_of_strangers_are_bounded() {
    let site = need!("sessions without a login", Site::new("STRANGE.TEST", &[]));
    let server = strict(&site);
    let mut held: Vec<Wire> =
        (0..5).map(|_| Wire::connect(server.port(), 40_000).expect("a place")).collect();
    assert!(Wire::connect(server.port(), 10_000).is_err(), "the sixth finds none");
    logged(&server, "AUTH_CAP");

    let mut loud = held.pop().expect("one of five");
    let head = [2100_i32.to_be_bytes(), 1_i32.to_be_bytes(), OpCode::Sasl.number().to_be_bytes()].concat();
    loud.send(&head).expect("sent");
    assert!(ends(loud.stream()), "a frame beyond its bytes is not awaited");
    logged(&server, "AUTH_BUDGET");

    let begun = Instant::now();
    for mut quiet in held {
        assert!(ends(quiet.stream()), "whoever does not log in is closed");
    }
    assert!(begun.elapsed() < Duration::from_secs(40));
    logged(&server, "AUTH_TIMEOUT");
    assert!(
        Wire::connect(server.port(), 10_000).is_err(),
        "sessions outlive their connections, and so do places"
    );
}

#[test]
fn half_open_connections_are_closed_in_time() {
    let site = need!("half-open connections", Site::new("HALF.TEST", &[]));
    let server = strict(&site);
    let mut silent = TcpStream::connect(("127.0.0.1", server.port())).expect("connected");
    let mut dripping = TcpStream::connect(("127.0.0.1", server.port())).expect("connected");
    dripping.write_all(&[0, 0, 0, 44, 0]).expect("sent");
    assert!(ends(&mut silent) && ends(&mut dripping));
}
