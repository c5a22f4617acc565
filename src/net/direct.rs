//! The short way out: an answer is written to the socket by the thread that has it, without a
//! detour through the connection's task.
//!
//! A synchronous client waits for one answer at a time. To wake the task that would write it
//! costs a system call, a switch of threads and the time of both; the write itself is one call.
//!
//! # Invariants
//!
//! * Bytes leave in the order in which they were queued: whoever takes them from the queue holds
//!   the gate until the socket has them, and while some are unsent only the task goes on.
//! * What the socket did not take is handed to the task, which is woken.
//! * A task that is held back says so before it looks for the last time; it is woken by every send.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use parking_lot::{Mutex, MutexGuard};
use rustix::net::Shutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::service::Service;

/// A way to send without the task.
pub(super) trait Direct: Send + Sync {
    /// Sends what is outgoing; false if the task has to be woken.
    fn send(&self) -> bool;
}

/// What task and sender tell each other about the outgoing bytes.
#[derive(Default)]
pub(super) struct Gate {
    /// The task has bytes that the socket did not take.
    pub busy: bool,
    /// Taken from the queue and not sent: ahead of everything that is queued.
    pub rest: Vec<u8>,
}

/// The outgoing side of a connection without TLS.
pub(super) struct Line<V: Service> {
    socket: Arc<OwnedWriteHalf>,
    service: Arc<V>,
    client: Arc<V::Client>,
    gate: Mutex<Gate>,
    waiting: AtomicBool,
}

impl<V: Service> Line<V> {
    /// The line of a connection whose stream is `stream`.
    pub fn new(stream: &PlainStream, service: &Arc<V>, client: &Arc<V::Client>) -> Line<V> {
        Line {
            socket: Arc::clone(&stream.write),
            service: Arc::clone(service),
            client: Arc::clone(client),
            gate: Mutex::default(),
            waiting: AtomicBool::new(false),
        }
    }

    /// The task's turn: nobody else sends until the guard is gone.
    pub fn enter(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock()
    }

    /// The task waits for something else than bytes of its peer, or does no more.
    pub fn set_waiting(&self, waiting: bool) {
        self.waiting.store(waiting, Ordering::SeqCst);
    }
}

impl<V: Service> Direct for Line<V> {
    fn send(&self) -> bool {
        let Some(mut gate) = self.gate.try_lock().filter(|gate| !gate.busy) else { return false };
        let mut taken = Vec::new();
        let outgoing = self.service.take_outgoing(&self.client, &mut taken);
        if !taken.is_empty() {
            // An error is met again, and reported, by the task.
            let sent = self.socket.try_write(&taken).unwrap_or(0);
            if sent < taken.len() {
                taken.drain(..sent);
                *gate = Gate { busy: true, rest: taken };
                return false;
            }
        }
        drop(gate);
        !outgoing.close_after && !outgoing.held && !self.waiting.load(Ordering::SeqCst)
    }
}

/// A TCP stream whose outgoing side is shared with its [`Line`].
pub(super) struct PlainStream {
    read: OwnedReadHalf,
    write: Arc<OwnedWriteHalf>,
}

impl From<TcpStream> for PlainStream {
    fn from(stream: TcpStream) -> PlainStream {
        let (read, write) = stream.into_split();
        PlainStream { read, write: Arc::new(write) }
    }
}

impl AsyncRead for PlainStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(cx, buf)
    }
}

impl AsyncWrite for PlainStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let socket: &TcpStream = (*self.write).as_ref();
        loop {
            ready!(socket.poll_write_ready(cx))?;
            match socket.try_write(buf) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket: &TcpStream = (*self.write).as_ref();
        Poll::Ready(rustix::net::shutdown(socket, Shutdown::Write).map_err(io::Error::from))
    }
}
