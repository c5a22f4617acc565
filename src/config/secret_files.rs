//! Which files hold secrets, as far as a configuration names them.
//!
//! # Invariants
//!
//! * Nothing is looked up on the disk here: whether others may read a file is for the edge.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::load::Loaded;
use super::report::KeyReport;
use super::settings::{Settings, Store, TlsSide};

/// A file with a secret in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretFile {
    /// Its path.
    pub path: PathBuf,
    /// What it is, for a message.
    pub what: &'static str,
}

/// Every file that `loaded` and `settings` name, each once, in the order of their paths.
pub fn named(loaded: &Loaded, settings: &Settings) -> Vec<SecretFile> {
    let mut files: BTreeMap<PathBuf, &'static str> = BTreeMap::new();
    // What is masked in a report is a secret, or an unknown key that may be one.
    let masked = |key: &&KeyReport| key.value == "***" && key.line.is_some();
    for key in loaded.keys.iter().filter(masked) {
        files.insert(PathBuf::from(&key.source), "a configuration with secrets");
    }
    if let (Some(path), Some(jaas)) = (&settings.auth.login_config, &loaded.jaas) {
        let modules = || jaas.sections.iter().flat_map(|section| &section.modules);
        if modules().any(|m| m.digest_users().next().is_some() || m.digest_login().is_some()) {
            files.insert(path.clone(), "a JAAS file with passwords");
        }
        for keytab in modules().filter_map(|m| m.kerberos()?.keytab) {
            files.insert(keytab, "a keytab");
        }
    }
    for side in [&settings.tls.client, &settings.tls.quorum, &settings.metrics.tls] {
        files.extend(stores(side));
    }
    files.into_iter().map(|(path, what)| SecretFile { path, what }).collect()
}

/// Private keys and pass phrases. A trust store holds no secret; its pass phrase is one.
fn stores(side: &TlsSide) -> Vec<(PathBuf, &'static str)> {
    let mut files = Vec::new();
    let phrase = |store: &Store| store.password_path.clone().map(|path| (path, "a pass phrase"));
    files.extend(side.key_store.location.clone().map(|path| (path, "a key store")));
    files.extend(phrase(&side.key_store));
    files.extend(phrase(&side.trust_store));
    files
}
