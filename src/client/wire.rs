//! Frames on a client's connection.
//!
//! # Invariants
//!
//! * A frame's length is checked before room is made for it.

use super::error::ClientError;
use crate::jute::{Reader, Writer};
use crate::proto::{FrameBuilder, ReplyHeader};
use bytes::{Buf, Bytes, BytesMut};

/// A reply as it came: header, and the bytes behind it.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Xid, zxid and error code.
    pub header: ReplyHeader,
    /// The record, empty for errors.
    pub body: Bytes,
}

/// Appends a request frame.
pub fn request(out: &mut Vec<u8>, xid: i32, op: i32, record: &[u8]) {
    let frame = FrameBuilder::begin(out);
    let mut w = Writer::new(out);
    w.i32(xid);
    w.i32(op);
    w.raw(record);
    frame.finish(out);
}

/// Takes one complete frame's body off the front of `input`, if it is there.
pub fn take_frame(input: &mut BytesMut, max: usize) -> Result<Option<Bytes>, ClientError> {
    let Some(length) = input.first_chunk::<4>().map(|b| i32::from_be_bytes(*b)) else { return Ok(None) };
    let length = match usize::try_from(length) {
        Ok(n) if n <= max => n,
        _ => {
            return Err(ClientError::Protocol(format!(
                "a frame of {length} bytes, at most {max} are taken (jute.maxbuffer)"
            )));
        }
    };
    if input.len() < 4 + length {
        input.reserve(4 + length - input.len());
        return Ok(None);
    }
    input.advance(4);
    Ok(Some(input.split_to(length).freeze()))
}

/// Splits a frame's body into header and record.
pub fn parse_reply(mut frame: Bytes) -> Result<Reply, ClientError> {
    let mut r = Reader::new(&frame);
    let header = ReplyHeader::decode(&mut r)?;
    let used = frame.len() - r.remaining();
    frame.advance(used);
    Ok(Reply { header, body: frame })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::types::Zxid;

    #[test]
    fn frames_are_taken_whole_and_bounded() {
        let mut bytes = Vec::new();
        crate::proto::error_reply(&mut bytes, 3, Zxid(9), Code::NoNode);
        let mut input = BytesMut::from(&bytes[..10]);
        assert_eq!(take_frame(&mut input, 100), Ok(None));
        input.extend_from_slice(&bytes[10..]);
        input.extend_from_slice(&[0, 0]);
        let frame = take_frame(&mut input, 100).unwrap().unwrap();
        let reply = parse_reply(frame).unwrap();
        assert_eq!((reply.header.xid, reply.header.err, reply.body.len()), (3, -101, 0));
        assert_eq!(input.len(), 2);
        for huge in [101i32, i32::MAX, -1] {
            let mut input = BytesMut::from(&huge.to_be_bytes()[..]);
            assert!(take_frame(&mut input, 100).is_err());
            assert!(input.capacity() < 4096);
        }
        assert!(parse_reply(Bytes::from_static(b"short")).is_err());
    }
}
