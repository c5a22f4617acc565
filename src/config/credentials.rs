//! Credentials of systemd (`LoadCredential=`): paths that begin with `${CREDENTIALS_DIRECTORY}/`, in zoo.cfg, in flags
//! and in the JAAS file.
//!
//! # Invariants
//!
//! * Only the whole prefix is replaced: no other variable of the environment reaches the configuration.
//! * A path that cannot be resolved is an error with its place, never a file of that literal name.

use super::finding::Findings;
use super::sources::{Collected, Request};

/// The variable in which systemd names the directory.
pub const VARIABLE: &str = "CREDENTIALS_DIRECTORY";

const PREFIX: &str = "${CREDENTIALS_DIRECTORY}/";

/// Resolves the paths among the settings.
pub fn resolve(collected: &mut Collected, request: &Request, findings: &mut Findings) {
    let directory = request.environment.get(VARIABLE).filter(|directory| !directory.is_empty());
    collected.credentials = directory.cloned();
    for raw in &mut collected.raws {
        let Some(name) = raw.text.strip_prefix(PREFIX) else { continue };
        match directory {
            Some(directory) => raw.text = format!("{}/{name}", directory.trim_end_matches('/')),
            None => {
                let what = format!("there is no {VARIABLE} in the environment");
                let cure = "start the server by systemd with LoadCredential= in its unit, or write a path";
                findings.error(&raw.place, raw.name.text(), what, cure);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use crate::config::{Files, Loaded, Request, load};

    struct Texts(BTreeMap<PathBuf, String>);

    impl Files for Texts {
        fn read(&self, path: &Path, _limit: usize) -> Result<Option<Vec<u8>>, String> {
            Ok(self.0.get(path).map(|text| text.clone().into_bytes()))
        }
    }

    fn loaded(directory: Option<&str>) -> Loaded {
        let zoo = "dataDir=/d\nclientPort=1\nsecureClientPort=2\nssl.clientAuth=none\nssl.keyStore.location=${CREDENTIALS_DIRECTORY}/tls.pem\n\
                   java.security.auth.login.config=/etc/jaas.conf\n";
        let jaas = "Server { com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true \
                    keyTab=\"${CREDENTIALS_DIRECTORY}/zk.keytab\" principal=\"zookeeper/a@R\"; };";
        let files = [("/etc/zoo.cfg", zoo), ("/etc/jaas.conf", jaas)];
        let files = files.map(|(path, text)| (PathBuf::from(path), text.to_owned()));
        let mut request = Request::file("/etc/zoo.cfg");
        let variable = |directory: &str| (super::VARIABLE.to_owned(), directory.to_owned());
        request.environment.extend(directory.map(variable));
        load(&request, &Texts(files.into()))
    }

    #[test]
    fn credentials_are_found_in_their_directory() {
        let loaded = loaded(Some("/run/credentials/oxkeeper.service"));
        let settings = loaded.settings.unwrap_or_else(|| panic!("{:?}", loaded.findings));
        let key = settings.tls.client.key_store.location;
        assert_eq!(key.as_deref(), Some(Path::new("/run/credentials/oxkeeper.service/tls.pem")));
        let jaas = settings.jaas.expect("a JAAS file");
        let keytab = jaas.section("Server").and_then(|s| s.modules.first()?.kerberos()?.keytab);
        assert_eq!(keytab.as_deref(), Some(Path::new("/run/credentials/oxkeeper.service/zk.keytab")));
    }

    #[test]
    fn without_systemd_they_are_errors() {
        let loaded = loaded(None);
        assert!(loaded.settings.is_none());
        let said: Vec<String> = loaded.findings.iter().map(ToString::to_string).collect();
        assert!(
            said.iter().any(|f| f.contains("ssl.keyStore.location") && f.contains("LoadCredential")),
            "{said:?}"
        );
    }
}
