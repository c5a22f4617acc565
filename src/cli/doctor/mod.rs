//! `oxkeeper doctor`: why a login, a ticket, a certificate or an ACL does not do what it should.
//!
//! Each sub-command looks at one thing where it is (KDC, keytab, JAAS file, resolver, server) and says what is wrong
//! with a stable code, its cause in a sentence and a cure to copy and paste.
//!
//! # Invariants
//!
//! * Nothing is changed anywhere: no file, no KDC, no znode.
//! * No secret is printed.
//! * Exit code 0: healthy, 1: something was found, 2: wrong usage.

mod acl;
mod acl_audit;
mod client;
pub(in crate::cli) mod codes;
mod enctypes;
pub(in crate::cli) mod here;
mod jaas;
mod kdcs;
mod kerberos;
pub(in crate::cli) mod keytab;
pub(in crate::cli) mod link;
mod map;
mod report;
mod sessions;
mod tls;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use here::Here;
use report::Report;

/// Exit code of a wrong usage.
const WRONG_USAGE: i32 = 2;

/// What was asked cannot be looked at: what is missing.
#[derive(Debug)]
pub struct Usage(pub String);

/// Why does a login, a ticket, a certificate or an ACL not do what it should?
///
/// Each finding has a stable code, its cause and a cure to copy and paste. Nothing is changed. Ends with 0 when all
/// is healthy, with 1 when something was found, with 2 when the usage is wrong.
#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    /// zoo.cfg of the server: its keytab, JAAS file, rules and ports are looked at
    #[arg(long, value_name = "ZOO_CFG", global = true)]
    config: Option<PathBuf>,
    /// A system property, as of Java's command line
    #[arg(short = 'D', value_name = "NAME=VALUE", global = true)]
    property: Vec<String>,
    /// The krb5.conf to look at, instead of the one that would be read
    #[arg(long, value_name = "FILE", global = true)]
    krb5_conf: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    Kerberos(kerberos::KerberosArgs),
    Keytab(keytab::KeytabArgs),
    Jaas(jaas::JaasArgs),
    Map(map::MapArgs),
    Client(client::ClientArgs),
    Tls(tls::TlsArgs),
    Acl(acl::AclArgs),
    AclAudit(acl_audit::AclAuditArgs),
    Sessions(sessions::SessionsArgs),
}

/// Runs `oxkeeper doctor`; the exit code.
pub fn run(args: &DoctorArgs) -> i32 {
    let here = Here::new(args.config.clone(), &args.property, args.krb5_conf.clone());
    here.adopt_krb5_conf();
    let mut report = Report::default();
    here.judge(&mut report);
    let properties = &args.property;
    let looked = match &args.what {
        What::Kerberos(args) => {
            kerberos::run(args, &here, &mut report);
            Ok(())
        }
        What::Keytab(args) => keytab::run(args, &here, &mut report),
        What::Jaas(args) => jaas::run(args, &here, &mut report),
        What::Map(args) => map::run(args, &here, &mut report),
        What::Client(args) => client::run(args, properties, &here, &mut report),
        What::Acl(args) => acl::run(args, properties, &here, &mut report),
        What::Sessions(args) => sessions::run(args, &here, &mut report),
        What::Tls(args) => {
            tls::run(args, &here, &mut report);
            Ok(())
        }
        What::AclAudit(args) => {
            acl_audit::run(args, properties, &here, &mut report);
            Ok(())
        }
    };
    match looked {
        Ok(()) => report.end(args.json),
        Err(Usage(what)) => {
            eprintln!("oxkeeper doctor: {what}");
            WRONG_USAGE
        }
    }
}
