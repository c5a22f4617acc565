//! What clients, servers and logs send as jute records.
//!
//! # Invariants
//!
//! * Text outside the basic plane is written as Java writes it and read as Java reads it, which does not give it back;
//!   everything else comes back as it was, and a second round changes nothing.

use std::fmt::Debug;

/// Encoding `value` and decoding it again: the same value, and the same again.
fn round<T: PartialEq + Debug>(data: &[u8], value: T, again: impl Fn(&T) -> T) {
    let second = again(&value);
    if !data.iter().any(|b| *b >= 0xf0) {
        assert_eq!(second, value);
    }
    assert_eq!(again(&second), second);
}

/// The first frame of a connection, both ways.
pub mod connect {
    use super::round;
    use oxkeeper::proto::{ConnectRequest, ConnectResponse};

    pub fn decode(data: &[u8]) -> bool {
        ConnectRequest::decode(data).is_ok() | ConnectResponse::decode(data).is_ok()
    }

    pub fn check(data: &[u8]) {
        if let Ok(request) = ConnectRequest::decode(data) {
            round(data, request, |r| {
                let mut out = Vec::new();
                r.encode(&mut out);
                ConnectRequest::decode(&out[4..]).expect("what we encode, we decode")
            });
        }
        if let Ok(response) = ConnectResponse::decode(data) {
            round(data, response, |r| {
                let mut out = Vec::new();
                r.encode(&mut out);
                ConnectResponse::decode(&out[4..]).expect("what we encode, we decode")
            });
        }
    }
}

/// A stream of frames, in one piece and in small ones, as our server and as our client cut it: the same frames, the
/// same end. The first byte is the size of the pieces.
pub mod frames {
    use oxkeeper::client::wire::take_frame;
    use oxkeeper::net::frame::{Front, Leftover, front};

    const LIMIT: usize = 200;

    pub fn decode(data: &[u8]) -> bool {
        let Some((size, stream)) = data.split_first() else { return false };
        !pieces(stream, usize::from(*size).max(1)).0.is_empty()
    }

    pub fn check(data: &[u8]) {
        let Some((size, stream)) = data.split_first() else { return };
        let size = usize::from(*size).max(1);
        let (frames, end) = whole(stream);
        assert_eq!(pieces(stream, size), (frames.clone(), end));
        let (theirs, refused) = client(stream, size);
        assert_eq!((theirs.iter().map(|f| &f[..]).collect::<Vec<_>>(), refused), (frames, end.is_some()));
    }

    fn client(stream: &[u8], size: usize) -> (Vec<bytes::Bytes>, bool) {
        let (mut kept, mut frames) = (bytes::BytesMut::new(), Vec::new());
        for piece in stream.chunks(size) {
            kept.extend_from_slice(piece);
            loop {
                match take_frame(&mut kept, LIMIT) {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(_) => return (frames, true),
                }
            }
        }
        (frames, false)
    }

    fn whole(mut stream: &[u8]) -> (Vec<&[u8]>, Option<i32>) {
        let mut frames = Vec::new();
        loop {
            match front(stream, LIMIT) {
                Front::Frame(body, used) => {
                    frames.push(body);
                    stream = &stream[used..];
                }
                Front::Partial(_) => return (frames, None),
                Front::BadLength(n) => return (frames, Some(n)),
            }
        }
    }

    fn pieces(stream: &[u8], size: usize) -> (Vec<&[u8]>, Option<i32>) {
        let (mut kept, mut frames, mut at) = (Leftover::default(), Vec::new(), 0);
        let mut want = 4;
        for piece in stream.chunks(size) {
            kept.extend(piece, want);
            loop {
                match front(kept.bytes(), LIMIT) {
                    Front::Frame(body, used) => {
                        let frame = &stream[at + 4..at + used];
                        assert_eq!(frame, body);
                        frames.push(frame);
                        at += used;
                        kept.consume(used);
                    }
                    Front::Partial(more) => {
                        want = more;
                        break;
                    }
                    Front::BadLength(n) => return (frames, Some(n)),
                }
            }
            assert!(kept.capacity() <= 2 * (LIMIT + 4 + size), "{} bytes kept", kept.capacity());
        }
        (frames, None)
    }
}

/// A client's frame: header, then the record of its op code.
pub mod request {
    use super::round;
    use oxkeeper::jute::Reader;
    use oxkeeper::proto::{OpCode, Request, RequestHeader};

    fn read(data: &[u8]) -> Option<(OpCode, Request<'_>)> {
        let mut r = Reader::new(data);
        let header = RequestHeader::decode(&mut r).ok()?;
        let op = OpCode::from_number(header.op)?;
        Some((op, Request::decode(op, &mut r).ok()?))
    }

    pub fn decode(data: &[u8]) -> bool {
        read(data).is_some()
    }

    pub fn check(data: &[u8]) {
        let Some((op, request)) = read(data) else { return };
        let bytes = |r: &Request<'_>| {
            let mut out = Vec::new();
            r.encode_record(&mut out);
            out
        };
        // A request borrows from its frame, so the values of the rounds are bytes.
        let once = bytes(&request);
        let back = match Request::decode(op, &mut Reader::new(&once)) {
            Ok(back) => back,
            // The flags of a create part say what it is, so a part that contradicts itself comes
            // out as another one, whose flags may then be impossible.
            Err(_) if matches!(request, Request::Multi(_) | Request::MultiRead(_)) => return,
            Err(e) => panic!("what we encode, we decode: {e}"),
        };
        if !data.iter().any(|b| *b >= 0xf0) {
            assert_eq!(back, request);
        }
        round(data, once, |b| bytes(&Request::decode(op, &mut Reader::new(b)).expect("again")));
    }
}

/// A server's frame, read in every way in which our client reads one.
pub mod reply {
    use super::round;
    use bytes::Bytes;
    use oxkeeper::client::reply;
    use oxkeeper::jute::records::{write_acls, write_stat};
    use oxkeeper::jute::{Reader, Writer};
    use oxkeeper::proto::{EventKind, ReplyHeader, WatcherEvent, event_frame};

    pub fn decode(data: &[u8]) -> bool {
        let mut r = Reader::new(data);
        if ReplyHeader::decode(&mut r).is_err() {
            return false;
        }
        let rest = r.rest();
        reply::path(rest).is_ok()
            | reply::path_and_stat(rest).is_ok()
            | reply::stat(rest).is_ok()
            | reply::strings(rest).is_ok()
            | reply::strings_and_stat(rest).is_ok()
            | reply::acl_and_stat(rest).is_ok()
            | reply::number(rest).is_ok()
            | reply::identities(rest).is_ok()
            | WatcherEvent::decode(&mut r).is_ok()
    }

    fn written(write: impl FnOnce(&mut Writer<'_, Vec<u8>>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut Writer::new(&mut out));
        out
    }

    pub fn check(data: &[u8]) {
        let mut r = Reader::new(data);
        let Ok(header) = ReplyHeader::decode(&mut r) else { return };
        let body = Bytes::copy_from_slice(r.rest());
        let strings = |w: &mut Writer<'_, Vec<u8>>, list: &[String]| w.vector(list, |w, s| w.string(Some(s)));
        if let Ok(path) = reply::path(&body) {
            round(data, path, |p| reply::path(&written(|w| w.string(Some(p)))).expect("again"));
        }
        if let Ok(both) = reply::path_and_stat(&body) {
            round(data, both, |(p, s)| {
                let out = written(|w| {
                    w.string(Some(p));
                    write_stat(w, s);
                });
                reply::path_and_stat(&out).expect("again")
            });
        }
        if let Ok(stat) = reply::stat(&body) {
            round(data, stat, |s| reply::stat(&written(|w| write_stat(w, s))).expect("again"));
        }
        if let Ok(both) = reply::data(&body) {
            round(data, both, |(d, s)| {
                let out = written(|w| {
                    w.buffer(d.as_deref());
                    write_stat(w, s);
                });
                reply::data(&out.into()).expect("again")
            });
        }
        if let Ok(names) = reply::strings(&body) {
            round(data, names, |n| reply::strings(&written(|w| strings(w, n))).expect("again"));
        }
        if let Ok(both) = reply::strings_and_stat(&body) {
            round(data, both, |(n, s)| {
                let out = written(|w| {
                    strings(w, n);
                    write_stat(w, s);
                });
                reply::strings_and_stat(&out).expect("again")
            });
        }
        if let Ok(both) = reply::acl_and_stat(&body) {
            round(data, both, |(a, s)| {
                let out = written(|w| {
                    write_acls(w, a);
                    write_stat(w, s);
                });
                reply::acl_and_stat(&out).expect("again")
            });
        }
        if let Ok(ids) = reply::identities(&body) {
            round(data, ids, |ids| {
                let out = written(|w| {
                    w.vector(ids, |w, (scheme, user)| {
                        w.string(Some(scheme));
                        w.string(Some(user));
                    });
                });
                reply::identities(&out).expect("again")
            });
        }
        if let Ok(event) = WatcherEvent::decode(&mut r)
            && (event.kind, event.state) == (EventKind::Deleted as i32, 3)
        {
            round(data, event, |e| {
                let mut out = Vec::new();
                event_frame(&mut out, header.zxid, EventKind::Deleted, &e.path);
                WatcherEvent::decode(&mut Reader::new(&out[20..])).expect("again")
            });
        }
    }
}

/// The results of a multi and of a multiRead.
pub mod results {
    use super::round;
    use oxkeeper::client::{OpResult, ReadResult, reply};
    use oxkeeper::error::Code;
    use oxkeeper::jute::Writer;
    use oxkeeper::jute::records::write_stat;
    use oxkeeper::proto::{MULTI_END, OpCode, write_multi_end, write_multi_header};

    pub fn decode(data: &[u8]) -> bool {
        reply::multi(data).is_ok() | reply::multi_read(data).is_ok()
    }

    pub fn check(data: &[u8]) {
        if let Ok(outcome) = reply::multi(data) {
            round(data, outcome, |o| reply::multi(&outcome_bytes(o)).expect("again"));
        }
        if let Ok(reads) = reply::multi_read(data) {
            round(data, reads, |r| reply::multi_read(&reads_bytes(r)).expect("again"));
        }
    }

    fn refused(out: &mut Vec<u8>, code: Code) {
        write_multi_header(out, MULTI_END, code.number());
        Writer::new(out).i32(code.number());
    }

    fn outcome_bytes(outcome: &Result<Vec<OpResult>, (usize, Code)>) -> Vec<u8> {
        let mut out = Vec::new();
        match outcome {
            Ok(results) => results.iter().for_each(|r| one(r, &mut out)),
            Err((index, code)) => {
                (0..*index).for_each(|_| refused(&mut out, Code::Ok));
                refused(&mut out, *code);
            }
        }
        write_multi_end(&mut out);
        out
    }

    fn one(result: &OpResult, out: &mut Vec<u8>) {
        let mut head = |op: OpCode| write_multi_header(out, op.number(), 0);
        match result {
            OpResult::Created(path) => {
                head(OpCode::Create);
                Writer::new(out).string(Some(path));
            }
            OpResult::Created2(path, stat) => {
                head(OpCode::Create2);
                Writer::new(out).string(Some(path));
                write_stat(&mut Writer::new(out), stat);
            }
            OpResult::Set(stat) => {
                head(OpCode::SetData);
                write_stat(&mut Writer::new(out), stat);
            }
            OpResult::Deleted => head(OpCode::Delete),
            OpResult::Checked => head(OpCode::Check),
        }
    }

    fn reads_bytes(reads: &[ReadResult]) -> Vec<u8> {
        let mut out = Vec::new();
        for read in reads {
            match read {
                ReadResult::Data((data, stat)) => {
                    write_multi_header(&mut out, OpCode::GetData.number(), 0);
                    Writer::new(&mut out).buffer(data.as_deref());
                    write_stat(&mut Writer::new(&mut out), stat);
                }
                ReadResult::Children(names) => {
                    write_multi_header(&mut out, OpCode::GetChildren.number(), 0);
                    Writer::new(&mut out).vector(names, |w, n| w.string(Some(n)));
                }
                ReadResult::Refused(code) => refused(&mut out, *code),
            }
        }
        write_multi_end(&mut out);
        out
    }
}

/// A log entry or proposal.
pub mod txn {
    use super::round;
    use oxkeeper::txn;

    pub fn decode(data: &[u8]) -> bool {
        txn::decode(data).is_ok()
    }

    pub fn check(data: &[u8]) {
        let Ok(record) = txn::decode(data) else { return };
        round(data, record, |r| txn::decode(&r.to_bytes()).expect("what we encode, we decode"));
    }
}
