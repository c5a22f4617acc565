//! Four-letter words: one connection, four bytes, the answer until the server closes.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// The answer to `word` of the server at `port` of loopback, within five seconds.
pub fn ask(port: u16, word: &str) -> io::Result<String> {
    ask_at(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), word, Duration::from_secs(5))
}

/// The answer to `word` of the server at `address`; each step of the exchange within `timeout`.
pub fn ask_at(address: SocketAddr, word: &str, timeout: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.write_all(word.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Whether the server serves: `srvr` answers with its mode.
pub fn serves(port: u16) -> bool {
    ask(port, "srvr").is_ok_and(|answer| answer.contains("Mode:"))
}

/// The value of `key` in an answer of `Key: value` (srvr) or `key<TAB>value` (mntr, conf with `=`) lines.
pub fn value<'a>(answer: &'a str, key: &str) -> Option<&'a str> {
    answer.lines().find_map(|line| {
        let rest = line.strip_prefix(key)?;
        Some(rest.strip_prefix([':', '\t', '='])?.trim())
    })
}
