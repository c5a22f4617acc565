//! `oxkeeper doctor jaas`: the sections of a JAAS file as a client or a server would use them.
//!
//! # Invariants
//!
//! * Passwords of a section are never looked at.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Usage;
use super::codes::Doc;
use super::here::Here;
use super::report::{Finding, Report};
use super::{kdcs, keytab};
use crate::config::jaas::{Jaas, Kerberos, LoginModule, Module, Section, parse_jaas};
use crate::config::nearest::nearest;

/// Whose Java reads the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Vendor {
    /// Oracle, OpenJDK and their like.
    Sun,
    /// IBM.
    Ibm,
}

/// The sections of a JAAS file, as a Java client or server would use them
#[derive(Debug, Clone, Args)]
pub struct JaasArgs {
    /// The JAAS file [default: that of the server's configuration]
    pub file: Option<PathBuf>,
    /// A section that has to be there [default: Client; with --config the server's]
    #[arg(long)]
    pub section: Option<String>,
    /// Whose Java reads it
    #[arg(long, value_enum, default_value = "sun")]
    pub vendor: Vendor,
}

/// Looks.
///
/// # Errors
///
/// No file is named.
pub fn run(args: &JaasArgs, here: &Here, report: &mut Report) -> Result<(), Usage> {
    let auth = &here.settings.auth;
    let file = args.file.clone().or_else(|| auth.login_config.clone());
    let file =
        file.ok_or_else(|| Usage("name a JAAS file, or a configuration that has one (--config)".into()))?;
    report.fact("JAAS file", file.display().to_string());
    let Some(jaas) = read(&file, report) else { return Ok(()) };
    let wanted =
        args.section.as_deref().or_else(|| here.config.is_some().then_some(auth.sasl_serverconfig.as_str()));
    // A file of a server alone has no Client section to miss.
    let wanted = wanted.or_else(|| {
        let servers = ["Server", "QuorumServer"];
        (!servers.iter().any(|s| jaas.section(s).is_some())).then_some("Client")
    });
    if let Some(wanted) = wanted.filter(|wanted| jaas.section(wanted).is_none()) {
        missing(wanted, &jaas, &file, report);
    }
    for section in &jaas.sections {
        let server = section.name == auth.sasl_serverconfig || section.name.ends_with("Server");
        Judge { file: &file, section, server, vendor: args.vendor, here }.section(report);
    }
    Ok(())
}

fn read(file: &Path, report: &mut Report) -> Option<Jaas> {
    let text = match fs::read(file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(why) => {
            report.find(Finding::error(Doc::JaasFile, format!("{}: {why}", file.display())));
            return None;
        }
    };
    // A property that only the Java program knows stands for itself.
    match parse_jaas(&text, &|name| Some(format!("${{{name}}}"))) {
        Ok(jaas) => Some(jaas),
        Err(bad) => {
            let what = format!("{}:{}: expected {}", file.display(), bad.line, bad.what);
            report.find(Finding::error(Doc::JaasFile, what).cure(format!("correct line {}", bad.line)));
            None
        }
    }
}

fn missing(wanted: &str, jaas: &Jaas, file: &Path, report: &mut Report) {
    let had: Vec<&str> = jaas.sections.iter().map(|s| s.name.as_str()).collect();
    let near = nearest(wanted, had.iter().copied());
    let listed = if had.is_empty() { "none".to_owned() } else { had.join(", ") };
    let what = format!("{} has no section {wanted}; it has {listed}", file.display());
    let cure = match near {
        Some(near) => {
            format!("rename the section {near} to {wanted}, or set -Dzookeeper.sasl.clientconfig={near}")
        }
        None => format!("add the section {wanted} {{ ... }}; to {}", file.display()),
    };
    report.find(Finding::error(Doc::JaasSection, what).cure(cure));
}

struct Judge<'a> {
    file: &'a Path,
    section: &'a Section,
    server: bool,
    vendor: Vendor,
    here: &'a Here,
}

impl Judge<'_> {
    fn place(&self, line: usize) -> String {
        format!("{}:{line}: section {}", self.file.display(), self.section.name)
    }

    fn section(&self, report: &mut Report) {
        let Some(module) = self.section.modules.first() else {
            let what = format!("{}: no login module", self.place(self.section.line));
            return report.find(Finding::error(Doc::JaasModule, what));
        };
        let at = self.place(module.line);
        report.fact(format!("section {}", self.section.name), &module.class);
        match module.module() {
            Module::Other => {
                report.find(Finding::error(Doc::JaasModule, format!("{at}: {} is not known", module.class)));
            }
            Module::Digest => self.digest(module, &at, report),
            Module::Kerberos | Module::IbmKerberos => {
                self.vendor(module, &at, report);
                self.kerberos(module, &module.kerberos().unwrap_or_default(), &at, report);
            }
        }
    }

    fn digest(&self, module: &LoginModule, at: &str, report: &mut Report) {
        let users = module.digest_users().count();
        if self.server && users == 0 {
            let cure = "add user_<name>=\"<password>\" lines to the login module";
            report.find(Finding::error(Doc::JaasModule, format!("{at}: no user")).cure(cure));
        }
        if !self.server && module.digest_login().is_none() {
            let cure = "add username=\"<name>\" password=\"<password>\" to the login module";
            report
                .find(Finding::error(Doc::JaasModule, format!("{at}: no username and password")).cure(cure));
        }
    }

    /// The module is the other vendor's, or has the other vendor's options.
    fn vendor(&self, module: &LoginModule, at: &str, report: &mut Report) {
        let has = |name: &str| module.options.contains_key(name);
        let suns = ["useKeyTab", "keyTab", "useTicketCache", "ticketCache", "storeKey"];
        let ibms = ["useKeytab", "credsType", "useCcache", "useDefaultCcache"];
        let kerberos = module.kerberos().unwrap_or_default();
        match (self.vendor, module.module()) {
            (Vendor::Ibm, Module::Kerberos) => {
                report.find(Finding::error(
                    Doc::JaasIbm,
                    format!("{at}: {} is not in IBM's Java", module.class),
                ));
                self.template(module, &kerberos, report);
            }
            (Vendor::Ibm, _) if suns.iter().any(|o| has(o)) => {
                let wrong: Vec<&str> = suns.into_iter().filter(|o| has(o)).collect();
                let what = format!("{at}: IBM's login module does not know {}", wrong.join(", "));
                report.find(Finding::error(Doc::JaasIbm, what));
                self.template(module, &kerberos, report);
            }
            (Vendor::Sun, Module::IbmKerberos) if !(self.server && self.here.config.is_some()) => {
                report.find(Finding::error(Doc::JaasSun, format!("{at}: {}", module.class)));
                self.template(module, &kerberos, report);
            }
            (Vendor::Sun, Module::Kerberos) if ibms.iter().any(|o| has(o)) => {
                let wrong: Vec<&str> = ibms.into_iter().filter(|o| has(o)).collect();
                let what = format!("{at}: {} does not know {}", module.class, wrong.join(", "));
                report.find(Finding::error(Doc::JaasSun, what));
                self.template(module, &kerberos, report);
            }
            _ => {}
        }
    }

    /// The section as this Java takes it.
    fn template(&self, module: &LoginModule, kerberos: &Kerberos, report: &mut Report) {
        let text = |names: [&str; 2]| {
            names.into_iter().find_map(|n| module.options.get(n)).map(|v| v.reveal().to_owned())
        };
        let keytab =
            text(["keyTab", "useKeytab"]).map(|k| crate::config::jaas::path(&k).display().to_string());
        let keytab = keytab.unwrap_or_else(|| "/path/to/keytab".to_owned());
        let principal = kerberos.principal.clone().unwrap_or_else(|| "name@REALM".to_owned());
        report.paste(format!("{} {{", self.section.name));
        match self.vendor {
            Vendor::Ibm => {
                report.paste("  com.ibm.security.auth.module.Krb5LoginModule required");
                report.paste(format!("  useKeytab=\"file://{keytab}\""));
                report.paste("  credsType=both");
                report.paste(format!("  principal=\"{principal}\";"));
            }
            Vendor::Sun => {
                report.paste("  com.sun.security.auth.module.Krb5LoginModule required");
                report.paste(format!(
                    "  useKeyTab=true keyTab=\"{keytab}\" storeKey=true useTicketCache=false"
                ));
                report.paste(format!("  principal=\"{principal}\";"));
            }
        }
        report.paste("};");
    }

    fn kerberos(&self, module: &LoginModule, kerberos: &Kerberos, at: &str, report: &mut Report) {
        let principal = kerberos.principal.as_deref();
        if let Some(principal) = principal {
            report.fact(format!("section {} principal", self.section.name), principal);
            keytab::shape(principal, report);
        }
        match (&kerberos.keytab, principal) {
            (Some(file), Some(principal)) => self.keytab(file, principal, report),
            (Some(file), None) => {
                let what = format!("{at}: a keytab and no principal (Java: Unable to obtain Principal Name)");
                let finding = Finding::error(Doc::JaasPrincipal, what);
                let names = keytab::open(file, report).map(|k| k.principals()).unwrap_or_default();
                report.find(match names.first() {
                    Some(name) => finding.cure(format!("add principal=\"{name}\" to the login module")),
                    None => finding,
                });
            }
            (None, _) if self.server => {
                let has_file = ["keyTab", "useKeytab"].iter().any(|o| module.options.contains_key(*o));
                let what = match has_file {
                    true => format!("{at}: keyTab is set, but not useKeyTab=true"),
                    false => format!("{at}: no keytab"),
                };
                report.find(Finding::error(Doc::JaasKeytab, what));
            }
            (None, _) if !kerberos.use_ticket_cache => {
                let what =
                    format!("{at}: neither a keytab nor a ticket cache, and nobody is asked for a password");
                let cure =
                    "add useKeyTab=true keyTab=\"<path>\" principal=\"<name>@<REALM>\" to the login module";
                report.find(Finding::error(Doc::JaasModule, what).cure(cure));
            }
            (None, _) => {}
        }
        if kerberos.use_ticket_cache && !self.server {
            let principal = principal.unwrap_or("<name>@<REALM>");
            let what = format!(
                "{at}: useTicketCache=true (Java: Could not renew TGT due to problem running shell command)"
            );
            let cure = format!(
                "useTicketCache=false useKeyTab=true keyTab=\"<path>\" principal=\"{principal}\"; kadmin: ktadd -k \
                 <path> {principal}"
            );
            report.find(Finding::warning(Doc::JaasKinit, what).cure(cure));
        }
        if self.server
            && let Some(principal) = principal
            && !principal.contains('/')
        {
            let realm = principal.split_once('@').map_or("<REALM>", |(_, realm)| realm);
            let service = principal.split('@').next().unwrap_or(principal);
            let what = format!("{at}: principal {principal}");
            let cure = format!(
                "kadmin: addprinc -randkey {service}/<host>@{realm}, ktadd it, and principal=\"{service}/<host>@{realm}\""
            );
            report.find(Finding::warning(Doc::ServerNoHost, what).cure(cure));
        }
    }

    fn keytab(&self, file: &Path, principal: &str, report: &mut Report) {
        let name = keytab::qualified(principal, self.here);
        // Java: Unable to obtain password from user.
        let Some(keytab) = keytab::open(file, report) else { return };
        let has = keytab.principals().contains(&name);
        if !has {
            keytab::missing(&name, &keytab, file, report);
        }
        let Some((local, realm)) = name.rsplit_once('@') else { return };
        let Some(kdc) = kdcs::find(self.here, realm) else { return };
        match kdc.knows(local, realm) {
            Some(false) => keytab::unknown(&name, &kdc, report),
            Some(true) => {
                report.fact(format!("{name} at the KDC"), "known; for its keys: oxkeeper doctor keytab")
            }
            None => {}
        }
    }
}
