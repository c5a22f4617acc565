//! The first frame of a connection and its answer: no headers.
//!
//! # Invariants
//!
//! * The read-only byte is answered if, and only if, the client sent one (3.3 and older do not).

use super::reply::FrameBuilder;
use crate::jute::{JuteError, Reader, Writer};
use crate::limits::PASSWORD_LENGTH;
use crate::types::SessionId;

/// `ConnectRequest`. Printed without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectRequest {
    /// Always 0 so far.
    pub protocol_version: i32,
    /// Largest zxid that the client has seen; a server behind it must not take the client.
    pub last_zxid_seen: i64,
    /// Wanted session time-out, ms.
    pub timeout: i32,
    /// Session to renew, 0 for a new one.
    pub session_id: i64,
    /// Password of the session to renew.
    pub password: Vec<u8>,
    /// May the session be served read-only? `None`: the client is older than 3.4.
    pub read_only: Option<bool>,
}

impl std::fmt::Debug for ConnectRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("session_id", &SessionId(self.session_id))
            .field("last_zxid_seen", &self.last_zxid_seen)
            .field("timeout", &self.timeout)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

impl ConnectRequest {
    /// Decodes the frame's body.
    pub fn decode(body: &[u8]) -> Result<ConnectRequest, JuteError> {
        let mut r = Reader::new(body);
        let protocol_version = r.i32()?;
        let last_zxid_seen = r.i64()?;
        let timeout = r.i32()?;
        let session_id = r.i64()?;
        let password = r.buffer()?.unwrap_or_default().to_vec();
        let read_only = if r.is_empty() { None } else { Some(r.bool()?) };
        Ok(ConnectRequest { protocol_version, last_zxid_seen, timeout, session_id, password, read_only })
    }

    /// Appends the whole frame (clients).
    pub fn encode(&self, out: &mut Vec<u8>) {
        let frame = FrameBuilder::begin(out);
        let mut w = Writer::new(out);
        w.i32(self.protocol_version);
        w.i64(self.last_zxid_seen);
        w.i32(self.timeout);
        w.i64(self.session_id);
        w.buffer(Some(&self.password));
        if let Some(ro) = self.read_only {
            w.bool(ro);
        }
        frame.finish(out);
    }
}

/// `ConnectResponse`. Printed without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectResponse {
    /// Negotiated time-out, ms; 0 with session id 0: refused.
    pub timeout: i32,
    /// The session, 0: refused, connect again with a new one.
    pub session_id: i64,
    /// Its password.
    pub password: [u8; PASSWORD_LENGTH],
    /// Is this server read-only? `None` leaves the byte out.
    pub read_only: Option<bool>,
}

impl std::fmt::Debug for ConnectResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectResponse")
            .field("session_id", &SessionId(self.session_id))
            .field("timeout", &self.timeout)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

impl ConnectResponse {
    /// The answer to a session that cannot be renewed.
    pub fn refused(read_only: Option<bool>) -> ConnectResponse {
        ConnectResponse { timeout: 0, session_id: 0, password: [0; PASSWORD_LENGTH], read_only }
    }

    /// Appends the whole frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let frame = FrameBuilder::begin(out);
        let mut w = Writer::new(out);
        w.i32(0);
        w.i32(self.timeout);
        w.i64(self.session_id);
        w.buffer(Some(&self.password));
        if let Some(ro) = self.read_only {
            w.bool(ro);
        }
        frame.finish(out);
    }

    /// Decodes a frame's body (clients).
    pub fn decode(body: &[u8]) -> Result<ConnectResponse, JuteError> {
        let mut r = Reader::new(body);
        r.i32()?;
        let timeout = r.i32()?;
        let session_id = r.i64()?;
        let bytes = r.buffer()?.unwrap_or_default();
        let mut password = [0u8; PASSWORD_LENGTH];
        if bytes.len() == PASSWORD_LENGTH {
            password.copy_from_slice(bytes);
        }
        let read_only = if r.is_empty() { None } else { Some(r.bool()?) };
        Ok(ConnectResponse { timeout, session_id, password, read_only })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_read_only_byte_is_optional_both_ways() {
        for ro in [None, Some(false), Some(true)] {
            let req = ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: 4,
                timeout: 30000,
                session_id: 0,
                password: vec![0; 16],
                read_only: ro,
            };
            let mut out = Vec::new();
            req.encode(&mut out);
            assert_eq!(ConnectRequest::decode(&out[4..]), Ok(req));
            let res = ConnectResponse { timeout: 4000, session_id: 7, password: [3; 16], read_only: ro };
            let mut out = Vec::new();
            res.encode(&mut out);
            assert_eq!(out.len(), 4 + 36 + usize::from(ro.is_some()));
            assert_eq!(ConnectResponse::decode(&out[4..]), Ok(res));
        }
    }
}
