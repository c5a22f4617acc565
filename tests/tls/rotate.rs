//! Certificates are exchanged under load.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use oxkeeper::types::{Acl, CreateMode};

use crate::pki::{Pki, eventually};
use crate::support::{Kind, Server};

/// How often the certificate is exchanged.
const ROTATIONS: u64 = 5;

/// The serial number of the certificate that the port shows, by openssl.
pub fn shown(pki: &Pki, port: u16) -> Option<String> {
    let script = format!(
        "openssl s_client -connect 127.0.0.1:{port} -cert {key} -key {key} </dev/null 2>/dev/null | openssl x509 -noout -serial",
        key = pki.path("client.pem").display()
    );
    let output = std::process::Command::new("sh").args(["-c", &script]).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn a_certificate_is_exchanged_under_load_and_no_operation_fails() {
    let pki = Pki::new();
    let (spec, port) = pki.spec("server.pem", "ca.pem");
    let server = Server::start(Kind::Oxkeeper, &spec).expect("the server serves");
    let (stop, done, sessions) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for worker in 0..2 {
            let (pki, stop, done) = (&pki, &stop, &done);
            scope.spawn(move || {
                let client = pki.connect("client.pem", port).expect("a session");
                let zk = client.client();
                let node = format!("/held{worker}");
                client.wait(zk.create(&node, None, &[Acl::open()], CreateMode::Persistent)).expect("created");
                while !stop.load(Ordering::Relaxed) {
                    client.wait(zk.set(&node, Some(b"v"), -1)).expect("set");
                    client.wait(zk.get(&node, false)).expect("got");
                    done.fetch_add(2, Ordering::Relaxed);
                }
                client.close();
            });
        }
        let (pki_of, stop_of, done_of, sessions_of) = (&pki, &stop, &done, &sessions);
        scope.spawn(move || {
            while !stop_of.load(Ordering::Relaxed) {
                let client = pki_of.connect("client.pem", port).expect("a new session");
                client.wait(client.client().exists("/", false)).expect("asked");
                client.close();
                done_of.fetch_add(1, Ordering::Relaxed);
                sessions_of.fetch_add(1, Ordering::Relaxed);
            }
        });
        for rotation in 1..=ROTATIONS {
            let serial = 0x100 + rotation;
            let before = done.load(Ordering::Relaxed);
            pki.write("server.pem", &pki.ca.issue("server", serial, |_| ()));
            let wanted = format!("serial={serial:04X}");
            eventually("the new certificate is shown", || {
                shown(&pki, port).as_deref() == Some(wanted.as_str())
            });
            eventually("work goes on", || done.load(Ordering::Relaxed) > before + 20);
        }
        // A broken file changes nothing.
        pki.write("server.pem", "not a store");
        eventually("the broken file is told", || server.log().contains("what was in use stays in use"));
        let before = sessions.load(Ordering::Relaxed);
        eventually("new sessions go on", || sessions.load(Ordering::Relaxed) > before + 2);
        stop.store(true, Ordering::Relaxed);
    });
    let (done, sessions) = (done.into_inner(), sessions.into_inner());
    println!("{ROTATIONS} certificates exchanged: {done} operations, {sessions} new sessions, 0 failed");
    assert!(done > 100 && sessions > 5, "{done} operations, {sessions} sessions");
}
