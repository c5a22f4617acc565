//! The node of this process: whole frames in, whole frames out, an imaginary disk.
//!
//! # Invariants
//! * Requests enter where a connection's frames enter; nothing of the check is called by itself.

use super::answer::{Frame, frame, said};
use super::ask::{Ask, Said, Told, bytes, int, text};
use super::make::{Proof, SUPER, digest};
use super::model::Rules;
use super::run::Target;
use oxkeeper::auth::DigestAlgorithm;
use oxkeeper::config::{Secret, Settings};
use oxkeeper::disk::mem::MemDisk;
use oxkeeper::disk::{Disk, Durable};
use oxkeeper::jute::Reader;
use oxkeeper::proto::ConnectRequest;
use oxkeeper::replica::{
    Accepted, Conn, Input, Node, Recovered, ReplicaConfig, Shared, Silent, Wake, accept,
};
use oxkeeper::tree::Tree;
use oxkeeper::types::{ConnId, Id, Instant, Now};
use oxkeeper::zab::Proposal;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

struct NoWake;
impl Wake for NoWake {
    fn wake(&self) {}
}

/// A node with its connections.
pub struct Inside {
    node: Node,
    shared: Arc<Shared>,
    disk: MemDisk,
    now: Now,
    conns: Vec<Option<Arc<Conn>>>,
    dialled: u64,
    appends: Vec<Proposal>,
    out: Vec<u8>,
}

impl Inside {
    /// A node that is configured to `rules`.
    pub fn new(rules: &Rules, sessions: usize) -> Inside {
        let mut settings = Settings::default();
        settings.tree.extended_types_enabled = true;
        // The model knows nothing of digests, and they cost most of the time.
        settings.tree.digest_enabled = false;
        let mut config = ReplicaConfig::standalone(&settings, 1);
        config.providers.digest = Some(DigestAlgorithm::Sha1);
        config.providers.super_digest = Some(Secret::new(digest(SUPER)));
        config.providers.sasl = rules.sasl;
        config.providers.x509 = rules.x509;
        config.providers.skip_acl = rules.skip_acl;
        config.providers.short_names = rules.short_names.is_some();
        config.providers.default_realm = rules.short_names.clone();
        config.providers.any_sasl_user = rules.any_sasl_user.clone();
        let now = Now { mono: Instant::from_millis(1), wall_ms: 1_700_000_000_000 };
        let recovered = Recovered { tree: Tree::new(config.tree), sessions: HashMap::new() };
        let node = Node::new(config, recovered, now, Arc::new(Silent));
        let disk = MemDisk::new();
        disk.create_dir_all(Path::new("/d")).expect("a folder in memory");
        let conns = (0..sessions).map(|_| None).collect();
        let shared = node.shared();
        Inside { node, shared, disk, now, conns, dialled: 0, appends: Vec::new(), out: Vec::new() }
    }

    fn feed(&mut self, conn: &Arc<Conn>, body: &[u8]) {
        match accept(&self.shared, conn, body, self.now.mono, self.now, false) {
            Accepted::Answered => {}
            Accepted::ToCore(input) => self.node.handle(input, self.now),
            other => panic!("a good client is refused: {other:?}"),
        }
        self.sync();
    }

    /// The log's part: what was appended is on the imaginary disk.
    fn sync(&mut self) {
        self.node.take_appends(&mut self.appends);
        if let Some(last) = self.appends.last().map(|a| a.zxid) {
            let evidence = self.disk.sync_dir(Path::new("/d")).expect("a folder in memory");
            self.appends.clear();
            self.node.handle_durable(&Durable::new(last, &evidence), self.now);
        }
    }

    fn request(&mut self, who: usize, op: i32, record: &[u8]) {
        let conn = self.conns[who].clone().expect("a session");
        let mut body = Vec::with_capacity(8 + record.len());
        int(&mut body, 1);
        int(&mut body, op);
        body.extend_from_slice(record);
        self.feed(&conn, &body);
    }

    fn frames(&mut self, who: usize) -> Vec<Frame> {
        let Some(conn) = &self.conns[who] else { return Vec::new() };
        self.out.clear();
        conn.take_outgoing(&mut self.out);
        let mut r = Reader::new(&self.out);
        let mut frames = Vec::new();
        while !r.is_empty() {
            frames.push(frame(r.buffer().expect("a whole frame").unwrap_or_default()));
        }
        frames
    }
}

impl Target for Inside {
    fn open(&mut self, who: usize, from: IpAddr) {
        self.dialled += 1;
        let peer = SocketAddr::new(from, 4000);
        let conn = Conn::new(ConnId(self.dialled), peer, false, self.now, Box::new(NoWake));
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout: 4000,
            session_id: 0,
            password: vec![0; 16],
            read_only: Some(false),
        };
        let mut frame = Vec::new();
        request.encode(&mut frame);
        self.feed(&conn, &frame[4..]);
        self.out.clear();
        conn.take_outgoing(&mut self.out);
        assert!(self.out.len() > 20, "a connect response");
        self.conns[who] = Some(conn);
    }

    fn can(&self, _: &Proof) -> bool {
        true
    }

    fn close(&mut self, who: usize) {
        self.request(who, -11, &[]);
        if let Some(conn) = self.conns[who].take() {
            self.node.handle(Input::Gone { conn }, self.now);
        }
    }

    fn prove(&mut self, who: usize, proof: &Proof) {
        let (scheme, auth) = match proof {
            Proof::Digest(user) => ("digest", user.as_bytes()),
            Proof::Ip => ("ip", &[][..]),
            Proof::Sasl(id) => return self.hold(who, Id::new("sasl", *id)),
            Proof::X509(name) => return self.hold(who, Id::new("x509", *name)),
        };
        let mut record = Vec::new();
        int(&mut record, 0);
        text(&mut record, scheme);
        bytes(&mut record, auth);
        self.request(who, 100, &record);
        assert!(self.frames(who).iter().all(|f| matches!(f, Frame::Reply(0, _) | Frame::Told(_))));
    }

    fn ask(&mut self, who: usize, ask: &Ask) -> (Said, Vec<(usize, Told)>) {
        self.request(who, ask.op(), &ask.record());
        let (mut told, mut answer) = (Vec::new(), None);
        for slot in 0..self.conns.len() {
            for frame in self.frames(slot) {
                match frame {
                    Frame::Told(event) => told.push((slot, event)),
                    Frame::Reply(err, body) if slot == who => answer = Some(said(ask, err, &body)),
                    Frame::Reply(..) => panic!("a reply to nobody's request"),
                }
            }
        }
        (answer.expect("a reply"), told)
    }

    fn events(&mut self) -> Vec<(usize, Told)> {
        let mut told = Vec::new();
        for slot in 0..self.conns.len() {
            told.extend(self.frames(slot).into_iter().filter_map(|frame| match frame {
                Frame::Told(event) => Some((slot, event)),
                Frame::Reply(..) => None,
            }));
        }
        told
    }
}

/// The code that a client of its own gets for an op, whatever its record.
pub fn alone(op: i32) -> i32 {
    let mut server = Inside::new(&Rules::default(), 1);
    server.open(0, IpAddr::from([127, 0, 0, 1]));
    server.prove(0, &Proof::Digest(SUPER.to_owned()));
    server.request(0, op, &[]);
    match server.frames(0).pop() {
        Some(Frame::Reply(err, _)) => err,
        _ => panic!("a reply"),
    }
}

impl Inside {
    /// As the end of a login, or a handshake, leaves it.
    fn hold(&mut self, who: usize, id: Id) {
        self.conns[who].as_ref().expect("a session").add_identities(vec![id]);
    }
}
