//! Faults of keys: a keytab and the KDC that no longer agree.

use std::fs;
use std::path::{Path, PathBuf};

use crate::need;
use crate::realm::changed;
use crate::support::kdc::Realm;
use crate::told::{Told, doctor};

const SERVICE: &str = "zookeeper/localhost";

fn look(realm: &Realm, keytab: &Path) -> Told {
    doctor(&realm.env(), &["keytab", keytab.to_str().unwrap()])
}

fn healthy(realm: &Realm, principal: &str) -> PathBuf {
    let keytab = realm.keytab(&[principal]).unwrap();
    look(realm, &keytab).healthy();
    keytab
}

/// Pain 3: another key of the same number, as of an account that was made anew.
#[test]
fn a_key_of_the_same_number_that_is_another() {
    let realm = need!("doctor: wrong key", Realm::start("ZK.TEST"));
    let keytab = healthy(&realm, SERVICE);
    realm.kadmin(&format!("delprinc -force {SERVICE}")).unwrap();
    realm.principals(&[SERVICE]).unwrap();
    look(&realm, &keytab).names("3", "KRB_WRONG_KEY", &format!("ktadd -norandkey -k {}", keytab.display()));
}

/// Pain 4.
#[test]
fn a_key_number_that_the_keytab_lacks() {
    let realm = need!("doctor: key number", Realm::start("ZK.TEST"));
    let keytab = healthy(&realm, SERVICE);
    realm.bump_key(SERVICE).unwrap();
    let told = look(&realm, &keytab);
    told.without("KRB_WRONG_KEY").names("4", "KRB_NO_KEY", "ktadd -norandkey");
    realm.export(SERVICE, &keytab).unwrap();
    look(&realm, &keytab).healthy();
}

/// Pain 5.
#[test]
fn encryption_types_without_a_common_one() {
    let realm = need!("doctor: encryption types", Realm::start("ZK.TEST"));
    realm.kadmin("addprinc -randkey -e aes128-cts-hmac-sha1-96:normal zookeeper/old").unwrap();
    let keytab = healthy(&realm, "zookeeper/old");
    let conf = changed(&realm, "aes256.conf", |t| {
        t.replace("[libdefaults]\n", "[libdefaults]\n  permitted_enctypes = aes256-cts-hmac-sha1-96\n")
    });
    let told =
        doctor(&realm.env(), &["keytab", keytab.to_str().unwrap(), "--krb5-conf", conf.to_str().unwrap()]);
    told.names("5", "KRB_ENCTYPE", "permitted_enctypes = aes128-cts-hmac-sha1-96");
    assert!(told.text().contains("common: none"), "{}", told.text());
}

/// Pain 6.
#[test]
fn a_password_that_was_changed_after_the_export() {
    let realm = need!("doctor: stale keytab", Realm::start("ZK.TEST"));
    realm.kadmin("addprinc -randkey +requires_preauth alice").unwrap();
    let keytab = healthy(&realm, "alice");
    realm.user("alice", "another password").unwrap();
    look(&realm, &keytab).names("6", "DOC_KEYTAB_STALE", "ktadd -norandkey");
}

/// Pain 7.
#[test]
fn keys_that_expire() {
    let realm = need!("doctor: expiry", Realm::start("ZK.TEST"));
    let keytab = healthy(&realm, "alice");
    realm.kadmin("modprinc -pwexpire \"5 days\" alice").unwrap();
    look(&realm, &keytab).names("7", "DOC_KEY_EXPIRES", "machine-machine");
    realm.kadmin("modprinc -pwexpire yesterday alice").unwrap();
    look(&realm, &keytab).names("7", "DOC_KEY_EXPIRED", "modprinc -pwexpire never alice@ZK.TEST");
}

/// Pain 8.
#[test]
fn a_principal_that_the_kdc_does_not_know() {
    let realm = need!("doctor: unknown principal", Realm::start("ZK.TEST"));
    let keytab = healthy(&realm, "Alice");
    realm.kadmin("delprinc -force Alice").unwrap();
    look(&realm, &keytab).names("8", "DOC_PRINCIPAL_UNKNOWN", "addprinc -randkey Alice@ZK.TEST");
    realm.principals(&["alice"]).unwrap();
    look(&realm, &keytab).names("8", "DOC_PRINCIPAL_UNKNOWN", "use alice@ZK.TEST");
}

/// Pain 21: a keytab that is not there, not whole, or not this principal's.
#[test]
fn a_keytab_that_cannot_be_used() {
    let realm = need!("doctor: unusable keytab", Realm::start("ZK.TEST"));
    let keytab = healthy(&realm, SERVICE);
    look(&realm, Path::new("~/zk.keytab")).names("21", "KRB_KEYTAB", "$HOME/zk.keytab");
    look(&realm, &realm.path("nowhere")).names("21", "KRB_KEYTAB", "klist -kte");
    let wanted = ["keytab", keytab.to_str().unwrap(), "--principal", "zookeeper/localhots"];
    doctor(&realm.env(), &wanted).names("21", "KRB_KEYTAB", "use principal zookeeper/localhost@ZK.TEST");
    let cut = realm.path("cut.keytab");
    fs::write(&cut, fs::read(&keytab).unwrap().get(..40).unwrap()).unwrap();
    look(&realm, &cut).names("21", "KRB_KEYTAB", "klist -kte");
}

/// Pain 18: names that no client asks for.
#[test]
fn hosts_in_upper_case_or_not_replaced() {
    let realm = need!("doctor: host names", Realm::start("ZK.TEST"));
    healthy(&realm, "zookeeper/zk1.example.com");
    let upper = realm.keytab(&["zookeeper/ZK1.example.com"]).unwrap();
    look(&realm, &upper).names("18", "DOC_HOST_NAME", "zookeeper/zk1.example.com");
    let host = realm.keytab(&["zookeeper/_HOST"]).unwrap();
    look(&realm, &host).names("18", "DOC_HOST_NAME", "hostname -f");
}
