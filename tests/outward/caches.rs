//! Tickets over longer times and out of every kind of cache: renewed, and when renewal ends fetched anew by the keytab.
//!
//! # Invariants
//! * A kind of cache that this machine does not have is "not run".
//! * Lifetimes are the KDC's: seconds, so that an end is seen.

use std::path::Path;
use std::time::Duration;

use crate::need;
use crate::support::kdc::Realm;
use crate::support::server::{Kind, Server, Spec};
use crate::support::{dirs::Dir, ox, process, skip};
use crate::{child, said};

const LIMIT: Duration = Duration::from_secs(150);

#[test]
fn a_keytab_logs_in_anew_when_renewal_ends() {
    let part = "logins by keytab when renewal ends";
    let realm = need!(part, Realm::start("ZK.TEST"));
    let keytab = realm.keytab(&["alice"]).expect("a keytab");
    // A ticket lives for 10 s and can be renewed until 20 s after its login.
    realm.kadmin("modprinc -maxlife 10s -maxrenewlife 20s alice").expect("shorter lives");
    let mut command = child::command(&["keytab", &keytab.display().to_string(), "alice@ZK.TEST"]);
    command.envs(realm.env());
    let (_, output) = process::run(command, None, LIMIT).expect("it ends");
    let outcome = said(&output, "outcome ").unwrap_or(output);
    assert!(outcome.starts_with("in alice@ZK.TEST"), "{outcome}\n{}", realm.kdc_log());
    let log = realm.kdc_log();
    let issued = |what: &str| log.lines().filter(|l| l.contains(what) && l.contains("ISSUE")).count();
    assert!(issued("AS_REQ") >= 2, "logged in a second time:\n{log}");
    assert!(issued("TGS_REQ") >= 1, "renewed in between:\n{log}");
    println!("{outcome}; {} logins and {} renewals at the KDC", issued("AS_REQ"), issued("TGS_REQ"));
}

/// A server that asks for tickets of `realm`.
fn server(realm: &Realm, home: &Dir) -> Server {
    let keytab = realm.keytab(&["zookeeper/localhost"]).expect("a keytab");
    let module = "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true";
    let jaas = format!(
        "Server {{ {module} useTicketCache=false keyTab=\"{}\" principal=\"zookeeper/localhost@ZK.TEST\"; }};\n",
        keytab.display()
    );
    let jaas = home.write("jaas.conf", &jaas);
    let mut spec = Spec::new()
        .cfg("sessionRequireClientSASLAuth=true")
        .flag(&format!("-Djava.security.auth.login.config={}", jaas.display()));
    spec.flags.extend(realm.java_flags());
    Server::start(Kind::Oxkeeper, &spec).expect("the server serves")
}

/// Whom the shell is with the tickets of a cache.
fn who(realm: &Realm, server: &Server, cache: &str) -> String {
    let address = format!("localhost:{}", server.port());
    let mut command =
        ox::command(&["shell", "-server", &address, "-waitforconnection", "--ccache", cache, "whoami"]);
    command.envs(realm.env()).env_remove("JVMFLAGS").env_remove("CLIENT_JVMFLAGS");
    let (_, output) = process::run(command, None, LIMIT).expect("it ends");
    output.lines().find_map(|line| line.strip_prefix("sasl: ")).map_or(output.clone(), str::to_owned)
}

/// Fills a cache with tickets, as a user would; why this machine cannot.
fn fill(realm: &Realm, keytab: &Path, cache: &str) -> Result<(), String> {
    realm.run("kinit", &["-c", cache, "-k", "-t", &keytab.display().to_string(), "alice"], None).map(drop)
}

#[test]
fn tickets_come_out_of_every_kind_of_cache() {
    let realm = need!("kinds of ticket caches", Realm::start("ZK.TEST"));
    let home = Dir::new("caches");
    let server = server(&realm, &home);
    let keytab = realm.keytab(&["alice"]).expect("a keytab");
    let dir = home.path().join("many");
    std::fs::create_dir(&dir).expect("a directory");
    let id = std::process::id();
    let must = [format!("FILE:{}", home.path().join("one").display()), format!("DIR:{}", dir.display())];
    let may = [format!("KEYRING:user:oxkeeper-test-{id}"), format!("KCM:oxkeeper-test-{id}")];
    for cache in &must {
        fill(&realm, &keytab, cache).expect("libkrb5 has it");
        assert_eq!(who(&realm, &server, cache), "alice@ZK.TEST", "{cache}");
    }
    // A member of a collection is named by itself, too.
    let member = format!("DIR::{}", dir.join("tkt").display());
    assert_eq!(who(&realm, &server, &member), "alice@ZK.TEST", "{member}");
    for cache in &may {
        let kind = cache.split(':').next().unwrap_or_default();
        match fill(&realm, &keytab, cache) {
            Ok(()) => {
                let came = who(&realm, &server, cache);
                let gone = realm.run("kdestroy", &["-c", cache], None);
                assert_eq!(came, "alice@ZK.TEST", "{cache}");
                assert!(gone.is_ok(), "{gone:?}");
            }
            Err(why) => skip::not_run(&format!("ticket caches of type {kind}"), why.trim()),
        }
    }
}
