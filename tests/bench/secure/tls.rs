//! TLS: handshakes from nothing, handshakes that resume, reads.
//!
//! # Invariants
//!
//! * The client trusts the servers' one certificate and nothing else.
//! * What a handshake turned out to be is checked against what the row is about.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};

use super::place::{HOST, Place};
use super::{HANDS, repeat};
use crate::load::Times;
use crate::rows::Seen;
use crate::session::{SESSION_MS, SILENCE};
use crate::wire::{self, Replies, op};

/// Gets that are under way on a connection.
const BLOCK: usize = 100;

/// A client with one configuration.
pub struct Client {
    config: Arc<ClientConfig>,
    resumes: bool,
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

impl Client {
    /// TLS 1.3; with `resumes` it keeps the tickets that servers give.
    pub fn new(place: &Place, resumes: bool) -> io::Result<Self> {
        let pem = fs::read(&place.certificate)?;
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(&pem).map_err(io::Error::other)?;
        roots.add(certificate).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        if !resumes {
            config.resumption = Resumption::disabled();
        }
        Ok(Self { config: Arc::new(config), resumes })
    }

    fn open(&self, addr: SocketAddr) -> io::Result<Stream> {
        let socket = TcpStream::connect(addr)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(SILENCE))?;
        let name = ServerName::try_from(HOST).map_err(io::Error::other)?;
        let tls = ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(tls, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(stream)
    }

    /// Full handshakes, all before the first ticket comes: a ticket serves once, and each hand needs one.
    pub fn prime(&self, addr: SocketAddr) -> io::Result<()> {
        let opened: io::Result<Vec<Stream>> = (0..HANDS * 2).map(|_| self.open(addr)).collect();
        opened?.iter_mut().try_for_each(|stream| self.ask(stream))
    }

    /// A handshake and the shortest of questions, behind which tickets have come.
    /// Where `demanded`, it has to be what the client was made for.
    pub fn handshake(&self, addr: SocketAddr, demanded: bool) -> io::Result<()> {
        let mut stream = self.open(addr)?;
        let resumed = stream.conn.handshake_kind() == Some(HandshakeKind::Resumed);
        if demanded && resumed != self.resumes {
            let what = if resumed { "resumed" } else { "did not resume" };
            return Err(io::Error::other(format!("a handshake {what}")));
        }
        self.ask(&mut stream)
    }

    fn ask(&self, stream: &mut Stream) -> io::Result<()> {
        stream.write_all(b"ruok")?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        if answer != *b"imok" {
            return Err(io::Error::other("ruok was not answered"));
        }
        // Java forgets the session of a connection that ends without this.
        stream.conn.send_close_notify();
        while stream.conn.wants_write() {
            stream.conn.write_tls(&mut stream.sock)?;
        }
        Ok(())
    }
}

/// Pipelined gets of 1 KiB, each on a connection of its thread.
pub fn gets(client: &Client, addr: SocketAddr, pid: u32, times: Times) -> io::Result<Seen> {
    let idle: std::sync::Mutex<Vec<Reader>> = std::sync::Mutex::default();
    let take = || idle.lock().ok().and_then(|mut list| list.pop());
    let mut seen = repeat(pid, times, || {
        let mut reader = match take() {
            Some(reader) => reader,
            None => Reader::open(client, addr)?,
        };
        reader.block()?;
        if let Ok(mut list) = idle.lock() {
            list.push(reader);
        }
        Ok(())
    })?;
    // What was counted are blocks.
    seen.values.iter_mut().for_each(|value| *value /= BLOCK as f64);
    seen.rates.iter_mut().for_each(|rate| *rate *= BLOCK as f64);
    Ok(seen)
}

struct Reader {
    stream: Stream,
    replies: Replies,
    frames: Vec<u8>,
}

impl Reader {
    fn open(client: &Client, addr: SocketAddr) -> io::Result<Self> {
        let mut stream = client.open(addr)?;
        let mut replies = Replies::default();
        stream.write_all(&wire::connect(SESSION_MS))?;
        while replies.frame().is_none() {
            replies.fill(&mut stream)?;
        }
        let frames = wire::read(op::GET, "/bench/get", false).repeat(BLOCK);
        Ok(Self { stream, replies, frames })
    }

    fn block(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.frames)?;
        let mut seen = 0;
        while seen < BLOCK {
            while let Some(reply) = self.replies.next() {
                if reply.err != 0 || reply.len < 1024 {
                    return Err(io::Error::other(format!("a get was answered with error {}", reply.err)));
                }
                seen += 1;
            }
            if seen < BLOCK {
                self.replies.fill(&mut self.stream)?;
            }
        }
        Ok(())
    }
}
