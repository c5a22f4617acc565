//! Connecting by TLS: the shell, `status`, and servers to servers.
//!
//! # Invariants
//!
//! * The certificate of the other side is verified, and its name is that of the host that was asked
//!   for, unless `hostnameVerification=false` says that the name does not matter.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::TlsError;
use super::fips::FIPS;
use super::hosts::server_name;
use super::material::{Material, files};
use super::peers::Servers;
use super::refusal;
use super::server::{Polled, Role};
use super::watch::Look;
use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::config::settings::TlsSide;
use crate::limits::TLS_HANDSHAKE_MS;

/// One connector.
pub struct ClientTls {
    side: TlsSide,
    prefix: &'static str,
    current: ArcSwap<ClientConfig>,
    looked: Mutex<Look>,
}

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClientTls({})", self.prefix)
    }
}

impl ClientTls {
    /// A connector by the keys of a side, and what an operator should know.
    ///
    /// # Errors
    ///
    /// The file or key at fault with its cure.
    pub fn new(side: &TlsSide, role: &Role) -> Result<(ClientTls, Vec<String>), TlsError> {
        let (prefix, looked) = (role.prefix(), Look::at(&files(side)));
        let material = Material::load(side, prefix)?;
        let config = configure(side, prefix, &material)?;
        let current = ArcSwap::from_pointee(config);
        let tls = ClientTls { side: side.clone(), prefix, current, looked: Mutex::new(looked) };
        Ok((tls, material.notices))
    }

    /// Looks at the files and reloads if one has changed. Blocks.
    pub fn poll(&self) -> Polled {
        let look = Look::at(&files(&self.side));
        if std::mem::replace(&mut *self.looked.lock(), look.clone()) == look {
            return Polled::Unchanged;
        }
        let loaded = Material::load(&self.side, self.prefix)
            .and_then(|material| Ok((configure(&self.side, self.prefix, &material)?, material.notices)));
        match loaded {
            Ok((config, notices)) => {
                self.current.store(Arc::new(config));
                Polled::Reloaded(notices)
            }
            Err(e) => Polled::Kept(e),
        }
    }

    /// Runs the handshake with `host`, which is the name or address that was configured for it.
    ///
    /// # Errors
    ///
    /// Why the other side is refused, or refuses us.
    pub async fn connect<S>(&self, stream: S, host: &str) -> Result<TlsStream<S>, Refusal>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = server_name(host).ok_or_else(|| {
            Refusal::new(
                Reason::TlsHost,
                format!("{} is neither a DNS name nor an address", host.escape_debug()),
            )
        })?;
        let connector = TlsConnector::from(self.current.load_full());
        let limit = Duration::from_millis(TLS_HANDSHAKE_MS);
        match tokio::time::timeout(limit, connector.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(e)) => Err(refusal::of_io(&e)),
            Err(_) => Err(refusal::of_io(&io::ErrorKind::TimedOut.into())),
        }
    }
}

fn configure(side: &TlsSide, prefix: &str, material: &Material) -> Result<ClientConfig, TlsError> {
    if material.roots.is_empty() {
        let what = format!("{prefix}trustStore.location is not set");
        return Err(TlsError::config(what, "name the file with the authority of the servers' certificates"));
    }
    let builder = ClientConfig::builder_with_provider(Arc::clone(&material.engine.provider))
        .with_protocol_versions(&material.engine.versions)
        .map_err(|e| TlsError::config(format!("{prefix}*: {e}"), "check protocols and cipher suites"))?;
    let verifier = Servers::new(material, side.hostname_verification)?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match material.own.clone() {
        Some(own) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))),
        None => builder.with_no_client_auth(),
    };
    config.require_ems = FIPS;
    // A tool connects seldom, and a full handshake shows a certificate that was renewed.
    config.resumption = Resumption::disabled();
    Ok(config)
}
