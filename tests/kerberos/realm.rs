//! The realm of the tests themselves: logins by keytab and password, a KDC that goes and comes, keys that change.
//!
//! # Invariants
//! * What the helper promises is seen with MIT's own programs, before anything of ours relies on it.

use crate::need;
use crate::support::kdc::{Realm, shift_clock};

#[test]
fn a_private_realm_gives_tickets_and_its_kdc_can_be_stopped() {
    let mut realm = need!("private Kerberos realm", Realm::start("ZK.TEST"));
    let server = realm.keytab(&["zookeeper/localhost", "zookeeper/127.0.0.1"]).unwrap();
    let alice = realm.keytab(&["alice"]).unwrap();
    realm.user("bob", "wonder land").unwrap();

    let by_keytab = realm.kinit_keytab("alice", &alice, &[]).unwrap();
    realm.service_ticket(&by_keytab, "zookeeper/localhost").unwrap();
    realm.kinit_password("bob", "wonder land", &["-l", "2m"]).unwrap();
    assert!(realm.kinit_password("bob", "wrong", &[]).unwrap_err().contains("assword incorrect"));

    realm.kdc_stop();
    assert!(realm.kinit_keytab("alice", &alice, &[]).is_err());
    realm.kdc_start().unwrap();
    realm.kinit_keytab("alice", &alice, &[]).unwrap();

    let keys = |realm: &Realm| {
        realm.run("klist", &["-k", "-t", &server.display().to_string()], None).unwrap().lines().count()
    };
    let before = keys(&realm);
    realm.bump_key("zookeeper/localhost").unwrap();
    assert_eq!(keys(&realm), before, "the keytab is behind");
    realm.export("zookeeper/localhost", &server).unwrap();
    assert_eq!(keys(&realm), before + 3, "one key of each encryption type");

    shift_clock(&by_keytab, 400);
    let cache = by_keytab.display().to_string();
    assert!(realm.run("klist", &["-c", &cache], None).unwrap().contains("alice@ZK.TEST"));
}

#[test]
fn a_realm_can_trust_another() {
    let mut home = need!("two private Kerberos realms", Realm::start("ZK.TEST"));
    let mut away = need!("two private Kerberos realms", Realm::start("OTHER.TEST"));
    home.principals(&["zookeeper/localhost"]).unwrap();
    let eve = away.keytab(&["eve"]).unwrap();
    let cache = away.kinit_keytab("eve", &eve, &[]).unwrap();
    assert!(away.service_ticket(&cache, "zookeeper/localhost@ZK.TEST").is_err());
    home.trust(&mut away).unwrap();
    let cache = away.kinit_keytab("eve", &eve, &[]).unwrap();
    away.service_ticket(&cache, "zookeeper/localhost@ZK.TEST").unwrap();
}
