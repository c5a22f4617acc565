//! Connecting by TLS, set up by the properties of Java's client: `zookeeper.client.secure=true` and
//! `zookeeper.ssl.*`.
//!
//! # Invariants
//!
//! * Whoever asks for TLS gets TLS or an error, never a plain connection.

use super::connect_string::HostPort;
use super::error::ClientError;
use super::stream::{Boxed, ByteStream, Connector, Tcp};
use crate::auth::sasl::Refusal;
use crate::config::settings::TlsSide;
use crate::tls::{ClientTls, Role};
use std::io;
use std::sync::Arc;

/// The property that asks for TLS.
pub const SECURE: &str = "zookeeper.client.secure";

/// TLS over TCP.
#[derive(Debug)]
pub struct TlsConnector(ClientTls);

impl TlsConnector {
    /// A connector by the keys `ssl.*`, and what its user should know.
    ///
    /// # Errors
    ///
    /// The file or key at fault with its cure.
    pub fn new(side: &TlsSide) -> Result<(TlsConnector, Vec<String>), ClientError> {
        let tls = ClientTls::new(side, &Role::Client);
        tls.map(|(tls, notices)| (TlsConnector(tls), notices)).map_err(|e| ClientError::Config(e.to_string()))
    }

    /// A connector by properties, if they ask for TLS.
    ///
    /// # Errors
    ///
    /// A property has a wrong value, or a file cannot be used.
    pub fn by_properties(
        property: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Arc<dyn Connector>>, ClientError> {
        if !property(SECURE).is_some_and(|v| v.trim().eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let side = TlsSide::of_properties("ssl.", property).map_err(ClientError::Config)?;
        Ok(Some(Arc::new(TlsConnector::new(&side)?.0)))
    }
}

impl Connector for TlsConnector {
    fn connect<'a>(&'a self, server: &'a HostPort) -> Boxed<'a, io::Result<Box<dyn ByteStream>>> {
        Box::pin(async move {
            let stream = Tcp.connect(server).await?;
            let stream = self.0.connect(stream, &server.host).await.map_err(|refusal| told(&refusal))?;
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        })
    }
}

/// A refusal in one sentence with its cure.
fn told(refusal: &Refusal) -> io::Error {
    let Refusal { reason, detail, .. } = refusal;
    io::Error::other(format!("{reason}: {}; {} ({})", reason.cause(), reason.cure(), detail.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_never_dropped_silently() {
        let of = |entries: &'static [(&str, &str)]| {
            let find = |name: &str| entries.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            TlsConnector::by_properties(&find).map(|c| c.is_some()).map_err(|e| e.to_string())
        };
        assert_eq!(of(&[]), Ok(false));
        assert_eq!(of(&[(SECURE, "false"), ("zookeeper.ssl.trustStore.location", "/no")]), Ok(false));
        assert!(of(&[(SECURE, "TRUE")]).unwrap_err().contains("ssl.trustStore.location"));
        let missing = of(&[(SECURE, "true"), ("zookeeper.ssl.trustStore.location", "/no/such.pem")]);
        assert!(missing.unwrap_err().contains("/no/such.pem"));
        let wrong = of(&[(SECURE, "true"), ("zookeeper.ssl.hostnameVerification", "maybe")]);
        assert!(wrong.unwrap_err().contains("ssl.hostnameVerification"));
    }
}
