//! One HTTP connection: requests become [`Asked`], replies become bytes, and everything has its time.
//!
//! # Invariants
//!
//! * Answers are made a few at a time; whoever has no turn in time hears 503.
//! * Large answers wait for their readers in bounded number.
//! * A connection that runs out of time ends; if it asked nothing yet it hears 408.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, HeaderValue, RETRY_AFTER, STRICT_TRANSPORT_SECURITY};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::asked::{Asked, Body};
use super::pace::Pace;
use super::reply::{Reply, ReplyBody};
use super::target;
use super::{Site, Taken};
use crate::limits::{
    HTTP_ANSWERS, HTTP_BODY_BYTES, HTTP_BODY_MS, HTTP_CHUNK, HTTP_CHUNKS_AHEAD, HTTP_HEAD_BYTES,
    HTTP_HEADERS, HTTP_LARGE, HTTP_LARGE_ANSWERS, HTTP_STALL_MS, HTTP_TURN_MS,
};
use crate::tls::X509Identity;

/// How long browsers remember that this host speaks HTTPS, as ZooKeeper's admin server says.
const SECURE_FOR: &str = "max-age=86400; includeSubDomains";

/// What the connections of a port share.
pub(super) struct Door {
    pub site: Arc<dyn Site>,
    idle: Duration,
    turns: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Door {
    pub fn new(site: Arc<dyn Site>, idle: Duration) -> Door {
        let (turns, large) = (Semaphore::new(HTTP_ANSWERS), Semaphore::new(HTTP_LARGE_ANSWERS));
        Door { site, idle, turns: Arc::new(turns), large: Arc::new(large) }
    }
}

/// Who is at the other end.
struct Caller {
    peer: SocketAddr,
    secure: bool,
    certificate: Option<X509Identity>,
}

/// Answers the requests of a connection; `tls` holds the identity of a TLS connection.
pub(super) async fn run<S>(stream: S, peer: SocketAddr, tls: Option<Option<X509Identity>>, door: Arc<Door>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pace = Arc::new(Pace::new(door.idle));
    let caller = Arc::new(Caller { peer, secure: tls.is_some(), certificate: tls.flatten() });
    let service = {
        let pace = Arc::clone(&pace);
        service_fn(move |request| {
            let (door, caller, pace) = (Arc::clone(&door), Arc::clone(&caller), Arc::clone(&pace));
            async move { Ok::<_, Infallible>(answer(request, &door, &caller, pace).await) }
        })
    };
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HTTP_HEAD_BYTES).max_headers(HTTP_HEADERS).header_read_timeout(None);
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let asked = tokio::select! {
        // What went wrong concerns the client alone, which was told where that is possible.
        _ = &mut connection => return,
        asked = pace.over() => asked,
    };
    if !asked {
        let mut stream = connection.into_parts().io.into_inner();
        let told = stream
            .write_all(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        // The client may be gone.
        let _ = tokio::time::timeout(Duration::from_millis(HTTP_STALL_MS), told).await;
    }
}

async fn answer(
    request: Request<Incoming>,
    door: &Arc<Door>,
    caller: &Caller,
    pace: Arc<Pace>,
) -> Response<Answer> {
    let is_head = request.method() == Method::HEAD;
    let reply = match take(request, door, caller, &pace).await {
        Ok(reply) | Err(reply) => reply,
    };
    let mut response = respond(reply, is_head, door, pace);
    if caller.secure {
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(SECURE_FOR));
    }
    response
}

/// The reply to a request; as an error where the site was not asked.
async fn take(
    request: Request<Incoming>,
    door: &Arc<Door>,
    caller: &Caller,
    pace: &Pace,
) -> Result<Reply, Reply> {
    let (head, incoming) = request.into_parts();
    let uri = &head.uri;
    let target = target::read(uri.path(), uri.query());
    let target = target.map_err(|what| Reply::text(StatusCode::BAD_REQUEST, format!("{what}\n")))?;
    if let Some(reply) = door.site.at_once(&head.method, &target.path) {
        pace.asked(false);
        return Ok(reply);
    }
    let taken = door.site.taken(&head.method, &target.path);
    pace.asked(taken == Taken::Streamed);
    let (body, pump) = match taken {
        Taken::Whole => (Body::whole(whole(incoming).await?), None),
        Taken::Streamed => {
            let (ask, asked) = oneshot::channel();
            let (parts, received) = mpsc::channel(HTTP_CHUNKS_AHEAD);
            (Body::streamed(ask, received), Some(pump(incoming, asked, parts)))
        }
    };
    let asked = Asked {
        method: head.method,
        path: target.path,
        query: target.query,
        headers: head.headers,
        body,
        peer: caller.peer,
        secure: caller.secure,
        certificate: caller.certificate.clone(),
    };
    let turn = Arc::clone(&door.turns).acquire_owned();
    let turn = tokio::time::timeout(Duration::from_millis(HTTP_TURN_MS), turn).await;
    let Ok(Ok(turn)) = turn else { return Err(busy()) };
    let site = Arc::clone(&door.site);
    let mut work = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        site.answer(asked)
    });
    let done = match pump {
        None => work.await,
        Some(pump) => tokio::select! {
            done = &mut work => done,
            () = pump => work.await,
        },
    };
    done.map_err(|_| Reply::text(StatusCode::INTERNAL_SERVER_ERROR, "bug: the answer broke off\n"))
}

fn busy() -> Reply {
    Reply::text(StatusCode::SERVICE_UNAVAILABLE, "too many answers are under way: ask again later\n")
        .with(RETRY_AFTER, "1")
}

/// The next part of a body; `None` at its end.
async fn part(incoming: &mut Incoming) -> Option<io::Result<Bytes>> {
    loop {
        let frame = poll_fn(|cx| Pin::new(&mut *incoming).poll_frame(cx)).await?;
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => return Some(Ok(data)),
            // Trailers say nothing to anybody here.
            Ok(Err(_)) => {}
            Err(e) => return Some(Err(io::Error::other(e))),
        }
    }
}

/// A body as one piece.
async fn whole(mut incoming: Incoming) -> Result<Bytes, Reply> {
    let refuse = |status, text: &str| Err(Reply::text(status, text));
    let announced = incoming.size_hint().lower();
    if announced > HTTP_BODY_BYTES as u64 {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long\n");
    }
    let read = async {
        let mut body = BytesMut::new();
        while let Some(part) = part(&mut incoming).await {
            let Ok(part) = part else { return refuse(StatusCode::BAD_REQUEST, "the body broke off\n") };
            if body.len() + part.len() > HTTP_BODY_BYTES {
                return refuse(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long\n");
            }
            body.extend_from_slice(&part);
        }
        Ok(body.freeze())
    };
    let read = tokio::time::timeout(Duration::from_millis(HTTP_BODY_MS), read).await;
    read.unwrap_or_else(|_| refuse(StatusCode::REQUEST_TIMEOUT, "the body came too slowly\n"))
}

/// Hands a body on as it comes, once it is asked for.
async fn pump(mut incoming: Incoming, asked: oneshot::Receiver<()>, parts: mpsc::Sender<io::Result<Bytes>>) {
    if asked.await.is_err() {
        return;
    }
    loop {
        let next = tokio::time::timeout(Duration::from_millis(HTTP_STALL_MS), part(&mut incoming)).await;
        let next = match next {
            Ok(Some(next)) => next,
            Ok(None) => return,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the body came too slowly")),
        };
        let broken = next.is_err();
        if parts.send(next).await.is_err() || broken {
            return;
        }
    }
}

fn respond(reply: Reply, is_head: bool, door: &Door, pace: Arc<Pace>) -> Response<Answer> {
    let mut reply = reply;
    let mut large = None;
    if let ReplyBody::Bytes(bytes) = &reply.body
        && bytes.len() >= HTTP_LARGE
    {
        match Arc::clone(&door.large).try_acquire_owned() {
            Ok(permit) => large = Some(permit),
            Err(_) => reply = busy(),
        }
    }
    let length = match &reply.body {
        ReplyBody::Bytes(bytes) => Some(bytes.len() as u64),
        ReplyBody::Stream { length, .. } => *length,
    };
    let source = match reply.body {
        _ if is_head => Source::Bytes(Bytes::new()),
        ReplyBody::Bytes(bytes) => Source::Bytes(bytes),
        ReplyBody::Stream { from, .. } => Source::Parts(stream(from)),
    };
    let left = if is_head { Some(0) } else { length };
    let mut response = Response::new(Answer { source, left, pace, _large: large });
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    for (name, value) in reply.headers {
        headers.append(name, value);
    }
    if let (true, Some(length)) = (is_head, length) {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    response
}

/// Reads `from` on a thread of its own, a few chunks ahead of the client.
fn stream(mut from: Box<dyn io::Read + Send>) -> mpsc::Receiver<io::Result<Bytes>> {
    let (parts, received) = mpsc::channel(HTTP_CHUNKS_AHEAD);
    let read = move || {
        loop {
            let mut chunk = Vec::new();
            let mut limited = (&mut from).take(HTTP_CHUNK as u64);
            let part = match limited.read_to_end(&mut chunk) {
                Ok(0) => return,
                Ok(_) => Ok(Bytes::from(chunk)),
                Err(e) => Err(e),
            };
            let broken = part.is_err();
            if parts.blocking_send(part).is_err() || broken {
                return;
            }
        }
    };
    // Without a thread nothing comes, and the answer breaks off.
    let _ = std::thread::Builder::new().name("http-stream".to_owned()).spawn(read);
    received
}

enum Source {
    Bytes(Bytes),
    Parts(mpsc::Receiver<io::Result<Bytes>>),
}

/// The body of an answer on its way.
struct Answer {
    source: Source,
    /// Bytes to come, where that is known.
    left: Option<u64>,
    pace: Arc<Pace>,
    /// Given back when the answer has left.
    _large: Option<OwnedSemaphorePermit>,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let part = match &mut self.source {
            Source::Bytes(bytes) if bytes.is_empty() => return Poll::Ready(None),
            Source::Bytes(bytes) => Ok(bytes.split_to(bytes.len().min(HTTP_CHUNK))),
            Source::Parts(parts) => match parts.poll_recv(cx) {
                Poll::Ready(Some(part)) => {
                    self.pace.streams();
                    part
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            },
        };
        if let (Ok(part), Some(left)) = (&part, &mut self.left) {
            *left = left.saturating_sub(part.len() as u64);
        }
        Poll::Ready(Some(part.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map(SizeHint::with_exact).unwrap_or_default()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.pace.answered();
    }
}
