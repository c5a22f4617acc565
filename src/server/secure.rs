//! TLS of the client ports: acceptor, identities of certificates, refusals; hot reload of these and of the HTTP ports.
//!
//! # Invariants
//!
//! * A connection has the identities of its certificate before its connect request.
//! * Refusals are logged a few times a second, with code, cause and cure; what the peer sent is escaped.
//! * A look at the files never blocks a connection; files that cannot be used change nothing but a
//!   metric and one log line.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tracing::{info, warn};

use super::Failure;
use super::front::Front;
use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::auth::x509_identities;
use crate::config::Settings;
use crate::error::ExitCode;
use crate::limits::{REFUSALS_LOGGED_PER_SECOND, TLS_RELOAD_MS};
use crate::net::{Peer, Wire};
use crate::os::clock;
use crate::replica::Conn;
use crate::tls::{Polled, Role, ServerTls, TlsError, X509Identity};

/// The client ports, in logs and metrics.
pub const CLIENT: &str = "client";

/// What the front knows of TLS.
pub struct SecureClients {
    tls: Option<Arc<ServerTls>>,
    super_user: Option<String>,
    early_drop: bool,
    reload: bool,
    logged: Mutex<(u64, u32)>,
}

impl SecureClients {
    /// Sets up TLS, if a client port has it.
    ///
    /// # Errors
    ///
    /// The file or key at fault with its cure.
    pub fn new(settings: &Settings) -> Result<SecureClients, Failure> {
        let client = &settings.client;
        let used = client.secure_client_port.is_some() || client.port_unification;
        let scheme = &settings.auth.ssl_auth_provider;
        if used && scheme != "x509" {
            let what = format!(
                "ssl.authProvider={}: certificates name clients by x509 alone",
                scheme.escape_debug()
            );
            return Err(failure(&TlsError::config(what, "drop it")));
        }
        let tls = used.then(|| acceptor(settings)).transpose().map_err(|e| failure(&e))?;
        Ok(SecureClients {
            tls: tls.map(Arc::new),
            super_user: settings.auth.x509_super_user.clone(),
            early_drop: client.early_drop_secure_connection_handshakes,
            reload: client.cert_reload,
            logged: Mutex::default(),
        })
    }

    /// What the TLS port speaks; `None` without TLS.
    pub fn secure_wire(&self) -> Option<Wire> {
        let tls = self.tls.as_ref()?;
        Some(Wire::Tls { tls: Arc::clone(tls), early_drop: self.early_drop })
    }

    /// What the plain port speaks.
    pub fn plain_wire(&self, unified: bool) -> Wire {
        match &self.tls {
            Some(tls) if unified => Wire::Either(Arc::clone(tls)),
            Some(_) => Wire::PlainBesideTls,
            None => Wire::Plain,
        }
    }

    /// Handshakes under way.
    pub fn handshakes(&self) -> usize {
        self.tls.as_ref().map_or(0, |tls| tls.handshakes())
    }

    /// Last second of the server certificate's validity, Unix time.
    pub fn own_not_after(&self) -> Option<i64> {
        self.tls.as_ref().and_then(|tls| tls.own_not_after())
    }

    fn may_log(&self) -> bool {
        let second = clock::mono().millis() / 1000;
        let mut logged = self.logged.lock();
        if logged.0 != second {
            *logged = (second, 0);
        }
        logged.1 += 1;
        logged.1 <= REFUSALS_LOGGED_PER_SECOND
    }
}

fn acceptor(settings: &Settings) -> Result<ServerTls, TlsError> {
    let (tls, notices) = ServerTls::new(&settings.tls.client, Role::Client)?;
    notices.iter().for_each(|notice| warn!("tls: {notice}"));
    Ok(match settings.client.outstanding_handshake_limit {
        Some(limit) => tls.with_handshakes(limit as usize),
        None => tls,
    })
}

fn failure(e: &TlsError) -> Failure {
    Failure::new(ExitCode::Invocation, e.to_string())
}

/// A handshake is done: the connection gets what its certificate proves.
pub fn secured(front: &Front, conn: &Conn, identity: Option<&X509Identity>) {
    conn.set_encrypted();
    if let Some(identity) = identity {
        conn.add_identities(x509_identities(&identity.name, front.tls.super_user.as_deref()));
        if let Some(audit) = front.audit() {
            audit.authenticated(conn, "x509", Some(&identity.name), None);
        }
    }
}

/// A handshake was refused: counted, and told to the operator.
pub fn refused(front: &Front, peer: Peer, refusal: &Refusal) {
    let metrics = &front.metrics;
    if let Some(audit) = front.audit() {
        audit.refused_at(peer.ip, "tls", refusal);
    }
    metrics.tls.refused(refusal.reason);
    if refusal.reason == Reason::TlsBusy {
        metrics.tls_handshake_exceeded.inc();
    } else {
        metrics.unsuccessful_handshake.inc();
        metrics.stats.auth_failed.inc();
    }
    if front.tls.may_log() {
        let Refusal { reason, who, detail } = refusal;
        let who = who.as_deref().unwrap_or("unknown").escape_debug().to_string();
        let (cause, cure, detail) = (reason.cause(), reason.cure(), detail.escape_debug().to_string());
        warn!(%peer, %reason, who, detail, "TLS client refused: {cause}; {cure}");
    }
}

/// Looks at the client ports' files until the task is aborted, where that is switched on.
pub async fn reload_loop(front: Arc<Front>) {
    if let Some(tls) = front.tls.tls.clone().filter(|_| front.tls.reload) {
        reload(front, CLIENT, tls).await;
    }
}

/// Looks at the files of a port until the task is aborted.
pub async fn reload(front: Arc<Front>, port: &'static str, tls: Arc<ServerTls>) {
    loop {
        tokio::time::sleep(Duration::from_millis(TLS_RELOAD_MS)).await;
        let (front, tls) = (Arc::clone(&front), Arc::clone(&tls));
        if tokio::task::spawn_blocking(move || look_at(&front, port, &tls)).await.is_err() {
            return;
        }
    }
}

/// Looks at the files of the client and HTTP ports now, and takes over what has changed.
pub fn look(front: &Front) {
    if let Some(tls) = &front.tls.tls {
        look_at(front, CLIENT, tls);
    }
    for (port, tls) in front.keyed() {
        look_at(front, port, &tls);
    }
}

fn look_at(front: &Front, port: &str, tls: &ServerTls) {
    match tls.poll() {
        Polled::Unchanged => {}
        Polled::Reloaded(notices) => {
            front.metrics.tls.reloaded();
            notices.iter().for_each(|notice| warn!(port, "tls: {notice}"));
            info!(
                port,
                "tls: changed key store, trust store or revocation lists are in use for new connections"
            );
        }
        Polled::Kept(e) => {
            front.metrics.tls.reload_failed();
            warn!(port, "{e}; what was in use stays in use");
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::super::status::Facts;
    use super::*;
    use crate::config::settings::ClientAuth;
    use crate::metrics::{Metrics, Provider};

    /// Writes a key with a certificate that ends in `year`.
    fn write(path: &std::path::Path, year: i32) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let text = params.self_signed(&key).expect("a certificate").pem() + &key.serialize_pem();
        std::fs::write(path, text).expect("written");
    }

    /// No task looks every second here: a reload looks by itself, and at every port.
    #[test]
    fn a_look_takes_over_the_keys_of_http_ports_and_keeps_what_it_cannot_replace() {
        let home = tempfile::tempdir().expect("a directory");
        let settings = Settings::default();
        let metrics = Arc::new(Metrics::new(Provider::Prometheus));
        let clients = SecureClients::new(&settings).expect("no TLS");
        let front = Front::new(&settings, metrics, Facts::new(&settings), clients);
        for port in ["admin", "metrics"] {
            let key = home.path().join(port);
            write(&key, 2050);
            let mut side = settings.tls.quorum.clone();
            side.client_auth = ClientAuth::None;
            side.key_store.location = Some(key.clone());
            side.key_store.kind = Some(crate::config::settings::StoreKind::Pem);
            let (tls, _) = ServerTls::new(&side, Role::Http { prefix: "ssl." }).expect("good keys");
            front.has_keys(port, &Arc::new(tls));
        }
        let years = |front: &Front| -> Vec<(&str, i64)> {
            let ends = front.certificates().into_iter();
            ends.map(|(port, end)| (port, 1970 + (end + 86_400) / 31_556_952)).collect()
        };
        assert_eq!(years(&front), [("admin", 2050), ("metrics", 2050)]);
        write(&home.path().join("admin"), 2060);
        std::fs::write(home.path().join("metrics"), "no keys").expect("written");
        look(&front);
        assert_eq!(years(&front), [("admin", 2060), ("metrics", 2050)]);
        assert_eq!(front.metrics.tls.reloads(), (1, 1));
    }
}
