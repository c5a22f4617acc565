//! Carries a question to a KDC, by TCP or UDP, and says how long the answer took.
//!
//! # Invariants
//!
//! * Every wait is bounded by the caller's time limit, the resolver's included.
//! * An answer is at most [`KDC_ANSWER_BYTES`] long.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::reply::{Answer, read};
use crate::limits::KDC_ANSWER_BYTES;

/// How a question travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// With a length before each message.
    Tcp,
    /// One datagram each way.
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Tcp => "TCP",
            Transport::Udp => "UDP",
        })
    }
}

/// What came of a question.
#[derive(Debug)]
pub struct Asked {
    /// The answer, or why there is none.
    pub answer: Result<Answer, String>,
    /// Time until then.
    pub took: Duration,
}

/// The addresses of a host; the resolver gets no longer than `limit`.
///
/// # Errors
///
/// What the resolver said.
pub fn addresses(host: &str, port: u16, limit: Duration) -> Result<Vec<SocketAddr>, String> {
    let (sender, receiver) = mpsc::channel();
    let host = host.to_owned();
    let resolver = std::thread::Builder::new().name("resolver".to_owned());
    let resolve = move || {
        let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // Nobody listens any more if this took too long.
        let _ = sender.send(found);
    };
    resolver.spawn(resolve).map_err(|e| e.to_string())?;
    match receiver.recv_timeout(limit) {
        Ok(Ok(found)) if found.is_empty() => Err("the resolver knows no address".to_owned()),
        Ok(Ok(found)) => Ok(found),
        Ok(Err(why)) => Err(why.to_string()),
        Err(_) => Err(format!("the resolver did not answer within {} s", limit.as_secs())),
    }
}

/// Asks a KDC.
pub fn ask(kdc: SocketAddr, transport: Transport, message: &[u8], limit: Duration) -> Asked {
    let begun = Instant::now();
    let bytes = match transport {
        Transport::Tcp => tcp(kdc, message, limit),
        Transport::Udp => udp(kdc, message, limit),
    };
    let answer = match bytes {
        Ok(bytes) => read(&bytes).ok_or_else(|| "what answers there is no KDC".to_owned()),
        Err(why) if matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Err(format!("no answer within {} ms", limit.as_millis()))
        }
        Err(why) => Err(why.to_string()),
    };
    Asked { answer, took: begun.elapsed() }
}

fn tcp(kdc: SocketAddr, message: &[u8], limit: Duration) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&kdc, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(message)?;
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let length = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
    if length > KDC_ANSWER_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "what answers there is no KDC"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn udp(kdc: SocketAddr, message: &[u8], limit: Duration) -> io::Result<Vec<u8>> {
    let any = match kdc {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(kdc)?;
    socket.set_read_timeout(Some(limit))?;
    socket.send(message)?;
    let mut answer = vec![0; KDC_ANSWER_BYTES];
    let length = socket.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn silence_and_strangers_are_told() {
        let limit = Duration::from_millis(100);
        let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let asked = ask(silent.local_addr().unwrap(), Transport::Udp, b"?", limit);
        assert_eq!(asked.answer, Err("no answer within 100 ms".to_owned()));

        let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = stranger.local_addr().unwrap();
        let talk = std::thread::spawn(move || {
            let (mut stream, _) = stranger.accept().unwrap();
            let mut asked = [0; 5];
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(&[0, 0, 0, 1, 9]).unwrap();
        });
        let asked = ask(address, Transport::Tcp, b"?", Duration::from_secs(10));
        assert_eq!(asked.answer, Err("what answers there is no KDC".to_owned()));
        talk.join().unwrap();
    }
}
