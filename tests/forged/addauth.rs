//! Auth packets: schemes that prove nothing by themselves, and names that look like power.

use crate::table::{OWN, Table};
use oxkeeper::auth::reason::Reason;
use oxkeeper::auth::{AuthOutcome, DigestAlgorithm, Providers, address_identity, generate_digest};
use oxkeeper::config::Secret;
use oxkeeper::types::Id;
use std::net::{IpAddr, Ipv4Addr};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));

fn providers() -> Providers {
    Providers {
        digest: Some(DigestAlgorithm::Sha1),
        super_digest: Some(Secret::new(generate_digest(DigestAlgorithm::Sha1, "super:the secret"))),
        x509: true,
        sasl: true,
        super_users: vec!["admin@ZK.TEST".to_owned()],
        ..Providers::default()
    }
}

/// Packets that are refused: scheme, what it says, and why.
pub const REFUSED: &[(&str, &str, Reason)] = &[
    ("sasl", "super", Reason::AuthRefused),
    ("sasl", "admin@ZK.TEST", Reason::AuthRefused),
    ("x509", "CN=admin,O=zk", Reason::AuthRefused),
    ("x509", "", Reason::AuthRefused),
    ("super", "", Reason::AuthScheme),
    ("super", "super", Reason::AuthScheme),
    ("world", "anyone", Reason::AuthScheme),
    ("auth", "", Reason::AuthScheme),
    ("SASL", "admin@ZK.TEST", Reason::AuthScheme),
    ("Digest", "super:the secret", Reason::AuthScheme),
    (" digest", "super:the secret", Reason::AuthScheme),
    ("ensemble", "", Reason::AuthScheme),
    ("kerberos", "admin@ZK.TEST", Reason::AuthScheme),
    ("", "", Reason::AuthScheme),
];

/// Packets that give what they prove. An address is the socket's, whatever is written; a digest is what its words
/// hash to.
pub const OWN_ALONE: &[(&str, &[u8])] = &[
    ("ip", b"127.0.0.1"),
    ("ip", b"10.0.0.1, for 127.0.0.1"),
    ("digest", b"super:wrong"),
    ("digest", b"super"),
    ("digest", b""),
    ("digest", b"super:the secret\n"),
    ("digest", b"Super:the secret"),
    ("digest", b"super:the secret\0"),
    ("digest", b"\xff\xfe:the secret"),
];

pub fn cases(table: &mut Table) {
    let held = [address_identity(PEER)];
    for (scheme, auth, reason) in REFUSED {
        let came = match providers().authenticate(scheme, auth.as_bytes(), PEER, &held) {
            AuthOutcome::Added(ids) => Ok(format!("{ids:?}")),
            AuthOutcome::Failed(refusal) | AuthOutcome::Closed(refusal) => Err(refusal),
        };
        table.refused("addauth", &format!("{scheme}: {auth}"), *reason, came);
    }
    for (scheme, auth) in OWN_ALONE {
        let AuthOutcome::Added(ids) = providers().authenticate(scheme, auth, PEER, &held) else {
            table.note("addauth", scheme, OWN, "refused".into());
            continue;
        };
        let expected = match *scheme {
            "ip" => address_identity(PEER),
            _ => Id::new("digest", generate_digest(DigestAlgorithm::Sha1, &String::from_utf8_lossy(auth))),
        };
        let came = if ids == [expected] { OWN.to_owned() } else { format!("{ids:?}") };
        table.note("addauth", &format!("{scheme}: {}", String::from_utf8_lossy(auth)), OWN, came);
    }
}
