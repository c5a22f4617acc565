//! A client that does no more than it is told: blocking, pipelined, without reconnects.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use oxkeeper::jute::{Reader, Writer};
use oxkeeper::proto::{ConnectRequest, ConnectResponse, FrameBuilder, OpCode, ReplyHeader, Request};
use oxkeeper::types::Acl;

/// One connection with a session.
pub struct Wire {
    stream: TcpStream,
    xid: i32,
    pub session: i64,
    pub password: [u8; 16],
}

/// A reply: its header's code and what follows it.
pub struct Reply {
    pub xid: i32,
    pub err: i32,
    pub body: Vec<u8>,
}

impl Wire {
    /// A new session of `timeout_ms`.
    pub fn connect(port: u16, timeout_ms: i32) -> io::Result<Wire> {
        Wire::resume(port, timeout_ms, 0, [0; 16])
    }

    /// Takes a session over; `session` 0 makes a new one.
    pub fn resume(port: u16, timeout_ms: i32, session: i64, password: [u8; 16]) -> io::Result<Wire> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut wire = Wire { stream, xid: 0, session, password };
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout: timeout_ms,
            session_id: session,
            password: password.to_vec(),
            read_only: Some(false),
        };
        let mut out = Vec::new();
        request.encode(&mut out);
        wire.stream.write_all(&out)?;
        let response =
            ConnectResponse::decode(&wire.frame()?).map_err(|e| io::Error::other(e.to_string()))?;
        wire.session = response.session_id;
        wire.password = response.password;
        Ok(wire)
    }

    /// The socket, for what no proper client does.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    fn frame(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut body)?;
        Ok(body)
    }

    /// Appends a request to `out`; its xid.
    pub fn put(
        &mut self,
        out: &mut Vec<u8>,
        op: OpCode,
        record: impl FnOnce(&mut Writer<'_, Vec<u8>>),
    ) -> i32 {
        self.xid += 1;
        let frame = FrameBuilder::begin(out);
        let mut w = Writer::new(out);
        w.i32(self.xid);
        w.i32(op.number());
        record(&mut w);
        frame.finish(out);
        self.xid
    }

    /// Sends what was put together.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next reply.
    pub fn reply(&mut self) -> io::Result<Reply> {
        let frame = self.frame()?;
        let mut r = Reader::new(&frame);
        let header = ReplyHeader::decode(&mut r).map_err(|e| io::Error::other(e.to_string()))?;
        Ok(Reply { xid: header.xid, err: header.err, body: r.rest().to_vec() })
    }

    /// Sends a request and waits for its reply.
    pub fn request(&mut self, op: OpCode, request: &Request<'_>) -> io::Result<Reply> {
        let mut record = Vec::new();
        request.encode_record(&mut record);
        let mut out = Vec::new();
        self.xid += 1;
        let frame = FrameBuilder::begin(&mut out);
        let mut w = Writer::new(&mut out);
        w.i32(self.xid);
        w.i32(op.number());
        out.extend_from_slice(&record);
        frame.finish(&mut out);
        self.send(&out)?;
        self.reply()
    }

    fn ask(&mut self, op: OpCode, record: impl FnOnce(&mut Writer<'_, Vec<u8>>)) -> io::Result<Reply> {
        let mut out = Vec::new();
        self.put(&mut out, op, record);
        self.send(&out)?;
        self.reply()
    }

    /// create, persistent and open to all; the error code.
    pub fn create(&mut self, path: &str, data: &[u8], flags: i32) -> io::Result<i32> {
        Ok(self.ask(OpCode::Create, |w| create_record(w, path, data, flags))?.err)
    }

    /// getData; `None` when there is no such znode.
    pub fn get(&mut self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let reply = self.ask(OpCode::GetData, |w| {
            w.string(Some(path));
            w.bool(false);
        })?;
        let data = Reader::new(&reply.body).buffer().ok().flatten().map(<[u8]>::to_vec);
        Ok(data.filter(|_| reply.err == 0))
    }

    /// getChildren, sorted; empty when there is no such znode.
    pub fn children(&mut self, path: &str) -> io::Result<Vec<String>> {
        let reply = self.ask(OpCode::GetChildren, |w| {
            w.string(Some(path));
            w.bool(false);
        })?;
        let mut r = Reader::new(&reply.body);
        let names = r.vector(|r| r.required_string("child").map(|s| s.into_owned()));
        let mut names = names.ok().flatten().unwrap_or_default();
        names.sort();
        Ok(names)
    }

    /// closeSession, and the end of the connection behind its reply.
    pub fn close(mut self) -> io::Result<()> {
        self.ask(OpCode::CloseSession, |_| {})?;
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest)?;
        assert!(rest.is_empty(), "nothing follows the reply to closeSession");
        Ok(())
    }
}

/// The record of a create, open to all.
pub fn create_record(w: &mut Writer<'_, Vec<u8>>, path: &str, data: &[u8], flags: i32) {
    let acl = Acl::open();
    w.string(Some(path));
    w.buffer(Some(data));
    w.i32(1);
    w.i32(acl.perms);
    w.string(Some(&acl.id.scheme));
    w.string(Some(&acl.id.id));
    w.i32(flags);
}

/// The record of a setData with any version.
pub fn set_record(w: &mut Writer<'_, Vec<u8>>, path: &str, data: &[u8]) {
    w.string(Some(path));
    w.buffer(Some(data));
    w.i32(-1);
}
