//! One thread that keeps one request in flight on each of many connections.
//!
//! A thread a connection would have the server pay for waking each of them, which
//! clients on other machines never ask of it. One thread that is told which replies
//! have arrived comes closer to them, and costs less beside the server.
//!
//! # Invariants
//!
//! * Each connection has exactly one request in flight until the load ends.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Instant;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use crate::load::Template;
use crate::session::{SILENCE, Session};
use crate::stats::Histogram;
use crate::wire;

/// Read buffer of each connection: a few replies.
const BUFFER: usize = 8 << 10;

/// Runs until `stop` says so; `done` is told of every answered request. Returns the
/// round trips that `counted` asked for.
pub fn run(
    addr: SocketAddr,
    conns: usize,
    template: &Template,
    stop: impl Fn() -> bool,
    counted: impl Fn() -> bool,
    done: impl Fn(u64),
) -> io::Result<Histogram> {
    let mut frame = template.frame.clone();
    wire::put_xid(&mut frame, 1);
    let poller = epoll::create(CreateFlags::CLOEXEC)?;
    let mut sessions = Vec::with_capacity(conns);
    for n in 0..conns {
        let session = Session::open_sized(addr, BUFFER)?;
        epoll::add(&poller, &session.stream, EventData::new_u64(n as u64), EventFlags::IN)?;
        sessions.push((session, Instant::now()));
    }
    for (session, sent) in &mut sessions {
        *sent = Instant::now();
        session.stream.write_all(&frame)?;
    }
    let mut latency = Histogram::default();
    let limit = Timespec { tv_sec: SILENCE.as_secs() as i64, tv_nsec: 0 };
    let mut events = Vec::with_capacity(conns);
    let mut in_flight = conns;
    while in_flight > 0 {
        events.clear();
        epoll::wait(&poller, rustix::buffer::spare_capacity(&mut events), Some(&limit))?;
        if events.is_empty() {
            return Err(io::Error::other("the server stopped answering"));
        }
        let (ending, counting) = (stop(), counted());
        for event in &events {
            let slot = sessions.get_mut(event.data.u64() as usize);
            let Some((session, sent)) = slot else { continue };
            session.replies.fill(&mut session.stream)?;
            let Some(reply) = session.replies.next() else { continue };
            reply.check(1, template.reply)?;
            let now = Instant::now();
            if counting {
                latency.record(now - *sent);
            }
            if ending {
                in_flight -= 1;
            } else {
                *sent = now;
                session.stream.write_all(&frame)?;
            }
        }
        done(events.len() as u64);
    }
    for (session, _) in sessions {
        session.close()?;
    }
    Ok(latency)
}
