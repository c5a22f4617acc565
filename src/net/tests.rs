//! Connections over in-memory streams, in front of a service that echoes.

mod direct;
mod echo;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;
use crate::limits::{CLOSED_APART_MS, CLOSED_AT_ONCE, OUTGOING_HARD, OUTGOING_HIGH_WATER};
use crate::proto::ConnectRequest;
use crate::types::Instant;
use echo::{Echo, EchoClient};

const MAX_FRAME: usize = 1 << 20;

/// A running connection, seen from its client.
struct Rig {
    service: Arc<Echo>,
    registry: Arc<Registry<EchoClient>>,
    far: DuplexStream,
    task: tokio::task::JoinHandle<()>,
}

fn peer() -> Peer {
    Peer { ip: [10, 0, 0, 1].into(), port: 4000, secure: false }
}

impl Rig {
    fn over(service: Echo, pipe: usize, large: Option<LargeBudget>) -> Rig {
        let service = Arc::new(service);
        let registry = Registry::new(Some(2), None, 1000);
        let (near, far) = duplex(pipe);
        let open = |id, waker: &_| service.open(id, peer(), waker);
        let place = registry.admit(peer(), Instant(1), open).expect("room");
        let limits = Arc::new(ConnectionLimits { max_frame: MAX_FRAME, large: large.map(Arc::new) });
        let task = tokio::spawn(Connection::new(near, Arc::clone(&service), place, limits));
        Rig { service, registry, far, task }
    }

    async fn connected(pipe: usize) -> Rig {
        let mut rig = Rig::over(Echo::default(), pipe, None);
        rig.far.write_all(&connect_frame(0)).await.expect("written");
        assert_eq!(rig.reply().await, b"welcome");
        rig
    }

    fn client(&self) -> Arc<EchoClient> {
        Arc::clone(&self.registry.all().first().expect("one connection").client)
    }

    async fn reply(&mut self) -> Vec<u8> {
        let length = self.far.read_u32().await.expect("a length");
        let mut body = vec![0; length as usize];
        self.far.read_exact(&mut body).await.expect("a body");
        body
    }

    /// What arrives until the end, and why the connection ended.
    async fn end(mut self) -> (Vec<u8>, String) {
        let mut rest = Vec::new();
        let _ = self.far.read_to_end(&mut rest).await;
        self.task.await.expect("no panic");
        assert!(self.registry.is_empty());
        let closed = self.service.closed.lock();
        assert_eq!(closed.len(), 1, "closed is told once: {closed:?}");
        (rest, closed[0].clone())
    }
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], body].concat()
}

fn connect_frame(session_id: i64) -> Vec<u8> {
    let mut out = Vec::new();
    let password = vec![0; 16];
    let zxid = 0;
    ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: zxid,
        timeout: 1000,
        session_id,
        password,
        read_only: None,
    }
    .encode(&mut out);
    out
}

#[tokio::test]
async fn frames_are_found_however_the_bytes_are_cut() {
    let mut stream = connect_frame(0);
    let bodies: Vec<Vec<u8>> = (0..40usize).map(|i| vec![b'a' + i as u8 % 20; i * 7]).collect();
    bodies.iter().for_each(|b| stream.extend(frame(b)));
    for cut in [1, 3, 4, 5, 17, 1000, stream.len()] {
        let mut rig = Rig::over(Echo::default(), 1 << 20, None);
        for piece in stream.chunks(cut) {
            rig.far.write_all(piece).await.expect("written");
            tokio::task::yield_now().await;
        }
        assert_eq!(rig.reply().await, b"welcome");
        for body in &bodies {
            assert_eq!(&rig.reply().await, body);
        }
    }
}

#[tokio::test]
async fn a_large_frame_arrives_in_pieces_between_small_ones() {
    let mut rig = Rig::connected(10_000).await;
    let large = vec![b'x'; MAX_FRAME];
    let stream = [frame(b"one"), frame(&large), frame(b"two")].concat();
    let (mut reader, mut writer) = tokio::io::split(rig.far);
    let writing = tokio::spawn(async move { writer.write_all(&stream).await.map(|()| writer) });
    for expected in [&b"one"[..], &large, b"two"] {
        assert_eq!(reader.read_u32().await.expect("length") as usize, expected.len());
        let mut body = vec![0; expected.len()];
        reader.read_exact(&mut body).await.expect("body");
        assert!(body == expected);
    }
    rig.far = reader.unsplit(writing.await.expect("no panic").expect("written"));
    drop(rig.far);
    rig.task.await.expect("no panic");
}

#[tokio::test]
async fn what_one_read_brings_goes_to_the_core_in_one_piece() {
    let mut rig = Rig::connected(1 << 20).await;
    rig.far.write_all(&[frame(b"core1"), frame(b"echo"), frame(b"core2")].concat()).await.expect("written");
    assert_eq!(rig.reply().await, b"echo");
    assert_eq!(*rig.service.submitted.lock(), [[b"core1".to_vec(), b"core2".to_vec()]]);
    rig.client().answer(b"later");
    rig.client().wake();
    assert_eq!(rig.reply().await, b"later");
}

#[tokio::test]
async fn frames_behind_a_hold_wait_and_go_on_in_order() {
    let mut rig = Rig::over(Echo::default(), 1 << 20, None);
    rig.far
        .write_all(&[connect_frame(7), frame(b"first"), frame(b"second")].concat())
        .await
        .expect("written");
    assert_eq!(rig.reply().await, b"welcome");
    rig.far.write_all(&[frame(b"third"), vec![0, 0]].concat()).await.expect("written");
    let silence = tokio::time::timeout(Duration::from_millis(20), rig.far.read_u8()).await;
    assert!(silence.is_err(), "held");
    rig.client().held.store(false, Relaxed);
    rig.client().wake();
    rig.far.write_all(&[0, 1, b'z']).await.expect("written");
    for body in [&b"first"[..], b"second", b"third", b"z"] {
        assert_eq!(rig.reply().await, body);
    }
}

#[tokio::test]
async fn lengths_outside_the_limit_close_without_a_reply() {
    for length in [MAX_FRAME as i32 + 1, i32::MAX, -1, i32::from_be_bytes(*b"GET ")] {
        let mut rig = Rig::connected(1000).await;
        rig.far.write_all(&length.to_be_bytes()).await.expect("written");
        let (rest, why) = rig.end().await;
        assert!(rest.is_empty() && why.starts_with(&format!("frame length {length} ")), "{why}");
    }
}

#[tokio::test]
async fn garbage_as_a_connect_request_closes() {
    let mut rig = Rig::over(Echo::default(), 1000, None);
    rig.far.write_all(&frame(b"short")).await.expect("written");
    assert!(rig.end().await.1.starts_with("malformed frame"));
}

#[tokio::test]
async fn a_refused_request_closes_after_the_replies_before_it() {
    let mut rig = Rig::connected(1000).await;
    rig.far.write_all(&[frame(b"fine"), frame(b"junk"), frame(b"never")].concat()).await.expect("written");
    assert_eq!(rig.end().await, (frame(b"fine"), "junk".to_owned()));
}

#[tokio::test]
async fn the_last_reply_is_sent_before_the_end() {
    let rig = Rig::connected(10).await; // the pipe is shorter than the reply
    let writing = [frame(b"bye! and thanks"), frame(b"too late")].concat();
    let (mut reader, mut writer) = tokio::io::split(rig.far);
    let writing = tokio::spawn(async move { writer.write_all(&writing).await });
    let mut all = Vec::new();
    reader.read_to_end(&mut all).await.expect("an end");
    assert_eq!(all, frame(b"bye! and thanks"));
    let _ = writing.await;
    rig.task.await.expect("no panic");
    assert_eq!(rig.service.closed.lock()[..], [CloseReason::Answered.to_string()]);
}

#[tokio::test]
async fn a_word_is_answered_and_the_connection_closed() {
    for (sent, answer) in [(&b"ruok\n"[..], &b"ruok"[..]), (b"stmk12345678", b"stmk12345678")] {
        for cut in [1, 2, 20] {
            let mut rig = Rig::over(Echo::default(), 100, None);
            rig.service.not_serving.store(true, Relaxed);
            for piece in sent.chunks(cut) {
                let _ = rig.far.write_all(piece).await;
                tokio::task::yield_now().await;
            }
            assert_eq!(rig.end().await, (answer.to_vec(), CloseReason::Word.to_string()));
        }
    }
}

#[tokio::test]
async fn a_word_after_the_connect_request_is_a_length() {
    let mut rig = Rig::connected(100).await;
    rig.far.write_all(b"ruok").await.expect("written");
    assert!(rig.end().await.1.starts_with("frame length"));
}

#[tokio::test]
async fn a_server_that_does_not_serve_closes_at_the_length_of_the_connect_request() {
    let mut rig = Rig::over(Echo::default(), 100, None);
    rig.service.not_serving.store(true, Relaxed);
    rig.far.write_all(&connect_frame(0)[..4]).await.expect("written");
    assert_eq!(rig.end().await, (Vec::new(), CloseReason::NotServing.to_string()));
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_being_read() {
    let mut rig = Rig::connected(1000).await;
    let many: Vec<u8> = std::iter::repeat_n(frame(b"many"), 100).flatten().collect();
    rig.far.write_all(&many).await.expect("written");
    tokio::time::sleep(Duration::from_millis(5)).await;
    let held = rig.service.largest_outgoing.load(Relaxed);
    assert!(held < OUTGOING_HIGH_WATER + (301 << 10), "{held} bytes for one client");
    for _ in 0..100 {
        assert_eq!(rig.reply().await.len(), 300 << 10);
    }
}

#[tokio::test]
async fn frames_held_back_by_large_answers_go_on_when_those_have_left() {
    let mut rig = Rig::connected(64 << 20).await; // the pipe takes everything at once
    let many: Vec<u8> = std::iter::repeat_n(frame(b"many"), 50).flatten().collect();
    rig.far.write_all(&[many, frame(b"last")].concat()).await.expect("written");
    for _ in 0..50 {
        assert_eq!(rig.reply().await.len(), 300 << 10);
    }
    assert_eq!(rig.reply().await, b"last");
}

#[tokio::test]
async fn a_client_that_never_reads_its_events_is_closed() {
    let rig = Rig::connected(1000).await;
    rig.client().outgoing.lock().resize(OUTGOING_HARD + 2000, 0);
    rig.client().wake();
    assert!(rig.end().await.1.starts_with("the client does not read"));
}

#[tokio::test]
async fn a_large_request_beyond_the_budget_closes_at_its_length() {
    let mut rig = Rig::over(Echo::default(), 1000, Some(LargeBudget::new(100, 500)));
    rig.far.write_all(&connect_frame(0)).await.expect("written");
    assert_eq!(rig.reply().await, b"welcome");
    rig.far.write_all(&frame(&[b'x'; 100])).await.expect("written");
    assert_eq!(rig.reply().await.len(), 100);
    rig.far.write_all(&501u32.to_be_bytes()).await.expect("written");
    let service = Arc::clone(&rig.service);
    assert_eq!(rig.end().await.1, CloseReason::LargeRequests.to_string());
    assert_eq!(service.events.lock()[..], [NetEvent::LargeRejected]);
}

#[tokio::test]
async fn a_killed_connection_sends_what_was_outgoing_and_ends() {
    let rig = Rig::connected(1000).await;
    rig.client().answer(b"last event");
    rig.registry.kill_all(Kill::Shutdown);
    assert_eq!(rig.end().await, (frame(b"last event"), CloseReason::Shutdown.to_string()));
}

#[tokio::test]
async fn a_dropped_task_gives_its_place_back() {
    let rig = Rig::connected(1000).await;
    rig.task.abort();
    let _ = rig.task.await;
    assert!(rig.registry.is_empty());
    assert_eq!(rig.service.closed.lock().len(), 1);
}

#[tokio::test]
async fn silence_ends_a_connection_and_traffic_or_work_keep_it() {
    let mut rig = Rig::connected(1000).await;
    let sweep = |rig: &Rig, ms| {
        rig.service.now_ms.store(ms, Relaxed);
        rig.registry.sweep(&*rig.service, Instant::from_millis(ms), false)
    };
    assert_eq!(sweep(&rig, 10), 1000);
    rig.service.now_ms.store(900, Relaxed);
    rig.far.write_all(&frame(b"echo")).await.expect("written");
    rig.reply().await;
    assert_eq!(sweep(&rig, 1999), 2000, "rounded up to a multiple of the limit");
    rig.client().busy.store(true, Relaxed);
    sweep(&rig, 2000);
    rig.client().busy.store(false, Relaxed);
    rig.client().timeout_ms.store(30_000, Relaxed);
    sweep(&rig, 4000);
    assert_eq!(rig.registry.sweep(&*rig.service, Instant::from_millis(33_000), true), 34_000, "pardoned");
    assert_eq!(rig.registry.len(), 1);
    sweep(&rig, 64_000);
    let service = Arc::clone(&rig.service);
    assert_eq!(rig.end().await.1, CloseReason::Idle.to_string());
    assert_eq!(service.events.lock()[..], [NetEvent::Expired]);
}

#[tokio::test]
async fn those_who_fell_silent_together_are_closed_a_few_at_a_time() {
    let rig = Rig::connected(1000).await;
    let open = |_, _: &_| Arc::new(EchoClient::default());
    let registry = Registry::<EchoClient>::new(None, None, 1000);
    let crowd: Vec<_> = (0..20)
        .map(|_| registry.admit(peer(), Instant(1), open).map_err(|full| full.to_string()).expect("a place"))
        .collect();
    let killed = || crowd.iter().filter(|place| place.waker().killed().is_some()).count();
    let sweep = |ms| registry.sweep(&*rig.service, Instant::from_millis(ms), false);
    assert_eq!((sweep(1999), killed()), (2000, 0));
    assert_eq!((sweep(2000), killed()), (2000 + CLOSED_APART_MS, CLOSED_AT_ONCE));
    assert_eq!((sweep(2002), killed()), (2002 + CLOSED_APART_MS, 2 * CLOSED_AT_ONCE));
    assert_eq!((sweep(2004), killed()), (3000, 20));
}

#[test]
fn limits_per_address_and_in_all_are_kept() {
    let registry = Registry::<EchoClient>::new(Some(2), Some(3), 1000);
    let open = |_, _: &_| Arc::new(EchoClient::default());
    let from = |n: u8| Peer { ip: [10, 0, 0, n].into(), ..peer() };
    let one = registry.admit(from(1), Instant(1), open).ok();
    let two = registry.admit(from(1), Instant(1), open).ok();
    assert!(one.is_some() && two.is_some());
    assert_eq!(registry.admit(from(1), Instant(1), open).err(), Some(Full::PerAddress(2)));
    let three = registry.admit(from(2), Instant(1), open).ok();
    assert_eq!(registry.admit(from(3), Instant(1), open).err(), Some(Full::Total(3)));
    drop((two, three));
    assert!(registry.admit(from(1), Instant(1), open).is_ok());
    assert_eq!(registry.len(), 1);
}

#[tokio::test]
async fn an_idle_connection_owns_no_buffer() {
    let mut rig = Rig::connected(1 << 20).await;
    for _ in 0..10 {
        rig.far.write_all(&frame(&[b'y'; 100_000])).await.expect("written");
        assert_eq!(rig.reply().await.len(), 100_000);
    }
    assert_eq!(rig.client().outgoing.lock().capacity(), 0);
    assert!(size_of::<Connection<tokio::net::TcpStream, Echo>>() <= 320);
    // a poll without news allocates nothing that stays
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(Pin::new(&mut rig.task).poll(&mut context), Poll::Pending));
}
