//! `oxkeeper doctor client <connect string>`: which service each kind of client would ask a ticket for.
//!
//! # Invariants
//!
//! * Names are built as Java's client (`SaslServerPrincipal`), the C client and kazoo (libkrb5's host-based names)
//!   build them.

use std::net::{IpAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Usage;
use super::codes::Doc;
use super::here::Here;
use super::kdcs::{self, Kdc};
use super::report::{Finding, Report};
use crate::auth::reason::Reason;
use crate::client::{ConnectString, HostPort};
use crate::kerberos::initiator::ServiceRule;
use crate::kerberos::{kdc::addresses, keytab, krb5_ffi, resolver};

/// Longest wait for a name or a connection.
const LIMIT: Duration = Duration::from_secs(2);
/// Servers of a connect string that are looked at.
const MOST: usize = 9;

/// The service that Java, C and kazoo clients would ask a ticket for
#[derive(Debug, Clone, Args)]
pub struct ClientArgs {
    /// Connect string: host:port,host:port/chroot
    pub servers: String,
    /// Keytab of the servers, to compare with [default: that of the server's configuration]
    #[arg(long)]
    pub keytab: Option<PathBuf>,
}

/// Looks.
///
/// # Errors
///
/// The connect string cannot be read.
pub fn run(args: &ClientArgs, properties: &[String], here: &Here, report: &mut Report) -> Result<(), Usage> {
    let servers = ConnectString::parse(&args.servers).map_err(|e| Usage(e.to_string()))?.servers;
    here.judge_krb5(report);
    let Some(realm) = here.krb5.default_realm() else { return Ok(()) };
    let keytab = args.keytab.clone().or_else(|| here.keytab());
    let held = keytab.as_ref().and_then(|file| super::keytab::open(file, report));
    let held = held.map(|keytab: keytab::Keytab| keytab.principals());
    let kdc = kdcs::find(here, realm);
    if kdc.is_none() {
        let what = format!("names are not compared with the KDC: none of {realm} answers");
        report.find(Finding::warning(Doc::KdcUnreachable, what).cure("oxkeeper doctor kerberos"));
    }
    let rule = rule(properties);
    for server in servers.iter().take(MOST) {
        Look { server, realm, held: held.as_deref(), kdc, rule: &rule, here }.run(report);
    }
    Ok(())
}

/// What a Java client was told by properties.
fn rule(properties: &[String]) -> ServiceRule {
    let of = |name: &str| {
        let found = properties.iter().filter_map(|p| p.split_once('=')).find(|(n, _)| *n == name);
        found.map(|(_, value)| value.to_owned())
    };
    let plain = ServiceRule::default();
    ServiceRule {
        principal: of("zookeeper.server.principal"),
        username: of("zookeeper.sasl.client.username").unwrap_or(plain.username),
        canonicalize: of("zookeeper.sasl.client.canonicalize.hostname").is_none_or(|v| v == "true"),
        realm: of("zookeeper.server.realm"),
    }
}

struct Look<'a> {
    server: &'a HostPort,
    realm: &'a str,
    held: Option<&'a [String]>,
    kdc: Option<Kdc>,
    rule: &'a ServiceRule,
    here: &'a Here,
}

impl Look<'_> {
    fn run(&self, report: &mut Report) {
        let HostPort { host, port } = self.server;
        let found = addresses(host, *port, LIMIT);
        let address = found.as_ref().ok().and_then(|all| all.first().copied());
        match (&found, address) {
            (Ok(_), Some(address)) => {
                if let Err(why) = TcpStream::connect_timeout(&address, LIMIT) {
                    report.find(Finding::error(Doc::ServerUnreachable, format!("{}: {why}", self.server)));
                }
            }
            (found, _) => {
                let why = found.as_ref().err().cloned().unwrap_or_default();
                report.find(Finding::error(Doc::ServerUnreachable, format!("{}: {why}", self.server)));
            }
        }
        // Java asks for the address's own name, whatever krb5.conf says.
        let java = address.and_then(|a| bounded(move || resolver::name_of(a)));
        let java = self.rule.name(host, java.as_deref(), self.realm);
        let typed = host.clone();
        let native = bounded(move || krb5_ffi::canonical_host(&typed).ok()).unwrap_or_else(|| host.clone());
        let native = format!("zookeeper/{native}@{}", self.here.krb5.realm_of(&native).unwrap_or(self.realm));
        report.fact(format!("{} Java", self.server), &java);
        report.fact(format!("{} C, kazoo", self.server), &native);
        for (clients, name) in [("Java", &java), ("C and kazoo", &native)] {
            self.judge(clients, name, report);
        }
    }

    fn judge(&self, clients: &str, name: &str, report: &mut Report) {
        let (local, realm) = name.rsplit_once('@').unwrap_or((name, self.realm));
        let held = self.held.map(|held| held.iter().any(|h| h == name));
        let known = self.kdc.and_then(|kdc| kdc.knows(local, realm));
        let what = match (held, known) {
            (Some(false), _) => {
                format!("{}: {clients} clients ask for {name}, which is not in the keytab", self.server)
            }
            (None, Some(false)) => format!(
                "{}: {clients} clients ask for {name}, which the KDC does not know (Server not found in Kerberos \
                 database)",
                self.server
            ),
            (Some(true), Some(false)) => {
                format!("{}: the keytab has {name}, and the KDC does not know it", self.server)
            }
            _ => return,
        };
        let finding = Finding::error(Reason::KrbWrongService, what);
        report.find(match (self.better(), clients) {
            (None, _) => finding.cure(format!(
                "at the KDC: kadmin.local -q 'addprinc -randkey {name}' and ktadd it to the server's keytab"
            )),
            (Some(better), "Java") => finding.cure(format!("-Dzookeeper.server.principal={better}")),
            (Some(better), _) => {
                let host = better.split(['/', '@']).nth(1).unwrap_or_default();
                let address = match self.server.host.parse::<IpAddr>() {
                    Ok(ip) => ip.to_string(),
                    Err(_) => "<address>".to_owned(),
                };
                finding.cure(format!(
                    "connect to {host} (in /etc/hosts: {address} {host}; krb5.conf: dns_canonicalize_hostname = \
                     false), or ktadd {name} to the server's keytab"
                ))
            }
        });
    }

    /// The service's real name: of the keytab, or what FusionInsight and MRS call it.
    fn better(&self) -> Option<String> {
        let of_service = |name: &&String| name.starts_with("zookeeper/");
        if let Some(name) = self.held.and_then(|held| held.iter().find(of_service)) {
            return Some(name.clone());
        }
        let mrs = format!("zookeeper/hadoop.{}", self.realm.to_lowercase());
        let known = self.kdc?.knows(&mrs, self.realm) == Some(true);
        known.then(|| format!("{mrs}@{}", self.realm))
    }
}

/// What the resolver says within the limit.
fn bounded(ask: impl FnOnce() -> Option<String> + Send + 'static) -> Option<String> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let resolver = std::thread::Builder::new().name("resolver".to_owned());
    // Nobody listens any more if this took too long.
    resolver.spawn(move || drop(sender.send(ask()))).ok()?;
    receiver.recv_timeout(LIMIT).ok().flatten()
}
