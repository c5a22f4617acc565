//! Records that several formats share: ACL lists and the two stats.
//!
//! # Invariants
//!
//! * Field order is that of `zookeeper.jute`.

use super::{JuteError, Reader, Sink, Writer};
use crate::types::{Acl, Id, Stat, StatPersisted};

/// Reads an ACL list; a null list is an empty one, a null scheme or id an empty string
/// (both are refused later as INVALIDACL, as Java does).
pub fn read_acls(r: &mut Reader<'_>) -> Result<Vec<Acl>, JuteError> {
    let list = r.vector(|r| {
        let perms = r.i32()?;
        let scheme = r.string()?.unwrap_or_default().into_owned();
        let id = r.string()?.unwrap_or_default().into_owned();
        Ok(Acl { perms, id: Id { scheme, id } })
    })?;
    Ok(list.unwrap_or_default())
}

/// Writes an ACL list.
pub fn write_acls<S: Sink + ?Sized>(w: &mut Writer<'_, S>, acls: &[Acl]) {
    w.vector(acls, |w, a| {
        w.i32(a.perms);
        w.string(Some(&a.id.scheme));
        w.string(Some(&a.id.id));
    });
}

/// Reads a `Stat`.
pub fn read_stat(r: &mut Reader<'_>) -> Result<Stat, JuteError> {
    Ok(Stat {
        czxid: r.i64()?,
        mzxid: r.i64()?,
        ctime: r.i64()?,
        mtime: r.i64()?,
        version: r.i32()?,
        cversion: r.i32()?,
        aversion: r.i32()?,
        ephemeral_owner: r.i64()?,
        data_length: r.i32()?,
        num_children: r.i32()?,
        pzxid: r.i64()?,
    })
}

/// Writes a `Stat`: 68 bytes in one piece, this is on the path of every read.
pub fn write_stat<S: Sink + ?Sized>(w: &mut Writer<'_, S>, s: &Stat) {
    let mut b = [0u8; 68];
    b[0..8].copy_from_slice(&s.czxid.to_be_bytes());
    b[8..16].copy_from_slice(&s.mzxid.to_be_bytes());
    b[16..24].copy_from_slice(&s.ctime.to_be_bytes());
    b[24..32].copy_from_slice(&s.mtime.to_be_bytes());
    b[32..36].copy_from_slice(&s.version.to_be_bytes());
    b[36..40].copy_from_slice(&s.cversion.to_be_bytes());
    b[40..44].copy_from_slice(&s.aversion.to_be_bytes());
    b[44..52].copy_from_slice(&s.ephemeral_owner.to_be_bytes());
    b[52..56].copy_from_slice(&s.data_length.to_be_bytes());
    b[56..60].copy_from_slice(&s.num_children.to_be_bytes());
    b[60..68].copy_from_slice(&s.pzxid.to_be_bytes());
    w.raw(&b);
}

/// Reads a `StatPersisted`.
pub fn read_stat_persisted(r: &mut Reader<'_>) -> Result<StatPersisted, JuteError> {
    Ok(StatPersisted {
        czxid: r.i64()?,
        mzxid: r.i64()?,
        ctime: r.i64()?,
        mtime: r.i64()?,
        version: r.i32()?,
        cversion: r.i32()?,
        aversion: r.i32()?,
        ephemeral_owner: r.i64()?,
        pzxid: r.i64()?,
    })
}

/// The 60 bytes of a `StatPersisted` in a snapshot. (A digest takes them in another order.)
pub fn stat_persisted_bytes(s: &StatPersisted) -> [u8; 60] {
    let mut b = [0u8; 60];
    b[0..8].copy_from_slice(&s.czxid.to_be_bytes());
    b[8..16].copy_from_slice(&s.mzxid.to_be_bytes());
    b[16..24].copy_from_slice(&s.ctime.to_be_bytes());
    b[24..32].copy_from_slice(&s.mtime.to_be_bytes());
    b[32..36].copy_from_slice(&s.version.to_be_bytes());
    b[36..40].copy_from_slice(&s.cversion.to_be_bytes());
    b[40..44].copy_from_slice(&s.aversion.to_be_bytes());
    b[44..52].copy_from_slice(&s.ephemeral_owner.to_be_bytes());
    b[52..60].copy_from_slice(&s.pzxid.to_be_bytes());
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stats_round_trip() {
        let s = Stat {
            czxid: 1,
            mzxid: 2,
            ctime: 3,
            mtime: 4,
            version: 5,
            cversion: 6,
            aversion: 7,
            ephemeral_owner: 8,
            data_length: 9,
            num_children: 10,
            pzxid: 11,
        };
        let mut out = Vec::new();
        write_stat(&mut Writer::new(&mut out), &s);
        assert_eq!(out.len(), 68);
        assert_eq!(read_stat(&mut Reader::new(&out)), Ok(s));
        let p = StatPersisted {
            czxid: 1,
            mzxid: 2,
            ctime: 3,
            mtime: 4,
            version: 5,
            cversion: 6,
            aversion: 7,
            ephemeral_owner: 8,
            pzxid: 9,
        };
        assert_eq!(read_stat_persisted(&mut Reader::new(&stat_persisted_bytes(&p))), Ok(p));
    }

    #[test]
    fn a_null_acl_list_is_empty() {
        assert_eq!(read_acls(&mut Reader::new(&[0xff; 4])), Ok(vec![]));
        let mut out = Vec::new();
        write_acls(&mut Writer::new(&mut out), &[Acl::open()]);
        assert_eq!(read_acls(&mut Reader::new(&out)), Ok(vec![Acl::open()]));
    }
}
