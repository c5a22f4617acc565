//! The short way out, over real sockets on loopback.

use super::echo::{Echo, EchoClient};
use super::{MAX_FRAME, connect_frame, frame, peer};
use crate::net::*;
use crate::types::Instant;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

struct Rig {
    client: Arc<EchoClient>,
    far: TcpStream,
    task: tokio::task::JoinHandle<()>,
}

impl Rig {
    async fn connected() -> Rig {
        let service = Arc::new(Echo::default());
        let registry = Registry::new(None, None, 1000);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mut far = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connected");
        let (near, _) = listener.accept().await.expect("accepted");
        let open = |id, waker: &_| service.open(id, peer(), waker);
        let place = registry.admit(peer(), Instant(1), open).expect("room");
        let client = Arc::clone(place.client());
        let limits = Arc::new(ConnectionLimits { max_frame: MAX_FRAME, large: None });
        let task = tokio::spawn(Connection::plain(near, service, place, limits));
        far.write_all(&connect_frame(0)).await.expect("written");
        let mut rig = Rig { client, far, task };
        assert_eq!(rig.reply().await, b"welcome");
        rig
    }

    async fn reply(&mut self) -> Vec<u8> {
        let length = self.far.read_u32().await.expect("a length");
        let mut body = vec![0; length as usize];
        self.far.read_exact(&mut body).await.expect("a body");
        body
    }

    fn send(&self) {
        self.client.waker.lock().as_ref().expect("opened").send();
    }
}

/// On one thread the task cannot run while the test does not wait: what the socket has, the sender wrote.
#[tokio::test]
async fn an_answer_leaves_without_the_task() {
    let mut rig = Rig::connected().await;
    tokio::task::yield_now().await;
    rig.client.answer(b"by the sender");
    rig.send();
    assert!(rig.client.outgoing.lock().is_empty(), "it was taken at once");
    assert_eq!(rig.reply().await, b"by the sender");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_task_and_sender_write_keeps_its_order() {
    let mut rig = Rig::connected().await;
    let (client, total) = (Arc::clone(&rig.client), 3000u32);
    let sender = std::thread::spawn(move || {
        for i in 0..total {
            client.answer(&[&i.to_be_bytes()[..], &vec![b'x'; (i as usize * 37) % 5000]].concat());
            let waker = client.waker.lock().as_ref().map(Arc::clone).expect("opened");
            if i % 3 == 0 { waker.wake() } else { waker.send() }
        }
    });
    for i in 0..total {
        let body = rig.reply().await;
        assert_eq!(body[..4], i.to_be_bytes());
        assert_eq!(body.len(), 4 + (i as usize * 37) % 5000);
    }
    sender.join().expect("no panic");
}

#[tokio::test]
async fn what_the_socket_does_not_take_is_sent_by_the_task() {
    let mut rig = Rig::connected().await;
    tokio::task::yield_now().await;
    let large = vec![b'l'; 16 << 20];
    rig.client.answer(&large);
    rig.send();
    rig.client.answer(b"behind it");
    rig.send();
    assert_eq!(rig.reply().await.len(), large.len());
    assert_eq!(rig.reply().await, b"behind it");
}

#[tokio::test]
async fn a_held_connection_goes_on_and_the_last_answer_ends_it() {
    let mut rig = Rig::connected().await;
    rig.client.held.store(true, Relaxed);
    rig.far.write_all(&frame(b"held")).await.expect("written");
    rig.client.answer(b"core");
    rig.send();
    assert_eq!(rig.reply().await, b"core");
    rig.client.held.store(false, Relaxed);
    rig.client.answer(b"more");
    rig.send();
    assert_eq!(rig.reply().await, b"more");
    assert_eq!(rig.reply().await, b"held", "the task was woken by the send");
    rig.client.close_after.store(true, Relaxed);
    rig.client.answer(b"last");
    rig.send();
    assert_eq!(rig.reply().await, b"last");
    rig.task.await.expect("the connection ends by itself");
}
