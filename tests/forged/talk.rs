//! A client that speaks over any stream, and is who its stream and its packets make it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use oxkeeper::jute::{Reader, Writer};
use oxkeeper::proto::{ConnectRequest, ConnectResponse, FrameBuilder, OpCode, ReplyHeader};

/// How long an answer may take.
const SILENCE: Duration = Duration::from_secs(60);

/// A connection to a port of this machine.
pub fn dial(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A session over a stream.
pub struct Talk<S>(S);

impl<S: Read + Write> Talk<S> {
    /// Opens a new session.
    pub fn open(stream: S) -> io::Result<Talk<S>> {
        let mut talk = Talk(stream);
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout: 20_000,
            session_id: 0,
            password: vec![0; 16],
            read_only: Some(false),
        };
        let mut out = Vec::new();
        request.encode(&mut out);
        talk.0.write_all(&out)?;
        let response =
            ConnectResponse::decode(&talk.frame()?).map_err(|e| io::Error::other(e.to_string()))?;
        if response.session_id == 0 { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(talk) }
    }

    fn frame(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut body)?;
        Ok(body)
    }

    /// A request and its reply: error and body.
    pub fn ask(
        &mut self,
        op: OpCode,
        record: impl FnOnce(&mut Writer<'_, Vec<u8>>),
    ) -> io::Result<(i32, Vec<u8>)> {
        let mut out = Vec::new();
        let frame = FrameBuilder::begin(&mut out);
        let mut w = Writer::new(&mut out);
        w.i32(if op == OpCode::Auth { -4 } else { 1 });
        w.i32(op.number());
        record(&mut w);
        frame.finish(&mut out);
        self.0.write_all(&out)?;
        let reply = self.frame()?;
        let mut r = Reader::new(&reply);
        let header = ReplyHeader::decode(&mut r).map_err(|e| io::Error::other(e.to_string()))?;
        Ok((header.err, r.rest().to_vec()))
    }

    /// A SASL token and what came back.
    pub fn token(&mut self, token: &[u8]) -> io::Result<(i32, Vec<u8>)> {
        let (err, body) = self.ask(OpCode::Sasl, |w| w.buffer(Some(token)))?;
        let sent = Reader::new(&body).buffer().ok().flatten().map(<[u8]>::to_vec);
        Ok((err, sent.unwrap_or_default()))
    }

    /// An auth packet; the error of its reply.
    pub fn add_auth(&mut self, scheme: &str, auth: &[u8]) -> io::Result<i32> {
        let packet = |w: &mut Writer<'_, Vec<u8>>| {
            w.i32(0);
            w.string(Some(scheme));
            w.buffer(Some(auth));
        };
        self.ask(OpCode::Auth, packet).map(|(err, _)| err)
    }

    /// The error of reading a znode.
    pub fn read(&mut self, path: &str) -> io::Result<i32> {
        let get = |w: &mut Writer<'_, Vec<u8>>| {
            w.string(Some(path));
            w.bool(false);
        };
        self.ask(OpCode::GetData, get).map(|(err, _)| err)
    }

    /// Identities as the server sees them, `scheme:id`, without the address.
    pub fn who(&mut self) -> io::Result<Vec<String>> {
        let (_, body) = self.ask(OpCode::WhoAmI, |_| {})?;
        let mut r = Reader::new(&body);
        let ids = r.vector(|r| {
            let scheme = r.required_string("scheme")?.into_owned();
            Ok(format!("{scheme}:{}", r.required_string("id")?))
        });
        let mut ids = ids.ok().flatten().unwrap_or_default();
        ids.retain(|id| !id.starts_with("ip:"));
        Ok(ids)
    }
}
