//! The smallest HTTP client, and servers with an admin port.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Kind, Server, Spec, ports};

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Header lines in lower case.
    pub head: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Names of the outermost fields, in order.
    pub fn fields(&self) -> Vec<String> {
        let text = self.text();
        let outer = text.lines().filter_map(|line| line.strip_prefix("  \""));
        outer.filter_map(|line| Some(line.split_once("\" : ")?.0.to_owned())).collect()
    }
}

/// Sends bytes and reads until the server closes; empty if it closes without a word.
pub fn say(port: u16, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connected");
    stream.set_read_timeout(Some(LIMIT)).expect("a bound");
    // A server that refuses early closes before everything is sent.
    let _ = stream.write_all(request);
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    all
}

/// An answer out of the bytes of a connection.
pub fn answer(bytes: &[u8]) -> Answer {
    let at = bytes.windows(4).position(|w| w == b"\r\n\r\n");
    let (head, body) = at.map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + 4..]));
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    Answer { status, head: head.replace("\r\n", "\n"), body: body.to_vec() }
}

/// A request with these headers and this body.
pub fn request(port: u16, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut text = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || method == "POST" {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    answer(&say(port, &[text.as_bytes(), body].concat()))
}

/// GET without headers.
pub fn get(port: u16, target: &str) -> Answer {
    request(port, "GET", target, &[], &[])
}

/// A spec with an admin server on this port of loopback.
pub fn with_admin(spec: Spec, port: u16) -> Spec {
    spec.cfg("admin.enableServer=true")
        .cfg("admin.serverAddress=127.0.0.1")
        .cfg(&format!("admin.serverPort={port}"))
}

/// A server with an admin port on loopback, once that answers.
pub fn start(kind: Kind, spec: Spec) -> Result<(Server, u16), String> {
    let port = ports::free();
    let server = Server::start(kind, &with_admin(spec, port))?;
    let deadline = Instant::now() + LIMIT;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if Instant::now() > deadline {
            return Err(format!("no admin server:\n{}", server.log()));
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    Ok((server, port))
}
