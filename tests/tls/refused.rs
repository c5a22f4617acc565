//! Who cannot talk to us, and what the operator is told: each refusal with its reason, in the log and in
//! the error of our own client.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use oxkeeper::client::{Blocking, ClientError};
use rcgen::{CertificateParams, SanType, date_time_ymd};

use crate::pki::{Authority, Pki, eventually};
use crate::support::{Kind, Server, Spec};

/// The server's log has a refusal with this reason.
fn told(server: &Server, reason: &str) {
    eventually(reason, || {
        server.log().lines().any(|l| l.contains("TLS client refused") && l.contains(reason))
    });
}

/// Nothing is served to a client with this key.
fn refused(pki: &Pki, key: &str, port: u16) -> ClientError {
    let config = pki.config(key, port).timeout(Duration::from_secs(2));
    match Blocking::connect(config) {
        Ok(_) => panic!("{key} was served"),
        Err(why) => why,
    }
}

fn start(spec: &Spec) -> Server {
    Server::start(Kind::Oxkeeper, spec).expect("the server serves")
}

#[test]
fn wrong_authorities_dates_and_names_are_refused() {
    let pki = Pki::new();
    let make = |file: &str, ca: &Authority, change: &dyn Fn(&mut CertificateParams)| {
        pki.write(file, &ca.issue("client", 9, |p| change(p)));
    };
    make("stranger.pem", &Authority::new("another authority"), &|_| ());
    make("past.pem", &pki.ca, &|p| p.not_after = date_time_ymd(2024, 1, 1));
    make("future.pem", &pki.ca, &|p| p.not_before = date_time_ymd(2090, 1, 1));
    make("nameless.pem", &pki.ca, &|p| p.distinguished_name = Default::default());
    let (spec, port) = pki.spec("server.pem", "ca.pem");
    let server = start(&spec);
    for (key, reason) in [
        ("stranger.pem", "TLS_UNKNOWN_CA"),
        ("past.pem", "TLS_EXPIRED"),
        ("future.pem", "TLS_EXPIRED"),
        ("nameless.pem", "TLS_IDENTITY"),
    ] {
        refused(&pki, key, port);
        told(&server, reason);
        println!("{key}: {reason}");
    }
    pki.connect("client.pem", port).expect("a good certificate is served still");
}

#[test]
fn revoked_certificates_are_refused_and_a_new_list_is_taken_while_running() {
    let pki = Pki::new();
    let list = pki.write("list.pem", &pki.ca.revoke(1000));
    let (spec, port) = pki.spec("server.pem", "ca.pem");
    let server = start(&spec.cfg("ssl.crl=true").cfg(&format!("ssl.crlPath={}", list.display())));
    drop(pki.connect("client.pem", port).expect("not revoked yet"));
    pki.write("list.pem", &pki.ca.revoke(7));
    eventually("the new list is in use", || server.log().contains("are in use for new connections"));
    refused(&pki, "client.pem", port);
    told(&server, "TLS_REVOKED");
}

#[test]
fn hosts_of_clients_are_checked_by_address_and_list() {
    let pki = Pki::new();
    let elsewhere = |p: &mut CertificateParams| {
        p.subject_alt_names = vec![SanType::DnsName("app.example".try_into().expect("a name"))];
    };
    pki.write("elsewhere.pem", &pki.ca.issue("client", 9, elsewhere));
    let (spec, port) = pki.spec("server.pem", "ca.pem");
    let checked = spec.cfg("ssl.clientHostnameVerification=true").cfg("ssl.authProvider=x509");
    let server = start(&checked);
    pki.connect("client.pem", port).expect("its certificate is for 127.0.0.1");
    refused(&pki, "elsewhere.pem", port);
    told(&server, "TLS_HOST");
    drop(server);
    let (spec, port) = pki.spec("server.pem", "ca.pem");
    let _server = start(&spec.cfg("ssl.clientHostnameVerification=true").cfg("ssl.allowedNames=app.example"));
    pki.connect("elsewhere.pem", port).expect("its name is on the list");
}

#[test]
fn servers_for_other_hosts_are_refused_by_the_client() {
    let pki = Pki::new();
    let elsewhere = |p: &mut CertificateParams| {
        p.subject_alt_names = vec![SanType::DnsName("zk9.example".try_into().expect("a name"))];
    };
    pki.write("server.pem", &pki.ca.issue("server", 9, elsewhere));
    let (spec, port) = pki.spec("server.pem", "ca.pem");
    let _server = start(&spec);
    // A busy machine may not come to a handshake within the time of one session.
    eventually("the reason", || refused(&pki, "client.pem", port).to_string().contains("TLS_HOST"));
}

#[test]
fn plain_text_on_the_tls_port_is_refused_with_a_reason() {
    let pki = Pki::new();
    let (spec, port) = pki.spec("server.pem", "ca.pem");
    let server = start(&spec);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    stream.write_all(&[0, 0, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0]).expect("sent");
    let mut rest = Vec::new();
    // A reset says the same as an end.
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() < 16, "an alert at most: {rest:?}");
    told(&server, "TLS_PLAINTEXT");
    let mntr = server.ask("mntr");
    let counted = |name: &str| mntr.lines().any(|l| l.starts_with(name) && !l.ends_with("\t0"));
    assert!(counted("zk_unsuccessful_handshake"), "{mntr}");
    assert!(counted("zk_auth_failed_count"), "{mntr}");
}
