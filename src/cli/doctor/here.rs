//! What a look starts from: the server's configuration, if one is named, and the krb5.conf that counts.
//!
//! # Invariants
//!
//! * Which krb5.conf is read is decided as libkrb5 and Java decide it, and the reason is kept.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::codes::Doc;
use super::kdcs::Kdc;
use super::report::{Finding, Report};
use crate::cli::configuration::ConfigArgs;
use crate::config::jaas;
use crate::config::{Loaded, Settings, Severity};
use crate::kerberos::krb5_conf::{DEFAULT_PATH, Krb5Conf};

/// The property that names krb5.conf to Java.
const JAVA_KRB5_CONF: &str = "java.security.krb5.conf";

/// Configuration and krb5.conf.
pub struct Here {
    /// zoo.cfg, if one is named.
    pub config: Option<PathBuf>,
    /// Its settings, or the defaults with the properties of the command line.
    pub settings: Settings,
    /// krb5.conf.
    pub krb5: Krb5Conf,
    /// The files that are asked for.
    pub krb5_paths: Vec<PathBuf>,
    /// Why these.
    pub krb5_why: String,
    /// KDCs that were looked for, by realm: a dead one costs its time limit once.
    pub found: RefCell<BTreeMap<String, Option<Kdc>>>,
    /// Why no server starts from the configuration.
    refused: Option<String>,
}

impl Here {
    /// Reads what is named.
    pub fn new(config: Option<PathBuf>, property: &[String], krb5_conf: Option<PathBuf>) -> Here {
        // Without a zoo.cfg the properties alone count: any port and directory make a configuration.
        let words = match &config {
            Some(path) => vec![path.clone().into_os_string()],
            None => ["1", "/nonexistent"].map(OsString::from).to_vec(),
        };
        let mut loaded = ConfigArgs { config: words, property: property.to_vec() }.load();
        let refused = loaded.settings.is_none().then(|| first_error(&loaded));
        let jaas = loaded.jaas.take();
        let settings = loaded.settings.unwrap_or_else(|| Settings { jaas, ..Settings::default() });
        let (krb5_paths, krb5_why) = choose(krb5_conf, settings.auth.krb5_conf.as_deref().map(PathBuf::from));
        let krb5 = Krb5Conf::read(&krb5_paths);
        Here { config, settings, krb5, krb5_paths, krb5_why, found: RefCell::default(), refused }
    }

    /// Makes libkrb5 read the same file; for the start of the process.
    pub fn adopt_krb5_conf(&self) {
        if let [path] = self.krb5_paths.as_slice()
            && std::env::var_os("KRB5_CONFIG").is_none_or(|v| v != path.as_os_str())
        {
            // With other threads around libkrb5 keeps its own choice, which the report names.
            let _ = crate::kerberos::use_krb5_conf(path);
        }
    }

    /// Says what is wrong with the configuration as a whole.
    pub fn judge(&self, report: &mut Report) {
        if let Some(why) = &self.refused {
            report.find(Finding::error(Doc::Config, why));
        }
    }

    /// Says what is wrong with krb5.conf.
    pub fn judge_krb5(&self, report: &mut Report) {
        let paths: Vec<String> = self.krb5_paths.iter().map(|p| p.display().to_string()).collect();
        report.fact("krb5.conf", format!("{} ({})", paths.join(":"), self.krb5_why));
        for complaint in &self.krb5.complaints {
            let finding = if self.krb5.files.is_empty() {
                Finding::error(Doc::Krb5Conf, complaint)
            } else {
                Finding::warning(Doc::Krb5Conf, complaint)
            };
            report.find(finding);
        }
        match self.krb5.default_realm() {
            Some(realm) => report.fact("default realm", realm),
            None => report.find(
                Finding::error(Doc::NoRealm, format!("{} has no default_realm", paths.join(":"))).cure(
                    format!(
                        "add to {}: [libdefaults] default_realm = {}",
                        paths.join(":"),
                        self.likely_realm()
                    ),
                ),
            ),
        }
    }

    fn likely_realm(&self) -> String {
        self.krb5.realms().first().map_or_else(|| "<REALM>".to_owned(), ToString::to_string)
    }

    /// The keytab of the server's configuration: the JAAS section's, or `kerberos.keytab`.
    pub fn keytab(&self) -> Option<PathBuf> {
        let auth = &self.settings.auth;
        let section = self.settings.jaas.as_ref().and_then(|j| j.section(&auth.sasl_serverconfig));
        let of_jaas = section.and_then(|s| s.modules.first()).and_then(jaas::LoginModule::kerberos);
        of_jaas.and_then(|k| k.keytab).or_else(|| auth.kerberos_keytab.clone())
    }
}

fn first_error(loaded: &Loaded) -> String {
    let mut errors = loaded.findings.iter().filter(|f| f.severity == Severity::Error);
    errors.next().map(ToString::to_string).unwrap_or_default()
}

/// The krb5.conf that is read, and why.
fn choose(flag: Option<PathBuf>, java: Option<PathBuf>) -> (Vec<PathBuf>, String) {
    if let Some(path) = flag {
        return (vec![path], "--krb5-conf".to_owned());
    }
    if let Some(path) = java {
        return (vec![path], format!("{JAVA_KRB5_CONF} of the configuration, as Java does"));
    }
    match std::env::var_os("KRB5_CONFIG").filter(|v| !v.is_empty()) {
        Some(value) => (std::env::split_paths(&value).collect(), "KRB5_CONFIG of the environment".to_owned()),
        None => (vec![PathBuf::from(DEFAULT_PATH)], "nothing else is named".to_owned()),
    }
}
