//! A real server under Kerberos: without a KDC, with keys that change, and in front of recorded logins.
//!
//! # Invariants
//! * Figures are printed; only outcomes are asserted.
//! * A connection that the server closed without a reply is tried again, as every client does; nothing else is.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use oxkeeper::jute::Reader;
use oxkeeper::proto::OpCode;

use crate::acceptor::SERVICE;
use crate::client::{Client, Wish};
use crate::inside::{given, inside, run, use_tickets};
use crate::need;
use crate::support::kdc::Realm;
use crate::support::{Server, Spec, ox};
use crate::wire::Wire;

/// AUTHFAILED and SESSIONCLOSEDREQUIRESASLAUTH: a login is refused.
const REFUSED: [i32; 2] = [-115, -124];
/// Session time-out, ms.
const TIMEOUT: i32 = 30_000;

/// A server that demands logins, over the data directory of the one before it; its krb5.conf is named by Java's
/// flag alone.
fn start() -> Server {
    start_with(&given("KRB5_CONFIG"))
}

fn start_with(conf: &Path) -> Server {
    let mut spec = Spec::new()
        .cfg(&format!("kerberos.keytab={}", given("KEYTAB").display()))
        .cfg("kerberos.principal=zookeeper")
        .cfg("sessionRequireClientSASLAuth=true")
        .data_dir(&given("REALM_DIR").join("data"))
        .flag(&format!("-Djava.security.krb5.conf={}", conf.display()));
    spec.env = vec![("KRB5_CONFIG".to_owned(), "/nonexistent".to_owned())];
    ox::start(&spec).expect("a server under Kerberos")
}

/// One token to the server: the code of its reply, and the token in it.
fn send(wire: &mut Wire, token: &[u8]) -> io::Result<(i32, Option<Vec<u8>>)> {
    let mut out = Vec::new();
    wire.put(&mut out, OpCode::Sasl, |w| w.buffer(Some(token)));
    wire.send(&out)?;
    let reply = wire.reply()?;
    let token = Reader::new(&reply.body).buffer().map_err(|e| io::Error::other(e.to_string()))?;
    Ok((reply.err, token.map(<[u8]>::to_vec)))
}

/// A session that is logged in, and the tokens that did it.
fn log_in(port: u16, wish: Wish) -> io::Result<(Wire, Vec<Vec<u8>>)> {
    let mut wire = Wire::connect(port, TIMEOUT)?;
    let mut end = Err(io::Error::other("no exchange"));
    let sent = Client::new(wish).converse(&mut |token| match send(&mut wire, token) {
        Ok((0, Some(reply))) => Some(reply),
        Ok((0, None)) => {
            end = Ok(());
            None
        }
        Ok((err, _)) => {
            end = Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("refused with {err}")));
            None
        }
        Err(error) => {
            end = Err(error);
            None
        }
    });
    end.map(|()| (wire, sent))
}

/// The server's log once `what` is in it: lines are written behind what clients see.
fn logged(server: &Server, what: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let log = server.log();
        if log.contains(what) {
            return log;
        }
        assert!(Instant::now() < deadline, "{what} is not logged:\n{log}");
        sleep(Duration::from_millis(20));
    }
}

/// The ids of a session.
fn who_am_i(wire: &mut Wire) -> Vec<String> {
    let mut out = Vec::new();
    wire.put(&mut out, OpCode::WhoAmI, |_| {});
    wire.send(&out).expect("a connection");
    let reply = wire.reply().expect("a reply");
    let mut r = Reader::new(&reply.body);
    let ids = r.vector(|r| {
        let scheme = r.required_string("scheme")?.into_owned();
        Ok(format!("{scheme}:{}", r.required_string("id")?))
    });
    ids.ok().flatten().unwrap_or_default()
}

/// A realm with a server's keytab and alice, and the test once more inside of it, with the KDC stopped or not.
fn with_realm(test: &str, kdc: bool) {
    let mut realm = need!(test, Realm::start("ZK.TEST"));
    let keytab = realm.keytab(&[SERVICE]).unwrap();
    let clients = realm.keytab(&["alice"]).unwrap();
    let alice = realm.kinit_keytab("alice", &clients, &[]).unwrap();
    realm.service_ticket(&alice, SERVICE).unwrap();
    if !kdc {
        realm.kdc_stop();
    }
    let dir = realm.path("");
    let given: [(&str, &Path); 4] =
        [("KEYTAB", &keytab), ("ALICE", &alice), ("ALICE_KEYTAB", &clients), ("REALM_DIR", &dir)];
    let printed = run(test, &realm, &given);
    printed.lines().filter(|line| line.contains("figure: ")).for_each(|line| println!("{line}"));
}

/// Logins with held tickets, half of them before and half after a restart.
const HELD: usize = 1000;

#[test]
fn held_tickets_serve_while_there_is_no_kdc() {
    if !inside() {
        return with_realm("served::held_tickets_serve_while_there_is_no_kdc", false);
    }
    use_tickets(&given("ALICE"));
    let mut done = 0;
    for _run in 0..2 {
        let server = start();
        for n in 0..HELD / 2 {
            let wish = Wish::of(SERVICE);
            let (mut wire, _) =
                log_in(server.port(), if n % 2 == 0 { wish } else { wish.mutual() }).expect("a login");
            if n % 100 == 0 {
                assert!(who_am_i(&mut wire).contains(&"sasl:alice@ZK.TEST".to_owned()));
            }
            wire.close().expect("the end of a session");
            done += 1;
        }
    }
    println!("figure: KDC down: {done} of {HELD} logins with held tickets, with a restart between");
}

#[test]
fn a_recorded_login_is_refused() {
    if !inside() {
        return with_realm("served::a_recorded_login_is_refused", true);
    }
    use_tickets(&given("ALICE"));
    let server = start();
    let mut recorded = Vec::new();
    for _ in 0..RECORDED {
        // As Java clients log in: nothing of the server's part is new from one time to the next.
        let (wire, mut sent) = log_in(server.port(), Wish::of(SERVICE)).expect("a login");
        replay(server.port(), &sent[0]);
        wire.close().expect("the recorded session is not disturbed");
        recorded.push(sent.swap_remove(0));
    }
    drop(server);
    // Their source may be held off after so many refusals: that would hide what is asked here.
    let server = start();
    recorded.iter().take(3).for_each(|first| replay(server.port(), first));
    println!("figure: {RECORDED} of {RECORDED} recorded logins refused, and 3 of 3 after a restart");
}

/// Logins that are recorded.
const RECORDED: usize = 5;

/// Sends a recorded first token on a connection of its own; it must be refused as Java refuses, and closed.
fn replay(port: u16, first: &[u8]) {
    let mut wire = Wire::connect(port, TIMEOUT).expect("a session");
    match send(&mut wire, first) {
        Ok((err, None)) => assert!(REFUSED.contains(&err), "{err}"),
        other => panic!("a replay: {other:?}"),
    }
    assert!(wire.reply().is_err(), "the connection is closed behind the refusal");
}

#[test]
fn an_encryption_type_that_the_server_forbids_is_told() {
    if !inside() {
        return with_realm("served::an_encryption_type_that_the_server_forbids_is_told", true);
    }
    use_tickets(&given("ALICE"));
    let strict = given("REALM_DIR").join("strict.conf");
    let conf = std::fs::read_to_string(given("KRB5_CONFIG")).expect("krb5.conf");
    let permitted = "[libdefaults]\n  permitted_enctypes = aes256-cts-hmac-sha384-192\n";
    std::fs::write(&strict, conf.replace("[libdefaults]\n", permitted)).expect("a file");
    let server = start_with(&strict);
    let refused = log_in(server.port(), Wish::of(SERVICE)).err().expect("a refusal");
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied, "{refused}");
    let log = logged(&server, "KRB_ENCTYPE");
    assert!(log.contains("aes256-cts-hmac-sha1-96"), "{log}");
}

#[test]
fn a_keytab_that_is_behind_turns_nobody_away_for_good() {
    if !inside() {
        return with_realm("served::a_keytab_that_is_behind_turns_nobody_away_for_good", true);
    }
    use_tickets(&given("ALICE"));
    let server = start();
    // The KDC has the new key already, the server's keytab gets it later.
    let (keytab, ahead) = (given("KEYTAB"), given("REALM_DIR").join("ahead.keytab"));
    crate::outage::new_key(&ahead);
    crate::outage::fresh_ticket();
    let closed =
        log_in(server.port(), Wish::of(SERVICE)).err().expect("no login with a key that is not there yet");
    assert_ne!(
        closed.kind(),
        io::ErrorKind::PermissionDenied,
        "closed without a reply, not refused: {closed}"
    );
    logged(&server, "KRB_NO_KEY");
    std::fs::rename(&ahead, &keytab).expect("the keytab is replaced");
    let (mut wire, _) = log_in(server.port(), Wish::of(SERVICE)).expect("a login, without a restart");
    assert!(who_am_i(&mut wire).contains(&"sasl:alice@ZK.TEST".to_owned()));
}

/// Changes of the key under load.
const BUMPS: usize = 20;

#[test]
fn keys_change_under_a_loaded_server() {
    if !inside() {
        return with_realm("served::keys_change_under_a_loaded_server", true);
    }
    use_tickets(&given("ALICE"));
    let server = start();
    let port = server.port();
    let (over, retries) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (operations, logins) = std::thread::scope(|scope| {
        let long = scope.spawn(|| {
            let (mut wire, _) = log_in(port, Wish::of(SERVICE).mutual()).expect("a login");
            assert_eq!(wire.create("/load", b"0", 0).expect("a session"), 0);
            let mut count = 0_usize;
            while !over.load(Ordering::Relaxed) || count < 100 {
                assert!(wire.get("/load").expect("the session goes on").is_some());
                count += 1;
            }
            count
        });
        let fresh = scope.spawn(|| {
            let mut count = 0_usize;
            while !over.load(Ordering::Relaxed) || count < 20 {
                let (mut wire, tries) = log_in_again(port);
                retries.fetch_add(tries, Ordering::Relaxed);
                assert!(wire.get("/zookeeper").expect("the session goes on").is_some());
                wire.close().expect("the end of a session");
                count += 1;
            }
            count
        });
        for _ in 0..BUMPS {
            crate::outage::new_key(&given("KEYTAB"));
            crate::outage::fresh_ticket();
        }
        over.store(true, Ordering::Relaxed);
        (long.join().expect("the long session"), fresh.join().expect("the logins"))
    });
    let retries = retries.load(Ordering::Relaxed);
    println!(
        "figure: key changed {BUMPS} times: {operations} operations and {logins} logins, 0 failed ({retries} tried again)"
    );
}

/// Logs in as a client does: when the connection is closed without a reply, once more.
fn log_in_again(port: u16) -> (Wire, usize) {
    for tries in 0..50 {
        match log_in(port, Wish::of(SERVICE)) {
            Ok((wire, _)) => return (wire, tries),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => panic!("{error}"),
            Err(_) => {}
        }
    }
    panic!("no login in 50 tries");
}
