//! The echo floor: the smallest server that these rows can be run against.
//!
//! It frames requests, looks at the operation and sends a canned reply of the
//! right size. It has no tree, no sessions, no checks; writes go through one log
//! thread with one write and one `fdatasync` for all that has piled up. What it
//! costs is what sockets, wake-ups and the disk cost on this machine: no server
//! built on the same runtime can be cheaper.
//!
//! # Invariants
//!
//! * A reply to a write is sent after the sync that covers it.
//! * Replies leave in the order of the requests.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::wire::{Out, op};

/// The log file is preallocated in steps of this size, as ZooKeeper's is.
const PREALLOCATE: u64 = 64 << 20;
/// Requests of one read are answered together; at most this much is read at once.
const READ: usize = 64 << 10;

/// Canned reply bodies, behind the header.
struct Bodies {
    get: Vec<u8>,
    stat: Vec<u8>,
    children: Vec<u8>,
    multi: Vec<u8>,
    path: Vec<u8>,
    event: Vec<u8>,
}

/// What all connections share.
struct Shared {
    bodies: Bodies,
    log: mpsc::Sender<(Vec<u8>, oneshot::Sender<()>)>,
    watchers: Mutex<Vec<Arc<OwnedWriteHalf>>>,
}

/// Runs the floor until it is killed.
pub fn run(port: u16, log: &Path) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel();
    let file = File::create(log)?;
    std::thread::spawn(move || {
        if let Err(e) = write_log(&file, &receiver) {
            eprintln!("the floor's log failed: {e}");
            std::process::exit(1);
        }
    });
    let shared = Arc::new(Shared { bodies: bodies(), log: sender, watchers: Mutex::new(Vec::new()) });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                // A client that leaves ends its task: nothing to report.
                let _ = serve(stream, &shared).await;
            });
        }
    })
}

fn bodies() -> Bodies {
    let stat = vec![0u8; 68];
    let mut get = Out::default();
    get.buf(&[7; 1024]).0.extend_from_slice(&stat);
    let mut children = Out::default();
    children.int(100);
    for i in 0..100 {
        children.buf(crate::rows::child_name(i).as_bytes());
    }
    let mut multi = Out::default();
    for _ in 0..10 {
        multi.int(op::SET).bool(false).int(0).0.extend_from_slice(&stat);
    }
    multi.int(-1).bool(true).int(-1);
    let mut path = Out::default();
    path.buf(b"/bench/c0/000000000000");
    let mut event = Out::default();
    // length, xid -1, zxid, err; NodeDataChanged, SyncConnected, path
    let mut body = Out::default();
    body.int(-1).long(-1).int(0).int(3).int(3).buf(b"/bench/watched");
    event.buf(&body.0);
    Bodies { get: get.0, stat, children: children.0, multi: multi.0, path: path.0, event: event.0 }
}

/// Writes and syncs whatever has piled up, then answers all of it.
fn write_log(file: &File, queue: &mpsc::Receiver<(Vec<u8>, oneshot::Sender<()>)>) -> io::Result<()> {
    let (mut at, mut size) = (0u64, 0u64);
    let mut batch = Vec::new();
    let mut waiting = Vec::new();
    while let Ok((bytes, done)) = queue.recv() {
        batch.extend_from_slice(&bytes);
        waiting.push(done);
        while let Ok((bytes, done)) = queue.try_recv() {
            batch.extend_from_slice(&bytes);
            waiting.push(done);
        }
        if at + batch.len() as u64 > size {
            size += PREALLOCATE;
            file.set_len(size)?;
        }
        file.write_all_at(&batch, at)?;
        at += batch.len() as u64;
        file.sync_data()?;
        for done in waiting.drain(..) {
            // The connection may be gone.
            let _ = done.send(());
        }
        batch.clear();
    }
    Ok(())
}

/// What a read of the socket turned into.
#[derive(Default)]
struct Round {
    out: Vec<u8>,
    log: Vec<u8>,
    fire: usize,
    watch: bool,
    close: bool,
}

async fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, writer) = stream.into_split();
    let stream = Arc::new(writer);
    let mut input: Vec<u8> = Vec::new();
    let mut chunk = vec![0u8; READ];
    let mut connected = false;
    let mut round = Round::default();
    loop {
        let n = reader.read(&mut chunk).await?;
        if n == 0 {
            return Ok(());
        }
        input.extend_from_slice(chunk.get(..n).unwrap_or_default());
        if !connected && input.starts_with(b"srvr") {
            write_all(&stream, b"Mode: echo\n").await?;
            return Ok(());
        }
        let mut rest = input.as_slice();
        while let Some((frame, tail)) = cut(rest) {
            rest = tail;
            if connected {
                answer(frame, shared, &mut round);
            } else {
                connected = true;
                let mut body = Out::default();
                body.int(0).int(40_000).long(1).buf(&[0; 16]).bool(false);
                round.out.extend_from_slice(&crate::wire::frame(&body.0));
                round.log.extend_from_slice(frame);
            }
        }
        let used = input.len() - rest.len();
        input.drain(..used);
        finish(&stream, shared, &mut round).await?;
        if round.close {
            return Ok(());
        }
    }
}

/// Syncs what the round wrote, then sends what it answers.
async fn finish(stream: &Arc<OwnedWriteHalf>, shared: &Shared, round: &mut Round) -> io::Result<()> {
    if !round.log.is_empty() {
        let (done, wait) = oneshot::channel();
        let bytes = std::mem::take(&mut round.log);
        if shared.log.send((bytes, done)).is_err() || wait.await.is_err() {
            return Err(io::Error::other("the log thread is gone"));
        }
    }
    let fire = std::mem::take(&mut round.fire);
    if fire > 0 {
        let held = shared.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        let events = shared.bodies.event.repeat(fire);
        for watcher in held.iter() {
            // Small and rare against the socket's buffer; a full one is a lost event.
            let _ = watcher.try_write(&events);
        }
    }
    if std::mem::take(&mut round.watch) {
        let mut held = shared.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        held.push(Arc::clone(stream));
    }
    write_all(stream, &round.out).await?;
    round.out.clear();
    Ok(())
}

fn cut(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = input.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*len) as usize)
}

fn answer(frame: &[u8], shared: &Shared, round: &mut Round) {
    let Some((xid, rest)) = frame.split_first_chunk::<4>() else { return };
    let Some((code, _)) = rest.split_first_chunk::<4>() else { return };
    let bodies = &shared.bodies;
    let code = i32::from_be_bytes(*code);
    let body: &[u8] = match code {
        op::GET => &bodies.get,
        op::EXISTS => &bodies.stat,
        op::ADD_WATCH => {
            round.watch = true;
            &[0; 4]
        }
        op::CHILDREN => &bodies.children,
        op::SET => {
            round.fire += 1;
            &bodies.stat
        }
        op::MULTI => &bodies.multi,
        op::CREATE => &bodies.path,
        op::CLOSE => {
            round.close = true;
            &[]
        }
        _ => &[],
    };
    if matches!(code, op::SET | op::CREATE | op::DELETE | op::MULTI | op::CLOSE) {
        round.log.extend_from_slice(frame);
    }
    let len = (crate::wire::REPLY_HEADER + body.len()) as u32;
    round.out.extend_from_slice(&len.to_be_bytes());
    round.out.extend_from_slice(xid);
    round.out.extend_from_slice(&[0; 12]);
    round.out.extend_from_slice(body);
}

async fn write_all(stream: &OwnedWriteHalf, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
