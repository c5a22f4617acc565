//! Free loopback ports.
//!
//! # Invariants
//! * Ports handed out by one process are never handed out twice by it.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port of 127.0.0.1 that nothing listened on a moment ago.
pub fn free() -> u16 {
    block(1)
}

/// The first of `count` consecutive free ports, for programs that count upwards from one.
pub fn block(count: u16) -> u16 {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..1000 {
        let first = bind(0).and_then(|l| l.local_addr().ok()).map_or(0, |a| a.port());
        let Some(end) = first.checked_add(count).filter(|_| first > 0) else {
            continue;
        };
        let held: Vec<_> = (first + 1..end).filter_map(bind).collect();
        if held.len() + 1 == usize::from(count) && !(first..end).any(|p| given.contains(&p)) {
            given.extend(first..end);
            return first;
        }
    }
    panic!("no {count} consecutive free ports on loopback");
}

/// A port that stays ours while a server restarts: outside the range from which the kernel picks ports of
/// outgoing connections (Linux: 32768 and up), where nothing listened a moment ago.
pub fn lasting() -> u16 {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    // Rings that run side by side begin at different places.
    let start = 10_000 + (std::process::id() % 200) as u16 * 100;
    let mut candidates = (start..30_000).chain(10_000..start);
    let port = candidates.find(|port| !given.contains(port) && bind(*port).is_some());
    let port = port.expect("a free port between 10000 and 30000");
    given.insert(port);
    port
}

fn bind(port: u16) -> Option<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
}
