//! The superuser's session: clears the tree before a script and reads all of it after.

use super::decode::{self, Mask};
use super::pilot::LONG;
use super::wire::{Came, Wire, connect, reply, request};

/// Zookeeper's own znodes, which no script can delete.
const KEPT: [&str; 4] = ["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"];

/// A session with the identity of the superuser.
pub struct Control {
    wire: Wire,
    xid: i32,
}

impl Control {
    /// Opens the session.
    pub fn open(port: u16) -> Result<Control, String> {
        let mut wire = Wire::open(port).map_err(|e| format!("no connection to port {port}: {e}"))?;
        wire.send(&connect(0, LONG, 0, &[0; 16], Some(false)));
        let Came::Frame(_) = wire.frame() else { return Err(format!("port {port} gives no session")) };
        wire.send(&Control::identity());
        match wire.frame() {
            Came::Frame(frame) if reply(&frame).is_some_and(|r| r.2 == 0) => Ok(Control { wire, xid: 0 }),
            other => Err(format!("port {port} does not take the superuser: {other:?}")),
        }
    }

    /// The frame that makes a connection the superuser's.
    pub fn identity() -> Vec<u8> {
        let mut auth = 0i32.to_be_bytes().to_vec();
        for part in ["digest", "super:oracle"] {
            put(&mut auth, Some(part.as_bytes()));
        }
        request(-4, 100, &auth)
    }

    /// Asks one thing: header zxid, error code, record.
    pub fn ask(&mut self, op: i32, record: &[u8]) -> Result<(i64, i32, Vec<u8>), String> {
        self.xid += 1;
        self.wire.send(&request(self.xid, op, record));
        loop {
            match self.wire.frame() {
                Came::Frame(frame) => match reply(&frame) {
                    Some((xid, zxid, err, body)) if xid == self.xid => return Ok((zxid, err, body.to_vec())),
                    _ => {}
                },
                other => return Err(format!("the superuser's session got {other:?} for op {op}")),
            }
        }
    }

    /// Last zxid that the server has processed.
    pub fn last_zxid(&mut self) -> Result<i64, String> {
        let mut record = Vec::new();
        put(&mut record, Some(b"/"));
        record.push(0);
        Ok(self.ask(3, &record)?.0)
    }

    fn children(&mut self, path: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let mut record = Vec::new();
        put(&mut record, Some(path));
        record.push(0);
        let (_, err, body) = self.ask(8, &record)?;
        if err != 0 {
            return Ok(Vec::new());
        }
        let mut names = decode::children(&body).ok_or("an undecodable list of children")?;
        names.sort();
        Ok(names)
    }

    /// Every path, parents before children, in order of their bytes.
    fn walk(&mut self) -> Result<Vec<Vec<u8>>, String> {
        let mut paths = vec![b"/".to_vec()];
        let mut at = 0;
        while let Some(path) = paths.get(at).cloned() {
            for name in self.children(&path)? {
                let mut child = if path == b"/" { Vec::new() } else { path.clone() };
                child.push(b'/');
                child.extend_from_slice(&name);
                paths.push(child);
            }
            at += 1;
        }
        Ok(paths)
    }

    /// Deletes everything and gives ZooKeeper's own znodes their first ACL back. Returns the
    /// zxid from which the next script counts.
    pub fn clear(&mut self) -> Result<i64, String> {
        for path in self.walk()?.iter().rev() {
            if !KEPT.iter().any(|k| k.as_bytes() == path) {
                let mut record = Vec::new();
                put(&mut record, Some(path));
                record.extend_from_slice(&(-1i32).to_be_bytes());
                let (_, err, _) = self.ask(2, &record)?;
                if err != 0 {
                    return Err(format!("deleting {} gave {err}", path.escape_ascii()));
                }
            }
        }
        for path in KEPT {
            let perms = if path.ends_with("config") { 1i32 } else { 31 };
            let mut record = Vec::new();
            put(&mut record, Some(path.as_bytes()));
            record.extend_from_slice(&1i32.to_be_bytes());
            record.extend_from_slice(&perms.to_be_bytes());
            put(&mut record, Some(b"world"));
            put(&mut record, Some(b"anyone"));
            record.extend_from_slice(&(-1i32).to_be_bytes());
            self.ask(7, &record)?;
        }
        self.last_zxid()
    }

    /// The whole tree: every znode's data, stat and ACL, a line each.
    pub fn dump(&mut self, mask: &Mask) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        for path in self.walk()? {
            let mut record = Vec::new();
            put(&mut record, Some(&path));
            let (_, acl_err, acl) = self.ask(6, &record)?;
            record.push(0);
            let (_, data_err, data) = self.ask(4, &record)?;
            lines.push(format!(
                "tree {} {data_err} {} {acl_err} {}",
                path.escape_ascii(),
                decode::body(4, &data, mask),
                decode::body(6, &acl, mask)
            ));
        }
        Ok(lines)
    }
}

/// Appends a string or buffer.
pub fn put(record: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => record.extend_from_slice(&(-1i32).to_be_bytes()),
        Some(bytes) => {
            record.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
            record.extend_from_slice(bytes);
        }
    }
}
