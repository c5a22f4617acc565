//! Kerberos: what others' KDCs say, names of odd shapes, and authorization ids.
//!
//! # Invariants
//! * Tickets are real; what no client library would send is written by the tests' own client.

use crate::client::{Client, Wish, login};
use crate::inside::{given, run, use_tickets};
use crate::support::kdc::Realm;
use crate::table::Table;
use oxkeeper::auth::names::NamePolicy;
use oxkeeper::auth::reason::Reason;
use oxkeeper::auth::sasl::{Login, Refusal, SaslStep};
use oxkeeper::config::Settings;
use oxkeeper::kerberos::config;
use oxkeeper::kerberos::server::{Names, NoMeters, SaslServer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SERVICE: &str = "zookeeper/localhost@ZK.TEST";
const WAY: &str = "kerberos";

/// Principals that exist, or come to exist, in a realm, by the variable that their tickets travel in.
const NAMES: &[(&str, &str)] = &[
    ("ALICE", "alice"),
    ("CAPITALS", "BOB"),
    ("SUPER", "super"),
    ("SUPERHOST", "super/localhost"),
    ("THREE", "bob/localhost/admin"),
    ("FOUR", "a/b/c/d"),
    ("NN", "nn/localhost"),
];

/// Authorization ids that alice has no claim to.
const OTHERS: &[&str] = &[
    "bob",
    "bob@ZK.TEST",
    "super",
    "super@ZK.TEST",
    "admin@ZK.TEST",
    "zookeeper/localhost@ZK.TEST",
    "alice",
    "ALICE@ZK.TEST",
    "Alice@ZK.TEST",
    "alice@zk.test",
    "alice@OTHER.TEST",
    "alice@ZK.TEST ",
    " alice@ZK.TEST",
    "alice@ZK.TEST\0",
    "alice@ZK.TEST\n",
    "alice\0@ZK.TEST",
    "alice/localhost@ZK.TEST",
    "alice/@ZK.TEST",
    "alice@",
    "@ZK.TEST",
    "@",
    "/",
    "alice@ZK.TEST@ZK.TEST",
    "alice\\@ZK.TEST",
    "\u{430}lice@ZK.TEST",
    "\u{ff41}lice@ZK.TEST",
    "alice@ZK.TEST\u{200b}",
    "u:alice@ZK.TEST",
    "dn:CN=alice",
    "*",
];

/// Makes the realms and their tickets, and runs [`cases`] among them.
pub fn outside(mut home: Realm, table: &mut Table) {
    let mut away = Realm::start("OTHER.TEST").expect("a second realm");
    let impostor = Realm::start("ZK.TEST").expect("a realm of the same name");
    let keytab = home.keytab(&["zookeeper/localhost"]).expect("a keytab");
    home.principals(&["zookeeper/elsewhere", "HTTP/localhost"]).expect("services");
    let mut caches: Vec<(String, PathBuf)> = Vec::new();
    for (variable, name) in NAMES {
        caches.push(((*variable).to_owned(), tickets(&home, name)));
    }
    // Another KDC that gives itself out for ours: same names, other keys.
    impostor.principals(&["zookeeper/localhost"]).expect("a service");
    caches.push(("IMPOSTOR".into(), tickets(&impostor, "alice")));
    let eve = tickets(&away, "eve");
    let untrusted = away.service_ticket(&eve, SERVICE).is_err();
    let came = if untrusted { "no ticket" } else { "a ticket" };
    table.note(WAY, "a foreign realm without trust", "no ticket", came.into());
    home.trust(&mut away).expect("trust");
    for (variable, name) in
        [("EVE", "eve"), ("AWAYALICE", "alice"), ("AWAYSUPER", "super"), ("AWAYZK", "zookeeper/localhost")]
    {
        let cache = tickets(&away, name);
        away.service_ticket(&cache, SERVICE).expect("a ticket over the trust");
        caches.push((variable.into(), cache));
    }
    let data = home.path("data");
    std::fs::create_dir_all(&data).expect("a data directory");
    let mut given: Vec<(&str, &Path)> = vec![("KEYTAB", &keytab), ("DATA", &data)];
    given.extend(caches.iter().map(|(name, path)| (name.as_str(), path.as_path())));
    table.take(&run("forged_identities_are_refused_each_for_its_reason", &home, &given));
}

/// Tickets of a principal that is made for it, the service's among them where the realm has that.
fn tickets(realm: &Realm, name: &str) -> PathBuf {
    let keytab = realm.keytab(&[name]).unwrap_or_else(|why| panic!("{name}: {why}"));
    let cache = realm.kinit_keytab(name, &keytab, &[]).unwrap_or_else(|why| panic!("{name}: {why}"));
    if realm.name() == "ZK.TEST" {
        realm.service_ticket(&cache, SERVICE).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
    cache
}

/// A server whose names are mapped by these settings.
fn server(change: impl FnOnce(&mut Settings)) -> SaslServer {
    let mut settings = Settings::default();
    change(&mut settings);
    settings.auth.kerberos_keytab = Some(given("KEYTAB"));
    settings.auth.kerberos_principal = Some(SERVICE.to_owned());
    settings.storage.data_dir = given("DATA");
    let policy = NamePolicy::new(&settings.auth, Some("ZK.TEST")).expect("a policy");
    let names: Names = Arc::new(move |mechanism, name: &str| policy.id(mechanism, name));
    let config = config::of(&settings, names, Arc::new(NoMeters)).expect("a configuration");
    SaslServer::new(config).expect("a good keytab")
}

fn outcome(step: SaslStep) -> Result<Login, Refusal> {
    match step {
        SaslStep::Done { login, .. } => Ok(login),
        SaslStep::Refused(refusal) | SaslStep::Broken(refusal) => Err(refusal),
        SaslStep::Challenge(_) => panic!("an exchange without an end"),
    }
}

/// The inner half: every case against servers in this process.
pub fn cases() {
    let mut table = Table::default();
    let plain = server(|_| ());
    authzids(&mut table, &plain);
    shapes(&mut table, &plain);
    foreign(&mut table, &plain);
    powers(&mut table, &plain);
    tokens(&mut table, &plain);
    table.print();
}

fn authzids(table: &mut Table, plain: &SaslServer) {
    use_tickets(&given("ALICE"));
    let honest = outcome(login(&mut plain.exchange(), Wish::of(SERVICE))).expect("an honest login");
    assert_eq!((honest.principal.as_str(), honest.id.as_str()), ("alice@ZK.TEST", "alice@ZK.TEST"));
    for other in OTHERS {
        for wish in [Wish::of(SERVICE), Wish::of(SERVICE).mutual()] {
            let case = format!("alice asks to be {other}{}", if wish.mutual { ", mutual" } else { "" });
            let came = outcome(login(&mut plain.exchange(), wish.authzid(other))).map(|login| login.id);
            table.refused(WAY, &case, Reason::SaslAuthzid, came);
        }
    }
}

fn refused(table: &mut Table, case: &str, server: &SaslServer, tickets: &str, reason: Reason) {
    use_tickets(&given(tickets));
    let came = outcome(login(&mut server.exchange(), Wish::of(SERVICE))).map(|login| login.id);
    table.refused(WAY, case, reason, came);
}

fn shapes(table: &mut Table, plain: &SaslServer) {
    refused(table, "three components", plain, "THREE", Reason::NameShape);
    refused(table, "four components", plain, "FOUR", Reason::NameShape);
}

fn foreign(table: &mut Table, plain: &SaslServer) {
    refused(table, "a KDC that calls itself by our name", plain, "IMPOSTOR", Reason::KrbWrongKey);
    let bare = server(|s| {
        s.auth.kerberos_remove_host_from_principal = true;
        s.auth.kerberos_remove_realm_from_principal = true;
    });
    let listed = server(|s| s.auth.kerberos_allowed_realms = vec!["ZK.TEST".into(), "OTHER.TEST".into()]);
    for (case, tickets) in [
        ("a stranger", "EVE"),
        ("our alice's name", "AWAYALICE"),
        ("super", "AWAYSUPER"),
        ("our service's name", "AWAYZK"),
    ] {
        refused(table, &format!("trusted realm: {case}"), plain, tickets, Reason::NameRealm);
        refused(table, &format!("trusted realm, bare names: {case}"), &bare, tickets, Reason::NameRealm);
        refused(table, &format!("allowed realm without rule: {case}"), &listed, tickets, Reason::NameNoRule);
    }
}

/// Names that look like power and are only names.
fn powers(table: &mut Table, plain: &SaslServer) {
    for (case, tickets) in [("super", "SUPER"), ("super/localhost", "SUPERHOST"), ("BOB", "CAPITALS")] {
        use_tickets(&given(tickets));
        let came = outcome(login(&mut plain.exchange(), Wish::of(SERVICE)));
        table.own(WAY, &format!("principal {case}"), came);
    }
    let bare = server(|s| {
        s.auth.kerberos_remove_host_from_principal = true;
        s.auth.kerberos_remove_realm_from_principal = true;
    });
    refused(table, "bare names: super", &bare, "SUPER", Reason::NameNoRule);
    refused(table, "bare names: super/localhost", &bare, "SUPERHOST", Reason::NameNoRule);
    let ruled = server(|s| {
        s.auth.auth_to_local = "RULE:[2:$1@$0](nn@ZK.TEST)s/.*/super/\nDEFAULT".into();
        s.auth.kerberos_remove_host_from_principal = true;
        s.auth.kerberos_remove_realm_from_principal = true;
    });
    refused(table, "a rule that makes super", &ruled, "NN", Reason::NameNoRule);
}

/// What is no login, or was one before.
fn tokens(table: &mut Table, plain: &SaslServer) {
    use_tickets(&given("ALICE"));
    let mut refuse = |case: &str, reason: Reason, step: SaslStep| {
        table.refused(WAY, case, reason, outcome(step).map(|login| login.id));
    };
    let recorded = Client::new(Wish::of(SERVICE)).login(&mut plain.exchange()).sent;
    refuse("a recorded login", Reason::KrbReplay, plain.exchange().step(Some(&recorded[0])));
    let sibling = server(|_| ());
    refuse(
        "a recorded login after a restart",
        Reason::KrbReplay,
        sibling.exchange().step(Some(&recorded[0])),
    );
    for service in ["zookeeper/elsewhere@ZK.TEST", "HTTP/localhost@ZK.TEST"] {
        let step = login(&mut plain.exchange(), Wish::of(service));
        refuse(&format!("a ticket for {service}"), Reason::KrbWrongService, step);
    }
    let mut changed = Client::new(Wish::of(SERVICE)).first();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    // The middle lies in the ticket, which is the KDC's word: it no longer opens.
    let step = plain.exchange().step(Some(&changed));
    let came = match outcome(step) {
        Ok(login) => format!("ACCEPTED as {:?}", login.id),
        Err(refusal) if [Reason::KrbWrongKey, Reason::KrbBadToken].contains(&refusal.reason) => {
            "refused".into()
        }
        Err(refusal) => refusal.reason.code().to_owned(),
    };
    table.note(WAY, "a changed ticket", "refused", came);
}
