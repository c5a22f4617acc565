//! Without a KDC, and while keys change: nobody who has a ticket is turned away.
//!
//! # Invariants
//! * Figures are printed; only outcomes are asserted.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use oxkeeper::auth::sasl::SaslStep;

use crate::acceptor::{SERVICE, logged_in, server};
use crate::client::{Client, Wish, login};
use crate::inside::{given, inside, run, use_tickets};
use crate::need;
use crate::support::kdc::Realm;

/// Logins with held tickets while there is no KDC.
const HELD: usize = 1000;

#[test]
fn a_server_starts_and_serves_without_a_kdc() {
    if inside() {
        use_tickets(&given("ALICE"));
        let (server, seen) = server(&given("KEYTAB"));
        let mut spent = Duration::ZERO;
        for n in 0..HELD {
            let wish = Wish::of(SERVICE);
            let wish = if n % 2 == 0 { wish } else { wish.mutual() };
            let ended = Client::new(wish).login(&mut server.exchange());
            logged_in(ended.last);
            spent += ended.spent;
        }
        assert_eq!(seen.skews.lock().unwrap().len(), HELD);
        let each = spent.as_micros() / HELD as u128;
        println!("KDC down: {HELD} of {HELD} logins with held tickets; {each} us of processor for each");
        return;
    }
    let mut realm = need!("logins without a KDC", Realm::start("ZK.TEST"));
    let keytab = realm.keytab(&[SERVICE]).unwrap();
    let clients = realm.keytab(&["alice"]).unwrap();
    let alice = realm.kinit_keytab("alice", &clients, &[]).unwrap();
    realm.service_ticket(&alice, SERVICE).unwrap();
    realm.kdc_stop();
    let replays = realm.path("replays");
    let test = "outage::a_server_starts_and_serves_without_a_kdc";
    let printed = run(test, &realm, &[("KEYTAB", &keytab), ("ALICE", &alice), ("REPLAYS", &replays)]);
    printed.lines().filter(|l| l.contains("KDC down")).for_each(|l| println!("{l}"));
}

/// Changes of the key while clients log in.
const BUMPS: usize = 20;

#[test]
fn keys_change_under_load() {
    if inside() {
        return bump_under_load();
    }
    let realm = need!("key changes under load", Realm::start("ZK.TEST"));
    let keytab = realm.keytab(&[SERVICE]).unwrap();
    let clients = realm.keytab(&["alice"]).unwrap();
    let alice = realm.kinit_keytab("alice", &clients, &[]).unwrap();
    realm.service_ticket(&alice, SERVICE).unwrap();
    let (replays, dir) = (realm.path("replays"), realm.path(""));
    let given: [(&str, &Path); 5] = [
        ("KEYTAB", &keytab),
        ("ALICE", &alice),
        ("ALICE_KEYTAB", &clients),
        ("REPLAYS", &replays),
        ("REALM_DIR", &dir),
    ];
    let printed = run("outage::keys_change_under_load", &realm, &given);
    printed.lines().filter(|l| l.contains("key changed")).for_each(|l| println!("{l}"));
}

fn bump_under_load() {
    use_tickets(&given("ALICE"));
    let keytab = given("KEYTAB");
    let (server, seen) = server(&keytab);
    let (over, failed) = (AtomicBool::new(false), AtomicU32::new(0));
    let count = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut count = 0_u32;
            while !over.load(Ordering::Relaxed) || count < 100 {
                let step = login(&mut server.exchange(), Wish::of(SERVICE));
                if !matches!(step, SaslStep::Done { .. }) {
                    eprintln!("login {count}: {step:?}");
                    failed.fetch_add(1, Ordering::Relaxed);
                }
                count += 1;
            }
            count
        });
        for _ in 0..BUMPS {
            new_key(&keytab);
            // A client that gets its ticket now comes with the new key.
            fresh_ticket();
        }
        over.store(true, Ordering::Relaxed);
        load.join().expect("the load ends")
    });
    let keys: std::collections::BTreeSet<u32> =
        seen.keys.lock().unwrap().iter().map(|(_, kvno, _)| *kvno).collect();
    println!(
        "key changed {BUMPS} times under {count} logins: {} failed, key numbers seen {keys:?}",
        failed.load(Ordering::Relaxed)
    );
    assert_eq!(failed.load(Ordering::Relaxed), 0);
    assert!(keys.len() > 1, "old and new keys were in use");
}

/// Gives the service a new key, in the KDC and then in the keytab, as an administrator does.
pub fn new_key(keytab: &Path) {
    let query = format!("ktadd -k {} {SERVICE}", keytab.display());
    let program = ["/usr/sbin/kadmin.local", "/usr/bin/kadmin.local"].map(Path::new);
    let program = program.into_iter().find(|p| p.is_file()).expect("kadmin.local, which made the realm");
    let done = std::process::Command::new(program)
        .args(["-r", "ZK.TEST", "-q", &query])
        .output()
        .expect("kadmin.local");
    assert!(done.status.success(), "{done:?}");
}

/// Replaces the tickets of this process by new ones, at once for whoever reads them.
pub fn fresh_ticket() {
    let dir = given("REALM_DIR");
    let new = dir.join("new-cache");
    let cache = format!("FILE:{}", new.display());
    let run = |program: &str, args: &[&str]| {
        let done = std::process::Command::new(program).args(args).env("KRB5CCNAME", &cache).output();
        let done = done.expect("a Kerberos command");
        assert!(done.status.success(), "{program}: {done:?}");
    };
    let clients = given("ALICE_KEYTAB").display().to_string();
    run("kinit", &["-k", "-t", &clients, "alice"]);
    run("kvno", &[SERVICE]);
    std::fs::rename(&new, dir.join("current-cache")).expect("a cache can be renamed");
}
