//! A service that echoes.

use super::super::*;
use crate::auth::sasl::Refusal;
use crate::proto::ConnectRequest;
use crate::tls::X509Identity;
use crate::types::{ConnId, Instant, Now};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Echoes frames. A body that starts with `core` is answered when the test says so;
/// `many` is answered with 300 KiB; `bye` ends the connection after its answer.
#[derive(Default)]
pub struct Echo {
    pub not_serving: AtomicBool,
    pub now_ms: AtomicU64,
    pub submitted: Mutex<Vec<Vec<Vec<u8>>>>,
    pub closed: Mutex<Vec<String>>,
    pub events: Mutex<Vec<NetEvent>>,
    pub largest_outgoing: AtomicUsize,
}

#[derive(Default)]
pub struct EchoClient {
    pub outgoing: Mutex<Vec<u8>>,
    pub close_after: AtomicBool,
    pub held: AtomicBool,
    pub busy: AtomicBool,
    pub timeout_ms: AtomicU64,
    pub waker: Mutex<Option<Arc<TaskWaker>>>,
}

impl EchoClient {
    pub fn answer(&self, body: &[u8]) {
        let mut out = self.outgoing.lock();
        out.extend_from_slice(&(body.len() as u32).to_be_bytes());
        out.extend_from_slice(body);
    }

    pub fn wake(&self) {
        self.waker.lock().as_ref().expect("opened").wake();
    }
}

impl Service for Echo {
    type Client = EchoClient;
    type Batch = Vec<Vec<u8>>;

    fn now(&self) -> Now {
        Now { mono: Instant::from_millis(self.now_ms.load(Relaxed)), wall_ms: 0 }
    }
    fn open(&self, _: ConnId, _: Peer, waker: &Arc<TaskWaker>) -> Arc<EchoClient> {
        let client = EchoClient::default();
        *client.waker.lock() = Some(Arc::clone(waker));
        Arc::new(client)
    }
    fn secured(&self, _: &Arc<EchoClient>, _: Option<&X509Identity>) {}
    fn tls_refused(&self, _: Peer, _: &Refusal) {}
    fn first_bytes(&self, bytes: [u8; 4]) -> FirstBytes {
        match &bytes {
            b"ruok" => FirstBytes::Word(0),
            b"stmk" => FirstBytes::Word(8),
            _ => FirstBytes::Length,
        }
    }
    fn answer_word(&self, _: &Arc<EchoClient>, word: [u8; 4], argument: &[u8]) -> WordAnswer {
        WordAnswer { bytes: [&word[..], argument].concat(), until_sent: None }
    }
    fn is_serving(&self) -> bool {
        !self.not_serving.load(Relaxed)
    }
    fn connect(&self, client: &Arc<EchoClient>, body: &[u8], _: Now, _: &mut Self::Batch) -> Verdict {
        let Ok(request) = ConnectRequest::decode(body) else {
            return Verdict::Close(CloseReason::Malformed("no connect request"));
        };
        client.held.store(request.session_id == 7, Relaxed);
        client.answer(b"welcome");
        Verdict::Taken
    }
    fn request(&self, client: &Arc<EchoClient>, body: &[u8], _: Now, batch: &mut Self::Batch) -> Verdict {
        match body.get(..4) {
            Some(b"core") => batch.push(body.to_vec()),
            Some(b"many") => client.answer(&vec![b'm'; 300 << 10]),
            Some(b"junk") => return Verdict::Close(CloseReason::Ended("junk")),
            Some(b"bye!") => {
                client.answer(body);
                client.close_after.store(true, Relaxed);
            }
            _ => client.answer(body),
        }
        self.largest_outgoing.fetch_max(client.outgoing.lock().len(), Relaxed);
        Verdict::Taken
    }
    fn submit(&self, batch: Self::Batch) {
        if !batch.is_empty() {
            self.submitted.lock().push(batch);
        }
    }
    fn flow(&self, client: &EchoClient) -> Flow {
        if client.held.load(Relaxed) { Flow::Hold } else { Flow::Read }
    }
    fn outgoing_len(&self, client: &EchoClient) -> usize {
        client.outgoing.lock().len()
    }
    fn lend(&self, client: &EchoClient, buffer: &mut Vec<u8>) {
        let mut out = client.outgoing.lock();
        if out.is_empty() {
            std::mem::swap(&mut *out, buffer);
        }
    }
    fn take_outgoing(&self, client: &Arc<EchoClient>, into: &mut Vec<u8>) -> Outgoing {
        std::mem::swap(&mut *client.outgoing.lock(), into);
        Outgoing { close_after: client.close_after.load(Relaxed), held: false }
    }
    fn session_timeout(&self, client: &EchoClient) -> Option<Duration> {
        match client.timeout_ms.load(Relaxed) {
            0 => None,
            ms => Some(Duration::from_millis(ms)),
        }
    }
    fn is_busy(&self, client: &EchoClient) -> bool {
        client.busy.load(Relaxed)
    }
    fn closed(&self, _: &Arc<EchoClient>, why: &CloseReason) {
        self.closed.lock().push(why.to_string());
    }
    fn count(&self, event: NetEvent) {
        self.events.lock().push(event);
    }
}
