//! The HTTP face over real sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::limits::{HTTP_BODY_BYTES, HTTP_CONNECTIONS_PER_ADDRESS, HTTP_HEAD_BYTES};
use crate::net::ListenAddress;

/// Echoes; counts how often it was asked.
#[derive(Default)]
struct Echo(AtomicUsize);

impl Site for Echo {
    fn answer(&self, mut asked: Asked) -> Reply {
        self.0.fetch_add(1, Ordering::SeqCst);
        if asked.path == "/refused" {
            return Reply::text(StatusCode::UNAUTHORIZED, "who are you?\n");
        }
        if asked.path == "/long" {
            let from = Box::new(std::io::repeat(b'x').take(1 << 20));
            return Reply::new(
                StatusCode::OK,
                "text/plain",
                ReplyBody::Stream { length: Some(1 << 20), from },
            );
        }
        let mut body = Vec::new();
        let read = asked.body.read_to_end(&mut body);
        let (peer, query) = (asked.peer.ip(), &asked.query);
        let text =
            format!("{} {} {query:?} {peer} {} {}\n", asked.method, asked.path, body.len(), read.is_ok());
        Reply::text(StatusCode::OK, text)
    }

    fn taken(&self, _method: &Method, path: &str) -> Taken {
        if path == "/streamed" || path == "/refused" { Taken::Streamed } else { Taken::Whole }
    }

    fn at_once(&self, _method: &Method, path: &str) -> Option<Reply> {
        (path == "/livez").then(|| Reply::text(StatusCode::OK, "ok\n"))
    }
}

struct Port {
    at: SocketAddr,
    site: Arc<Echo>,
    _runtime: tokio::runtime::Runtime,
}

fn port() -> Port {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let site = Arc::new(Echo::default());
    let at = ListenAddress { host: Some("127.0.0.1".to_owned()), port: 0, backlog: None };
    let listener = HttpListener::bind(&at, HttpWire::Plain, Duration::from_secs(30)).expect("a free port");
    let at = listener.local_addr().expect("an address");
    let inside = runtime.enter();
    serve(listener, Arc::clone(&site) as Arc<dyn Site>).expect("served");
    drop(inside);
    Port { at, site, _runtime: runtime }
}

impl Port {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.at).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a bound");
        stream
    }

    /// Sends bytes and reads until the server closes.
    fn say(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // The server may answer and close before everything is sent.
        let _ = stream.write_all(bytes);
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        String::from_utf8_lossy(&all).into_owned()
    }

    fn get(&self, target: &str) -> String {
        self.say(format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes())
    }
}

#[test]
fn a_request_is_answered_and_forwarding_headers_change_nothing() {
    let port = port();
    let answer = port.say(
        b"GET /a%20b?x=1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-forwarded-for: 9.9.9.9\r\nforwarded: for=9.9.9.9\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("GET /a b [(\"x\", \"1\")] 127.0.0.1 0 true\n"), "{answer}");
    assert!(answer.contains("cache-control: no-store") && answer.contains("nosniff"), "{answer}");
    let head = port.say(b"HEAD / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(head.contains("content-length: ") && head.ends_with("\r\n\r\n"), "{head}");
    let two = b"GET /1 HTTP/1.1\r\nhost: x\r\n\r\nGET /2 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    assert_eq!(port.say(two).matches("HTTP/1.1 200 OK").count(), 2);
}

#[test]
fn malformed_and_oversized_requests_are_refused_before_the_site_is_asked() {
    let port = port();
    let long = "x".repeat(HTTP_HEAD_BYTES + 1000);
    let many: String = (0..200).map(|n| format!("h{n}: 1\r\n")).collect();
    let post = |length: usize| format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    let chunked = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n";
    for (request, status) in [
        ("GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned(), "400"),
        ("GET /%2e%2e/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned(), "400"),
        ("GET /a%2fb HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned(), "400"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}".to_owned() + "\r\n\r\n", "400"),
        (format!("GET / HTTP/1.1\r\nhost: x\r\na: {long}\r\n\r\n"), "431"),
        (format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n"), "431"),
        (post(HTTP_BODY_BYTES + 1), "413"),
        (chunked.to_owned(), "400"),
        ("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_owned(), "400"),
    ] {
        let answer = port.say(request.as_bytes());
        let shown: String = request.chars().take(60).collect();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{shown:?}: {answer:?}");
    }
    assert_eq!(port.site.0.load(Ordering::SeqCst), 0);
}

#[test]
fn bodies_are_whole_or_streamed_and_unwanted_ones_are_not_read() {
    let port = port();
    let small =
        port.say(b"POST /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello");
    assert!(small.ends_with("127.0.0.1 5 true\n"), "{small}");
    let mut large =
        b"POST /streamed HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1000000\r\n\r\n"
            .to_vec();
    large.extend(vec![7; 1_000_000]);
    assert!(port.say(&large).ends_with("127.0.0.1 1000000 true\n"));
    let mut broken = port.connect();
    broken.write_all(b"POST /streamed HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc").expect("sent");
    broken.shutdown(Shutdown::Write).expect("half closed");
    let mut all = String::new();
    let _ = broken.read_to_string(&mut all);
    assert!(!all.contains("3 true"), "a body that broke off is no body: {all}");
    let mut expecting = port.connect();
    expecting
        .write_all(
            b"POST /refused HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 100\r\n\r\n",
        )
        .expect("sent");
    let mut answer = [0; 12];
    expecting.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 401", "not 100: nobody wants the body");
}

#[test]
fn long_answers_are_streamed() {
    let port = port();
    let answer = port.get("/long");
    assert!(answer.contains("content-length: 1048576"), "{}", &answer[..200]);
    assert_eq!(answer.split_once("\r\n\r\n").map(|(_, body)| body.len()), Some(1 << 20));
}

#[test]
fn one_address_cannot_take_every_connection_and_gives_its_places_back() {
    let port = port();
    let mut held: Vec<TcpStream> = (0..HTTP_CONNECTIONS_PER_ADDRESS).map(|_| port.connect()).collect();
    for stream in &mut held {
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
        stream.read_exact(&mut [0; 15]).expect("an answer");
    }
    assert_eq!(port.get("/livez"), "", "one more is closed");
    drop(held);
    let again = (0..1000).find(|_| !port.get("/livez").is_empty());
    assert!(again.is_some());
    assert_eq!(port.site.0.load(Ordering::SeqCst), 0, "probes need no turn");
}
