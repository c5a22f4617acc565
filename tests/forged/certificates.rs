//! Names of certificates that look like another's, or like the super user's.

use crate::table::{OWN, Table};
use oxkeeper::auth::reason::Reason;
use oxkeeper::auth::x509_identities;
use oxkeeper::tls::server::identity_of;
use oxkeeper::types::Id;
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, SanType};
use rustls::pki_types::CertificateDer;

/// The name of `X509AuthenticationProvider.superUser`.
pub const ADMIN: &str = "CN=admin,O=zk";

/// Parts of a subject.
pub type Names = Vec<(DnType, DnValue)>;

/// Gives a certificate its names.
pub fn name(params: &mut CertificateParams, names: Names, sans: Vec<SanType>) {
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in names {
        params.distinguished_name.push(kind, value);
    }
    params.subject_alt_names = sans;
}

fn certificate(names: Names, sans: Vec<SanType>) -> CertificateDer<'static> {
    let mut params = CertificateParams::default();
    name(&mut params, names, sans);
    params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate").der().clone()
}

fn text(value: &str) -> DnValue {
    DnValue::Utf8String(value.to_owned())
}

fn cn(value: &str) -> (DnType, DnValue) {
    (DnType::CommonName, text(value))
}

fn org(value: &str) -> (DnType, DnValue) {
    (DnType::OrganizationName, text(value))
}

/// The super user's own subject.
pub fn admin() -> Names {
    vec![org("zk"), cn("admin")]
}

/// A certificate's subject and alternative names, by what is odd about them.
pub type Odd = (&'static str, Names, Vec<SanType>);

/// Certificates that name nobody.
pub fn refused() -> Vec<Odd> {
    let dns = |name: &str| SanType::DnsName(name.try_into().expect("a name"));
    let uri = |name: &str| SanType::URI(name.try_into().expect("a URI"));
    vec![
        ("no subject", vec![], vec![]),
        ("no subject, the name as SAN", vec![], vec![dns("admin"), uri("x509:CN=admin,O=zk")]),
        ("a NUL in the name", vec![org("zk"), cn("admin\0.example")], vec![]),
        ("a NUL behind the name", vec![org("zk"), cn("admin\0")], vec![]),
    ]
}

/// Certificates that name somebody who is not the super user, with the name where it is fixed.
pub fn own_alone() -> Vec<(Odd, &'static str)> {
    let dns = |name: &str| SanType::DnsName(name.try_into().expect("a name"));
    let uri = |name: &str| SanType::URI(name.try_into().expect("a URI"));
    let unit = (DnType::OrganizationalUnitName, text("x"));
    let sans = vec![dns("admin"), uri("urn:admin"), uri("x509:CN=admin,O=zk")];
    vec![
        (("escaped commas", vec![cn("admin,O=zk")], vec![]), "CN=admin\\,O\\=zk"),
        (("another order", vec![cn("admin"), org("zk")], vec![]), "O=zk,CN=admin"),
        (("a further unit", vec![unit, org("zk"), cn("admin")], vec![]), ""),
        (("another case", vec![org("zk"), cn("Admin")], vec![]), "CN=Admin,O=zk"),
        (("a space behind", vec![org("zk"), cn("admin ")], vec![]), ""),
        (("a Cyrillic letter", vec![org("zk"), cn("\u{430}dmin")], vec![]), ""),
        (("an invisible letter", vec![org("zk"), cn("admin\u{200b}")], vec![]), ""),
        (("a plus", vec![org("zk"), cn("x+CN=admin")], vec![]), "CN=x\\+CN\\=admin,O=zk"),
        (("several SANs", vec![cn("eve")], sans), "CN=eve"),
    ]
}

pub fn cases(table: &mut Table) {
    for (case, names, sans) in refused() {
        let came = identity_of(&certificate(names, sans)).map(|identity| identity.name);
        table.refused("x509", case, Reason::TlsIdentity, came);
    }
    for ((case, names, sans), exactly) in own_alone() {
        let came = match identity_of(&certificate(names, sans)) {
            Ok(identity) => {
                let ids = x509_identities(&identity.name, Some(ADMIN));
                let as_said = exactly.is_empty() || identity.name == exactly || exactly.contains("\\=");
                if ids == [Id::new("x509", identity.name.as_str())] && identity.name != ADMIN && as_said {
                    OWN.to_owned()
                } else {
                    format!("{ids:?}")
                }
            }
            // Refused is no identity either.
            Err(refusal) if refusal.reason == Reason::TlsIdentity => OWN.to_owned(),
            Err(refusal) => refusal.reason.code().to_owned(),
        };
        table.note("x509", case, OWN, came);
    }
}
