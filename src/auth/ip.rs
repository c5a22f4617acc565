//! The `ip` scheme: an address, or a network as address/bits.
//!
//! # Invariants
//!
//! * Addresses of different families never match.
//! * No name is ever resolved.

use crate::types::mutant;
use std::net::IpAddr;

/// The address as Java's `InetAddress.getHostAddress` writes it: IPv6 in eight groups without compression.
pub fn java_text(addr: IpAddr) -> String {
    match addr {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.to_string(),
            None => v6.segments().map(|s| format!("{s:x}")).join(":"),
        },
    }
}

/// May an ACL name it?
pub fn valid(id: &str) -> bool {
    match id.split_once('/') {
        None => parse(id).is_some(),
        Some((addr, bits)) => match (parse(addr), bits.parse::<i64>()) {
            (Some(a), Ok(bits)) => (0..=width(&a)).contains(&bits),
            _ => false,
        },
    }
}

/// Does the address `held` lie in `wanted`?
pub fn matches(held: &str, wanted: &str) -> bool {
    let (addr, bits) = match wanted.split_once('/') {
        None => (wanted, None),
        Some((addr, bits)) => (addr, Some(bits)),
    };
    let (Some(net), Some(held)) = (parse(addr), parse(held)) else { return false };
    if net.len() != held.len() {
        return false;
    }
    let bits = match bits.map(str::parse::<i64>) {
        None => width(&net),
        Some(Ok(b)) if (0..=width(&net)).contains(&b) => b,
        Some(_) => return false,
    };
    net.iter().zip(&held).enumerate().all(|(i, (a, b))| {
        let here = (bits - 8 * i as i64).clamp(0, 8) as u32;
        let mask = (0xff00u32 >> here) as u8;
        a & mask == b & mask || mutant::on("network-wide")
    })
}

fn width(addr: &[u8]) -> i64 {
    8 * addr.len() as i64
}

fn parse(text: &str) -> Option<Vec<u8>> {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => Some(v4.octets().to_vec()),
        Ok(IpAddr::V6(v6)) => Some(v6.octets().to_vec()),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        assert!(matches("10.1.2.3", "10.1.2.3"));
        assert!(matches("10.1.2.3", "10.1.0.0/16"));
        assert!(!matches("10.2.2.3", "10.1.0.0/16"));
        assert!(matches("10.2.2.3", "0.0.0.0/0"));
        assert!(matches("10.1.2.3", "10.1.2.0/23"));
        assert!(!matches("10.1.4.3", "10.1.2.0/23"));
        assert!(!matches("0:0:0:0:0:0:0:1", "127.0.0.1"));
        assert!(matches("0:0:0:0:0:0:0:1", "::1"));
        assert!(!matches("10.1.2.3", "10.1.2.3/33"));
        assert!(!matches("10.1.2.3", "x"));
    }

    #[test]
    fn validity_and_spelling() {
        for (id, ok) in [
            ("1.2.3.4", true),
            ("1.2.3.4/32", true),
            ("1.2.3.4/33", false),
            ("1.2.3", false),
            ("::1/64", true),
            ("host", false),
            ("", false),
        ] {
            assert_eq!(valid(id), ok, "{id}");
        }
        assert_eq!(java_text("::1".parse().unwrap()), "0:0:0:0:0:0:0:1");
        assert_eq!(java_text("::ffff:1.2.3.4".parse().unwrap()), "1.2.3.4");
    }
}
