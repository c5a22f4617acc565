//! Who can talk to us: Java 3.9.5 and 3.8.6, kazoo and our shell, with PEM, PKCS#12 and JKS stores on
//! both sides, each showing a certificate.

use std::process::Command;
use std::time::Duration;

use crate::need;
use crate::pki::{Pki, has};
use crate::support::{Kind, Server, cache, java, ox, process, skip};

const LIMIT: Duration = Duration::from_secs(90);

/// Key and trust stores in three formats.
const FORMATS: [&str; 3] = ["pem", "p12", "jks"];

/// zkCli of a Java peer over TLS: makes a znode of its own and shows its ACL.
fn java_client(pki: &Pki, kind: Kind, format: &str, port: u16, node: &str) -> Result<String, String> {
    let mut command = java::zkcli_plain(kind, &format!("localhost:{port}"))?;
    let flags = pki.flags(&format!("client.{format}"), &format!("ca.{format}"));
    command.env("JDK_JAVA_OPTIONS", flags.join(" ")).arg("-waitforconnection");
    let script =
        pki.write("script", &format!("create {node} v auth::cdrwa\ngetAcl {node}\nget {node}\nquit\n"));
    let (_, output) = process::run(command, Some(&script), LIMIT)?;
    Ok(output)
}

#[test]
fn java_clients_come_with_every_kind_of_store() {
    need!("TLS: keytool", has("keytool"));
    need!("TLS: openssl", has("openssl"));
    let pki = Pki::new();
    pki.key_stores("server").expect("stores of the server");
    pki.key_stores("client").expect("stores of the client");
    pki.trust_stores().expect("trust stores");
    for format in FORMATS {
        let (spec, port) = pki.spec(&format!("server.{format}"), &format!("ca.{format}"));
        let server = Server::start(Kind::Oxkeeper, &spec).expect("the server serves");
        for kind in [Kind::Java395, Kind::Java386] {
            let part = format!("TLS: client {kind:?} with {format}");
            need!(&part, java::classpath(kind));
            let node = format!("/{kind:?}");
            let output = java_client(&pki, kind, format, port, &node).expect("the client ends");
            assert!(output.contains("'x509,'CN=client"), "{part}:\n{output}\n{}", server.log());
            assert!(output.lines().any(|line| line == "v"), "{part}:\n{output}");
            println!("{part}: served as x509:CN=client");
        }
        let conf = server.ask("conf");
        assert!(conf.contains(&format!("secureClientPort={port}")), "{conf}");
    }
}

#[test]
fn stores_with_old_encryption_are_read() {
    need!("TLS: openssl", has("openssl"));
    let pki = Pki::new();
    let export =
        ["pkcs12", "-export", "-legacy", "-in", "server.pem", "-inkey", "server.pem", "-out", "old.p12"];
    need!("TLS: old PKCS#12", pki.tool("openssl", &[&export[..], &["-passout", "pass:changeit"]].concat()));
    let (spec, port) = pki.spec("old.p12", "ca.pem");
    let _server = Server::start(Kind::Oxkeeper, &spec).expect("the server serves");
    pki.connect("client.pem", port).expect("a session");
}

#[test]
fn one_port_takes_tls_and_plain_clients() {
    let pki = Pki::new();
    let (spec, _) = pki.spec("server.pem", "ca.pem");
    let spec = spec.cfg("client.portUnification=true");
    let server = Server::start(Kind::Oxkeeper, &spec).expect("the server serves");
    let plain = oxkeeper::client::ClientConfig::new(&server.address()).expect("an address");
    let (plain, _) = oxkeeper::client::Blocking::connect(plain).expect("a plain session");
    let by_tls = pki.connect("client.pem", server.port()).expect("a TLS session");
    let schemes = |client: &oxkeeper::client::Blocking| {
        let ids = client.wait(client.client().who_am_i()).expect("identities");
        ids.into_iter().map(|(scheme, _)| scheme).collect::<Vec<_>>()
    };
    assert_eq!(schemes(&plain), ["ip"]);
    assert_eq!(schemes(&by_tls), ["ip", "x509"]);
    assert_eq!(server.ask("ruok"), "imok");
}

#[test]
fn kazoo_comes_with_a_certificate() {
    let python = need!("TLS: kazoo", cache::kazoo_python());
    let pki = Pki::new();
    let (spec, port) = pki.spec("server.pem", "ca.pem");
    let server = Server::start(Kind::Oxkeeper, &spec).expect("the server serves");
    let script = pki.write(
        "by_tls.py",
        "import sys\n\
         from kazoo.client import KazooClient\n\
         hosts, key, ca = sys.argv[1:]\n\
         zk = KazooClient(hosts, use_ssl=True, certfile=key, keyfile=key, ca=ca)\n\
         zk.start(timeout=20)\n\
         from kazoo.security import make_acl\n\
         zk.create('/kazoo', b'v', acl=[make_acl('auth', '', all=True)])\n\
         print([acl.id.scheme + ':' + acl.id.id for acl in zk.get_acls('/kazoo')[0]])\n\
         zk.stop()\n",
    );
    let mut command = Command::new(python);
    command.arg(script).arg(format!("localhost:{port}")).arg(pki.path("client.pem")).arg(pki.path("ca.pem"));
    let (status, output) = process::run(command, None, LIMIT).expect("the script ends");
    assert!(status.success() && output.contains("['x509:CN=client']"), "{output}\n{}", server.log());
}

#[test]
fn our_shell_and_status_come_over_tls() {
    let pki = Pki::new();
    let (spec, port) = pki.spec("server.pem", "ca.pem");
    let server = Server::start(Kind::Oxkeeper, &spec).expect("the server serves");
    let address = format!("localhost:{port}");
    let mut by_flags = ox::command(&["shell", "-server", &address]);
    by_flags.args(pki.flags("client.pem", "ca.pem")).args(["create", "/shell", "v", "auth::cdrwa"]);
    let (status, output) = process::run(by_flags, None, LIMIT).expect("the shell ends");
    assert!(status.success(), "{output}\n{}", server.log());
    let lines: Vec<String> = pki
        .flags("client.pem", "ca.pem")
        .iter()
        .map(|flag| flag.trim_start_matches("-D").to_owned())
        .collect();
    let file = pki.write("client.cfg", &lines.join("\n"));
    let mut by_file = ox::command(&["shell", "-server", &address, "-client-configuration"]);
    by_file.arg(file).args(["getAcl", "/shell"]);
    let (_, output) = process::run(by_file, None, LIMIT).expect("the shell ends");
    assert!(output.contains("'x509,'CN=client"), "{output}");
    let text = std::fs::read_to_string(server.config()).expect("zoo.cfg");
    let only: String =
        text.lines().filter(|l| !l.starts_with("clientPort")).map(|l| format!("{l}\n")).collect();
    let only = pki.write("only-secure.cfg", &only);
    let mut asks = ox::command(&["status"]);
    asks.arg(only);
    let (status, output) = process::run(asks, None, LIMIT).expect("status ends");
    assert!(status.success() && output.contains("Mode: standalone"), "{output}\n{}", server.log());
    assert!(output.contains("Client SSL: true"), "{output}");
    if let Err(why) = java::classpath(Kind::Java395) {
        skip::not_run("TLS: Java beside the shell", &why);
    }
}
