//! The FIPS build, started: it says what it refuses, refuses DIGEST-MD5 and what is not certified of TLS, and serves the
//! rest. `make fips` builds it with the feature `fips` and runs this; in any other build it is "not run".

use std::path::PathBuf;
use std::time::Duration;

use crate::need;
use crate::support::dirs::Dir;
use crate::support::server::Spec;
use crate::support::{ox, ports, process, skip};
use crate::wire::Wire;
use oxkeeper::jute::Reader;
use oxkeeper::proto::OpCode;

/// A certificate and its key in one file, by openssl.
fn store(home: &Dir) -> Result<PathBuf, String> {
    let (key, certificate) = (home.path().join("key.pem"), home.path().join("cert.pem"));
    let mut command = std::process::Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost"]);
    command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    command.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    let (status, output) = process::run(command, None, Duration::from_secs(60))?;
    if !status.success() {
        return Err(output);
    }
    let read = |path| std::fs::read_to_string(path).map_err(|e| e.to_string());
    Ok(home.write("store.pem", &(read(key)? + &read(certificate)?)))
}

/// Does openssl's client come to terms with these options?
fn handshake(port: u16, options: &[&str]) -> bool {
    let mut command = std::process::Command::new("openssl");
    command.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-brief"]).args(options);
    let (_, output) = process::run(command, None, Duration::from_secs(60)).expect("it ends");
    output.contains("CONNECTION ESTABLISHED")
}

/// The first token of DIGEST-MD5 and what came of it: the error, and a challenge if there is one.
fn digest(port: u16) -> std::io::Result<(i32, Option<Vec<u8>>)> {
    let mut wire = Wire::connect(port, 30_000)?;
    let mut out = Vec::new();
    wire.put(&mut out, OpCode::Sasl, |w| w.buffer(Some(b"")));
    wire.send(&out)?;
    let reply = wire.reply()?;
    Ok((reply.err, Reader::new(&reply.body).buffer().ok().flatten().map(<[u8]>::to_vec)))
}

#[test]
fn a_started_fips_build_says_and_does_what_it_refuses() {
    let part = "a started FIPS build";
    if !cfg!(feature = "fips") {
        return skip::not_run(part, "this is no FIPS build: make fips makes one and runs this test");
    }
    let home = Dir::new("fips");
    let store = need!(part, store(&home));
    let module = "org.apache.zookeeper.server.auth.DigestLoginModule required user_bob=\"b0b\"";
    let jaas = home.write("jaas.conf", &format!("Server {{ {module}; }};\n"));
    let secure = ports::free();
    let spec = Spec::new()
        .cfg(&format!("secureClientPort={secure}"))
        .cfg("secureClientPortAddress=127.0.0.1")
        .cfg(&format!("ssl.keyStore.location={}", store.display()))
        .cfg("ssl.clientAuth=none")
        .flag(&format!("-Djava.security.auth.login.config={}", jaas.display()));
    let server = ox::start(&spec).expect("the FIPS build serves");
    let log = server.log();
    assert!(log.contains("FIPS build") && log.contains("DIGEST-MD5 logins are refused"), "{log}");
    assert!(handshake(secure, &["-tls1_3"]), "{}", server.log());
    assert!(handshake(secure, &["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"]), "{}", server.log());
    for refused in [
        &["-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305"][..],
        &["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"],
        &["-tls1_3", "-groups", "X25519"],
    ] {
        assert!(!handshake(secure, refused), "{refused:?}");
    }
    let came = digest(server.port());
    assert!(!matches!(came, Ok((0, Some(_)))), "a challenge of DIGEST-MD5: {came:?}");
}
