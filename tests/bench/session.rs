//! One blocking session of the load generator.
//!
//! # Invariants
//!
//! * Every socket has a read time-out: a server that stops answering is an error
//!   after [`SILENCE`], never a benchmark that hangs.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::wire::{self, Replies, op};

/// How long the generator waits for any one reply.
pub const SILENCE: Duration = Duration::from_secs(60);

/// The session time-out asked for: 40 s, the most a tick of 2 s grants.
pub const SESSION_MS: i32 = 40_000;

/// A connected session: a stream and the replies cut from it.
pub struct Session {
    /// The socket, blocking.
    pub stream: TcpStream,
    /// Frames cut from the socket.
    pub replies: Replies,
}

impl Session {
    /// Connects and opens a new session.
    pub fn open(addr: SocketAddr) -> io::Result<Self> {
        Self::open_sized(addr, 256 << 10)
    }

    /// As [`Session::open`], with a read buffer of `buffer` bytes.
    pub fn open_sized(addr: SocketAddr, buffer: usize) -> io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        let mut session = Self { stream, replies: Replies::with_capacity(buffer) };
        session.stream.write_all(&wire::connect(SESSION_MS))?;
        loop {
            if let Some(frame) = session.replies.frame() {
                // protocol version, time-out, session id: id 0 is a refusal.
                let id = frame.get(8..16).unwrap_or_default();
                if id.iter().all(|b| *b == 0) {
                    return Err(io::Error::other("the server refused the session"));
                }
                break;
            }
            session.replies.fill(&mut session.stream)?;
        }
        Ok(session)
    }

    /// Sends one frame and waits for the next reply that is not an event.
    /// Returns ZooKeeper's error code.
    pub fn call(&mut self, frame: &[u8]) -> io::Result<i32> {
        self.stream.write_all(frame)?;
        loop {
            while let Some(reply) = self.replies.next() {
                if reply.xid != wire::XID_EVENT {
                    return Ok(reply.err);
                }
            }
            self.replies.fill(&mut self.stream)?;
        }
    }

    /// As [`Session::call`]; any error code but those allowed is an error.
    pub fn expect(&mut self, frame: &[u8], allowed: &[i32]) -> io::Result<i32> {
        let err = self.call(frame)?;
        if err == 0 || allowed.contains(&err) {
            return Ok(err);
        }
        Err(io::Error::other(format!("the server answered a set-up request with error {err}")))
    }

    /// Ends the session and waits for the reply.
    pub fn close(mut self) -> io::Result<()> {
        self.call(&wire::request(1, op::CLOSE, |_| {})).map(drop)
    }
}

/// Sends many frames through one session, at most 500 in flight, and fails on an
/// error code that is not in `allowed`. For building and removing trees.
pub fn bulk(addr: SocketAddr, frames: impl Iterator<Item = Vec<u8>>, allowed: &[i32]) -> io::Result<u64> {
    let mut session = Session::open(addr)?;
    let mut block = Vec::new();
    let mut frames = frames.peekable();
    let mut total = 0;
    while frames.peek().is_some() {
        block.clear();
        let mut sent = 0;
        for frame in frames.by_ref().take(500) {
            block.extend_from_slice(&frame);
            sent += 1;
        }
        session.stream.write_all(&block)?;
        let mut seen = 0;
        while seen < sent {
            while let Some(reply) = session.replies.next() {
                if reply.err != 0 && !allowed.contains(&reply.err) {
                    let text = format!("a bulk request was answered with error {}", reply.err);
                    return Err(io::Error::other(text));
                }
                seen += 1;
            }
            if seen < sent {
                session.replies.fill(&mut session.stream)?;
            }
        }
        total += sent;
    }
    session.close()?;
    Ok(total)
}
