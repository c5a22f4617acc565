//! The HTTP ports over TLS: real scrapes, who is refused, and certificates exchanged by a reload.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::need;
use crate::pki::{Authority, Pki, eventually, has};
use crate::rotate::shown;
use crate::support::{Kind, Server, ports, process};

/// Longest run of curl.
const LIMIT: Duration = Duration::from_secs(60);

/// The TLS ports of a server with their key stores.
struct Ports {
    client: u16,
    admin: u16,
    metrics: u16,
}

impl Ports {
    fn all(&self) -> [(&'static str, u16); 3] {
        [("server.pem", self.client), ("admin.pem", self.admin), ("metrics.pem", self.metrics)]
    }
}

/// A server whose three ports have three certificates.
fn start(pki: &Pki) -> (Server, Ports) {
    let (spec, client) = pki.spec("server.pem", "ca.pem");
    let ports = Ports { client, admin: ports::free(), metrics: ports::free() };
    let mut spec = spec
        .cfg("metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider")
        .cfg("metricsProvider.httpHost=127.0.0.1")
        .cfg(&format!("metricsProvider.httpsPort={}", ports.metrics))
        .cfg("admin.enableServer=true")
        .cfg("admin.serverAddress=127.0.0.1")
        .cfg(&format!("admin.serverPort={}", ports.admin))
        .cfg("admin.forceHttps=true");
    for (prefix, key) in [("metricsProvider.ssl", "metrics.pem"), ("ssl.quorum", "admin.pem")] {
        for (store, file) in [("keyStore", key), ("trustStore", "ca.pem")] {
            spec = spec.cfg(&format!("{prefix}.{store}.location={}", pki.path(file).display()));
        }
    }
    (Server::start(Kind::Oxkeeper, &spec).expect("the server serves"), ports)
}

/// What curl gets from the metrics port: status (0 without an answer) and body.
fn scrape(pki: &Pki, port: u16, key: Option<&str>) -> (u16, String) {
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "30", "-w", "\n%{http_code}", "--cacert"]).arg(pki.path("ca.pem"));
    if let Some(key) = key {
        command.arg("--cert").arg(pki.path(key)).arg("--key").arg(pki.path(key));
    }
    command.arg(format!("https://localhost:{port}/metrics"));
    let (_, printed) = process::run(command, None, LIMIT).expect("curl runs");
    // What curl says of an error may stand behind the status.
    let (body, rest) = printed.rsplit_once("\n").map_or(("", printed.as_str()), |parts| parts);
    match rest.trim().parse() {
        Ok(status) => (status, body.to_owned()),
        Err(_) => (0, printed),
    }
}

/// Days that the certificate of a port has left, by the metrics.
fn days_left(text: &str, port: &str) -> Option<f64> {
    let name = format!("oxkeeper_certificate_expiry_seconds{{port=\"{port}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)?.parse::<f64>().ok()).map(|s| s / 86_400.0)
}

#[test]
fn metrics_are_scraped_over_tls_and_a_reload_puts_new_certificates_to_use() {
    need!("metrics over TLS", has("curl").and_then(|()| has("openssl")));
    let pki = Pki::new();
    for (name, serial) in [("admin", 2), ("metrics", 3)] {
        pki.write(&format!("{name}.pem"), &pki.ca.issue(name, serial, |_| ()));
    }
    pki.write("stranger.pem", &Authority::new("another authority").issue("stranger", 9, |_| ()));
    let (mut server, ports) = start(&pki);

    let (status, text) = scrape(&pki, ports.metrics, Some("client.pem"));
    assert!(status == 200 && text.contains("\nznode_count "), "{status}: {text}");
    for port in ["client", "admin", "metrics"] {
        assert!(days_left(&text, port).is_some_and(|days| days > 100_000.0), "{port}: {text}");
    }
    for key in [None, Some("stranger.pem")] {
        let (status, said) = scrape(&pki, ports.metrics, key);
        assert!(status == 0 && !said.contains("znode_count"), "{key:?}: {said}");
    }
    let (_, text) = scrape(&pki, ports.metrics, Some("client.pem"));
    assert!(text.contains("oxkeeper_tls_refused{reason="), "the refusals are counted");

    // A broken store changes nothing; good ones are in use after the reload, at all three ports.
    let whole = std::fs::read_to_string(pki.path("admin.pem")).expect("read");
    pki.write("admin.pem", "not a store");
    server.process().signal(Signal::HUP);
    eventually("the broken file is told with its port", || {
        let log = server.log();
        log.lines().any(|l| l.contains("what was in use stays in use") && l.contains("admin"))
    });
    assert_eq!(shown(&pki, ports.admin).as_deref(), Some("serial=02"));
    pki.write("admin.pem", &whole);
    for (at, (name, _)) in (0x200..).zip(ports.all()) {
        let until = |params: &mut rcgen::CertificateParams| {
            params.not_after = rcgen::date_time_ymd(2090, 1, 1);
        };
        pki.write(name, &pki.ca.issue(name, at, until));
    }
    server.process().signal(Signal::HUP);
    for (at, (name, port)) in (0x200..).zip(ports.all()) {
        let wanted = format!("serial={at:04X}");
        eventually(name, || shown(&pki, port).as_deref() == Some(wanted.as_str()));
    }
    let (status, text) = scrape(&pki, ports.metrics, Some("client.pem"));
    assert_eq!(status, 200, "{text}");
    for port in ["client", "admin", "metrics"] {
        assert!(days_left(&text, port).is_some_and(|days| days < 40_000.0), "{port}: {text}");
    }
}
