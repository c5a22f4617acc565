//! Clients that do not behave: each harms its own connection only.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use oxkeeper::proto::OpCode;

use crate::support::server::{Server, Spec};
use crate::support::{fourlw, ox};
use crate::wire::{Wire, create_record};

fn start(spec: &Spec) -> Server {
    ox::start(spec).expect("a server that serves")
}

fn raw(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    stream
}

/// What arrives until the end; a reset is an end too.
fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    all
}

#[test]
fn garbage_costs_its_connection_and_one_line_with_the_peer() {
    let mut server = start(&Spec::new());
    let mut neighbour = Wire::connect(server.port(), 10_000).expect("a session");
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 64], &[0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9]] {
        let mut stream = raw(&server);
        let from = stream.local_addr().expect("an address").to_string();
        stream.write_all(garbage).expect("written");
        assert_eq!(rest(stream), b"");
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(server.log().matches(&from).count(), 1, "{}", server.log());
    }
    let mut broken = Wire::connect(server.port(), 10_000).expect("a session");
    broken.stream().write_all(&[0, 0, 0, 2, 1, 1]).expect("written");
    assert!(broken.reply().is_err());
    assert_eq!(neighbour.get("/zookeeper").expect("a reply"), Some(Vec::new()));
    assert_eq!(server.stop().and_then(|s| s.code()), Some(0));
}

#[test]
fn a_frame_above_jute_maxbuffer_closes_and_one_at_it_does_not() {
    let server = start(&Spec::new().flag("-Djute.maxbuffer=2000"));
    let mut client = Wire::connect(server.port(), 10_000).expect("a session");
    let overhead = {
        let mut out = Vec::new();
        client.put(&mut out, OpCode::Create, |w| create_record(w, "/n", b"", 0));
        out.len() - 4
    };
    assert_eq!(client.create("/n", &vec![1; 2000 - overhead], 0).expect("a reply"), 0);
    assert!(client.create("/m", &vec![1; 2001 - overhead], 0).is_err());
    let mut again = Wire::connect(server.port(), 10_000).expect("a session");
    assert_eq!(again.children("/").expect("a reply"), ["n", "zookeeper"]);
}

#[test]
fn connections_beyond_the_limit_of_an_address_are_reset() {
    let server = start(&Spec::new().cfg("maxClientCnxns=2"));
    let one = Wire::connect(server.port(), 10_000).expect("a session");
    let _two = Wire::connect(server.port(), 10_000).expect("a session");
    assert!(Wire::connect(server.port(), 10_000).is_err());
    one.close().expect("closed");
    assert!(Wire::connect(server.port(), 10_000).is_ok());
}

#[test]
fn a_connection_without_a_session_is_closed_after_its_time() {
    let server = start(&Spec::new().flag("-Dzookeeper.nio.sessionlessCnxnTimeout=300"));
    let begun = Instant::now();
    assert_eq!(rest(raw(&server)), b"");
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
    let mut half = raw(&server);
    half.write_all(&[0, 0]).expect("written");
    assert_eq!(rest(half), b"");
}

#[test]
fn a_client_that_does_not_read_is_held_and_its_neighbour_is_not() {
    let server = start(&Spec::new());
    let mut client = Wire::connect(server.port(), 30_000).expect("a session");
    let data = vec![9; 100_000];
    assert_eq!(client.create("/big", &data, 0).expect("a reply"), 0);
    let mut greedy = Wire::connect(server.port(), 30_000).expect("a session");
    let mut requests = Vec::new();
    for _ in 0..2000 {
        greedy.put(&mut requests, OpCode::GetData, |w| {
            w.string(Some("/big"));
            w.bool(false);
        });
    }
    greedy.send(&requests).expect("sent");
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    for _ in 0..20 {
        assert_eq!(client.get("/big").expect("a reply").map(|d| d.len()), Some(data.len()));
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let resident = server_resident(&server);
    assert!(resident < 150 << 20, "{resident} bytes resident for 200 MB of unread replies");
    for _ in 0..2000 {
        assert_eq!(greedy.reply().expect("a reply").body.len(), data.len() + 72);
    }
}

fn server_resident(server: &Server) -> u64 {
    let envi = server.ask("envi");
    let megabytes = envi.lines().find_map(|l| l.strip_prefix("os.memory.total=")?.strip_suffix("MB"));
    megabytes.and_then(|mb| mb.parse::<u64>().ok()).expect("a figure") << 20
}

#[test]
fn sessions_survive_a_pause_of_the_server() {
    let mut server = start(&Spec::new().cfg("tickTime=200"));
    let mut client = Wire::connect(server.port(), 1000).expect("a session");
    assert_eq!(client.create("/e", b"", 1).expect("a reply"), 0);
    server.pause();
    std::thread::sleep(Duration::from_millis(2500));
    server.resume();
    assert_eq!(client.get("/e").expect("a reply"), Some(Vec::new()));
    let mut other = Wire::connect(server.port(), 1000).expect("a session");
    drop(client);
    let begun = Instant::now();
    while other.get("/e").expect("a reply").is_some() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the ephemeral outlives its session");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_session_moves_to_a_new_connection_and_its_ephemerals_stay() {
    let server = start(&Spec::new());
    let mut first = Wire::connect(server.port(), 10_000).expect("a session");
    assert_eq!(first.create("/e", b"", 1).expect("a reply"), 0);
    let (session, password) = (first.session, first.password);
    let mut second = Wire::resume(server.port(), 10_000, session, password).expect("the session");
    assert_eq!(second.session, session);
    assert!(first.get("/e").is_err(), "the old connection is closed");
    assert_eq!(second.get("/e").expect("a reply"), Some(Vec::new()));
    let stranger = Wire::resume(server.port(), 10_000, session, [1; 16]).expect("an answer");
    assert_eq!(stranger.session, 0, "a wrong password is refused");
    assert_eq!(second.get("/e").expect("a reply"), Some(Vec::new()));
}

#[test]
fn more_requests_than_the_server_takes_at_once_are_answered_in_order() {
    let server = start(&Spec::new().cfg("globalOutstandingLimit=10"));
    let clients: Vec<_> = (0..4)
        .map(|n| {
            let port = server.port();
            std::thread::spawn(move || {
                let mut client = Wire::connect(port, 10_000).expect("a session");
                let mut out = Vec::new();
                for i in 0..300 {
                    client.put(&mut out, OpCode::Create, |w| create_record(w, &format!("/{n}-{i}"), b"x", 0));
                }
                client.send(&out).expect("sent");
                for xid in 1..=300 {
                    let reply = client.reply().expect("a reply");
                    assert_eq!((reply.xid, reply.err), (xid, 0));
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|c| c.join().expect("answered"));
}

#[test]
fn throttles_refuse_connects_and_large_requests_and_only_delay_the_rest() {
    let server = start(
        &Spec::new()
            .flag("-Dzookeeper.connection_throttle_tokens=2")
            .flag("-Dzookeeper.connection_throttle_fill_time=600000")
            .flag("-Dzookeeper.request_throttle_max_requests=2")
            .flag("-Dzookeeper.largeRequestThreshold=1000")
            .flag("-Dzookeeper.largeRequestMaxBytes=5000"),
    );
    let mut client = Wire::connect(server.port(), 10_000).expect("a session");
    let mut other = Wire::connect(server.port(), 10_000).expect("a session");
    assert!(Wire::connect(server.port(), 10_000).is_err(), "there are no tokens left");
    let mut out = Vec::new();
    for i in 0..100 {
        client.put(&mut out, OpCode::Create, |w| create_record(w, &format!("/{i}"), &[1; 10], 0));
    }
    client.send(&out).expect("sent");
    for xid in 1..=100 {
        let reply = client.reply().expect("a reply");
        assert_eq!((reply.xid, reply.err), (xid, 0));
    }
    assert_eq!(other.create("/large", &[1; 4000], 0).expect("a reply"), 0);
    assert_eq!(other.create("/large2", &[1; 4000], 0).expect("the budget is given back"), 0);
    assert!(other.create("/larger", &[1; 6000], 0).is_err());
    assert_eq!(client.get("/larger").expect("a reply"), None);
    let mntr = server.ask("mntr");
    for key in ["zk_connection_rejected", "zk_large_requests_rejected", "zk_request_throttle_wait_count"] {
        let value = fourlw::value(&mntr, key).and_then(|v| v.parse().ok()).unwrap_or(0);
        assert!(value >= 1, "{key} is {value}");
    }
}
