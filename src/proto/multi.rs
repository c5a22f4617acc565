//! Multi: framing of parts in requests and replies.
//!
//! # Invariants
//!
//! * A list of parts ends with a header of type -1, done; everything behind is ignored.
//! * Parts of either kind (writes, reads) decode; whether they may stand together is
//!   decided at admission.

use super::op::OpCode;
use super::request::{CreateKind, Request};
use crate::jute::{JuteError, Reader, Sink, Writer};
use crate::limits::{MULTI_AT_ONCE, MULTI_OPS};
use crate::types::CreateMode;

/// Type of the end marker and of error results.
pub const MULTI_END: i32 = -1;

/// Bytes of a part of usual size, header included: a path of some length and some data.
const USUAL_PART: usize = 128;

/// One part of a multi request. An op code that no multi knows is kept as a number:
/// the whole request is then refused.
#[derive(Clone, PartialEq, Debug)]
pub struct MultiOp<'a> {
    /// Type as sent; of a create, the type that its flags ask for.
    pub op: OpCode,
    /// The part's record.
    pub request: Request<'a>,
}

/// `MultiHeader`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MultiHeader {
    /// Op code, -1 for error results and for the end.
    pub kind: i32,
    /// Is this the end?
    pub done: bool,
    /// Error code.
    pub err: i32,
}

impl MultiHeader {
    /// Reads one.
    pub fn decode(r: &mut Reader<'_>) -> Result<MultiHeader, JuteError> {
        Ok(MultiHeader { kind: r.i32()?, done: r.bool()?, err: r.i32()? })
    }
}

/// Reads parts up to the end marker. Op codes outside Java's `MultiOperationRecord`
/// list are an error of the whole request. A long list is read to its end before room is
/// made for it.
pub fn read_multi<'a>(r: &mut Reader<'a>) -> Result<Vec<MultiOp<'a>>, JuteError> {
    let mut count = 0;
    if r.remaining() > MULTI_AT_ONCE {
        let mut probe = r.clone();
        while read_part(&mut probe)?.is_some() {
            count += 1;
            if count > MULTI_OPS {
                return Err(JuteError::Value(
                    "number of multi parts",
                    i64::try_from(count).unwrap_or(i64::MAX),
                ));
            }
        }
    }
    // A part of usual size takes about so many bytes; a wrong guess costs a second allocation.
    let room = if count > 0 { count } else { r.remaining() / USUAL_PART + 1 };
    let mut ops = Vec::with_capacity(room);
    while let Some(part) = read_part(r)? {
        ops.push(part);
    }
    Ok(ops)
}

/// The next part, `None` at the end marker.
fn read_part<'a>(r: &mut Reader<'a>) -> Result<Option<MultiOp<'a>>, JuteError> {
    let header = MultiHeader::decode(r)?;
    if header.done {
        return Ok(None);
    }
    match OpCode::from_number(header.kind) {
        Some(op) if allowed(op) => {
            let record = r.clone();
            let mut request = Request::decode(op, r)?;
            let mut op = op;
            if let Request::Create { kind, flags, .. } = &mut request {
                *kind = part_kind(*kind, *flags, record)?;
                op = kind.op();
            }
            Ok(Some(MultiOp { op, request }))
        }
        _ => Err(JuteError::Value("type of a multi part", i64::from(header.kind))),
    }
}

/// What a create part makes: in a multi the flags decide, not the type, and flags that do not
/// fit make the whole multi undecodable (Java's `Op.create`, `CreateOptions`).
fn part_kind(kind: CreateKind, flags: i32, mut record: Reader<'_>) -> Result<CreateKind, JuteError> {
    let mode = CreateMode::from_flags(flags);
    if let CreateKind::Ttl(ttl) = kind {
        return Ok(match mode {
            Some(mode) if mode.is_ttl() => CreateKind::Ttl(ttl),
            Some(CreateMode::Container) => CreateKind::Container,
            _ => CreateKind::Create,
        });
    }
    record.string()?;
    record.buffer()?;
    if record.i32()? == -1 {
        return Err(JuteError::Null("acl of a multi part"));
    }
    match mode {
        Some(CreateMode::Container) => Ok(CreateKind::Container),
        Some(mode) if !mode.is_ttl() => Ok(kind),
        _ => Err(JuteError::Value("flags of a multi part", i64::from(flags))),
    }
}

fn allowed(op: OpCode) -> bool {
    use OpCode::*;
    matches!(
        op,
        Create | Create2 | CreateContainer | CreateTtl | Delete | SetData | Check | GetData | GetChildren
    )
}

/// Appends a part header or result header.
pub fn write_multi_header<S: Sink + ?Sized>(out: &mut S, kind: i32, err: i32) {
    let mut w = Writer::new(out);
    w.i32(kind);
    w.bool(false);
    w.i32(err);
}

/// Appends the end marker.
pub fn write_multi_end<S: Sink + ?Sized>(out: &mut S) {
    let mut w = Writer::new(out);
    w.i32(MULTI_END);
    w.bool(true);
    w.i32(-1);
}

/// Appends a whole list of parts (clients).
pub fn write_multi(out: &mut Vec<u8>, ops: &[MultiOp<'_>]) {
    for part in ops {
        let kind = match &part.request {
            Request::Create { kind: CreateKind::Ttl(_), .. } => OpCode::CreateTtl.number(),
            _ => part.op.number(),
        };
        write_multi_header(out, kind, -1);
        part.request.encode_record(out);
    }
    write_multi_end(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_round_trip_and_foreign_parts_are_refused() {
        let ops = vec![
            MultiOp { op: OpCode::Delete, request: Request::Delete { path: "/a".into(), version: 2 } },
            MultiOp { op: OpCode::Check, request: Request::Check { path: "/b".into(), version: -1 } },
        ];
        let mut out = Vec::new();
        write_multi(&mut out, &ops);
        assert_eq!(read_multi(&mut Reader::new(&out)), Ok(ops));
        let mut out = Vec::new();
        write_multi_header(&mut out, OpCode::SetAcl.number(), -1);
        assert!(read_multi(&mut Reader::new(&out)).is_err());
        assert!(read_multi(&mut Reader::new(&[])).is_err());
    }

    #[test]
    fn flags_of_create_parts_decide_what_they_make() {
        let part = |kind: CreateKind, sent: OpCode, flags: i32, acl: Option<()>| {
            let mut out = Vec::new();
            write_multi_header(&mut out, sent.number(), -1);
            let (path, data) = ("/a".into(), None);
            Request::Create { kind, path, data, acl: vec![], flags }.encode_record(&mut out);
            if acl.is_none() {
                let at = out.len() - 8 - if matches!(kind, CreateKind::Ttl(_)) { 8 } else { 0 };
                out[at..at + 4].copy_from_slice(&[0xff; 4]);
            }
            write_multi_end(&mut out);
            read_multi(&mut Reader::new(&out)).map(|ops| ops[0].op)
        };
        use CreateKind::{Container, Create, Create2, Ttl};
        for (kind, flags, made) in [
            (Create, 0, Some(OpCode::Create)),
            (Create2, 3, Some(OpCode::Create2)),
            (Create, 4, Some(OpCode::CreateContainer)),
            (Container, 0, Some(OpCode::CreateContainer)),
            (Ttl(5), 5, Some(OpCode::CreateTtl)),
            (Ttl(5), 4, Some(OpCode::CreateContainer)),
            (Ttl(5), 1, Some(OpCode::Create)),
            (Ttl(5), 9, Some(OpCode::Create)), // refused later, by itself
            (Create, 5, None),
            (Create2, 7, None),
            (Container, -1, None),
        ] {
            assert_eq!(part(kind, kind.op(), flags, Some(())).ok(), made, "{kind:?} {flags}");
        }
        assert!(part(Create, OpCode::Create, 0, None).is_err(), "a null ACL");
        assert!(part(Ttl(5), OpCode::CreateTtl, 5, None).is_ok(), "refused later, by itself");
    }
}
