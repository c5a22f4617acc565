//! The metrics listener: `metricsProvider.httpPort` and `httpsPort`.
//!
//! # Invariants
//!
//! * Nothing is behind it but the exposition: whatever else is asked for is not there, or not allowed.
//! * Who reads it needs no identity, as with Java's provider; over TLS a certificate is demanded unless the keys
//!   say otherwise.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::super::{Failure, secure};
use super::{Scraper, only};
use crate::auth::sasl::Refusal;
use crate::config::Settings;
use crate::error::ExitCode;
use crate::limits::METRICS_IDLE_MS;
use crate::net::ListenAddress;
use crate::net::http::{
    Asked, HttpListener, HttpWire, Method, Reply, ReplyBody, Site, StatusCode, header, serve,
};
use crate::server::front::Front;
use crate::tls::{Role, ServerTls};

/// The one page.
const PAGE: &str = "/metrics";
/// The text format of Prometheus.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// What Java's servlet allows, but for TRACE, which its provider forbids.
const ALLOWED: &str = "GET, HEAD, POST, OPTIONS";

/// Ports that are bound and not answered yet.
pub struct MetricsPorts {
    listeners: Vec<HttpListener>,
    tls: Option<Arc<ServerTls>>,
}

impl MetricsPorts {
    /// Binds what the settings ask for; nothing unless the Prometheus provider is chosen.
    ///
    /// # Errors
    ///
    /// A port that cannot be bound, or keys that cannot be used, with the cure.
    pub fn bind(settings: &Settings) -> Result<MetricsPorts, Failure> {
        let metrics = &settings.metrics;
        let mut ports = MetricsPorts { listeners: Vec::new(), tls: None };
        if !metrics.prometheus {
            return Ok(ports);
        }
        if let Some(port) = metrics.http_port {
            ports.listeners.push(listen(settings, "httpPort", port, HttpWire::Plain)?);
        }
        if let Some(port) = metrics.https_port {
            let failure = |e: crate::tls::TlsError| Failure::new(ExitCode::Invocation, e.to_string());
            let (tls, notices) = ServerTls::new(&metrics.tls, Role::Http { prefix: "metricsProvider.ssl." })
                .map_err(failure)?;
            notices.iter().for_each(|notice| warn!("tls: {notice}"));
            let tls = Arc::new(tls);
            ports.listeners.push(listen(settings, "httpsPort", port, HttpWire::Tls(Arc::clone(&tls)))?);
            ports.tls = Some(tls);
        }
        Ok(ports)
    }

    /// Answers scrapes from now on. Called within the runtime of connections.
    ///
    /// # Errors
    ///
    /// The runtime does not take a socket.
    pub fn open(self, settings: &Settings, front: &Arc<Front>) -> Result<Vec<JoinHandle<()>>, Failure> {
        let mut tasks = Vec::new();
        if self.listeners.is_empty() {
            return Ok(tasks);
        }
        let scraper = Arc::new(Scraper::new(settings, Arc::clone(front)));
        for listener in self.listeners {
            let system = |e| Failure::new(ExitCode::Unexpected, format!("cannot serve metrics: {e}"));
            if let Ok(address) = listener.local_addr() {
                info!(%address, "metrics are served");
            }
            tasks.push(serve(listener, Arc::clone(&scraper) as Arc<dyn Site>).map_err(system)?);
        }
        if let Some(tls) = self.tls {
            front.has_keys("metrics", &tls);
            tasks.push(tokio::spawn(secure::reload(Arc::clone(front), "metrics", tls)));
        }
        Ok(tasks)
    }
}

fn listen(settings: &Settings, key: &str, port: u16, wire: HttpWire) -> Result<HttpListener, Failure> {
    let host = Some(settings.metrics.http_host.clone()).filter(|host| !host.is_empty());
    let at = ListenAddress { host, port, backlog: None };
    HttpListener::bind(&at, wire, Duration::from_millis(METRICS_IDLE_MS)).map_err(|e| {
        let text = format!("system: {e}: free the port, or set metricsProvider.{key} to another one");
        Failure::new(ExitCode::Unexpected, text)
    })
}

impl Site for Scraper {
    fn answer(&self, asked: Asked) -> Reply {
        let status = |status| Reply::text(status, "").with(header::ALLOW, ALLOWED);
        if asked.path != PAGE {
            return Reply::text(StatusCode::NOT_FOUND, "metrics are at /metrics\n");
        }
        match asked.method {
            Method::GET | Method::HEAD | Method::POST => {}
            Method::OPTIONS => return status(StatusCode::OK),
            Method::TRACE => return status(StatusCode::FORBIDDEN),
            Method::PUT | Method::DELETE => return status(StatusCode::METHOD_NOT_ALLOWED),
            _ => return status(StatusCode::NOT_IMPLEMENTED),
        }
        let names: Vec<&str> = asked
            .query
            .iter()
            .filter(|(name, _)| name == "name[]")
            .map(|(_, value)| value.as_str())
            .collect();
        let text = if names.is_empty() { self.text() } else { only(&self.text(), &names) };
        let packed = takes_gzip(asked.header(header::ACCEPT_ENCODING)).then(|| packed(&text)).flatten();
        match packed {
            Some(bytes) => Reply::new(StatusCode::OK, FORMAT, ReplyBody::Bytes(bytes.into()))
                .with(header::CONTENT_ENCODING, "gzip"),
            None => Reply::new(StatusCode::OK, FORMAT, ReplyBody::Bytes(Bytes::from(text))),
        }
    }

    fn tls_refused(&self, _peer: SocketAddr, refusal: &Refusal) {
        self.metrics().tls.refused(refusal.reason);
    }
}

/// Does this `Accept-Encoding` take gzip?
fn takes_gzip(accepted: Option<&str>) -> bool {
    accepted.unwrap_or_default().split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f64>().ok());
        named && weight.is_none_or(|weight| weight > 0.0)
    })
}

fn packed(text: &str) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for yes in ["gzip", "deflate, GZIP;q=0.5", "br;q=1.0, gzip; q=1"] {
            assert!(takes_gzip(Some(yes)), "{yes}");
        }
        for no in [None, Some(""), Some("identity"), Some("gzip;q=0"), Some("xgzip")] {
            assert!(!takes_gzip(no), "{no:?}");
        }
    }
}
