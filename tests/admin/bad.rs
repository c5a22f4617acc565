//! Requests that are malformed, oversized, slow, forged, or lead elsewhere: a clear refusal, and nothing else.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::http::{answer, get, request, say, start};
use crate::support::{Kind, Spec};

fn status(port: u16, request: &str) -> u16 {
    answer(&say(port, request.as_bytes())).status
}

#[test]
fn bad_requests_are_refused_and_change_nothing() {
    let (server, port) = start(Kind::Oxkeeper, Spec::new()).expect("Oxkeeper");
    let before = get(port, "/commands/gtmk").text();
    let end = "host: localhost\r\nconnection: close\r\n\r\n";
    let long = "x".repeat(60_000);
    for (what, request, expected) in [
        ("traversal", format!("GET /commands/../stmk?traceMask=1 HTTP/1.1\r\n{end}"), 400),
        ("encoded traversal", format!("GET /%2e%2e/commands/stmk?traceMask=1 HTTP/1.1\r\n{end}"), 400),
        ("encoded slash", format!("GET /commands%2fstmk?traceMask=1 HTTP/1.1\r\n{end}"), 400),
        ("broken escape", format!("GET /commands/stmk?traceMask=%zz HTTP/1.1\r\n{end}"), 400),
        ("no path", format!("OPTIONS * HTTP/1.1\r\n{end}"), 400),
        ("trace", format!("TRACE /commands/ruok HTTP/1.1\r\n{end}"), 403),
        ("delete", format!("DELETE /commands/ruok HTTP/1.1\r\n{end}"), 405),
        (
            "post of a get",
            format!("POST /commands/stmk?traceMask=1 HTTP/1.1\r\ncontent-length: 0\r\n{end}"),
            405,
        ),
        ("get of a post", format!("GET /commands/shed HTTP/1.1\r\n{end}"), 405),
        ("long line", format!("GET /commands/stmk?traceMask=1&x={long} HTTP/1.1\r\n{end}"), 414),
        ("long header", format!("GET /commands/stmk?traceMask=1 HTTP/1.1\r\na: {long}\r\n{end}"), 431),
        ("no HTTP", "\x16\x03\x01\x02\r\n\r\n".to_owned(), 400),
        (
            "two lengths",
            format!("POST /commands/shed HTTP/1.1\r\ncontent-length: 2\r\ncontent-length: 3\r\n{end}{{}}"),
            400,
        ),
        ("large body", format!("POST /commands/shed HTTP/1.1\r\ncontent-length: 9999999\r\n{end}"), 413),
        (
            "somebody else's name",
            "GET /commands/stmk?traceMask=1 HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n"
                .to_owned(),
            421,
        ),
        (
            "another site's page",
            format!("GET /commands/stmk?traceMask=1 HTTP/1.1\r\nsec-fetch-site: cross-site\r\n{end}"),
            403,
        ),
        (
            "another site's form",
            format!(
                "POST /commands/shed HTTP/1.1\r\norigin: http://evil.example\r\ncontent-length: 2\r\n{end}{{}}"
            ),
            403,
        ),
        (
            "another site's link, from a browser that says less",
            format!("GET /commands/stmk?traceMask=1 HTTP/1.1\r\nreferer: http://evil.example/page\r\n{end}"),
            403,
        ),
        ("nothing there", format!("GET /etc/passwd HTTP/1.1\r\n{end}"), 404),
        ("somebody's host", format!("GET http://evil.example/../x HTTP/1.1\r\n{end}"), 400),
    ] {
        let got = status(port, &request);
        // Of two ways to say that a line is too long either is clear.
        assert!(got == expected || (expected == 414 && got == 431), "{what}: {got}, not {expected}");
    }
    assert_eq!(get(port, "/commands/gtmk").text(), before, "the mask was not touched");
    assert_eq!(server.ask("ruok"), "imok");
}

#[test]
fn forwarding_headers_make_nobody_an_administrator() {
    let (_server, port) =
        start(Kind::Oxkeeper, Spec::new().cfg("admin.auth.read.1=digest:nobody:x")).expect("Oxkeeper");
    let forged = [
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1;proto=https"),
        ("x-real-ip", "::1"),
        ("x-forwarded-user", "super"),
        ("x-ssl-client-verify", "SUCCESS"),
        ("x-remote-user", "super"),
    ];
    assert_eq!(request(port, "GET", "/commands/conf", &forged, &[]).status, 401);
    for scheme in ["ip", "ip 127.0.0.1", "x509", "world anyone", "sasl super", "super"] {
        let answer = request(port, "GET", "/commands/conf", &[("authorization", scheme)], &[]);
        assert_eq!(answer.status, 401, "{scheme}");
    }
    assert_eq!(request(port, "GET", "/commands/ruok", &forged, &[]).status, 200);
}

#[test]
fn slow_requests_end_and_keep_nobody_waiting() {
    let (_server, port) = start(Kind::Oxkeeper, Spec::new()).expect("Oxkeeper");
    let connect = || {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a bound");
        stream
    };
    let mut heads: Vec<TcpStream> = (0..20).map(|_| connect()).collect();
    heads.iter_mut().for_each(|head| head.write_all(b"GET /comm").expect("sent"));
    let mut bodies: Vec<TcpStream> = (0..10).map(|_| connect()).collect();
    for body in &mut bodies {
        body.write_all(b"POST /commands/shed HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{")
            .expect("sent");
    }
    assert_eq!(get(port, "/commands/ruok").status, 200, "others are served meanwhile");
    let mut ends = |mut stream: TcpStream| {
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        answer(&all).status
    };
    let statuses: Vec<u16> = heads.into_iter().chain(bodies).map(&mut ends).collect();
    assert!(statuses.iter().all(|status| *status == 408), "{statuses:?}");
}
