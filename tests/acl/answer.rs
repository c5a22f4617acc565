//! Reads what a server says.

use super::ask::{Ask, Said, Told};
use oxkeeper::jute::records::{read_acls, read_stat};
use oxkeeper::jute::{JuteError, Reader};
use oxkeeper::proto::{MULTI_END, MultiHeader};

/// A frame from a server.
pub enum Frame {
    /// An event.
    Told(Told),
    /// A reply: error code and record.
    Reply(i32, Vec<u8>),
}

/// Reads a frame's header, and an event whole.
pub fn frame(bytes: &[u8]) -> Frame {
    let mut r = Reader::new(bytes);
    let mut head = || -> Result<(i32, i32), JuteError> {
        let xid = r.i32()?;
        r.i64()?;
        Ok((xid, r.i32()?))
    };
    let (xid, err) = head().expect("a reply's header");
    if xid != -1 {
        return Frame::Reply(err, r.rest().to_vec());
    }
    let mut event = || -> Result<Told, JuteError> {
        let kind = r.i32()?;
        r.i32()?;
        Ok((kind, r.required_string("path")?.into_owned()))
    };
    Frame::Told(event().expect("an event"))
}

/// What a reply says to `ask`.
pub fn said(ask: &Ask, err: i32, body: &[u8]) -> Said {
    if err != 0 {
        assert!(body.is_empty() || matches!(ask, Ask::MultiRead(_)), "an error without a body");
        return Said::code(err);
    }
    let mut said = Said::code(0);
    read(ask, &mut Reader::new(body), &mut said).unwrap_or_else(|e| panic!("{ask:?}: {e:?}"));
    said
}

fn read(ask: &Ask, r: &mut Reader<'_>, said: &mut Said) -> Result<(), JuteError> {
    match ask {
        Ask::GetAcl(_) => {
            said.acl = read_acls(r)?.into_iter().map(|a| (a.perms, a.id.scheme, a.id.id)).collect();
            said.acl.sort();
        }
        Ask::Ephemerals => {
            for _ in 0..r.i32()?.max(0) {
                said.paths.push(r.required_string("path")?.into_owned());
            }
            said.paths.sort();
        }
        Ask::Multi(_) | Ask::MultiRead(_) => loop {
            let header = MultiHeader::decode(r)?;
            if header.done {
                break;
            }
            said.parts.push(part(header.kind, r)?);
        },
        _ => {}
    }
    Ok(())
}

fn part(kind: i32, r: &mut Reader<'_>) -> Result<i32, JuteError> {
    match kind {
        MULTI_END => return r.i32(),
        1 => drop(r.string()?),
        15 => {
            r.string()?;
            read_stat(r)?;
        }
        5 => drop(read_stat(r)?),
        4 => {
            r.buffer()?;
            read_stat(r)?;
        }
        8 => {
            for _ in 0..r.i32()? {
                r.string()?;
            }
        }
        _ => {}
    }
    Ok(0)
}
