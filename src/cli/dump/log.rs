//! Transactions as text and as JSON.
//!
//! # Invariants
//!
//! * The text of a whole log equals TxnLogToolkit's, in UTC and the language en.

use super::Stop;
use crate::disk::{Disk, DiskFile};
use crate::os::disk::RealDisk;
use crate::proto::OpCode;
use crate::storage::log::read::{Entry, HeaderState, SegmentReader};
use crate::txn::{self, CreateTxn, Record, SubTxn, Txn, kind};
use crate::types::java::java_iso8601;
use crate::types::{Acl, Zxid};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

/// Prints a whole log file.
pub(super) fn dump(path: &Path, as_json: bool, out: &mut dyn Write) -> Result<(), Stop> {
    let disk = RealDisk::new();
    let mut reader = SegmentReader::open(&disk, path).map_err(|e| Stop::File(e.to_string()))?;
    if reader.header() != HeaderState::Good {
        return Err(Stop::File(format!("{} is no transaction log", path.display())));
    }
    if !as_json {
        let (version, database) = header(&disk, path)?;
        writeln!(
            out,
            "ZooKeeper Transactional Log File with dbid {database} txnlog format version {version}"
        )?;
    }
    let mut count = 0u64;
    let mut last = None;
    while let Some(entry) = reader.next_entry().map_err(|e| Stop::File(e.to_string()))? {
        print(path, &entry, as_json, out)?;
        last = Some(entry.zxid);
        count += 1;
    }
    let end = reader.end();
    if let Some((at, flaw)) = end.and_then(|e| Some((e.offset, e.flaw?))) {
        return Err(Stop::File(format!(
            "{}: {} at offset {at}, behind {count} transactions, the last of them {}",
            path.display(),
            flaw.text(),
            last.unwrap_or(Zxid::ZERO),
        )));
    }
    if !as_json {
        writeln!(out, "EOF reached after {count} txns.")?;
    }
    Ok(())
}

fn header(disk: &RealDisk, path: &Path) -> Result<(i32, i64), Stop> {
    let mut head = [0; 16];
    let read = disk.open_read(path).and_then(|f| f.read_at(&mut head, 0));
    read.map_err(|e| Stop::File(e.to_string()))?;
    let [_, _, _, _, version @ .., _, _, _, _, _, _, _, _] = head;
    let [.., a, b, c, d, e, f, g, h] = head;
    Ok((i32::from_be_bytes(version), i64::from_be_bytes([a, b, c, d, e, f, g, h])))
}

fn print(path: &Path, entry: &Entry<'_>, as_json: bool, out: &mut dyn Write) -> Result<(), Stop> {
    let record = txn::decode(entry.bytes).map_err(|e| {
        Stop::File(format!("{}: {e} (offset {}, zxid {})", path.display(), entry.offset, entry.zxid))
    })?;
    if as_json {
        writeln!(out, "{}", object(&record, entry.offset))?;
    } else {
        let line = line(&record);
        let end = if line.ends_with('\n') { "" } else { "\n" };
        write!(out, "{line}{end}")?;
    }
    Ok(())
}

/// `TxnLogToolkit.printTxn`.
pub(in crate::cli) fn line(record: &Record) -> String {
    let h = &record.header;
    format!(
        "{} session 0x{:x} cxid 0x{:x} zxid 0x{:x} {} {}",
        date(h.time),
        h.client_id,
        h.cxid,
        h.zxid.0,
        kind_name(h.kind),
        text(&record.txn)
    )
}

/// `11/20/26, 9:03:33 AM UTC`.
fn date(millis: i64) -> String {
    let iso = java_iso8601(millis);
    let number = |from: usize, to: usize| iso.get(from..to).and_then(|t| t.parse::<u32>().ok()).unwrap_or(0);
    let (hour, half) = (number(11, 13), if number(11, 13) < 12 { "AM" } else { "PM" });
    let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
    let rest = iso.get(14..19).unwrap_or("");
    format!("{}/{}/{:02}, {hour}:{rest} {half} UTC", number(5, 7), number(8, 10), number(2, 4))
}

/// `Request.op2String`.
fn kind_name(number: i32) -> String {
    match (number, OpCode::from_number(number)) {
        (kind::ERROR, _) => "error".into(),
        (kind::CREATE_TTL, _) => "createTTL".into(),
        (_, Some(op)) => op.name().into(),
        (_, None) => format!("unknown {number}"),
    }
}

/// `TxnLogToolkit.getFormattedTxnStr`: creates, sets and multis by hand, the rest by the
/// records' own `toString`, which ends with a line feed.
fn text(txn: &Txn) -> String {
    match txn {
        Txn::Create(c) => format!("{},{},{}", create(c), c.ephemeral, c.parent_cversion),
        Txn::CreateContainer(c) => format!("{},{}", create(c), c.parent_cversion),
        Txn::CreateTtl(c, ttl) => format!("{},{},{ttl}", create(c), c.parent_cversion),
        Txn::SetData { path, data, version } => format!("{path},{},{version}", lossy(data.as_deref())),
        Txn::Multi(parts) => parts.iter().map(part).collect::<Vec<_>>().join(";"),
        Txn::CloseSession { paths: None } => String::new(),
        Txn::CloseSession { paths: Some(paths) } => {
            let paths: Vec<String> = paths.iter().map(|p| quoted(p)).collect();
            format!("v{{{}}}\n", paths.join(","))
        }
        Txn::CreateSession { timeout } => format!("{timeout}\n"),
        Txn::Error { err } => format!("{err}\n"),
        Txn::Delete { path } => format!("{}\n", quoted(path)),
        Txn::Check { path, version } => format!("{},{version}\n", quoted(path)),
        Txn::SetAcl { path, acl, version } => {
            let acl: Vec<String> = acl.iter().map(|a| format!("s{{{}}}", acl_text(a))).collect();
            format!("{},v{{{}}},{version}\n", quoted(path), acl.join(","))
        }
    }
}

fn create(c: &CreateTxn) -> String {
    let acl: Vec<String> = c.acl.iter().map(|a| format!("{}\n", acl_text(a))).collect();
    format!("{},{},[{}]", c.path, lossy(c.data.as_deref()), acl.join(", "))
}

fn part(p: &SubTxn) -> String {
    let mut body = Vec::new();
    txn::encode_body(&p.txn, &mut body);
    format!("{}:{}", kind_name(p.kind), String::from_utf8_lossy(&body))
}

fn acl_text(a: &Acl) -> String {
    format!("{},s{{{},{}}}", a.perms, quoted(&a.id.scheme), quoted(&a.id.id))
}

fn lossy(data: Option<&[u8]>) -> String {
    String::from_utf8_lossy(data.unwrap_or(&[])).into_owned()
}

/// `ToStringOutputArchive.escapeString`.
fn quoted(s: &str) -> String {
    let mut text = String::from("'");
    for c in s.chars() {
        match c {
            '\0' | '\n' | '\r' | ',' | '}' | '%' => {
                let _ = write!(text, "%{:02X}", c as u32);
            }
            c => text.push(c),
        }
    }
    text
}

/// One transaction as JSON.
fn object(record: &Record, offset: u64) -> Value {
    let h = &record.header;
    let mut o = json!({
        "zxid": hex(h.zxid.0), "offset": offset, "session": hex(h.client_id), "cxid": h.cxid,
        "time": h.time, "type": kind_name(h.kind),
    });
    add_body(&mut o, &record.txn);
    if let Some(d) = record.digest {
        add(&mut o, "digest", json!({ "version": d.version, "value": hex(d.digest) }));
    }
    o
}

fn add(o: &mut Value, key: &str, value: Value) {
    if let Some(map) = o.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

fn add_body(o: &mut Value, txn: &Txn) {
    match txn {
        Txn::CreateSession { timeout } => add(o, "timeout", json!(timeout)),
        Txn::CloseSession { paths } => add(o, "paths", json!(paths)),
        Txn::Create(c) => {
            add_create(o, c);
            add(o, "ephemeral", json!(c.ephemeral));
        }
        Txn::CreateContainer(c) => add_create(o, c),
        Txn::CreateTtl(c, ttl) => {
            add_create(o, c);
            add(o, "ttl", json!(ttl));
        }
        Txn::Delete { path } => add(o, "path", json!(path)),
        Txn::SetData { path, data, version } => {
            add(o, "path", json!(path));
            add(o, "data", json!(data.as_ref().map(|d| BASE64.encode(d))));
            add(o, "version", json!(version));
        }
        Txn::SetAcl { path, acl, version } => {
            add(o, "path", json!(path));
            add(o, "acl", acl_json(acl));
            add(o, "version", json!(version));
        }
        Txn::Check { path, version } => {
            add(o, "path", json!(path));
            add(o, "version", json!(version));
        }
        Txn::Error { err } => add(o, "error", json!(err)),
        Txn::Multi(parts) => {
            let parts = parts.iter().map(|p| {
                let mut o = json!({ "type": kind_name(p.kind) });
                add_body(&mut o, &p.txn);
                o
            });
            add(o, "parts", parts.collect());
        }
    }
}

fn add_create(o: &mut Value, c: &CreateTxn) {
    add(o, "path", json!(c.path));
    add(o, "data", json!(c.data.as_ref().map(|d| BASE64.encode(d))));
    add(o, "acl", acl_json(&c.acl));
    add(o, "parentCversion", json!(c.parent_cversion));
}

pub(super) fn acl_json(acl: &[Acl]) -> Value {
    acl.iter().map(|a| json!({ "perms": a.perms, "scheme": a.id.scheme, "id": a.id.id })).collect()
}

pub(super) fn hex(n: i64) -> String {
    format!("0x{n:x}")
}
