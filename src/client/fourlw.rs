//! Four-letter words: one connection, four bytes, the answer until the server closes.
//!
//! # Invariants
//!
//! * Neither the time nor the size of an answer is the server's to choose.

use super::connect_string::HostPort;
use super::stream::Connector;
use crate::limits::FOUR_LETTER_ANSWER;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The answer of `host:port` to `word`; each address, each step within `limit`.
pub fn four_letter_word(host: &str, port: u16, word: &str, limit: Duration) -> io::Result<String> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => return ask(stream, word, limit),
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// The same by a connector of its own, such as TLS; all of it within `limit`.
pub fn four_letter_word_by(
    connector: &dyn Connector,
    server: &HostPort,
    word: &str,
    limit: Duration,
) -> io::Result<String> {
    let talk = async {
        let mut stream = connector.connect(server).await?;
        stream.write_all(word.as_bytes()).await?;
        stream.flush().await?;
        let mut answer = Vec::new();
        let read = stream.take(FOUR_LETTER_ANSWER as u64 + 1024).read_to_end(&mut answer).await;
        // A server that just closes has said everything, too.
        read.map(drop).or_else(|e| if answer.is_empty() { Err(e) } else { Ok(()) })?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::time::timeout(limit, talk).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    })
}

fn ask(mut stream: TcpStream, word: &str, limit: Duration) -> io::Result<String> {
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    stream.write_all(word.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.take(FOUR_LETTER_ANSWER as u64 + 1024).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_word_is_sent_and_its_answer_read_to_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut word = Vec::new();
            stream.read_to_end(&mut word).unwrap();
            stream.write_all(b"Mode: standalone\n").unwrap();
            word
        });
        let answer = four_letter_word("127.0.0.1", port, "srvr", Duration::from_secs(10)).unwrap();
        assert_eq!(answer, "Mode: standalone\n");
        assert_eq!(server.join().unwrap(), b"srvr");
        assert!(four_letter_word("127.0.0.1", port, "srvr", Duration::from_secs(1)).is_err());
    }
}
