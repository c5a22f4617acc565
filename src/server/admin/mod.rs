//! The HTTP admin server: from settings to an open port.
//!
//! | module | |
//! |---|---|
//! | `site` | who may ask what, and where it is answered |
//! | [`identity`] | who asks, and what he may do |
//! | [`source`] | what commands are told |
//! | [`snapshots`] | snapshot and restore |
//! | `shed` | shed_connections |
//! | `probes` | probes of orchestrators and load balancers |
//! | `pages` | the console |
//!
//! # Invariants
//!
//! * It is opened behind the client ports, and answers before the server serves.
//! * A port that was asked for and cannot be had ends the start; the default port that somebody else has
//!   costs a warning.

pub mod identity;
mod pages;
mod probes;
mod shed;
mod site;
pub mod snapshots;
pub mod source;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::front::Front;
use super::{Failure, secure};
use crate::auth::Providers;
use crate::auth::names::NamePolicy;
use crate::config::Settings;
use crate::config::settings::{AdminAuth, ClientAuth};
use crate::error::ExitCode;
use crate::kerberos::server::NoMeters;
use crate::kerberos::spnego::Spnego;
use crate::kerberos::{self, GssapiConfig};
use crate::net::ListenAddress;
use crate::net::http::{HttpListener, HttpWire, serve};
use crate::tls::{Role, ServerTls};
use identity::Gatekeeper;
use site::AdminSite;
use snapshots::Snapshots;
use source::Told;

/// The replay cache of logins over HTTP: a file of this server alone, in its data directory.
const REPLAY_CACHE: &str = "krb5.http.rcache2";

/// Opens the admin server, where there is one; its tasks.
///
/// # Errors
///
/// A port, key store or keytab that was asked for and cannot be used.
pub fn open(
    settings: &Settings,
    front: &Arc<Front>,
    providers: &Providers,
    names: &Arc<NamePolicy>,
) -> Result<Vec<JoinHandle<()>>, Failure> {
    let admin = &settings.admin;
    if !admin.enable_server {
        return Ok(Vec::new());
    }
    let tls = wire(settings)?;
    let wire = match &tls {
        None => HttpWire::Plain,
        Some(tls) if admin.force_https => HttpWire::Tls(Arc::clone(tls)),
        Some(tls) => HttpWire::Either(Arc::clone(tls)),
    };
    let host = (admin.server_address != "0.0.0.0").then(|| admin.server_address.clone());
    let at = ListenAddress { host, port: admin.server_port, backlog: None };
    let idle = Duration::from_millis(u64::from(admin.idle_timeout));
    let listener = match HttpListener::bind(&at, wire, idle) {
        Ok(listener) => listener,
        Err(e) => {
            let (host, port) = (&admin.server_address, admin.server_port);
            let cure = "change admin.serverPort, or set admin.enableServer=false";
            let text = format!("config: the admin server cannot listen on {host}:{port}: {e}: {cure}");
            if admin.is_written {
                return Err(Failure::new(ExitCode::AdminServer, text));
            }
            warn!("{text}; the server goes on without");
            return Ok(Vec::new());
        }
    };
    let failed = |e: std::io::Error| Failure::new(ExitCode::AdminServer, format!("the admin server: {e}"));
    let local = listener.local_addr().map_err(failed)?;
    let spnego = admin.auth.kerberos.then(|| spnego(settings, names)).transpose()?;
    let open = !admin.auth.is_written && is_loopback(local.ip());
    let site = AdminSite {
        front: Arc::clone(front),
        gatekeeper: Gatekeeper::new(&admin.auth, providers, spnego, settings.auth.x509_super_user.clone()),
        commands: admin.command_url.trim_end_matches('/').to_owned(),
        open,
        host: admin.server_address.clone(),
        told: Told::of(settings),
        snapshots: Snapshots::new(settings),
    };
    let whom = if open { "everybody on this machine" } else { "whoever has a role (admin.auth.*)" };
    info!(address = %local, commands = admin.command_url, "the admin server is open to {whom}");
    let mut tasks = vec![serve(listener, Arc::new(site)).map_err(failed)?];
    if let Some(tls) = tls {
        front.has_keys("admin", &tls);
        tasks.push(tokio::spawn(secure::reload(Arc::clone(front), "admin", tls)));
    }
    Ok(tasks)
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// TLS by the keys of the connections between servers (`ssl.quorum.*`), as in ZooKeeper.
fn wire(settings: &Settings) -> Result<Option<Arc<ServerTls>>, Failure> {
    let admin = &settings.admin;
    if !admin.port_unification && !admin.force_https {
        return Ok(None);
    }
    let mut side = settings.tls.quorum.clone();
    side.client_auth = match admin {
        admin if admin.need_client_auth => ClientAuth::Need,
        admin if admin.auth.x509 => ClientAuth::Want,
        _ => ClientAuth::None,
    };
    let tls = ServerTls::new(&side, Role::Http { prefix: "ssl.quorum." });
    let (tls, notices) =
        tls.map_err(|e| Failure::new(ExitCode::AdminServer, format!("the admin server: {e}")))?;
    notices.iter().for_each(|notice| warn!("admin server: tls: {notice}"));
    Ok(Some(Arc::new(tls)))
}

/// Logins by Kerberos over HTTP.
fn spnego(settings: &Settings, names: &Arc<NamePolicy>) -> Result<Spnego, Failure> {
    let auth: &AdminAuth = &settings.admin.auth;
    let refused = |text: String| Failure::new(ExitCode::AdminServer, text);
    let policy = Arc::clone(names);
    let map: kerberos::server::Names = Arc::new(move |mechanism, name: &str| policy.id(mechanism, name));
    let meters = Arc::new(NoMeters);
    let own = match &auth.kerberos_keytab {
        Some(keytab) => Some(keytab.clone()),
        None => {
            let clients = kerberos::config::of(settings, Arc::clone(&map), Arc::clone(&meters) as _);
            clients.map_err(|e| refused(e.to_string()))?.gssapi.map(|gssapi| gssapi.keytab)
        }
    };
    let keytab = own.ok_or_else(|| {
        refused(
            "config: admin.auth.kerberos needs a keytab: name it by admin.auth.kerberos.keytab".to_owned(),
        )
    })?;
    let replay_cache = Some(settings.storage.data_dir.join(REPLAY_CACHE));
    let config = GssapiConfig { keytab, principal: auth.kerberos_principal.clone(), replay_cache };
    Spnego::open(&config, map, meters).map_err(|e| refused(format!("the admin server: {e}")))
}
