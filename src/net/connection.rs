//! One client connection: a hand-written poll loop over any byte stream.
//!
//! Bytes are read into a buffer of the worker thread and frames are parsed straight
//! out of it; answers collect in another such buffer and leave with one write. An
//! idle connection owns neither.
//!
//! # Invariants
//!
//! * Frames are handed on in order, each after [`Service::flow`] has said that the
//!   connection may go on; while it says hold, nothing is read.
//! * Outgoing bytes leave in the order in which they came. Above
//!   [`OUTGOING_HIGH_WATER`] no further frame is looked at; above [`OUTGOING_HARD`]
//!   the connection ends.
//! * What one read brought goes to the core in one piece, and its answers to the
//!   socket in one write, whenever the socket takes it.
//! * [`Service::closed`] is called exactly once, also when the task is dropped.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tracing::{debug, warn};

use super::budget::LargeBudget;
use super::direct::{Direct, Line, PlainStream};
use super::frame::{Front, Leftover, front};
use super::registry::Admission;
use super::scratch::{SCRATCH, Scratch};
use super::service::{CloseReason, FirstBytes, Flow, NetEvent, Service, Verdict};
use super::stage::{First, Stage};
use crate::limits::{OUTGOING_HARD, OUTGOING_HIGH_WATER, READS_PER_POLL};
use crate::types::Now;

/// What a connection is told when it starts.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// `jute.maxbuffer`.
    pub max_frame: usize,
    /// `largeRequestThreshold` and `largeRequestMaxBytes`.
    pub large: Option<Arc<LargeBudget>>,
}

/// The task of one connection.
pub struct Connection<S, V: Service> {
    stream: S,
    service: Arc<V>,
    place: Admission<V::Client>,
    limits: Arc<ConnectionLimits>,
    stage: Stage,
    left: Leftover,
    /// Bytes of the frame at the front of `left`, when it is not complete.
    whole: usize,
    unsent: Vec<u8>,
    sent: usize,
    /// Why the connection ends when `unsent` is empty.
    ending: Option<CloseReason>,
    /// The service keeps bytes back: they leave before the connection ends.
    held: bool,
    /// The service knows that it is over.
    over: bool,
    /// The short way out, which others use too.
    line: Option<Arc<Line<V>>>,
}

impl<V: Service> Connection<PlainStream, V> {
    /// A connection without TLS: its answers may be sent by whoever has them.
    pub fn plain(
        stream: TcpStream,
        service: Arc<V>,
        place: Admission<V::Client>,
        limits: Arc<ConnectionLimits>,
    ) -> Connection<PlainStream, V> {
        let stream = PlainStream::from(stream);
        let line = Arc::new(Line::new(&stream, &service, place.client()));
        let direct: Arc<dyn Direct> = line.clone();
        place.waker().open_line(direct);
        let mut connection = Connection::new(stream, service, place, limits);
        connection.line = Some(line);
        connection
    }
}

impl<S, V> Connection<S, V>
where
    S: AsyncRead + AsyncWrite + Unpin,
    V: Service,
{
    /// A connection that was admitted; run it by awaiting it.
    pub fn new(
        stream: S,
        service: Arc<V>,
        place: Admission<V::Client>,
        limits: Arc<ConnectionLimits>,
    ) -> Connection<S, V> {
        Connection {
            stream,
            service,
            place,
            limits,
            stage: Stage::First,
            left: Leftover::default(),
            whole: 4,
            unsent: Vec::new(),
            sent: 0,
            ending: None,
            held: false,
            over: false,
            line: None,
        }
    }

    /// Goes on as far as it can without waiting.
    fn drive(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<CloseReason> {
        self.say_waiting(false);
        for _ in 0..READS_PER_POLL {
            ready!(self.poll_word(cx));
            self.go_on_with_leftover(scratch);
            let sent = self.send(cx, scratch);
            let killed = self.place.waker().killed();
            match sent {
                Poll::Ready(Err(e)) => return Poll::Ready(CloseReason::Io(e)),
                Poll::Ready(Ok(())) | Poll::Pending if killed.is_some() => {
                    return Poll::Ready(killed.map_or(CloseReason::Shutdown, CloseReason::from));
                }
                Poll::Ready(Ok(())) => {
                    if !self.held
                        && let Some(why) = self.ending.take()
                    {
                        return Poll::Ready(why);
                    }
                }
                Poll::Pending => {
                    let unsent = self.backlog();
                    if unsent > OUTGOING_HARD {
                        return Poll::Ready(CloseReason::SlowReader { unsent });
                    }
                }
            }
            if !self.flows() {
                self.say_waiting(true);
                if !self.flows() {
                    return Poll::Pending;
                }
                self.say_waiting(false); // it was let go meanwhile, by somebody who saw no need to wake it
            }
            if !self.awaits_bytes() {
                continue; // what was held back for its answers' size may go on: they have left
            }
            let mut buffer = ReadBuf::new(&mut scratch.input);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Err(e) => return Poll::Ready(CloseReason::Io(e)),
                Ok(()) => match buffer.filled().len() {
                    0 => return Poll::Ready(CloseReason::PeerClosed),
                    n => self.take_in(n, scratch),
                },
            }
        }
        cx.waker().wake_by_ref(); // this peer sends without a pause: others first
        Poll::Pending
    }

    /// Bytes that the peer has not taken yet.
    fn backlog(&self) -> usize {
        self.unsent.len() - self.sent + self.service.outgoing_len(self.place.client())
    }

    /// May another frame be looked at?
    fn flows(&self) -> bool {
        self.ending.is_none()
            && self.service.flow(self.place.client()) == Flow::Read
            && self.backlog() < OUTGOING_HIGH_WATER
    }

    /// Is it of use to read? Not while whole frames wait that were read before.
    fn awaits_bytes(&self) -> bool {
        matches!(self.stage, Stage::First)
            || matches!(front(self.left.bytes(), self.limits.max_frame), Front::Partial(_))
    }

    /// `n` bytes arrived in the thread's buffer.
    fn take_in(&mut self, n: usize, scratch: &mut Scratch) {
        let now = self.service.now();
        self.place.touch(now.mono);
        self.service.lend(self.place.client(), &mut scratch.output);
        let mut arrived = scratch.input.get(..n).unwrap_or_default();
        let mut batch = V::Batch::default();
        while !self.left.is_empty() && !arrived.is_empty() && self.ending.is_none() {
            let missing = self.whole.saturating_sub(self.left.bytes().len());
            let (head, rest) = arrived.split_at(missing.min(arrived.len()));
            self.left.extend(head, self.whole);
            arrived = rest;
            self.parse_leftover(now, &mut batch);
            if !self.awaits_bytes() {
                break; // held back: the rest waits behind it
            }
        }
        if self.left.is_empty() {
            let used = self.parse(arrived, now, &mut batch);
            arrived = arrived.get(used..).unwrap_or_default();
        }
        if self.ending.is_none() {
            self.left.extend(arrived, self.whole);
        }
        self.service.submit(batch);
    }

    /// Frames that had to wait, now that the connection may go on.
    fn go_on_with_leftover(&mut self, scratch: &mut Scratch) {
        if self.left.is_empty() || self.awaits_bytes() || !self.flows() {
            return;
        }
        self.service.lend(self.place.client(), &mut scratch.output);
        let mut batch = V::Batch::default();
        self.parse_leftover(self.service.now(), &mut batch);
        self.service.submit(batch);
    }

    fn parse_leftover(&mut self, now: Now, batch: &mut V::Batch) {
        let mut left = std::mem::take(&mut self.left);
        let used = self.parse(left.bytes(), now, batch);
        left.consume(used);
        self.left = left;
    }

    /// Hands on the frames at the front of `bytes`; how many bytes they were.
    fn parse(&mut self, bytes: &[u8], now: Now, batch: &mut V::Batch) -> usize {
        let mut used = 0;
        if let Stage::First = self.stage {
            match self.first_bytes(bytes) {
                First::Word => return bytes.len(), // whatever else came is not looked at
                First::Partial => return 0,
                First::Length => self.stage = Stage::Connect,
            }
        }
        while self.flows() {
            let rest = bytes.get(used..).unwrap_or_default();
            match front(rest, self.limits.max_frame) {
                Front::BadLength(length) => {
                    self.ending = Some(CloseReason::FrameLength { length, limit: self.limits.max_frame });
                }
                Front::Partial(whole) => {
                    self.whole = whole;
                    if rest.len() >= 4 {
                        self.ending = self.refusal(whole - 4);
                    }
                    break;
                }
                Front::Frame(body, n) => {
                    self.ending = self.refusal(n - 4).or_else(|| self.hand_on(body, now, batch));
                    used += n;
                }
            }
        }
        used
    }

    /// One frame goes to the service. The reason to close, if it finds one.
    fn hand_on(&mut self, body: &[u8], now: Now, batch: &mut V::Batch) -> Option<CloseReason> {
        let client = self.place.client();
        let verdict = if let Stage::Connect = self.stage {
            self.stage = Stage::Open;
            self.service.connect(client, body, now, batch)
        } else {
            self.service.request(client, body, now, batch)
        };
        match verdict {
            Verdict::Taken => None,
            Verdict::Close(why) => Some(why),
        }
    }

    /// Why a frame of `length` bytes is not taken, judged before its body arrives.
    fn refusal(&self, length: usize) -> Option<CloseReason> {
        if matches!(self.stage, Stage::Connect) && !self.service.is_serving() {
            return Some(CloseReason::NotServing);
        }
        if self.limits.large.as_ref().is_some_and(|large| !large.has_room(length)) {
            self.service.count(NetEvent::LargeRejected);
            return Some(CloseReason::LargeRequests);
        }
        self.service.refuses(self.place.client(), length)
    }

    /// Looks for a four-letter word at the start of the stream.
    fn first_bytes(&mut self, bytes: &[u8]) -> First {
        let Some((word, rest)) = bytes.split_first_chunk::<4>() else {
            return First::Partial;
        };
        let FirstBytes::Word(argument) = self.service.first_bytes(*word) else {
            return First::Length;
        };
        let Some(argument) = rest.get(..argument) else {
            self.whole = 4 + argument;
            return First::Partial;
        };
        let (service, client) = (Arc::clone(&self.service), Arc::clone(self.place.client()));
        let (word, argument) = (*word, argument.to_vec());
        let answer = move || service.answer_word(&client, word, &argument);
        self.stage = Stage::Word(tokio::task::spawn_blocking(answer));
        First::Word
    }

    /// Waits for the answer to a four-letter word, if one was asked.
    fn poll_word(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Stage::Word(answer) = &mut self.stage {
            let answer = ready!(Pin::new(answer).poll(cx)).unwrap_or_default();
            self.unsent = answer.bytes;
            self.stage = Stage::Answered(answer.until_sent);
            self.ending = Some(CloseReason::Word);
        }
        Poll::Ready(())
    }

    /// Tells others whether it has to be woken whenever something changes.
    fn say_waiting(&self, waiting: bool) {
        if let Some(line) = &self.line {
            line.set_waiting(waiting);
        }
    }

    /// Takes over what is outgoing and writes it; nobody else sends meanwhile.
    fn send(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<io::Result<()>> {
        let Some(line) = self.line.clone() else {
            self.collect(scratch);
            return self.flush(cx, scratch);
        };
        let mut gate = line.enter();
        self.unsent.append(&mut gate.rest);
        self.collect(scratch);
        let sent = self.flush(cx, scratch);
        gate.busy = sent.is_pending();
        sent
    }

    /// Takes over what is outgoing.
    fn collect(&mut self, scratch: &mut Scratch) {
        let mut taken = Vec::new();
        let outgoing = self.service.take_outgoing(self.place.client(), &mut taken);
        self.held = outgoing.held;
        if outgoing.close_after && self.ending.is_none() {
            self.ending = Some(CloseReason::Answered);
        }
        if self.unsent.is_empty() && !taken.is_empty() {
            self.unsent = taken;
            return;
        }
        if self.sent > self.unsent.len() / 2 {
            self.unsent.drain(..self.sent);
            self.sent = 0;
        }
        self.unsent.extend_from_slice(&taken);
        scratch.give_back(taken);
    }

    /// Writes what is unsent, and lets go of its memory when all is sent.
    fn flush(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<io::Result<()>> {
        while let Some(rest) = self.unsent.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest)) {
                Err(e) => return Poll::Ready(Err(e)),
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(n) => self.sent += n,
            }
        }
        self.sent = 0;
        scratch.give_back(std::mem::take(&mut self.unsent));
        // TLS may hold records that the socket did not take yet; plain TCP holds nothing.
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// The end: everybody is told, and the stream is shut down.
    fn finish(&mut self, why: &CloseReason) {
        self.over = true;
        let peer = self.place.peer();
        let conn = self.place.id().0;
        if why.is_suspicious() {
            warn!(%peer, conn, "connection closed: {why}");
        } else {
            debug!(%peer, conn, "connection closed: {why}");
        }
        match why {
            CloseReason::PeerClosed | CloseReason::Io(_) => self.service.count(NetEvent::Dropped),
            CloseReason::Idle => self.service.count(NetEvent::Expired),
            CloseReason::Throttled => self.service.count(NetEvent::Rejected),
            _ => {}
        }
        self.place.leave();
        self.service.closed(self.place.client(), why);
        self.unsent = Vec::new();
        self.left = Leftover::default();
    }

    /// Says goodbye, without waiting: what is unread is taken, so that the peer sees our
    /// last bytes and a proper end, not a reset.
    fn goodbye(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) {
        let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
        for _ in 0..READS_PER_POLL {
            let mut buffer = ReadBuf::new(&mut scratch.input);
            let read = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
            if !matches!(read, Poll::Ready(Ok(()))) || buffer.filled().is_empty() {
                break;
            }
        }
    }
}

impl<S, V> Future for Connection<S, V>
where
    S: AsyncRead + AsyncWrite + Unpin,
    V: Service,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let me = self.get_mut();
        me.place.waker().register(cx.waker());
        SCRATCH.with_borrow_mut(|scratch| {
            let why = ready!(me.drive(cx, scratch));
            me.finish(&why);
            if why.is_polite() {
                me.goodbye(cx, scratch);
            }
            Poll::Ready(())
        })
    }
}

impl<S, V: Service> Drop for Connection<S, V> {
    fn drop(&mut self) {
        if !self.over {
            self.place.leave();
            self.service.closed(self.place.client(), &CloseReason::Shutdown);
        }
    }
}
