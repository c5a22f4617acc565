//! Records of replies, as values: what a body means once its header said that all is well.
//!
//! # Invariants
//!
//! * Pure functions of the bytes. Paths are the server's; a handle takes its chroot off them.
//! * A multi that failed is an error code and its place, never a list of results.

use super::error::ClientError;
use super::handle::Data;
use super::multi::{OpResult, ReadResult};
use crate::error::Code;
use crate::jute::records::{read_acls, read_stat};
use crate::jute::{JuteError, Reader};
use crate::limits::{MULTI_AT_ONCE, MULTI_OPS};
use crate::proto::{MULTI_END, MultiHeader, OpCode};
use crate::types::{Acl, Stat};
use bytes::Bytes;

/// The path of a create or sync.
pub fn path(body: &[u8]) -> Result<String, ClientError> {
    Ok(Reader::new(body).required_string("path")?.into_owned())
}

/// Path and stat of create2, createContainer and createTTL.
pub fn path_and_stat(body: &[u8]) -> Result<(String, Stat), ClientError> {
    let mut r = Reader::new(body);
    Ok((r.required_string("path")?.into_owned(), read_stat(&mut r)?))
}

/// The stat of exists, setData and setACL.
pub fn stat(body: &[u8]) -> Result<Stat, ClientError> {
    Ok(read_stat(&mut Reader::new(body))?)
}

/// Data and stat of getData and reconfig, data shared with its frame.
pub fn data(body: &Bytes) -> Result<Data, ClientError> {
    let mut r = Reader::new(body);
    let data = r.buffer()?.map(|d| body.slice_ref(d));
    Ok((data, read_stat(&mut r)?))
}

/// The names of getChildren, the paths of getEphemerals.
pub fn strings(body: &[u8]) -> Result<Vec<String>, ClientError> {
    Ok(read_strings(&mut Reader::new(body))?)
}

/// Names and stat of getChildren2.
pub fn strings_and_stat(body: &[u8]) -> Result<(Vec<String>, Stat), ClientError> {
    let mut r = Reader::new(body);
    Ok((read_strings(&mut r)?, read_stat(&mut r)?))
}

/// ACL and stat of getACL.
pub fn acl_and_stat(body: &[u8]) -> Result<(Vec<Acl>, Stat), ClientError> {
    let mut r = Reader::new(body);
    Ok((read_acls(&mut r)?, read_stat(&mut r)?))
}

/// The number of getAllChildrenNumber.
pub fn number(body: &[u8]) -> Result<i32, ClientError> {
    Ok(Reader::new(body).i32()?)
}

/// Scheme and user of each identity that whoAmI tells.
pub fn identities(body: &[u8]) -> Result<Vec<(String, String)>, ClientError> {
    let list = Reader::new(body).vector(|r| {
        Ok((r.string()?.unwrap_or_default().into_owned(), r.string()?.unwrap_or_default().into_owned()))
    })?;
    Ok(list.unwrap_or_default())
}

/// What came of a multi: its results, or the first operation that failed, from 0, and why.
pub fn multi(body: &[u8]) -> Result<Result<Vec<OpResult>, (usize, Code)>, ClientError> {
    let results =
        parts(body, |kind, r| Ok(if kind == MULTI_END { Err(r.i32()?) } else { Ok(result(kind, r)?) }))?;
    let failed = |r: &Result<OpResult, i32>| r.as_ref().is_err_and(|code| *code != 0);
    if results.iter().all(Result::is_ok) {
        return Ok(Ok(results.into_iter().filter_map(Result::ok).collect()));
    }
    let index = results.iter().position(failed).unwrap_or(0);
    let code = results.get(index).and_then(|r| r.as_ref().err()).and_then(|c| Code::from_number(*c));
    Ok(Err((index, code.unwrap_or(Code::SystemError))))
}

/// The results up to the end marker; a long list is read to its end before room is made for it.
fn parts<'a, T>(
    body: &'a [u8],
    mut one: impl FnMut(i32, &mut Reader<'a>) -> Result<T, ClientError>,
) -> Result<Vec<T>, ClientError> {
    let mut next = |r: &mut Reader<'a>| -> Result<Option<T>, ClientError> {
        let header = MultiHeader::decode(r)?;
        if header.done { Ok(None) } else { one(header.kind, r).map(Some) }
    };
    let mut count = 0;
    if body.len() > MULTI_AT_ONCE {
        let mut probe = Reader::new(body);
        while next(&mut probe)?.is_some() {
            count += 1;
            if count > MULTI_OPS {
                return Err(ClientError::Protocol(format!("a reply of more than {MULTI_OPS} results")));
            }
        }
    }
    let mut results = Vec::with_capacity(count);
    let mut r = Reader::new(body);
    while let Some(result) = next(&mut r)? {
        results.push(result);
    }
    Ok(results)
}

fn result(kind: i32, r: &mut Reader<'_>) -> Result<OpResult, ClientError> {
    Ok(match OpCode::from_number(kind) {
        Some(OpCode::Create) => OpResult::Created(r.required_string("path")?.into_owned()),
        Some(OpCode::Create2) => OpResult::Created2(r.required_string("path")?.into_owned(), read_stat(r)?),
        Some(OpCode::Delete) => OpResult::Deleted,
        Some(OpCode::SetData) => OpResult::Set(read_stat(r)?),
        Some(OpCode::Check) => OpResult::Checked,
        _ => return Err(ClientError::Protocol(format!("a multi result of type {kind}"))),
    })
}

/// What each read of a multiRead gave.
pub fn multi_read(body: &[u8]) -> Result<Vec<ReadResult>, ClientError> {
    parts(body, |kind, r| {
        Ok(match OpCode::from_number(kind) {
            Some(OpCode::GetData) => {
                let data = r.buffer()?.map(Bytes::copy_from_slice);
                ReadResult::Data((data, read_stat(r)?))
            }
            Some(OpCode::GetChildren) => ReadResult::Children(read_strings(r)?),
            _ => ReadResult::Refused(Code::from_number(r.i32()?).unwrap_or(Code::SystemError)),
        })
    })
}

fn read_strings(r: &mut Reader<'_>) -> Result<Vec<String>, JuteError> {
    let list = r.vector(|r| Ok(r.string()?.unwrap_or_default().into_owned()))?;
    Ok(list.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{write_multi_end, write_multi_header};

    #[test]
    fn a_failed_multi_is_its_first_code_and_place() {
        let mut out = Vec::new();
        for code in [0, -101, -2] {
            write_multi_header(&mut out, MULTI_END, code);
            out.extend_from_slice(&code.to_be_bytes());
        }
        write_multi_end(&mut out);
        assert_eq!(multi(&out), Ok(Err((1, Code::NoNode))));
        let mut out = Vec::new();
        write_multi_header(&mut out, OpCode::Check.number(), 0);
        assert!(multi(&out).is_err(), "no end");
        write_multi_end(&mut out);
        assert_eq!(multi(&out), Ok(Ok(vec![OpResult::Checked])));
        let mut out = Vec::new();
        write_multi_header(&mut out, OpCode::SetAcl.number(), 0);
        assert!(multi(&out).is_err(), "no multi answers setACL");
    }
}
