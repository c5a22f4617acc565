//! One raw connection: frames out, frames in.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may be silent where it owes something.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest frame that is read: a reply to a request of `jute.maxbuffer` fits.
const LONGEST: usize = 64 << 20;

/// What came.
#[derive(Debug, PartialEq)]
pub enum Came {
    /// A frame's body.
    Frame(Vec<u8>),
    /// The end of the connection.
    Closed,
    /// Nothing, for too long.
    Silence,
}

/// A connection.
pub struct Wire {
    stream: TcpStream,
    input: Vec<u8>,
    used: usize,
}

impl Wire {
    /// Connects to a port of loopback.
    pub fn open(port: u16) -> std::io::Result<Wire> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Wire { stream, input: Vec::new(), used: 0 })
    }

    /// Sends bytes; a connection that the server closed meanwhile is noticed by reading.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next frame.
    pub fn frame(&mut self) -> Came {
        loop {
            let rest = &self.input[self.used..];
            if let Some(head) = rest.first_chunk::<4>() {
                let length = u32::from_be_bytes(*head) as usize;
                if length > LONGEST {
                    return Came::Closed;
                }
                if let Some(body) = rest.get(4..4 + length) {
                    let body = body.to_vec();
                    self.used += 4 + length;
                    return Came::Frame(body);
                }
            }
            if self.used > 0 {
                self.input.drain(..self.used);
                self.used = 0;
            }
            let mut chunk = [0u8; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Came::Closed,
                Ok(n) => self.input.extend_from_slice(&chunk[..n]),
                Err(e)
                    if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
                {
                    return Came::Silence;
                }
                Err(_) => return Came::Closed,
            }
        }
    }
}

/// A frame of header and record.
pub fn request(xid: i32, op: i32, record: &[u8]) -> Vec<u8> {
    let mut frame = ((record.len() + 8) as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(&xid.to_be_bytes());
    frame.extend_from_slice(&op.to_be_bytes());
    frame.extend_from_slice(record);
    frame
}

/// A connect request.
pub fn connect(seen: i64, timeout: i32, id: i64, password: &[u8], read_only: Option<bool>) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend_from_slice(&seen.to_be_bytes());
    body.extend_from_slice(&timeout.to_be_bytes());
    body.extend_from_slice(&id.to_be_bytes());
    body.extend_from_slice(&(password.len() as u32).to_be_bytes());
    body.extend_from_slice(password);
    body.extend(read_only.map(u8::from));
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(&body);
    frame
}

/// Header of a reply: xid, zxid, error code; and the record.
pub fn reply(frame: &[u8]) -> Option<(i32, i64, i32, &[u8])> {
    let (xid, rest) = frame.split_first_chunk::<4>()?;
    let (zxid, rest) = rest.split_first_chunk::<8>()?;
    let (err, rest) = rest.split_first_chunk::<4>()?;
    Some((i32::from_be_bytes(*xid), i64::from_be_bytes(*zxid), i32::from_be_bytes(*err), rest))
}
