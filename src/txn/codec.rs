//! Bytes of transactions (`SerializeUtils.deserializeTxn`, `TxnLogEntry`).
//!
//! # Invariants
//!
//! * Decoding is bounded by the entry's own length; an unknown type is an error, never skipped.
//! * A create without its last field is 3.3's `CreateTxnV0`; a close without a body is 3.5's.

use super::{CreateTxn, DIGEST_VERSION, Record, SubTxn, Txn, TxnDigest, TxnHeader, kind};
use crate::jute::records::{read_acls, write_acls};
use crate::jute::{JuteError, Length, Reader, Sink, Writer};
use crate::limits::MULTI_OPS;
use crate::types::Zxid;
use bytes::Bytes;
use std::fmt;

/// Why bytes are no transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TxnError {
    /// A field cannot be read.
    Jute(JuteError),
    /// The type number is not one of ours.
    UnknownKind(i32),
    /// A multi inside a multi, or a part that may not stand in one.
    BadPart(i32),
    /// More parts than [`MULTI_OPS`].
    TooManyParts(i32),
}

impl From<JuteError> for TxnError {
    fn from(e: JuteError) -> TxnError {
        TxnError::Jute(e)
    }
}

impl fmt::Display for TxnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TxnError::Jute(e) => e.fmt(f),
            TxnError::UnknownKind(k) => write!(f, "unknown transaction type {k}"),
            TxnError::BadPart(k) => write!(f, "transaction type {k} cannot be part of a multi"),
            TxnError::TooManyParts(n) => write!(f, "a multi of {n} parts is beyond the bound of {MULTI_OPS}"),
        }
    }
}

impl std::error::Error for TxnError {}

/// Appends header, body and digest.
pub fn encode<S: Sink + ?Sized>(record: &Record, out: &mut S) {
    let mut w = Writer::new(out);
    let h = &record.header;
    w.i64(h.client_id);
    w.i32(h.cxid);
    w.i64(h.zxid.0);
    w.i64(h.time);
    w.i32(h.kind);
    encode_body(&record.txn, out);
    if let Some(d) = record.digest {
        let mut w = Writer::new(out);
        w.i32(d.version);
        w.i64(d.digest);
    }
}

/// Appends a body alone (parts of a multi are framed so).
pub fn encode_body<S: Sink + ?Sized>(txn: &Txn, out: &mut S) {
    let mut w = Writer::new(out);
    match txn {
        Txn::CreateSession { timeout } => w.i32(*timeout),
        Txn::CloseSession { paths: None } => {}
        Txn::CloseSession { paths: Some(paths) } => w.vector(paths, |w, p| w.string(Some(p))),
        Txn::Create(c) => {
            create_head(&mut w, c);
            w.bool(c.ephemeral);
            w.i32(c.parent_cversion);
        }
        Txn::CreateTtl(c, ttl) => {
            create_head(&mut w, c);
            w.i32(c.parent_cversion);
            w.i64(*ttl);
        }
        Txn::CreateContainer(c) => {
            create_head(&mut w, c);
            w.i32(c.parent_cversion);
        }
        Txn::Delete { path } => w.string(Some(path)),
        Txn::SetData { path, data, version } => {
            w.string(Some(path));
            w.buffer(data.as_deref());
            w.i32(*version);
        }
        Txn::SetAcl { path, acl, version } => {
            w.string(Some(path));
            write_acls(&mut w, acl);
            w.i32(*version);
        }
        Txn::Check { path, version } => {
            w.string(Some(path));
            w.i32(*version);
        }
        Txn::Error { err } => w.i32(*err),
        Txn::Multi(parts) => {
            // Each part is a buffer with its length in front: counted first, then written in its place.
            w.vector(parts, |w, part| {
                let mut length = Length::default();
                encode_body(&part.txn, &mut length);
                w.i32(part.kind);
                w.framed(length, |out| encode_body(&part.txn, out));
            });
        }
    }
}

fn create_head<S: Sink + ?Sized>(w: &mut Writer<'_, S>, c: &CreateTxn) {
    w.string(Some(&c.path));
    w.buffer(c.data.as_deref());
    write_acls(w, &c.acl);
}

/// Decodes one log entry: header, body and, when bytes are left, the digest.
pub fn decode(bytes: &[u8]) -> Result<Record, TxnError> {
    let mut r = Reader::new(bytes);
    let header = TxnHeader {
        client_id: r.i64()?,
        cxid: r.i32()?,
        zxid: Zxid(r.i64()?),
        time: r.i64()?,
        kind: r.i32()?,
    };
    let txn = body(header.kind, &mut r, false)?;
    let digest =
        if r.remaining() >= 12 { Some(TxnDigest { version: r.i32()?, digest: r.i64()? }) } else { None };
    Ok(Record { header, txn, digest })
}

/// Decodes a body alone.
pub fn decode_body(kind: i32, bytes: &[u8]) -> Result<Txn, TxnError> {
    body(kind, &mut Reader::new(bytes), false)
}

fn body(k: i32, r: &mut Reader<'_>, part: bool) -> Result<Txn, TxnError> {
    Ok(match k {
        kind::CREATE_SESSION => Txn::CreateSession { timeout: r.i32()? },
        kind::CLOSE_SESSION => close_session(r)?,
        kind::CREATE => create(r, true)?,
        kind::CREATE2 => create(r, false)?,
        kind::CREATE_TTL => {
            let (path, data, acl) = head(r)?;
            let parent_cversion = r.i32()?;
            Txn::CreateTtl(CreateTxn { path, data, acl, ephemeral: false, parent_cversion }, r.i64()?)
        }
        kind::CREATE_CONTAINER => {
            let (path, data, acl) = head(r)?;
            Txn::CreateContainer(CreateTxn { path, data, acl, ephemeral: false, parent_cversion: r.i32()? })
        }
        kind::DELETE | kind::DELETE_CONTAINER => Txn::Delete { path: path(r)? },
        kind::SET_DATA | kind::RECONFIG => {
            Txn::SetData { path: path(r)?, data: r.buffer()?.map(Bytes::copy_from_slice), version: r.i32()? }
        }
        kind::SET_ACL => Txn::SetAcl { path: path(r)?, acl: read_acls(r)?, version: r.i32()? },
        kind::CHECK => Txn::Check { path: path(r)?, version: r.i32()? },
        kind::ERROR => Txn::Error { err: r.i32()? },
        kind::MULTI if !part => multi(r)?,
        kind::MULTI => return Err(TxnError::BadPart(k)),
        _ => return Err(TxnError::UnknownKind(k)),
    })
}

fn path(r: &mut Reader<'_>) -> Result<String, JuteError> {
    Ok(r.required_string("path")?.into_owned())
}

type Head = (String, Option<Bytes>, Vec<crate::types::Acl>);

fn head(r: &mut Reader<'_>) -> Result<Head, JuteError> {
    Ok((path(r)?, r.buffer()?.map(Bytes::copy_from_slice), read_acls(r)?))
}

/// A create whose last field is missing is `CreateTxnV0`: the digest cannot follow it,
/// since logs of that age have none.
fn create(r: &mut Reader<'_>, v0_allowed: bool) -> Result<Txn, TxnError> {
    let (path, data, acl) = head(r)?;
    let ephemeral = r.bool()?;
    let parent_cversion = if v0_allowed && r.remaining() < 4 { -1 } else { r.i32()? };
    Ok(Txn::Create(CreateTxn { path, data, acl, ephemeral, parent_cversion }))
}

/// The list is absent in logs of 3.5 and older: nothing follows the header, or only the
/// digest, whose version cannot be mistaken for a count (two paths need more bytes).
fn close_session(r: &mut Reader<'_>) -> Result<Txn, TxnError> {
    let only_digest = r.remaining() == 12 && r.clone().i32()? == DIGEST_VERSION;
    if r.is_empty() || only_digest {
        return Ok(Txn::CloseSession { paths: None });
    }
    Ok(Txn::CloseSession { paths: Some(r.vector(path)?.unwrap_or_default()) })
}

fn multi(r: &mut Reader<'_>) -> Result<Txn, TxnError> {
    let n = r.clone().i32()?;
    if usize::try_from(n).is_ok_and(|n| n > MULTI_OPS) {
        return Err(TxnError::TooManyParts(n));
    }
    let mut failure = None;
    let parts = r.vector(|r| {
        let kind = r.i32()?;
        let bytes = r.buffer()?.ok_or(JuteError::Null("part of a multi"))?;
        match body(kind, &mut Reader::new(bytes), true) {
            Ok(txn) => Ok(SubTxn { kind, txn }),
            Err(TxnError::Jute(e)) => Err(e),
            Err(other) => {
                failure = Some(other);
                Err(JuteError::Value("type of a part", i64::from(kind)))
            }
        }
    });
    match (parts, failure) {
        (Ok(parts), _) => Ok(Txn::Multi(parts.unwrap_or_default())),
        (Err(_), Some(other)) => Err(other),
        (Err(e), None) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Acl;
    use proptest::prelude::*;

    fn record(kind: i32, txn: Txn) -> Record {
        let header = TxnHeader { client_id: 0x1234, cxid: 5, zxid: Zxid(9), time: 77, kind };
        Record { header, txn, digest: Some(TxnDigest { version: 2, digest: -5 }) }
    }

    fn sample_create() -> CreateTxn {
        CreateTxn {
            path: "/a/b".into(),
            data: Some(Bytes::from_static(b"x")),
            acl: vec![Acl::open()],
            ephemeral: true,
            parent_cversion: 3,
        }
    }

    fn every_kind() -> Vec<Record> {
        let plain = CreateTxn { ephemeral: false, data: None, ..sample_create() };
        vec![
            record(kind::CREATE, Txn::Create(sample_create())),
            record(kind::CREATE2, Txn::Create(sample_create())),
            record(kind::CREATE_TTL, Txn::CreateTtl(plain.clone(), 99)),
            record(kind::CREATE_CONTAINER, Txn::CreateContainer(plain)),
            record(kind::DELETE, Txn::Delete { path: "/a".into() }),
            record(kind::SET_DATA, Txn::SetData { path: "/a".into(), data: Some(Bytes::new()), version: 4 }),
            record(kind::SET_ACL, Txn::SetAcl { path: "/a".into(), acl: vec![Acl::read_only()], version: 4 }),
            record(kind::ERROR, Txn::Error { err: -101 }),
            record(kind::CREATE_SESSION, Txn::CreateSession { timeout: 4000 }),
            record(kind::CLOSE_SESSION, Txn::CloseSession { paths: Some(vec!["/e1".into(), "/e2".into()]) }),
            record(kind::CLOSE_SESSION, Txn::CloseSession { paths: Some(vec![]) }),
            record(kind::CLOSE_SESSION, Txn::CloseSession { paths: None }),
            record(
                kind::MULTI,
                Txn::Multi(vec![
                    SubTxn { kind: kind::CHECK, txn: Txn::Check { path: "/a".into(), version: 1 } },
                    SubTxn { kind: kind::DELETE, txn: Txn::Delete { path: "/a".into() } },
                ]),
            ),
        ]
    }

    #[test]
    fn every_kind_round_trips_with_and_without_digest() {
        for mut r in every_kind() {
            assert_eq!(decode(&r.to_bytes()).as_ref(), Ok(&r));
            r.digest = None;
            assert_eq!(decode(&r.to_bytes()).as_ref(), Ok(&r));
        }
    }

    #[test]
    fn a_create_of_3_3_has_no_parent_version() {
        let mut r = record(kind::CREATE, Txn::Create(sample_create()));
        r.digest = None;
        let bytes = r.to_bytes();
        match decode(&bytes[..bytes.len() - 4]).unwrap().txn {
            Txn::Create(c) => assert_eq!(c.parent_cversion, -1),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_multi_in_a_multi_and_unknown_types_are_refused() {
        let inner = Txn::Multi(vec![]);
        let r = record(kind::MULTI, Txn::Multi(vec![SubTxn { kind: kind::MULTI, txn: inner }]));
        assert_eq!(decode(&r.to_bytes()), Err(TxnError::BadPart(kind::MULTI)));
        let r = record(1000, Txn::Error { err: 0 });
        assert_eq!(decode(&r.to_bytes()), Err(TxnError::UnknownKind(1000)));
    }

    proptest! {
        #[test]
        fn truncations_and_noise_never_panic(i in 0usize..13, cut in 0usize..200, flip in 0usize..200, with: u8) {
            let mut bytes = every_kind()[i].to_bytes();
            let n = bytes.len();
            bytes[flip % n] ^= with;
            bytes.truncate(cut.min(n));
            let _ = decode(&bytes);
        }
    }
}
