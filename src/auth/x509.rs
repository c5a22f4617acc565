//! Identities of clients that showed a certificate (`X509AuthenticationProvider`).
//!
//! # Invariants
//!
//! * The name is compared as a whole and exactly. It comes from a verified certificate, never
//!   from an auth packet.

use crate::types::Id;

/// What a client with a certificate for `name` (RFC 2253, as Java prints it) is: `x509:<name>`, and
/// `super` in front of it for the name of `X509AuthenticationProvider.superUser`.
pub fn identities(name: &str, super_user: Option<&str>) -> Vec<Id> {
    let mut ids = Vec::with_capacity(2);
    if super_user == Some(name) {
        ids.push(Id::new("super", name));
    }
    ids.push(Id::new("x509", name));
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_super_user_is_the_whole_name_alone() {
        let admin = "CN=admin,O=zk";
        assert_eq!(identities(admin, None), [Id::new("x509", admin)]);
        assert_eq!(identities(admin, Some(admin)), [Id::new("super", admin), Id::new("x509", admin)]);
        for other in ["CN=admin", "cn=admin,O=zk", "CN=admin,O=zk,C=DE", ""] {
            assert_eq!(identities(other, Some(admin)), [Id::new("x509", other)], "{other}");
        }
    }
}
