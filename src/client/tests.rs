//! The session against scripted servers: what is sent, in which order, after which loss.

use super::*;
use crate::error::Code;
use crate::jute::{Reader, Writer};
use crate::proto::{
    AddWatchMode, ConnectRequest, ConnectResponse, EventKind, FrameBuilder, OpCode, ReplyHeader, Request,
    RequestHeader, WatcherType, error_reply, event_frame, xid,
};
use crate::types::{Acl, CreateMode, SessionId, Zxid};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LIMIT: Duration = Duration::from_secs(20);

/// One accepted connection of a scripted server.
struct Served {
    stream: TcpStream,
}

impl Served {
    async fn accept(listener: &TcpListener) -> (Served, ConnectRequest) {
        let (stream, _) = tokio::time::timeout(LIMIT, listener.accept()).await.unwrap().unwrap();
        let mut served = Served { stream };
        let request = ConnectRequest::decode(&served.frame().await.unwrap()).unwrap();
        (served, request)
    }

    /// Accepts and grants session 7.
    async fn grant(listener: &TcpListener) -> (Served, ConnectRequest) {
        let (mut served, request) = Served::accept(listener).await;
        let mut out = Vec::new();
        ConnectResponse { timeout: 3000, session_id: 7, password: [5; 16], read_only: Some(false) }
            .encode(&mut out);
        served.send(&out).await;
        (served, request)
    }

    async fn frame(&mut self) -> Option<Vec<u8>> {
        let read = async {
            let mut length = [0u8; 4];
            self.stream.read_exact(&mut length).await.ok()?;
            let mut body = vec![0u8; u32::from_be_bytes(length) as usize];
            self.stream.read_exact(&mut body).await.ok()?;
            Some(body)
        };
        tokio::time::timeout(LIMIT, read).await.unwrap()
    }

    /// The next request but pings.
    async fn request(&mut self) -> (i32, OpCode, Vec<u8>) {
        loop {
            let body = self.frame().await.expect("a request");
            let header = RequestHeader::decode(&mut Reader::new(&body)).unwrap();
            if header.xid != xid::PING {
                return (header.xid, OpCode::from_number(header.op).unwrap(), body[8..].to_vec());
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    async fn error(&mut self, xid: i32, code: Code) {
        let mut out = Vec::new();
        error_reply(&mut out, xid, Zxid(9), code);
        self.send(&out).await;
    }

    async fn event(&mut self, kind: EventKind, path: &str) {
        let mut out = Vec::new();
        event_frame(&mut out, Zxid(8), kind, path);
        self.send(&out).await;
    }
}

async fn listen() -> (TcpListener, ClientConfig) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, ClientConfig::new(&format!("{address}/app")).unwrap().timeout(LIMIT))
}

async fn next(events: &mut Events) -> WatchedEvent {
    tokio::time::timeout(LIMIT, events.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn pipelined_requests_are_matched_and_named_in_the_callers_chroot() {
    let (listener, config) = listen().await;
    let server = async {
        let (mut s, connect) = Served::grant(&listener).await;
        assert_eq!((connect.session_id, connect.read_only), (0, Some(false)));
        let (first, op, record) = s.request().await;
        assert_eq!(op, OpCode::Create);
        let Ok(Request::Create { path, .. }) = Request::decode(op, &mut Reader::new(&record)) else {
            panic!()
        };
        assert_eq!(path, "/app/a");
        let (second, op, _) = s.request().await;
        assert_eq!((op, second), (OpCode::Delete, first + 1));
        let mut out = Vec::new();
        let frame = FrameBuilder::reply(&mut out, ReplyHeader { xid: first, zxid: Zxid(3), err: 0 });
        Writer::new(&mut out).string(Some("/app/a"));
        frame.finish(&mut out);
        s.send(&out).await;
        s.error(second, Code::NoNode).await;
        let (third, op, _) = s.request().await;
        assert_eq!(op, OpCode::CloseSession);
        s.error(third, Code::Ok).await;
    };
    let client = async {
        let (zk, mut events) = Client::connect(config).await.unwrap();
        let acl = [Acl::open()];
        let (created, deleted) =
            tokio::join!(zk.create("/a", None, &acl, CreateMode::Persistent), zk.delete("/b", -1));
        assert_eq!(created.unwrap(), "/a");
        assert_eq!(deleted, Err(ClientError::Refused { code: Code::NoNode, path: "/b".into() }));
        assert!(matches!(zk.delete("b", -1).await, Err(ClientError::Path { .. })));
        zk.close().await;
        assert_eq!(next(&mut events).await.state, KeeperState::SyncConnected);
        assert_eq!(next(&mut events).await.state, KeeperState::Closed);
        assert_eq!(zk.delete("/b", -1).await, Err(ClientError::Closed));
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn after_a_loss_session_identities_and_watches_are_taken_up_before_requests() {
    let (listener, config) = listen().await;
    let server = async {
        let (mut s, _) = Served::grant(&listener).await;
        let (auth, op, _) = s.request().await;
        assert_eq!((auth, op), (xid::AUTH, OpCode::Auth));
        s.error(auth, Code::Ok).await;
        let (x, op, _) = s.request().await;
        assert_eq!(op, OpCode::Exists);
        s.error(x, Code::NoNode).await;
        let (x, op, _) = s.request().await;
        assert_eq!(op, OpCode::AddWatch);
        s.error(x, Code::Ok).await;
        let (_, op, _) = s.request().await;
        assert_eq!(op, OpCode::Sync, "never answered");
        drop(s);
        let (mut s, connect) = Served::grant(&listener).await;
        assert_eq!((connect.session_id, connect.password, connect.last_zxid_seen), (7, vec![5; 16], 9));
        assert_eq!(s.request().await.1, OpCode::Auth);
        let (set, op, record) = s.request().await;
        assert_eq!((set, op), (xid::SET_WATCHES, OpCode::SetWatches2));
        let Ok(Request::SetWatches(w)) = Request::decode(op, &mut Reader::new(&record)) else { panic!() };
        assert_eq!(
            (w.relative_zxid, w.exist, w.recursive),
            (9, vec!["/app/x".into()], vec!["/app/r".into()])
        );
        s.error(xid::AUTH, Code::Ok).await;
        s.event(EventKind::Created, "/app/x").await;
        s.error(set, Code::Ok).await;
        let (x, op, _) = s.request().await;
        assert_eq!(op, OpCode::Sync);
        s.event(EventKind::Created, "/app/unwatched").await;
        s.event(EventKind::DataChanged, "/app/r/deep").await;
        s.error(x, Code::NoAuth).await;
        let _ = s.frame().await;
    };
    let client = async {
        let (zk, mut events) = Client::connect(config).await.unwrap();
        zk.add_auth("digest", b"u:p").await.unwrap();
        assert_eq!(zk.exists("/x", true).await, Ok(None));
        zk.add_watch("/r", AddWatchMode::PersistentRecursive).await.unwrap();
        assert!(matches!(zk.sync("/").await, Err(ClientError::ConnectionLost(_))));
        assert_eq!(next(&mut events).await.state, KeeperState::SyncConnected);
        assert_eq!(next(&mut events).await.state, KeeperState::Disconnected);
        assert_eq!(next(&mut events).await.state, KeeperState::SyncConnected);
        let created = next(&mut events).await;
        assert_eq!((created.kind, created.path.as_deref()), (EventType::NodeCreated, Some("/x")));
        assert_eq!(zk.sync("/").await.map_err(|e| e.code()), Err(Code::NoAuth));
        let deep = next(&mut events).await;
        assert_eq!(
            (deep.kind, deep.path.as_deref(), deep.zxid),
            (EventType::NodeDataChanged, Some("/r/deep"), 8)
        );
        assert_eq!(
            zk.remove_watches("/none", WatcherType::Any, true).await.map_err(|e| e.code()),
            Err(Code::ConnectionLoss),
            "the scripted server is gone"
        );
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_refused_session_is_over_and_says_so() {
    let (listener, mut config) = listen().await;
    config.resume = Some(Credentials { id: SessionId(99), password: [1; 16] });
    let server = async {
        let (mut s, connect) = Served::accept(&listener).await;
        assert_eq!(connect.session_id, 99);
        let mut out = Vec::new();
        ConnectResponse::refused(Some(false)).encode(&mut out);
        s.send(&out).await;
    };
    let client = async {
        let (zk, mut events) = Client::start(config);
        assert_eq!(zk.wait_connected(LIMIT).await, Err(ClientError::SessionExpired));
        assert_eq!(zk.sync("/").await, Err(ClientError::SessionExpired));
        assert_eq!(next(&mut events).await.state, KeeperState::Expired);
        zk.close().await;
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn refused_identities_and_broken_replies_have_their_own_errors() {
    let (listener, config) = listen().await;
    let server = async {
        let (mut s, _) = Served::grant(&listener).await;
        let (x, _, _) = s.request().await;
        s.error(x + 1, Code::Ok).await;
        let (mut s, _) = Served::grant(&listener).await;
        s.send(&i32::MAX.to_be_bytes()).await;
        let (mut s, _) = Served::grant(&listener).await;
        let (x, _, _) = s.request().await;
        s.error(x, Code::AuthFailed).await;
    };
    let client = async {
        let (zk, _events) = Client::connect(config).await.unwrap();
        assert!(matches!(zk.sync("/").await, Err(ClientError::Protocol(_))));
        let failed = loop {
            match zk.add_auth("digest", b"u:p").await {
                Err(ClientError::ConnectionLost(_)) => {}
                other => break other,
            }
        };
        assert!(matches!(failed, Err(ClientError::AuthFailed(_))), "{failed:?}");
        assert!(matches!(zk.sync("/").await, Err(ClientError::AuthFailed(_))));
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn without_a_server_requests_fail_with_the_first_attempt_and_closing_is_quick() {
    let (listener, config) = listen().await;
    drop(listener);
    let (zk, _events) = Client::start(config);
    assert!(matches!(zk.sync("/").await, Err(ClientError::ConnectionLost(_))));
    zk.close().await;
    assert_eq!(zk.sync("/").await, Err(ClientError::Closed));
}

#[tokio::test]
async fn a_connection_that_is_reset_while_it_closes_is_closed() {
    let (listener, config) = listen().await;
    let (client, _events) = Client::start(config);
    let (mut served, _) = Served::grant(&listener).await;
    let closing = tokio::spawn(async move {
        client.wait_connected(LIMIT).await.unwrap();
        client.close().await;
    });
    assert_eq!(served.request().await.1, OpCode::CloseSession);
    rustix::net::sockopt::set_socket_linger(&served.stream, Some(Duration::ZERO)).unwrap();
    drop(served);
    tokio::time::timeout(LIMIT, closing).await.expect("it ends").unwrap();
    let again = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(again.is_err(), "nobody wants another connection");
}
