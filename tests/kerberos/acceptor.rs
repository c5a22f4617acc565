//! The acceptor in this process: every login that must succeed, and every one that must not, each with its reason.
//!
//! # Invariants
//! * Every refusal is compared with its reason and with what its text must tell the operator.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use oxkeeper::auth::reason::Reason;
use oxkeeper::auth::sasl::{Login, Refusal, SaslStep};
use oxkeeper::kerberos::GssapiConfig;
use oxkeeper::kerberos::server::{Meters, Names, SaslServer, SaslServerConfig};

use crate::client::{Client, Wish, login};
use crate::inside::{given, inside, run, use_tickets};
use crate::need;
use crate::support::kdc::{Realm, shift_clock};

pub const SERVICE: &str = "zookeeper/localhost@ZK.TEST";

/// What the server measured.
#[derive(Default)]
pub struct Seen {
    pub skews: Mutex<Vec<i64>>,
    pub keys: Mutex<Vec<(String, u32, i32)>>,
}

impl Meters for Seen {
    fn skew_ms(&self, ms: i64) {
        self.skews.lock().unwrap().push(ms);
    }

    fn key(&self, service: &str, kvno: u32, enctype: i32) {
        self.keys.lock().unwrap().push((service.to_owned(), kvno, enctype));
    }
}

/// Takes principals of ZK.TEST and drops the realm, as an operator may configure it.
fn names() -> Names {
    Arc::new(|_, name| match name.strip_suffix("@ZK.TEST") {
        Some(short) => Ok(short.to_owned()),
        None => Err(Refusal::new(Reason::NameRealm, "not ZK.TEST").of(name)),
    })
}

/// A server over a keytab.
pub fn server(keytab: &Path) -> (SaslServer, Arc<Seen>) {
    server_of(keytab, SERVICE)
}

/// A server of this principal.
fn server_of(keytab: &Path, principal: &str) -> (SaslServer, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let gssapi = GssapiConfig {
        keytab: keytab.to_path_buf(),
        principal: principal.to_owned(),
        replay_cache: Some(given("REPLAYS")),
    };
    let meters = Arc::<Seen>::clone(&seen);
    let config = SaslServerConfig { gssapi: Some(gssapi), digest: None, names: names(), meters };
    (SaslServer::new(config).expect("a good keytab"), seen)
}

/// The login that a step must have ended with.
pub fn logged_in(step: SaslStep) -> Login {
    match step {
        SaslStep::Done { last: None, login } => login,
        other => panic!("no login: {other:?}"),
    }
}

/// The refusal that a step must have ended with, its text holding all of `words`.
fn refused(step: SaslStep, reason: Reason, words: &[&str]) -> Refusal {
    let SaslStep::Refused(refusal) = step else { panic!("not refused: {step:?}") };
    assert_eq!(refusal.reason, reason, "{refusal:?}");
    for word in words {
        assert!(refusal.detail.contains(word), "{word} is not in {refusal:?}");
    }
    refusal
}

#[test]
fn logins_that_are_allowed() {
    if inside() {
        return allowed();
    }
    let realm = need!("Kerberos logins", Realm::start("ZK.TEST"));
    let keytab = realm.keytab(&[SERVICE, "zookeeper/127.0.0.1", "zookeeper"]).unwrap();
    let clients = realm.keytab(&["alice", "hdfs/nn.example"]).unwrap();
    let alice = realm.kinit_keytab("alice", &clients, &["-f"]).unwrap();
    let hdfs = realm.kinit_keytab("hdfs/nn.example", &clients, &[]).unwrap();
    let replays = realm.path("replays");
    let given: [(&str, &Path); 4] =
        [("KEYTAB", &keytab), ("ALICE", &alice), ("HDFS", &hdfs), ("REPLAYS", &replays)];
    run("acceptor::logins_that_are_allowed", &realm, &given);
}

fn allowed() {
    let (server, seen) = server(&given("KEYTAB"));
    let mut exchange = server.exchange();
    use_tickets(&given("ALICE"));
    let wish = Wish::of(SERVICE);
    let authzids = ["", "alice@ZK.TEST", "alice"];
    for wish in [wish.clone(), wish.clone().mutual()] {
        for authzid in authzids {
            // One exchange serves one login after the other: a client may begin anew.
            let login = logged_in(login(&mut exchange, wish.clone().authzid(authzid)));
            assert_eq!((login.principal.as_str(), login.id.as_str()), ("alice@ZK.TEST", "alice"));
            assert_eq!(login.service.as_deref(), Some(SERVICE));
            assert!(login.ends.is_some_and(|ends| ends > 1_700_000_000));
        }
    }
    assert_eq!(logged_in(login(&mut exchange, wish.clone().mutual().delegating())).id, "alice");
    let other = logged_in(login(&mut exchange, Wish::of("zookeeper/127.0.0.1@ZK.TEST")));
    assert_eq!(
        other.service.as_deref(),
        Some("zookeeper/127.0.0.1@ZK.TEST"),
        "any key of the service serves"
    );
    // A service's name may have no host, and the configuration may name the service alone.
    for principal in ["zookeeper@ZK.TEST", "zookeeper"] {
        let (bare, _) = server_of(&given("KEYTAB"), principal);
        let login = logged_in(login(&mut bare.exchange(), Wish::of("zookeeper@ZK.TEST").mutual()));
        assert_eq!(login.service.as_deref(), Some("zookeeper@ZK.TEST"));
    }
    use_tickets(&given("HDFS"));
    assert_eq!(logged_in(login(&mut exchange, wish.clone())).id, "hdfs/nn.example");

    refused(login(&mut exchange, wish.clone().authzid("alice")), Reason::SaslAuthzid, &["asked to be alice"]);
    let layered =
        refused(login(&mut exchange, wish.clone().mutual().layer(4)), Reason::SaslLayer, &["layer 4"]);
    assert_eq!(layered.who.as_deref(), Some("hdfs/nn.example@ZK.TEST"));
    let skews = seen.skews.lock().unwrap();
    assert!(skews.len() >= 8 && skews.iter().all(|ms| ms.abs() < 120_000), "{skews:?}");
    assert_eq!(seen.keys.lock().unwrap()[0], (SERVICE.to_owned(), 1, 18));
}

#[test]
fn logins_that_are_refused() {
    if inside() {
        return refusals();
    }
    let mut realm = need!("Kerberos refusals", Realm::start("ZK.TEST"));
    let mut other = need!("Kerberos refusals", Realm::start("OTHER.TEST"));
    let keytab = realm.keytab(&[SERVICE, "HTTP/localhost"]).unwrap();
    realm.principals(&["zookeeper/elsewhere"]).unwrap();
    realm.trust(&mut other).unwrap();
    let clients = realm.keytab(&["alice", "a/b/c"]).unwrap();
    let strangers = other.keytab(&["alice"]).unwrap();
    let tickets = |principal: &str, services: &[&str]| {
        let cache = realm.kinit_keytab(principal, &clients, &[]).unwrap();
        services.iter().for_each(|service| realm.service_ticket(&cache, service).unwrap());
        cache
    };
    let alice = tickets("alice", &[SERVICE]);
    let ahead = tickets("alice", &[SERVICE]);
    shift_clock(&ahead, 400);
    let three = tickets("a/b/c", &[SERVICE]);
    let stranger = other.kinit_keytab("alice", &strangers, &[]).unwrap();
    let replays = realm.path("replays");
    let given: [(&str, &Path); 6] = [
        ("KEYTAB", &keytab),
        ("ALICE", &alice),
        ("AHEAD", &ahead),
        ("THREE", &three),
        ("STRANGER", &stranger),
        ("REPLAYS", &replays),
    ];
    run("acceptor::logins_that_are_refused", &realm, &given);
}

fn refusals() {
    let (server, _) = server(&given("KEYTAB"));
    let mut exchange = server.exchange();
    let wish = Wish::of(SERVICE);
    use_tickets(&given("ALICE"));
    let elsewhere = login(&mut exchange, Wish::of("zookeeper/elsewhere@ZK.TEST"));
    refused(elsewhere, Reason::KrbWrongService, &["for zookeeper/elsewhere@ZK.TEST", SERVICE]);
    let foreign = login(&mut exchange, Wish::of("HTTP/localhost@ZK.TEST").mutual());
    let foreign = refused(foreign, Reason::KrbWrongService, &["HTTP/localhost@ZK.TEST", "service zookeeper"]);
    assert_eq!(foreign.who.as_deref(), Some("alice@ZK.TEST"));

    use_tickets(&given("AHEAD"));
    let skewed = refused(login(&mut exchange, wish.clone()), Reason::KrbSkew, &[" s ahead of this server's"]);
    assert_eq!(skewed.who.as_deref(), Some("alice@ZK.TEST"));
    assert!(
        skewed.detail.contains("client clock is 4") || skewed.detail.contains("client clock is 3"),
        "{skewed:?}"
    );

    use_tickets(&given("THREE"));
    let three = refused(login(&mut exchange, wish.clone()), Reason::NameShape, &["one or two components"]);
    assert_eq!(three.who.as_deref(), Some("a/b/c@ZK.TEST"));
    use_tickets(&given("STRANGER"));
    let stranger = refused(login(&mut exchange, wish.clone().mutual()), Reason::NameRealm, &[]);
    assert_eq!(stranger.who.as_deref(), Some("alice@OTHER.TEST"));

    replays(&server, wish.clone());
    broken_tokens(&server, wish);
}

/// What was sent once is refused afterwards, by this server and by its successor.
fn replays(first: &SaslServer, wish: Wish) {
    use_tickets(&given("ALICE"));
    let ended = Client::new(wish).login(&mut first.exchange());
    logged_in(ended.last);
    refused(first.exchange().step(Some(&ended.sent[0])), Reason::KrbReplay, &[]);
    let (restarted, _) = server(&given("KEYTAB"));
    refused(restarted.exchange().step(Some(&ended.sent[0])), Reason::KrbReplay, &[]);
}

fn broken_tokens(server: &SaslServer, wish: Wish) {
    let step = |token: &[u8]| server.exchange().step(Some(token));
    let good = Client::new(wish.clone()).first();
    refused(step(&good[..good.len() / 2]), Reason::KrbBadToken, &[]);
    let mut changed = Client::new(wish.clone()).first();
    let last = changed.len() - 1;
    changed[last] ^= 1; // the authenticator
    refused(step(&changed), Reason::KrbBadToken, &[]);
    refused(
        step(b"\x60\x06\x06\x04\x2b\x06\x01\x05"),
        Reason::KrbBadToken,
        &["a mechanism other than Kerberos 5"],
    );
    refused(step(b"NTLMSSP"), Reason::KrbBadToken, &["no GSSAPI framing"]);
    refused(step(&vec![0x60; 64 * 1024 + 1]), Reason::SaslTooLong, &["65537 bytes"]);
    refused(server.exchange().step(None), Reason::SaslNotConfigured, &["DIGEST-MD5"]);
    // Out of turn: the answer to an AP-REP that is not empty, a choice that is no token.
    let mut exchange = server.exchange();
    assert!(matches!(
        exchange.step(Some(&Client::new(wish.clone().mutual()).first())),
        SaslStep::Challenge(_)
    ));
    refused(exchange.step(Some(b"x")), Reason::SaslSequence, &[]);
    assert!(matches!(exchange.step(Some(&Client::new(wish.clone()).first())), SaslStep::Challenge(_)));
    refused(exchange.step(Some(b"x")), Reason::KrbBadToken, &["the last token"]);
    changed_choices(server, &wish);
    logged_in(login(&mut exchange, wish));
}

/// The last token with each of its bytes changed, or cut there: none is taken.
fn changed_choices(server: &SaslServer, wish: &Wish) {
    let mut at = 0;
    let mut length = 1;
    while at < length {
        for cut in [false, true] {
            let mut exchange = server.exchange();
            let mut tokens = 0;
            Client::new(wish.clone()).converse(&mut |token| {
                tokens += 1;
                let mut token = token.to_vec();
                if tokens == 2 {
                    length = token.len();
                    token[at] ^= 0x11;
                    token.truncate(if cut { at } else { length });
                }
                match exchange.step(Some(&token)) {
                    SaslStep::Challenge(reply) => Some(reply),
                    SaslStep::Refused(why) => {
                        assert_eq!((tokens, why.reason), (2, Reason::KrbBadToken), "byte {at}: {why:?}");
                        None
                    }
                    // How far the rest is rotated is not signed: another number may mean the same.
                    SaslStep::Done { .. } if !cut && (6..8).contains(&at) => None,
                    other => panic!("byte {at}: {other:?}"),
                }
            });
            assert_eq!(tokens, 2);
        }
        at += 1;
    }
}

#[test]
fn keys_that_do_not_fit() {
    if inside() {
        return wrong_keys();
    }
    let realm = need!("Kerberos keys", Realm::start("ZK.TEST"));
    let clients = realm.keytab(&["alice"]).unwrap();
    let keytab = realm.keytab(&[SERVICE, "zookeeper/wrong", "zookeeper/behind", "zookeeper/gone"]).unwrap();
    realm.principals(&["zookeeper/type"]).unwrap();
    let cache = realm.kinit_keytab("alice", &clients, &[]).unwrap();
    realm.service_ticket(&cache, "zookeeper/type").unwrap();
    // Another encryption type alone in the keytab.
    let only = format!("ktadd -k {} -e aes128-cts-hmac-sha1-96:normal zookeeper/type", keytab.display());
    realm.kadmin(&only).unwrap();
    // The same number, another key: made anew in the KDC.
    realm.kadmin("delprinc -force zookeeper/wrong").unwrap();
    realm.principals(&["zookeeper/wrong"]).unwrap();
    // A newer key in the KDC than in the keytab.
    realm.bump_key("zookeeper/behind").unwrap();
    // An older ticket than the keytab's keys.
    realm.service_ticket(&cache, "zookeeper/gone").unwrap();
    realm.kadmin(&format!("ktremove -k {} zookeeper/gone all", keytab.display())).unwrap();
    realm.bump_key("zookeeper/gone").unwrap();
    realm.export("zookeeper/gone", &keytab).unwrap();
    let replays = realm.path("replays");
    run(
        "acceptor::keys_that_do_not_fit",
        &realm,
        &[("KEYTAB", &keytab), ("ALICE", &cache), ("REPLAYS", &replays)],
    );
}

fn wrong_keys() {
    use_tickets(&given("ALICE"));
    let (server, _) = server(&given("KEYTAB"));
    let step = |host: &str| login(&mut server.exchange(), Wish::of(&format!("zookeeper/{host}@ZK.TEST")));
    let wrong =
        ["zookeeper/wrong@ZK.TEST, kvno 1, aes256-cts-hmac-sha1-96", "kvno 1 aes256-cts-hmac-sha1-96"];
    refused(step("wrong"), Reason::KrbWrongKey, &wrong);
    refused(step("gone"), Reason::KrbNoKey, &["kvno 1, aes256", "kvno 2 aes256"]);
    refused(step("type"), Reason::KrbNoKey, &["kvno 1, aes256", "kvno 2 aes128"]);
    // The keytab is behind the KDC: our fault, and it will pass, so the client must not give up.
    let SaslStep::Broken(behind) = step("behind") else { panic!("a keytab that is behind is no refusal") };
    assert_eq!(behind.reason, Reason::KrbNoKey);
    assert!(
        behind.detail.contains("kvno 2, aes256") && behind.detail.contains("kvno 1 aes256"),
        "{behind:?}"
    );
    logged_in(step("localhost"));
    our_own_files(step);
}

/// Files of ours that are gone or in the way while we run: no client is told that it failed.
fn our_own_files(step: impl Fn(&str) -> SaslStep) {
    let broken = |reason: Reason, words: &str| match step("localhost") {
        SaslStep::Broken(why) => assert!(why.reason == reason && why.detail.contains(words), "{why:?}"),
        other => panic!("our own fault, not the client's: {other:?}"),
    };
    let (keytab, replays) = (given("KEYTAB"), given("REPLAYS"));
    let (away, kept) = (keytab.with_extension("away"), replays.with_extension("kept"));
    std::fs::rename(&keytab, &away).unwrap();
    broken(Reason::KrbKeytab, "No such file");
    std::fs::write(&keytab, "half a key").unwrap();
    broken(Reason::KrbKeytab, "not a keytab");
    std::fs::rename(&away, &keytab).unwrap();
    logged_in(step("localhost"));
    std::fs::rename(&replays, &kept).unwrap();
    std::fs::create_dir(&replays).unwrap();
    broken(Reason::KrbOther, "replay cache");
    std::fs::remove_dir(&replays).unwrap();
    std::fs::rename(&kept, &replays).unwrap();
    logged_in(step("localhost"));
}

#[test]
fn tickets_that_have_ended() {
    if inside() {
        return ended();
    }
    let realm = need!("Kerberos expiry", Realm::start("ZK.TEST"));
    let conf = std::fs::read_to_string(realm.krb5_conf()).unwrap();
    std::fs::write(realm.krb5_conf(), conf.replace("[libdefaults]\n", "[libdefaults]\n  clockskew = 2\n"))
        .unwrap();
    let keytab = realm.keytab(&[SERVICE]).unwrap();
    let clients = realm.keytab(&["alice"]).unwrap();
    let replays = realm.path("replays");
    run(
        "acceptor::tickets_that_have_ended",
        &realm,
        &[("KEYTAB", &keytab), ("CLIENTS", &clients), ("REPLAYS", &replays)],
    );
}

fn ended() {
    let (server, _) = server(&given("KEYTAB"));
    let token = |lifetime: &str| {
        let mut kinit = Command::new("kinit");
        kinit.args(["-l", lifetime, "-k", "-t"]).arg(given("CLIENTS")).arg("alice");
        assert!(kinit.status().expect("kinit").success());
        Client::new(Wish::of(SERVICE)).try_first()
    };
    let long = token("5m").expect("a ticket for the service");
    // On a busy machine a short ticket may end before it is used.
    let short = (0..20).find_map(|_| token("4s")).expect("a short ticket that was used in time");
    // Past the ticket's end by more than the clock skew: there is no way around waiting for it.
    sleep(Duration::from_secs(8));
    // A clock that is behind looks the same: an authenticator of some time ago.
    let behind = refused(server.exchange().step(Some(&long)), Reason::KrbSkew, &[" s behind this server's"]);
    assert_eq!(behind.who.as_deref(), Some("alice@ZK.TEST"));
    let step = server.exchange().step(Some(&short));
    let refusal = refused(step, Reason::KrbTicketExpired, &["the ticket ended ", " s ago"]);
    assert_eq!(refusal.who.as_deref(), Some("alice@ZK.TEST"));
}

#[test]
fn a_keytab_that_cannot_serve_is_told_at_the_start() {
    let dir = crate::support::dirs::Dir::new("keytab");
    let open = |keytab: &Path| {
        let gssapi = GssapiConfig {
            keytab: keytab.to_path_buf(),
            principal: "zookeeper/zk1@ZK.TEST".to_owned(),
            replay_cache: Some(dir.path().join("none/replays")),
        };
        let meters = Arc::new(Seen::default());
        let config = SaslServerConfig { gssapi: Some(gssapi), digest: None, names: names(), meters };
        SaslServer::new(config).err().map(|e| e.to_string()).unwrap_or_default()
    };
    assert!(open(&dir.path().join("none")).contains("none: No such file"));
    assert!(open(&dir.write("text", "zookeeper")).contains("not a keytab: no version"));
    assert!(
        open(&dir.write("empty", "\u{5}\u{2}"))
            .contains("no key of zookeeper/zk1@ZK.TEST; it has no key at all")
    );
}
