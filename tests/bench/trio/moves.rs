//! Gaps: what a client sees when the leader dies or leaves, and how long a follower is away.
//!
//! # Invariants
//!
//! * The client asks again at once, the next server each time; a try takes 200 ms at most.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::members::Trio;
use crate::rows::Seen;
use crate::session::SESSION_MS;
use crate::wire::{self, Replies};

/// How often the leader is killed, or leaves.
const TIMES: usize = 7;
/// Sets that a follower misses before it comes back: more than a leader keeps in memory.
const MISSED: usize = 2000;
/// How long a try may take.
const TRY: Duration = Duration::from_millis(200);
/// Pause between two tries that were refused at once.
const PAUSE: Duration = Duration::from_millis(1);

/// From the leader's kill -9 to the next acknowledged write, milliseconds.
pub fn kills(trio: &mut Trio) -> io::Result<Seen> {
    let mut values = Vec::new();
    for _ in 0..TIMES {
        let leader = trio.leader()?;
        let others = others(trio, leader)?;
        let mut writer = Writer::open(&others)?;
        writer.set()?;
        let killed = Instant::now();
        trio.kill(leader)?;
        writer.until_acknowledged(killed)?;
        values.push(killed.elapsed().as_secs_f64() * 1e3);
        trio.launch(leader)?;
        trio.wait(leader)?;
    }
    Ok(Seen { values, ..Seen::default() })
}

/// The longest time between two acknowledged writes around the leader's SIGTERM, milliseconds; the client is on
/// another member.
pub fn hand_overs(trio: &mut Trio) -> io::Result<Seen> {
    let mut values = Vec::new();
    for _ in 0..TIMES {
        let leader = trio.leader()?;
        let others = others(trio, leader)?;
        let stop = AtomicBool::new(false);
        let gap = std::thread::scope(|scope| -> io::Result<Duration> {
            let client = scope.spawn(|| longest_gap(&others, &stop));
            std::thread::sleep(Duration::from_millis(300));
            trio.terminate(leader)?;
            let ended = trio.ended(leader);
            std::thread::sleep(Duration::from_millis(300));
            stop.store(true, Relaxed);
            let gap = client.join().map_err(|_| io::Error::other("the client panicked"))?;
            ended.and(gap)
        })?;
        values.push(gap.as_secs_f64() * 1e3);
        trio.launch(leader)?;
        trio.wait(leader)?;
    }
    Ok(Seen { values, ..Seen::default() })
}

/// From the start of a follower until it follows, seconds: it holds the large tree and missed some writes.
pub fn rejoin(trio: &mut Trio) -> io::Result<Seen> {
    let mut values = Vec::new();
    for _ in 0..3 {
        let leader = trio.leader()?;
        let away = (leader + 1) % 3;
        trio.terminate(away)?;
        trio.ended(away)?;
        let address = trio.addresses()?.get(leader).copied();
        let address = address.ok_or_else(|| io::Error::other("an ensemble of three"))?;
        let sets = (0..MISSED).map(|_| wire::set("/tree", &[b'm'; 100]));
        crate::session::bulk(address, sets, &[])?;
        let begun = Instant::now();
        trio.launch(away)?;
        trio.wait(away)?;
        values.push(begun.elapsed().as_secs_f64());
    }
    Ok(Seen { values, ..Seen::default() })
}

fn others(trio: &Trio, leader: usize) -> io::Result<Vec<SocketAddr>> {
    let all = trio.addresses()?;
    Ok(all.into_iter().enumerate().filter(|(n, _)| *n != leader).map(|(_, address)| address).collect())
}

/// Writes without a break until told to stop; the longest time between two acknowledgements.
fn longest_gap(servers: &[SocketAddr], stop: &AtomicBool) -> io::Result<Duration> {
    let mut writer = Writer::open(servers)?;
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    while !stop.load(Relaxed) {
        writer.until_acknowledged(last)?;
        longest = longest.max(last.elapsed());
        last = Instant::now();
    }
    Ok(longest)
}

/// A client that sets one znode, and connects again at once when it cannot.
struct Writer {
    servers: Vec<SocketAddr>,
    turn: usize,
    session: Option<(TcpStream, Replies)>,
}

impl Writer {
    fn open(servers: &[SocketAddr]) -> io::Result<Writer> {
        let mut writer = Writer { servers: servers.to_vec(), turn: 0, session: None };
        let begun = Instant::now();
        loop {
            match writer.call(&wire::create("/gap", b"")) {
                Ok(0 | super::NODE_EXISTS) => return Ok(writer),
                Ok(err) => return Err(io::Error::other(format!("/gap was answered with error {err}"))),
                Err(e) if begun.elapsed() > Duration::from_secs(60) => return Err(e),
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    }

    fn set(&mut self) -> io::Result<()> {
        match self.call(&wire::set("/gap", &[b'g'; 100]))? {
            0 => Ok(()),
            err => Err(io::Error::other(format!("a set was answered with error {err}"))),
        }
    }

    /// Tries until a set is acknowledged, a minute at most.
    fn until_acknowledged(&mut self, since: Instant) -> io::Result<()> {
        loop {
            match self.set() {
                Ok(()) => return Ok(()),
                Err(e) if since.elapsed() > Duration::from_secs(60) => return Err(e),
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    }

    /// One request; a connection that fails is given up.
    fn call(&mut self, frame: &[u8]) -> io::Result<i32> {
        let outcome = self.exchange(frame);
        if outcome.is_err() {
            self.session = None;
            self.turn += 1;
        }
        outcome
    }

    fn exchange(&mut self, frame: &[u8]) -> io::Result<i32> {
        if self.session.is_none() {
            self.session = Some(self.connect()?);
        }
        let Some((stream, replies)) = &mut self.session else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        stream.write_all(frame)?;
        loop {
            if let Some(reply) = replies.next() {
                return Ok(reply.err);
            }
            replies.fill(stream)?;
        }
    }

    fn connect(&self) -> io::Result<(TcpStream, Replies)> {
        let servers = self.servers.len().max(1);
        let server = self.servers.get(self.turn % servers).ok_or(io::ErrorKind::NotFound)?;
        let mut stream = TcpStream::connect_timeout(server, TRY)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TRY))?;
        stream.write_all(&wire::connect(SESSION_MS))?;
        let mut replies = Replies::with_capacity(4096);
        loop {
            if let Some(frame) = replies.frame() {
                let refused = frame.get(8..16).unwrap_or_default().iter().all(|b| *b == 0);
                return if refused {
                    Err(io::ErrorKind::ConnectionRefused.into())
                } else {
                    Ok((stream, replies))
                };
            }
            replies.fill(&mut stream)?;
        }
    }
}
