//! `oxkeeper check`: what a configuration would do here, key by key.
//!
//! Reads zoo.cfg, `java.env` beside it, the environment's JVM flags, the dynamic
//! configuration and the JAAS file. Exit code 0 when a server would start from it, 2
//! when not. With `--against` also whether it fits the ensemble that runs: 1 when not.
//!
//! # Invariants
//!
//! * Nothing is changed and no secret is printed.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use crate::config::jaas::{Jaas, LoginModule, Module};
use crate::config::report::{KeyReport, Verdict};
use crate::config::sources::IgnoredFlag;
use crate::config::{EXIT_BAD_CONFIG, Findings, Loaded, Place, Severity, describe};
use crate::os::secrecy::exposed;

use super::against::{self, Against, AgainstArgs};
use super::configuration::ConfigArgs;

/// Check a configuration: what works, what has no meaning here, what is wrong
///
/// Reads zoo.cfg, java.env beside it, JVMFLAGS and SERVER_JVMFLAGS, the dynamic
/// configuration and the JAAS file. Ends with 0 when a server would start, with 2 when
/// not, and with 1 when it does not fit the ensemble of --against. With --help, all keys
/// are listed.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = describe::text())]
pub struct CheckArgs {
    /// The configuration to check.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The ensemble to compare with.
    #[command(flatten)]
    pub against: AgainstArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs `oxkeeper check`; returns the exit code.
pub fn run(args: &CheckArgs) -> i32 {
    let loaded = args.config.load();
    let against = against::run(&args.against, loaded.settings.as_ref());
    let report = Report { against, ..Report::new(loaded) };
    let out = &mut io::stdout().lock();
    let written = match args.json {
        true => serde_json::to_writer_pretty(&mut *out, &report)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
        false => report.print(out),
    };
    // A closed pipe (`| head`) changes nothing about the verdict.
    let _ = written.and_then(|()| out.flush());
    report.exit_code()
}

/// Everything `check` says.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether a server would start.
    starts: bool,
    findings: Findings,
    keys: Vec<KeyReport>,
    ignored_flags: Vec<IgnoredFlag>,
    jaas: Vec<JaasReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Against>,
}

/// One login module of the JAAS file, without its secrets.
#[derive(Debug, Serialize)]
struct JaasReport {
    section: String,
    line: usize,
    module: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keytab: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    users: Vec<String>,
}

impl Report {
    fn new(mut loaded: Loaded) -> Self {
        secrets(&mut loaded);
        Report {
            starts: loaded.settings.is_some(),
            findings: loaded.findings,
            keys: loaded.keys,
            ignored_flags: loaded.ignored_flags,
            jaas: loaded.jaas.as_deref().map(describe_jaas).unwrap_or_default(),
            against: None,
        }
    }

    fn exit_code(&self) -> i32 {
        let fits = self.against.as_ref().is_none_or(Against::agrees);
        if self.findings.has_errors() { EXIT_BAD_CONFIG } else { i32::from(!fits) }
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut source = None;
        for key in &self.keys {
            if source != Some(&key.source) {
                writeln!(out, "{}:", key.source)?;
                source = Some(&key.source);
            }
            let line = key.line.map(|l| l.to_string()).unwrap_or_default();
            let pair = format!("{}={}", key.key, key.value);
            writeln!(out, "{line:>5}  {pair:<42}  {}", words(&key.verdict))?;
        }
        if !self.jaas.is_empty() {
            writeln!(out, "JAAS:")?;
        }
        for module in &self.jaas {
            write!(out, "{:>5}  {}: {}", module.line, module.section, module.module)?;
            for (name, value) in [("principal", &module.principal), ("keytab", &module.keytab)] {
                if let Some(value) = value {
                    write!(out, ", {name} {value}")?;
                }
            }
            match module.users.len() {
                0 => writeln!(out)?,
                _ => writeln!(out, ", users {}", module.users.join(" "))?,
            }
        }
        if !self.ignored_flags.is_empty() {
            writeln!(out, "JVM flags without meaning here:")?;
        }
        for flag in &self.ignored_flags {
            writeln!(out, "       {}  ({})", flag.flag, flag.source)?;
        }
        self.print_findings(out)
    }

    fn print_findings(&self, out: &mut dyn Write) -> io::Result<()> {
        let of = |severity| self.findings.iter().filter(move |f| f.severity == severity);
        for (severity, name) in
            [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")]
        {
            for finding in of(severity) {
                writeln!(out, "{name}: {finding}")?;
            }
        }
        let (errors, warnings) = (of(Severity::Error).count(), of(Severity::Warning).count());
        let verdict = match (errors, self.starts) {
            (0, true) => "a server starts from this",
            (0, false) => "correct, but a server does not start from this",
            _ => "no server starts from this",
        };
        writeln!(out, "{verdict} (errors: {errors}, warnings: {warnings})")?;
        self.against.as_ref().map_or(Ok(()), |against| against.print(out))
    }
}

/// Files with secrets that others may read become findings.
fn secrets(loaded: &mut Loaded) {
    let Some(settings) = &loaded.settings else { return };
    let strict = settings.safety.strict_permissions;
    for file in &settings.secret_files {
        let Some(open) = exposed(&file.path) else { continue };
        let place = Place::whole(&file.path.display().to_string());
        let what = format!("{} that others may read (mode {:04o})", file.what, open.mode);
        let severity = if strict { Severity::Error } else { Severity::Warning };
        loaded.findings.add(severity, &place, "", what, format!("run {}", open.cure));
    }
}

/// A verdict in words.
fn words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Works => "works".to_owned(),
        Verdict::NoMeaning { why } => format!("no meaning here: {why}"),
        Verdict::Refused { why } => format!("refused: {why}"),
        Verdict::Later { why } => format!("not acted upon yet: {why}"),
        Verdict::Unknown { nearest: Some(nearest) } => format!("unknown; did you mean {nearest}?"),
        Verdict::Unknown { nearest: None } => "unknown".to_owned(),
        Verdict::Wrong { why } => format!("wrong: {why}"),
        Verdict::Overridden { by } => format!("overridden by {by}"),
    }
}

fn describe_jaas(jaas: &Jaas) -> Vec<JaasReport> {
    let modules = jaas.sections.iter().flat_map(|s| s.modules.iter().map(move |m| (s, m)));
    modules.map(|(section, module)| describe_module(&section.name, module)).collect()
}

fn describe_module(section: &str, module: &LoginModule) -> JaasReport {
    let kerberos = module.kerberos().unwrap_or_default();
    let login = module.digest_login().map(|(user, _)| user.to_owned());
    let users = module.digest_users().map(|(user, _)| user.to_owned());
    JaasReport {
        section: section.to_owned(),
        line: module.line,
        module: match module.module() {
            Module::Kerberos => "Kerberos",
            Module::IbmKerberos => "Kerberos (IBM's form)",
            Module::Digest => "DIGEST-MD5",
            Module::Other => "a login module that is not built in",
        },
        principal: kerberos.principal,
        keytab: kerberos.keytab.map(|path| path.display().to_string()),
        users: users.chain(login).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    fn report(folder: &Path) -> Report {
        let config = ConfigArgs {
            config: vec![OsString::from(folder.join("zoo.cfg"))],
            property: vec!["zookeeper.snapCount=9".to_owned()],
        };
        Report::new(config.load())
    }

    fn text(report: &Report, folder: &Path) -> String {
        let mut out = Vec::new();
        report.print(&mut out).unwrap();
        String::from_utf8(out).unwrap().replace(&folder.display().to_string(), "DIR")
    }

    #[test]
    fn every_key_flag_and_section_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let zoo = "dataDir=/var/lib/zk\nclientPort=2181\nnio.numWorkerThreads=4\nsnapCount=7\ntickTme=5\n\
                   DigestAuthenticationProvider.superDigest=super:hunter2\n";
        fs::write(dir.join("zoo.cfg"), zoo).unwrap();
        let flags =
            format!("JVMFLAGS='-Xmx1g -Djava.security.auth.login.config={}/jaas.conf'", dir.display());
        fs::write(dir.join("java.env"), flags).unwrap();
        let jaas =
            "Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_bob=\"hunter2\"; };";
        fs::write(dir.join("jaas.conf"), jaas).unwrap();
        for (name, mode) in [("zoo.cfg", 0o600), ("jaas.conf", 0o644)] {
            fs::set_permissions(dir.join(name), Permissions::from_mode(mode)).unwrap();
        }
        let report = report(dir);
        let said = text(&report, dir);
        for line in [
            "DIR/zoo.cfg:\n",
            "    1  dataDir=/var/lib/zk                         works\n",
            "    3  nio.numWorkerThreads=4                      no meaning here: connections are tasks",
            "    4  snapCount=7                                 overridden by command line\n",
            "    5  tickTme=***                                 unknown; did you mean tickTime?\n",
            "    6  DigestAuthenticationProvider.superDigest=***  works\n",
            "       zookeeper.snapCount=9                       works\n",
            "JAAS:\n    1  Server: DIGEST-MD5, users bob\n",
            "       -Xmx1g  (DIR/java.env:1)\n",
            "warning: DIR/zoo.cfg:5: tickTme: unknown key",
            "warning: DIR/jaas.conf: a JAAS file with passwords that others may read (mode 0644) (run chmod go-rwx 'DIR/jaas.conf')\n",
            "a server starts from this (errors: 0, warnings: 2)\n",
        ] {
            assert!(said.contains(line), "{line:?} is not in\n{said}");
        }
        assert!(!said.contains("hunter2"));
        assert_eq!(report.exit_code(), 0);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["starts"], true);
        assert_eq!(json["jaas"][0]["users"][0], "bob");
        assert_eq!(json["ignored_flags"][0]["flag"], "-Xmx1g");
        assert!(!json.to_string().contains("hunter2"));
    }

    #[test]
    fn a_wrong_value_makes_the_exit_code_two() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("zoo.cfg"), "dataDir=/d\nclientPort=x\n").unwrap();
        let report = report(folder.path());
        assert_eq!(report.exit_code(), 2);
        let said = text(&report, folder.path());
        assert!(said.contains("no server starts from this (errors: 1"), "{said}");
    }
}
