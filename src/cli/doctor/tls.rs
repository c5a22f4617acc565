//! `oxkeeper doctor tls`: stores, certificates and what the ports really present.
//!
//! # Invariants
//!
//! * Handshakes are begun and given up; no session is opened.
//! * A peer's certificate is looked at whoever signed it: what it says is told, not trusted.

use std::net::TcpStream;
use std::time::Duration;

use clap::Args;
use openssl::ssl::{HandshakeError, SslConnector, SslMethod, SslRef, SslVerifyMode, SslVersion};
use openssl::x509::X509Ref;

use super::codes::Doc;
use super::here::Here;
use super::kdcs::now;
use super::report::{Finding, Report};
use crate::auth::reason::Reason;
use crate::config::settings::{Store, TlsSide};
use crate::kerberos::kdc::addresses;
use crate::tls::certificate::Certificate;
use crate::tls::material::Material;
use crate::tls::store;

/// Longest wait for a connection or a handshake's step.
const LIMIT: Duration = Duration::from_secs(2);
/// Ends of certificates that are worth a word, days.
const WARN_DAYS: i64 = 30;
const DAY_S: i64 = 86_400;
const VERSIONS: [(SslVersion, &str); 2] = [(SslVersion::TLS1_2, "TLS 1.2"), (SslVersion::TLS1_3, "TLS 1.3")];

/// Key stores, certificates, and what each TLS port presents
#[derive(Debug, Clone, Args)]
pub struct TlsArgs {
    /// A server to look at: host:port [default: secureClientPort of the configuration]
    #[arg(long, value_name = "HOST:PORT")]
    pub server: Option<String>,
}

/// Looks.
pub fn run(args: &TlsArgs, here: &Here, report: &mut Report) {
    let settings = &here.settings;
    let port = settings.client.secure_client_port.filter(|_| here.config.is_some());
    let unified =
        settings.client.client_port.filter(|_| settings.client.port_unification && here.config.is_some());
    if here.config.is_some() {
        stores(&settings.tls.client, report);
        if port.is_none() && unified.is_none() && args.server.is_none() {
            report.find(Finding::warning(
                Doc::TlsOff,
                "neither secureClientPort nor client.portUnification is set",
            ));
        }
    }
    let local = |port: Option<u16>| port.map(|port| format!("localhost:{port}"));
    for server in args.server.clone().into_iter().chain(local(port)).chain(local(unified)) {
        listener(&server, report);
    }
}

/// The files of the configuration, as the server would load them.
fn stores(side: &TlsSide, report: &mut Report) {
    for (name, store) in [("key store", &side.key_store), ("trust store", &side.trust_store)] {
        kind(name, store, report);
    }
    match Material::load(side, "ssl.") {
        Ok(material) => {
            if let Some(ends) = material.own_not_after {
                ending("the server's certificate (ssl.keyStore)", ends, report);
            }
            for der in material.trusted.iter() {
                if let Ok(authority) = Certificate::read(der) {
                    let name = authority.name().unwrap_or_else(|_| "an authority".to_owned());
                    ending(&format!("trusted {name}"), authority.not_after, report);
                }
            }
            material.notices.iter().for_each(|notice| report.fact("notice", notice));
        }
        Err(why) => report.find(Finding::error(Doc::TlsStore, why.to_string())),
    }
}

fn kind(name: &str, of: &Store, report: &mut Report) {
    if let Some(file) = &of.location {
        let kind = store::kind_of(of, file).map_or_else(|e| e.to_string(), |kind| format!("{kind:?}"));
        report.fact(name, format!("{} ({kind})", file.display()));
    }
}

fn ending(what: &str, ends: i64, report: &mut Report) {
    let left = ends - now();
    match left / DAY_S {
        _ if left <= 0 => {
            let what = format!("{what} ended {} days ago", -left / DAY_S);
            report.find(Finding::error(Reason::TlsExpired, what));
        }
        days if days < WARN_DAYS => {
            report.find(Finding::warning(Doc::TlsEnds, format!("{what} ends in {days} days")));
        }
        days => report.fact(what, format!("lives {days} days")),
    }
}

/// One port, by each version.
fn listener(server: &str, report: &mut Report) {
    let Some((host, port)) = server.rsplit_once(':').and_then(|(h, p)| Some((h, p.parse().ok()?))) else {
        return report
            .find(Finding::error(Doc::ServerUnreachable, format!("{server}: not of the form host:port")));
    };
    let address = match addresses(host, port, LIMIT) {
        Ok(found) => found.first().copied(),
        Err(why) => return report.find(Finding::error(Doc::ServerUnreachable, format!("{server}: {why}"))),
    };
    let Some(address) = address else { return };
    let mut names = None;
    let mut failures = Vec::new();
    for (version, name) in VERSIONS {
        let stream = match TcpStream::connect_timeout(&address, LIMIT) {
            Ok(stream) => stream,
            Err(why) => {
                return report.find(Finding::error(Doc::ServerUnreachable, format!("{server}: {why}")));
            }
        };
        match shake(stream, version) {
            Ok(seen) => {
                report.fact(format!("{server} {name}"), &seen.how);
                names = names.or(seen.presented);
            }
            Err(why) => {
                report.fact(format!("{server} {name}"), &why);
                failures.push(why);
            }
        }
    }
    match names {
        Some((subject, hosts, ends)) => {
            report.fact(format!("{server} certificate"), format!("{subject}; for {hosts}"));
            ending(&format!("{server} certificate"), ends, report);
            if !hosts.split(", ").any(|h| h.eq_ignore_ascii_case(host) || h == address.ip().to_string()) {
                let what = format!("{server} presents a certificate for {hosts}");
                let cure =
                    format!("issue it with subject alternative name DNS:{host} or IP:{}", address.ip());
                report.find(Finding::warning(Reason::TlsHost, what).cure(cure));
            }
        }
        None => {
            let what = format!("{server}: {}", failures.first().map_or("no certificate", String::as_str));
            report.find(
                Finding::error(Reason::TlsHandshake, what)
                    .cure("check that this is a TLS port, and the server's log"),
            );
        }
    }
}

/// Subject, hosts, last second.
type Presented = (String, String, i64);

struct Seen {
    how: String,
    presented: Option<Presented>,
}

fn shake(stream: TcpStream, version: SslVersion) -> Result<Seen, String> {
    let text = |e: openssl::error::ErrorStack| e.to_string();
    for limit in [stream.set_read_timeout(Some(LIMIT)), stream.set_write_timeout(Some(LIMIT))] {
        limit.map_err(|e| e.to_string())?;
    }
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(text)?;
    builder.set_verify(SslVerifyMode::NONE);
    builder.set_min_proto_version(Some(version)).map_err(text)?;
    builder.set_max_proto_version(Some(version)).map_err(text)?;
    let connect =
        builder.build().configure().map_err(text)?.verify_hostname(false).use_server_name_indication(false);
    match connect.connect("", stream) {
        Ok(stream) => {
            let cipher = stream.ssl().current_cipher().map_or("no cipher", |c| c.name());
            Ok(Seen { how: format!("yes, {cipher}"), presented: presented(stream.ssl()) })
        }
        // Without a certificate of ours the server may give up behind its own.
        Err(HandshakeError::Failure(half)) => match presented(half.ssl()) {
            Some(seen) => Ok(Seen {
                how: format!("yes, and a client certificate is demanded ({})", half.error()),
                presented: Some(seen),
            }),
            None => Err(format!("no: {}", half.error())),
        },
        Err(why) => Err(format!("no: {why}")),
    }
}

fn presented(ssl: &SslRef) -> Option<Presented> {
    let certificate = ssl.peer_certificate()?;
    let der = certificate.to_der().ok()?;
    let read = Certificate::read(&der).ok()?;
    Some((read.name().unwrap_or_default(), hosts(&certificate), read.not_after))
}

/// The hosts of the subject alternative name.
fn hosts(certificate: &X509Ref) -> String {
    let names = certificate.subject_alt_names();
    let mut hosts = Vec::new();
    for name in names.iter().flatten() {
        if let Some(dns) = name.dnsname() {
            hosts.push(dns.to_owned());
        }
        match name.ipaddress() {
            Some([a, b, c, d]) => hosts.push(format!("{a}.{b}.{c}.{d}")),
            Some(bytes) => {
                if let Ok(v6) = <[u8; 16]>::try_from(bytes) {
                    hosts.push(std::net::Ipv6Addr::from(v6).to_string());
                }
            }
            None => {}
        }
    }
    if hosts.is_empty() { "no host".to_owned() } else { hosts.join(", ") }
}
