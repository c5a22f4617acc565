//! Frames of servers: decoded as documented by what our client uses, encoded to the same bytes by what our server uses.

use crate::golden::{Frame, frames};
use crate::show;
use bytes::Bytes;
use oxkeeper::client::{ClientError, OpResult, ReadResult, reply};
use oxkeeper::error::Code;
use oxkeeper::jute::records::{write_acls, write_stat};
use oxkeeper::jute::{Reader, Writer};
use oxkeeper::proto::{
    ConnectResponse, EventKind, FrameBuilder, MULTI_END, MultiHeader, OpCode, ReplyHeader, WatcherEvent,
    error_reply, event_frame, write_multi_end, write_multi_header,
};

fn answered() -> impl Iterator<Item = Frame> {
    frames().into_iter().filter(|f| !f.from_client)
}

#[test]
fn connect_responses_are_read_and_written_as_recorded() {
    let (mut refused, mut read_only, mut short) = (0, 0, 0);
    for f in answered().filter(|f| f.name == "connected") {
        let response = ConnectResponse::decode(f.body()).unwrap_or_else(|e| panic!("{}: {e}", f.place));
        assert_eq!(show::connected(&response), f.fields, "{}", f.place);
        let mut again = Vec::new();
        response.encode(&mut again);
        assert_eq!(again, f.bytes, "{}", f.place);
        if response.session_id == 0 {
            assert_eq!(response, ConnectResponse::refused(response.read_only), "{}", f.place);
            refused += 1;
        }
        read_only += usize::from(response.read_only == Some(true));
        short += usize::from(response.read_only.is_none());
    }
    assert!(refused > 0 && read_only > 0 && short > 0, "{refused} {read_only} {short}");
}

#[test]
fn replies_and_events_are_read_and_written_as_recorded() {
    let mut bodies = 0;
    for f in answered().filter(|f| f.name != "connected") {
        let mut r = Reader::new(f.body());
        let header = ReplyHeader::decode(&mut r).unwrap_or_else(|e| panic!("{}: {e}", f.place));
        let body = Bytes::copy_from_slice(r.rest());
        let mut again = Vec::new();
        let shown = if f.name == "notification" {
            let event = WatcherEvent::decode(&mut r).unwrap_or_else(|e| panic!("{}: {e}", f.place));
            event_frame(&mut again, header.zxid, kind(event.kind), &event.path);
            format!("{} | {}", show::header(&header), show::event(&event))
        } else if body.is_empty() {
            let code =
                Code::from_number(header.err).unwrap_or_else(|| panic!("{}: code {}", f.place, header.err));
            error_reply(&mut again, header.xid, header.zxid, code);
            show::header(&header)
        } else {
            bodies += 1;
            let frame = FrameBuilder::reply(&mut again, header);
            let shown = record(&f.name, &body, &mut again).unwrap_or_else(|e| panic!("{}: {e}", f.place));
            frame.finish(&mut again);
            format!("{} | {shown}", show::header(&header))
        };
        assert_eq!(shown, f.fields, "{}", f.place);
        assert_eq!(again, f.bytes, "{}", f.place);
    }
    assert!(bodies > 200, "{bodies} replies with a body");
}

fn kind(number: i32) -> EventKind {
    match number {
        1 => EventKind::Created,
        2 => EventKind::Deleted,
        3 => EventKind::DataChanged,
        4 => EventKind::ChildrenChanged,
        other => panic!("event type {other}"),
    }
}

/// A reply or notification as decoded, in the recordings' notation.
pub fn shown(name: &str, body: &[u8]) -> Result<String, ClientError> {
    let mut r = Reader::new(body);
    let header = show::header(&ReplyHeader::decode(&mut r)?);
    Ok(match name {
        "notification" => format!("{header} | {}", show::event(&WatcherEvent::decode(&mut r)?)),
        _ if r.is_empty() => header,
        _ => format!("{header} | {}", record(name, &Bytes::copy_from_slice(r.rest()), &mut Vec::new())?),
    })
}

/// Shows a reply's record as decoded, and appends it again.
fn record(name: &str, body: &Bytes, out: &mut Vec<u8>) -> Result<String, ClientError> {
    let mut w = Writer::new(out);
    Ok(match name {
        "create" | "sync" => {
            let path = reply::path(body)?;
            w.string(Some(&path));
            format!("path={}", show::text(path.as_bytes()))
        }
        "create2" | "createContainer" | "createTtl" => {
            let (path, stat) = reply::path_and_stat(body)?;
            w.string(Some(&path));
            write_stat(&mut w, &stat);
            format!("path={} stat={}", show::text(path.as_bytes()), show::stat(&stat))
        }
        "exists" | "setData" | "setACL" => {
            let stat = reply::stat(body)?;
            write_stat(&mut w, &stat);
            format!("stat={}", show::stat(&stat))
        }
        "getData" | "reconfig" => {
            let (data, stat) = reply::data(body)?;
            w.buffer(data.as_deref());
            write_stat(&mut w, &stat);
            format!("data={} stat={}", show::optional(data.as_deref()), show::stat(&stat))
        }
        "getChildren" | "getEphemerals" => {
            let names = reply::strings(body)?;
            w.vector(&names, |w, n| w.string(Some(n)));
            let field = if name == "getChildren" { "children" } else { "ephemerals" };
            format!("{field}={}", show::strings(&names))
        }
        "getChildren2" => {
            let (names, stat) = reply::strings_and_stat(body)?;
            w.vector(&names, |w, n| w.string(Some(n)));
            write_stat(&mut w, &stat);
            format!("children={} stat={}", show::strings(&names), show::stat(&stat))
        }
        "getACL" => {
            let (acl, stat) = reply::acl_and_stat(body)?;
            write_acls(&mut w, &acl);
            write_stat(&mut w, &stat);
            format!("acl={} stat={}", show::acls(&acl), show::stat(&stat))
        }
        "getAllChildrenNumber" | "addWatch" => {
            let number = reply::number(body)?;
            w.i32(number);
            format!("{}={number}", if name == "addWatch" { "err" } else { "totalNumber" })
        }
        "whoAmI" => {
            let ids = reply::identities(body)?;
            w.vector(&ids, |w, (scheme, user)| {
                w.string(Some(scheme));
                w.string(Some(user));
            });
            let one = |(s, u): &(String, String)| {
                format!("{} {}", show::text(s.as_bytes()), show::text(u.as_bytes()))
            };
            format!("clientInfo={}", show::list(&ids, one))
        }
        "sasl" => {
            let token = Reader::new(body).buffer()?;
            w.buffer(token);
            format!("token={}", show::optional(token))
        }
        "multi" => multi(body, out)?,
        "multiRead" => {
            let results = reply::multi_read(body)?;
            reads(&results, out);
            format!("results={}", show::reads(&results))
        }
        other => panic!("what is the body of {other}?"),
    })
}

/// Of a failed multi our client keeps the first code and its place; its other codes are read here.
fn multi(body: &Bytes, out: &mut Vec<u8>) -> Result<String, ClientError> {
    match reply::multi(body)? {
        Ok(results) => {
            for result in &results {
                one(result, out);
            }
            write_multi_end(out);
            Ok(format!("results={}", show::results(&results)))
        }
        Err((index, code)) => {
            let codes = codes(body)?;
            assert_eq!(codes.iter().position(|c| *c != 0), Some(index));
            assert_eq!(codes.get(index), Some(&code.number()));
            for code in &codes {
                write_multi_header(out, MULTI_END, *code);
                Writer::new(out).i32(*code);
            }
            write_multi_end(out);
            Ok(format!("results={}", show::list(&codes, |c| format!("{{error {c} | err={c}}}"))))
        }
    }
}

fn codes(body: &[u8]) -> Result<Vec<i32>, ClientError> {
    let (mut r, mut codes) = (Reader::new(body), Vec::new());
    loop {
        let header = MultiHeader::decode(&mut r)?;
        if header.done {
            return Ok(codes);
        }
        codes.push(r.i32()?);
        assert_eq!((header.kind, Some(&header.err)), (MULTI_END, codes.last()));
    }
}

fn one(result: &OpResult, out: &mut Vec<u8>) {
    let op = match result {
        OpResult::Created(_) => OpCode::Create,
        OpResult::Created2(..) => OpCode::Create2,
        OpResult::Deleted => OpCode::Delete,
        OpResult::Set(_) => OpCode::SetData,
        OpResult::Checked => OpCode::Check,
    };
    write_multi_header(out, op.number(), 0);
    let mut w = Writer::new(out);
    match result {
        OpResult::Created(path) => w.string(Some(path)),
        OpResult::Created2(path, stat) => {
            w.string(Some(path));
            write_stat(&mut w, stat);
        }
        OpResult::Set(stat) => write_stat(&mut w, stat),
        OpResult::Deleted | OpResult::Checked => {}
    }
}

fn reads(results: &[ReadResult], out: &mut Vec<u8>) {
    for result in results {
        match result {
            ReadResult::Data((data, stat)) => {
                write_multi_header(out, OpCode::GetData.number(), 0);
                let mut w = Writer::new(out);
                w.buffer(data.as_deref());
                write_stat(&mut w, stat);
            }
            ReadResult::Children(names) => {
                write_multi_header(out, OpCode::GetChildren.number(), 0);
                Writer::new(out).vector(names, |w, n| w.string(Some(n)));
            }
            ReadResult::Refused(code) => {
                write_multi_header(out, MULTI_END, code.number());
                Writer::new(out).i32(code.number());
            }
        }
    }
    write_multi_end(out);
}
