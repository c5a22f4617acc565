//! A login that is presented twice.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::need;
use crate::support::kdc::Realm;
use crate::support::{Spec, ox, process, skip};
use crate::told::doctor;

const SERVICE: &str = "zookeeper/localhost";
const LIMIT: Duration = Duration::from_secs(30);

/// Passes one connection on to a server, and keeps what the client said.
fn recorder(server: u16) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let said = Arc::new(Mutex::new(Vec::new()));
    let kept = said.clone();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).unwrap();
        let (mut back, mut from) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut from, &mut back));
        let mut bytes = [0; 4096];
        while let Ok(n @ 1..) = client.read(&mut bytes) {
            kept.lock().unwrap().extend_from_slice(&bytes[..n]);
            if server.write_all(&bytes[..n]).is_err() {
                return;
            }
        }
    });
    (port, said)
}

/// Pain 20, as the server sees it.
#[test]
fn logins_that_are_presented_twice() {
    if !rustix::process::getuid().is_root() {
        return skip::not_run(
            "doctor: replays",
            "the socket hears root alone, and this test is not run by root",
        );
    }
    let realm = need!("doctor: replays", Realm::start("ZK.TEST"));
    let keytab = realm.keytab(&[SERVICE]).unwrap();
    let clients = realm.keytab(&["alice"]).unwrap();
    let spec = Spec::new()
        .cfg(&format!("kerberos.keytab={}", keytab.display()))
        .cfg(&format!("java.security.krb5.conf={}", realm.krb5_conf().display()))
        .cfg(&format!("rescue.socket={}", realm.path("rescue.sock").display()));
    let server = ox::start(&spec).expect("a server");
    let (env, config) = (realm.env(), server.config().display().to_string());
    let (port, said) = recorder(server.port());
    let (at, file) = (format!("127.0.0.1:{port}"), clients.display().to_string());
    let login = ["--keytab", &file, "--principal", "alice@ZK.TEST", "--server-principal", SERVICE];
    let mut shell = ox::command(&[&["shell", "-server", &at][..], &login, &["ls", "/"]].concat());
    shell.envs(env.iter().map(|(n, v)| (n, v)));
    let (status, printed) = process::run(shell, None, LIMIT).expect("the shell ends");
    assert!(status.success(), "{printed}");
    doctor(&env, &["sessions", "--config", &config]).without("DOC_REPLAYS");

    let recorded = said.lock().unwrap().clone();
    let mut again = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).unwrap();
    again.set_read_timeout(Some(LIMIT)).unwrap();
    again.write_all(&recorded).unwrap();
    // The server says no and closes; how it ends is not this test's business.
    let _ = again.read_to_end(&mut Vec::new());
    let told = doctor(&env, &["sessions", "--config", &config]);
    told.names("20", "DOC_REPLAYS", "own principal");
}
