//! Key and trust stores: what is in a file, whatever its format.
//!
//! | module | |
//! |---|---|
//! | [`pem`] | PEM text, encrypted keys too |
//! | [`pkcs12`] | PKCS#12, old encryptions too |
//! | [`jks`] | Java key stores |
//!
//! # Invariants
//!
//! * Files are bounded before they are read, entries before they are kept.
//! * Keys are wiped from memory when they are dropped. Passwords are [`Secret`]s.
//! * The format is told by the `type` key, else by the extension, as in ZooKeeper; what the
//!   extension calls JKS may be PKCS#12 and the other way round, as in Java since 9.

pub mod jks;
pub mod pem;
pub mod pkcs12;

use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::error::TlsError;
use super::fips::FIPS;
use crate::config::Secret;
use crate::config::settings::{Store, StoreKind};
use crate::limits::{TLS_PASSWORD_BYTES, TLS_STORE_BYTES};

/// A private key with its certificates.
pub struct KeyEntry {
    /// PKCS#8, or what the file had.
    pub key: Zeroizing<Vec<u8>>,
    /// DER of the own certificate and of those that lead towards an authority.
    pub chain: Vec<Vec<u8>>,
}

impl std::fmt::Debug for KeyEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyEntry(***, {} certificates)", self.chain.len())
    }
}

/// What a store holds.
#[derive(Debug, Default)]
pub struct Entries {
    /// Keys, in the order of the file.
    pub keys: Vec<KeyEntry>,
    /// DER of trusted certificates.
    pub trusted: Vec<Vec<u8>>,
}

/// Why bytes are no usable store. The text names no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadStore {
    /// It does not open with this password.
    Password,
    /// It is not of the format; the text says in what.
    Malformed(&'static str),
    /// More than [`crate::limits::TLS_STORE_ENTRIES`] entries, or a key stretched beyond
    /// [`crate::limits::TLS_KEY_ITERATIONS`].
    TooLarge,
    /// It cannot be read here, for this reason and with this cure.
    Unsupported(&'static str, &'static str),
}

impl BadStore {
    fn at(self, file: &Path) -> TlsError {
        match self {
            BadStore::Password => TlsError::file(
                file,
                "does not open with the password that is configured",
                "check the password keys of this store; a file named by passwordPath wins over the password key",
            ),
            BadStore::Malformed(what) => {
                TlsError::file(file, what, "check that the file is whole and of the type that is configured")
            }
            BadStore::TooLarge => TlsError::file(
                file,
                "has more entries, or a longer key stretching, than any real store",
                "keep only the certificates that are needed",
            ),
            BadStore::Unsupported(what, cure) => TlsError::file(file, what, cure),
        }
    }
}

/// Reads a file that must not be larger than `most` bytes.
///
/// # Errors
///
/// The file is named with the cause.
pub fn read_bounded(file: &Path, most: usize) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let cannot = |e: std::io::Error| {
        TlsError::file(
            file,
            format!("cannot be read: {e}"),
            "check the path and that the server's user may read it",
        )
    };
    let opened = std::fs::File::open(file).map_err(cannot)?;
    let mut bytes = Zeroizing::new(Vec::new());
    let taken = opened.take(most as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if taken > most {
        let what = format!("is larger than {most} bytes");
        return Err(TlsError::file(file, what, "name the right file; no real one is that large"));
    }
    Ok(bytes)
}

/// The password of a store: the text of `passwordPath` without one line end, else `password`.
///
/// # Errors
///
/// The password file cannot be read or is no UTF-8.
pub fn password_of(store: &Store) -> Result<Secret, TlsError> {
    let Some(path) = &store.password_path else { return Ok(store.password.clone()) };
    let bytes = read_bounded(path, TLS_PASSWORD_BYTES)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| TlsError::file(path, "is no UTF-8 text", "write the password as one line of UTF-8"))?;
    Ok(Secret::new(text.strip_suffix('\n').unwrap_or(text)))
}

/// The format of a store: the configured one, else by the extension.
///
/// # Errors
///
/// Neither is there, or the format is BCFKS.
pub fn kind_of(store: &Store, file: &Path) -> Result<StoreKind, TlsError> {
    let name = file.to_string_lossy().to_ascii_lowercase();
    let by_name = [
        (".jks", StoreKind::Jks),
        (".pem", StoreKind::Pem),
        (".p12", StoreKind::Pkcs12),
        (".bcfks", StoreKind::Bcfks),
    ];
    let found =
        store.kind.or_else(|| by_name.iter().find(|(ext, _)| name.ends_with(ext)).map(|(_, kind)| *kind));
    match found {
        Some(StoreKind::Bcfks) => Err(TlsError::file(
            file,
            "is a BCFKS store, a format of the Bouncy Castle library for Java, which cannot be read here",
            "convert it: keytool -importkeystore -srcstoretype BCFKS -deststoretype PKCS12",
        )),
        Some(kind) => Ok(kind),
        None => Err(TlsError::file(
            file,
            "has no extension that tells its format",
            "name it .jks, .pem or .p12, or set the type key to JKS, PEM or PKCS12",
        )),
    }
}

/// Reads the store that a configuration names.
///
/// # Errors
///
/// The file is named with the cause and the cure.
pub fn load(store: &Store, file: &Path) -> Result<Entries, TlsError> {
    let kind = kind_of(store, file)?;
    let bytes = read_bounded(file, TLS_STORE_BYTES)?;
    let password = password_of(store)?;
    parse(kind, &bytes, &password).map_err(|e| e.at(file))
}

/// Reads a store out of bytes.
///
/// # Errors
///
/// Why it is none.
pub fn parse(kind: StoreKind, bytes: &[u8], password: &Secret) -> Result<Entries, BadStore> {
    match kind {
        StoreKind::Pem => pem::parse(bytes, password),
        StoreKind::Bcfks => Err(BadStore::Unsupported("is a BCFKS store", "convert it to PKCS12")),
        StoreKind::Jks | StoreKind::Pkcs12 if bytes.starts_with(&jks::JCEKS_MAGIC) => {
            Err(BadStore::Unsupported(
                "is a JCEKS store, which cannot be read here",
                "convert it: keytool -importkeystore -srcstoretype JCEKS -deststoretype PKCS12",
            ))
        }
        StoreKind::Jks | StoreKind::Pkcs12 if FIPS && bytes.starts_with(&jks::MAGIC) => {
            Err(BadStore::Unsupported(
                "is a JKS store, protected by SHA-1, which the FIPS build does not take",
                "convert it: keytool -importkeystore -srcstoretype JKS -deststoretype PKCS12",
            ))
        }
        StoreKind::Jks | StoreKind::Pkcs12 if bytes.starts_with(&jks::MAGIC) => jks::parse(bytes, password),
        StoreKind::Jks | StoreKind::Pkcs12 => pkcs12::parse(bytes, password),
    }
}

/// Puts certificates in order: the own one, then each issuer that is there. The root is left
/// out: peers have their own.
pub(super) fn chain_from(own: Vec<u8>, others: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut chain = vec![own];
    while chain.len() <= others.len() {
        let Some(last) = chain.last().and_then(|der| Certificate::read(der).ok()) else { break };
        if last.is_self_issued() {
            break;
        }
        let issuer = others.iter().find(|der| {
            let signs = |c: Certificate<'_>| c.subject == last.issuer && !c.is_self_issued();
            Certificate::read(der).is_ok_and(signs) && !chain.contains(der)
        });
        let Some(issuer) = issuer.cloned() else { break };
        chain.push(issuer);
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn the_type_is_told_by_the_key_or_by_the_extension() {
        let store = |kind| Store { kind, ..Store::default() };
        let kind = |given, name: &str| kind_of(&store(given), Path::new(name)).ok();
        assert_eq!(kind(None, "/x/a.JKS"), Some(StoreKind::Jks));
        assert_eq!(kind(None, "a.pem"), Some(StoreKind::Pem));
        assert_eq!(kind(None, "a.p12"), Some(StoreKind::Pkcs12));
        assert_eq!(kind(Some(StoreKind::Pem), "a.jks"), Some(StoreKind::Pem));
        assert_eq!(kind(None, "a.pfx"), None);
        let bcfks = kind_of(&store(None), Path::new("a.bcfks")).unwrap_err().to_string();
        assert!(bcfks.contains("Bouncy Castle") && bcfks.contains("keytool"), "{bcfks}");
    }

    #[test]
    fn a_password_file_wins_and_loses_one_line_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        std::fs::write(&path, "from file\n\n").unwrap();
        let mut store = Store { password: Secret::new("from key"), ..Store::default() };
        assert_eq!(password_of(&store).unwrap().reveal(), "from key");
        store.password_path = Some(path.clone());
        assert_eq!(password_of(&store).unwrap().reveal(), "from file\n");
        std::fs::write(&path, vec![b'x'; TLS_PASSWORD_BYTES + 1]).unwrap();
        assert!(password_of(&store).unwrap_err().to_string().contains("larger"));
        store.password_path = Some(PathBuf::from("/does/not/exist"));
        assert!(password_of(&store).is_err());
    }
}
