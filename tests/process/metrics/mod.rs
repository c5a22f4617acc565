//! Metrics over HTTP: what a server answers, what Java's answers, and what Prometheus makes of three members.
//!
//! # Invariants
//!
//! * Java's server is the control for everything that is called the same here.
//! * A machine without promtool or Prometheus says so in the list of what was not run.

mod alone;
mod prometheus;
mod scraped;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use flate2::read::GzDecoder;

/// The line that switches the listener on.
pub const PROVIDER: &str =
    "metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider";

/// All metrics of ZooKeeper 3.9.5 with their kinds; `jvm` for those of the Java machine.
pub const NAMES: &str = include_str!("../../data/metrics.txt");

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Body, unpacked if it was packed.
    pub body: String,
}

/// Sends `request` as it is and reads to the end of the connection.
pub fn raw(port: u16, request: &str) -> Result<Answer, String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let limit = Duration::from_secs(20);
    let mut stream = TcpStream::connect_timeout(&address, limit).map_err(|e| e.to_string())?;
    stream.set_read_timeout(Some(limit)).map_err(|e| e.to_string())?;
    stream.write_all(request.as_bytes()).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    parse(&bytes)
}

/// One request without a body, and with these header lines.
pub fn ask(port: u16, method: &str, target: &str, headers: &str) -> Result<Answer, String> {
    raw(port, &format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"))
}

/// The body of a page.
pub fn get(port: u16, target: &str) -> Result<String, String> {
    let answer = ask(port, "GET", target, "")?;
    if answer.status == 200 { Ok(answer.body) } else { Err(format!("{target}: {answer:?}")) }
}

fn parse(bytes: &[u8]) -> Result<Answer, String> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").ok_or("no head")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|l| l.split(' ').nth(1)?.parse().ok()).ok_or("no status")?;
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers: BTreeMap<_, _> = lines.filter_map(header).collect();
    let mut body = bytes[end + 4..].to_vec();
    if headers.get("transfer-encoding").is_some_and(|v| v == "chunked") {
        body = unchunked(&body).ok_or("bad chunks")?;
    }
    if headers.get("content-encoding").is_some_and(|v| v == "gzip") {
        let mut plain = Vec::new();
        GzDecoder::new(body.as_slice()).read_to_end(&mut plain).map_err(|e| e.to_string())?;
        body = plain;
    }
    Ok(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let end = bytes.windows(2).position(|w| w == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?.trim(), 16).ok()?;
        let rest = &bytes[end + 2..];
        if length == 0 {
            return Some(all);
        }
        all.extend_from_slice(rest.get(..length)?);
        bytes = rest.get(length + 2..)?;
    }
}

/// Names of the families of an exposition with their types.
pub fn families(text: &str) -> BTreeMap<String, String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

/// Value of a sample, by its whole name with labels.
pub fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Metrics of ZooKeeper's table that this exposition lacks; `keyed` ones appear with their first key.
pub fn missing(families: &BTreeMap<String, String>) -> Vec<&'static str> {
    let rows = NAMES.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
    rows.filter(|(name, kind)| *kind != "jvm" && !families.contains_key(*name))
        .map(|(name, _)| name)
        .collect()
}
