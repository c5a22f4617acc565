//! Ports with TLS: what they present, and what is wrong with it.

use std::time::{Duration, UNIX_EPOCH};

use oxkeeper::os::clock;
use rcgen::{CertificateParams, KeyPair};

use crate::support::dirs::Dir;
use crate::support::{Spec, ox, ports};
use crate::told::doctor;

/// A key with a certificate of its own for these hosts, which lives so many days; a PEM file.
fn store(dir: &Dir, name: &str, hosts: &[&str], days: u32) -> String {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = hosts.iter().map(|h| (*h).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    let now = UNIX_EPOCH + Duration::from_millis(clock::wall_ms().unsigned_abs());
    let day = Duration::from_secs(86_400);
    params.not_before = (now - 60 * day).into();
    let whole = day * days;
    params.not_after = (now + whole).into();
    let certificate = params.self_signed(&key).unwrap();
    dir.write(name, &format!("{}{}", key.serialize_pem(), certificate.pem())).display().to_string()
}

fn spec(store: &str, port: u16) -> Spec {
    Spec::new()
        .cfg(&format!("secureClientPort={port}"))
        .cfg("secureClientPortAddress=127.0.0.1")
        .cfg("serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory")
        .cfg("ssl.clientAuth=none")
        .cfg(&format!("ssl.keyStore.location={store}"))
        .cfg(&format!("ssl.trustStore.location={store}"))
}

#[test]
fn certificates_that_end_and_ports_that_speak_no_tls() {
    let dir = Dir::new("doctor-tls");
    let good = store(&dir, "good.pem", &["localhost", "127.0.0.1"], 200);
    let port = ports::free();
    let server = ox::start(&spec(&good, port)).expect("a server");
    let config = server.config().display().to_string();
    let told = doctor(&[], &["tls", "--config", &config]);
    told.healthy();
    for part in ["TLS 1.2", "TLS 1.3", "Pem", "for localhost, 127.0.0.1"] {
        assert!(told.text().contains(part), "{part}: {}", told.text());
    }
    let plain = server.address();
    doctor(&[], &["tls", "--server", &plain]).names("tls", "TLS_HANDSHAKE", "TLS port");

    let soon = store(&dir, "soon.pem", &["elsewhere"], 10);
    let port = ports::free();
    let server = ox::start(&spec(&soon, port)).expect("a server");
    let config = server.config().display().to_string();
    let told = doctor(&[], &["tls", "--config", &config]);
    told.names("tls", "DOC_TLS_ENDS", "renew");
    told.names("tls", "TLS_HOST", "DNS:localhost");
    std::fs::remove_file(&soon).unwrap();
    doctor(&[], &["tls", "--config", &config]).names("tls", "DOC_TLS_STORE", "store");
}
