//! Writes a snapshot of a large tree in ZooKeeper's format, for both servers.
//!
//! # Invariants
//!
//! * The file is what ZooKeeper 3.9.5 writes: three seals, Adler-32 after each
//!   part, the tree digest (version 2), parents before children.
//! * The same arguments give the same bytes.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use simd_adler32::Adler32;

/// Nodes directly below the root of the seeded tree.
pub const PARENTS: u64 = 1000;
/// Creation time of every node: any fixed moment.
const TIME_MS: i64 = 1_700_000_000_000;
/// The ACL of nodes that clients made, and of those the server made itself.
const ACL_OPEN: i64 = 1;
const ACL_NONE: i64 = -1;
/// The zxid in the name of the file that [`write`] makes.
pub const ZXID: i64 = 0x20_0000;

/// The path of a leaf; its last component has 30 bytes.
pub fn leaf(parent: u64, child: u64) -> String {
    format!("/tree/p{parent:04}/{}", leaf_name(parent, child))
}

fn leaf_name(parent: u64, child: u64) -> String {
    format!("znode-{parent:06}-{child:06}-abcdefghij")
}

struct Writer {
    out: BufWriter<File>,
    sum: Adler32,
    digest: u64,
    block: Vec<u8>,
}

/// A node as it stands in a snapshot, times and versions aside.
struct Node<'a> {
    path: &'a str,
    data: &'a [u8],
    acl: i64,
    zxid: i64,
    children: i32,
    pzxid: i64,
}

/// Writes a snapshot with `leaves` leaf nodes of `data` each to `file`, spread over
/// [`PARENTS`] parents. Returns the number of nodes written.
pub fn write(file: &Path, leaves: u64, data: &[u8]) -> io::Result<u64> {
    let mut w = Writer {
        out: BufWriter::with_capacity(1 << 20, File::create(file)?),
        sum: Adler32::new(),
        digest: 0,
        block: Vec::new(),
    };
    w.head()?;
    let parents = PARENTS.min(leaves.max(1));
    let per_parent = (leaves / parents) as i64;
    w.node(&Node { path: "", data: b"", acl: ACL_NONE, zxid: 0, children: 0, pzxid: 1 })?;
    let mut nodes = 1;
    for path in ["/zookeeper", "/zookeeper/config", "/zookeeper/quota"] {
        w.node(&Node { path, data: b"", acl: ACL_NONE, zxid: 0, children: 0, pzxid: 0 })?;
        nodes += 1;
    }
    let count = parents as i32;
    w.node(&Node {
        path: "/tree",
        data: b"",
        acl: ACL_OPEN,
        zxid: 1,
        children: count,
        pzxid: i64::from(count) + 1,
    })?;
    nodes += 1;
    for p in 0..parents {
        let first = parents as i64 + 2 + p as i64 * per_parent;
        w.node(&Node {
            path: &format!("/tree/p{p:04}"),
            data: b"",
            acl: ACL_OPEN,
            zxid: p as i64 + 2,
            children: per_parent as i32,
            pzxid: first + per_parent - 1,
        })?;
        for c in 0..per_parent {
            let zxid = first + c;
            let path = leaf(p, c as u64);
            w.node(&Node { path: &path, data, acl: ACL_OPEN, zxid, children: 0, pzxid: zxid })?;
        }
        nodes += 1 + per_parent as u64;
    }
    w.tail()?;
    Ok(nodes)
}

impl Writer {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.write(bytes);
        self.out.write_all(bytes)
    }

    fn buf(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.put(&(bytes.len() as i32).to_be_bytes())?;
        self.put(bytes)
    }

    fn head(&mut self) -> io::Result<()> {
        self.put(b"ZKSN")?;
        self.put(&2i32.to_be_bytes())?;
        self.put(&(-1i64).to_be_bytes())?;
        self.put(&0i32.to_be_bytes())?; // sessions
        self.put(&1i32.to_be_bytes())?; // ACLs
        self.put(&ACL_OPEN.to_be_bytes())?;
        self.put(&1i32.to_be_bytes())?;
        self.put(&31i32.to_be_bytes())?;
        self.buf(b"world")?;
        self.buf(b"anyone")
    }

    fn node(&mut self, n: &Node<'_>) -> io::Result<()> {
        // czxid, mzxid, ctime, mtime, version, cversion, aversion, owner, pzxid
        let cversion = n.children;
        self.buf(n.path.as_bytes())?;
        self.buf(n.data)?;
        self.block.clear();
        for v in [n.acl, n.zxid, n.zxid, TIME_MS, TIME_MS] {
            self.block.extend_from_slice(&v.to_be_bytes());
        }
        for v in [0, cversion, 0] {
            self.block.extend_from_slice(&v.to_be_bytes());
        }
        for v in [0, n.pzxid] {
            self.block.extend_from_slice(&i64::to_be_bytes(v));
        }
        let block = std::mem::take(&mut self.block);
        self.put(&block)?;
        self.block = block;
        if !n.path.starts_with("/zookeeper/") {
            self.digest = self.digest.wrapping_add(node_digest(n));
        }
        Ok(())
    }

    fn seal(&mut self) -> io::Result<()> {
        let sum = u64::from(self.sum.finish());
        self.put(&sum.to_be_bytes())?;
        self.buf(b"/")
    }

    fn tail(&mut self) -> io::Result<()> {
        self.buf(b"/")?;
        self.seal()?;
        self.put(&ZXID.to_be_bytes())?;
        self.put(&2i32.to_be_bytes())?;
        let digest = self.digest;
        self.put(&digest.to_be_bytes())?;
        self.seal()?;
        self.put(&ZXID.to_be_bytes())?;
        self.seal()?;
        self.out.flush()?;
        self.out.get_ref().sync_all()
    }
}

/// The digest of one node: CRC-32 over path, data and the 60 bytes of its stat.
fn node_digest(n: &Node<'_>) -> u64 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(n.path.as_bytes());
    crc.update(n.data);
    for v in [n.zxid, n.zxid, n.pzxid, TIME_MS, TIME_MS] {
        crc.update(&v.to_be_bytes());
    }
    for v in [0, n.children, 0] {
        crc.update(&v.to_be_bytes());
    }
    crc.update(&0i64.to_be_bytes());
    u64::from(crc.finalize())
}
