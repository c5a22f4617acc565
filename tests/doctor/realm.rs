//! Faults of KDC, clock, transport and krb5.conf.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::need;
use crate::support::kdc::Realm;
use crate::support::process::{self, Process};
use crate::told::doctor;

/// A copy of the realm's krb5.conf with a change.
pub fn changed(realm: &Realm, name: &str, change: impl Fn(String) -> String) -> PathBuf {
    let text = fs::read_to_string(realm.krb5_conf()).expect("the realm's krb5.conf");
    let path = realm.path(name);
    fs::write(&path, change(text)).expect("a krb5.conf can be written");
    path
}

fn with(path: &Path) -> [&str; 3] {
    ["kerberos", "--krb5-conf", path.to_str().expect("a path of text")]
}

/// Pain 9.
#[test]
fn a_kdc_that_cannot_be_found_or_reached() {
    let mut realm = need!("doctor: KDC", Realm::start("ZK.TEST"));
    let env = realm.env();
    doctor(&env, &["kerberos"]).healthy();
    let no_realm = changed(&realm, "no-realm.conf", |t| t.replace("default_realm", "#default_realm"));
    doctor(&env, &with(&no_realm)).names("9", "DOC_NO_REALM", "default_realm = ZK.TEST");
    let no_kdc = changed(&realm, "no-kdc.conf", |t| t.replace("kdc =", "#kdc ="));
    doctor(&env, &with(&no_kdc)).names("9", "DOC_NO_KDC", "21732");
    let no_host = changed(&realm, "no-host.conf", |t| t.replace("kdc = 127.0.0.1:", "kdc = kdc.invalid:"));
    doctor(&env, &with(&no_host)).names("9", "DOC_KDC_HOST", "/etc/hosts");
    let no_file = realm.path("nowhere.conf");
    doctor(&env, &with(&no_file)).names("9", "DOC_KRB5_CONF", "java.security.krb5.conf");
    realm.kdc_stop();
    let told = doctor(&env, &["kerberos"]);
    told.names("9", "DOC_KDC_UNREACHABLE", "firewall");
    let which = told.json["facts"].to_string();
    assert!(which.contains("KRB5_CONFIG of the environment"), "{which}");
}

/// Pain 10.
#[test]
fn a_kdc_that_does_not_answer_by_udp() {
    let mut realm = need!("doctor: UDP", Realm::start("ZK.TEST"));
    let env = realm.env();
    let conf = changed(&realm, "udp.conf", |t| t.replace("  udp_preference_limit = 1\n", ""));
    doctor(&env, &with(&conf)).without("DOC_UDP_LOST").healthy();
    let kdc_conf = fs::read_to_string(realm.path("kdc.conf")).unwrap();
    let lines = kdc_conf.lines().map(|line| match line.trim_start().starts_with("kdc_listen") {
        true => "  kdc_listen = \"\"".to_owned(),
        false => line.to_owned(),
    });
    fs::write(realm.path("kdc.conf"), lines.collect::<Vec<_>>().join("\n")).unwrap();
    realm.kdc_stop();
    realm.kdc_start().unwrap();
    doctor(&env, &with(&conf)).names("10", "DOC_UDP_LOST", "udp_preference_limit = 1");
    doctor(&env, &["kerberos"]).without("DOC_UDP_LOST");
}

/// Moves the clock of a program that asks libc for the time.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#define AHEAD 412
int clock_gettime(clockid_t id, struct timespec *t) {
    int result = syscall(SYS_clock_gettime, id, t);
    if (result == 0 && id == CLOCK_REALTIME) t->tv_sec += AHEAD;
    return result;
}
time_t time(time_t *out) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (out) *out = t.tv_sec;
    return t.tv_sec;
}
int gettimeofday(struct timeval *out, void *zone) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    out->tv_sec = t.tv_sec;
    out->tv_usec = t.tv_nsec / 1000;
    return 0;
}
"#;

fn shifted_kdc(realm: &mut Realm) -> Result<Process, String> {
    let (source, library) = (realm.path("clock.c"), realm.path("clock.so"));
    fs::write(&source, CLOCK).map_err(|e| e.to_string())?;
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    let (status, said) = process::run(compiler, None, Duration::from_secs(60))?;
    if !status.success() {
        return Err(format!("cc: {said}"));
    }
    realm.kdc_stop();
    let mut kdc = Command::new("/usr/sbin/krb5kdc");
    kdc.args(["-n", "-r", realm.name()]).arg("-P").arg(realm.path("shifted.pid"));
    kdc.envs(realm.env()).env("LD_PRELOAD", &library);
    let mut kdc = Process::start(kdc, &realm.path("shifted.out")).map_err(|e| e.to_string())?;
    let conf = fs::read_to_string(realm.krb5_conf()).map_err(|e| e.to_string())?;
    let port =
        conf.split("kdc = 127.0.0.1:").nth(1).and_then(|t| t.lines().next()?.trim().parse::<u16>().ok());
    let port = port.ok_or("no port in krb5.conf")?;
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if kdc.ended().is_some() || Instant::now() > deadline {
            return Err(format!("krb5kdc with another clock does not start: {}", kdc.log()));
        }
        sleep(Duration::from_millis(10));
    }
    Ok(kdc)
}

/// Pain 2.
#[test]
fn clocks_that_differ() {
    let mut realm = need!("doctor: clock", Realm::start("ZK.TEST"));
    let env = realm.env();
    doctor(&env, &["kerberos"]).without("KRB_SKEW").healthy();
    let _kdc = need!("doctor: clock", shifted_kdc(&mut realm));
    let told = doctor(&env, &["kerberos"]);
    told.names("2", "KRB_SKEW", "chronyc");
    let near = (405..=415).any(|s| told.text().contains(&format!("{s} s behind the KDC")));
    assert!(near, "{}", told.text());
}

/// Pain 13, and tickets that have ended.
#[test]
fn tickets_that_cannot_be_renewed() {
    let realm = need!("doctor: renewal", Realm::start("ZK.TEST"));
    let keytab = realm.keytab(&["alice", "bob"]).unwrap();
    let renewable = realm.kinit_keytab("alice", &keytab, &[]).unwrap();
    doctor(&realm.env_with(&renewable), &["kerberos"]).without("DOC_NOT_RENEWABLE").healthy();
    realm.kadmin("modprinc -maxrenewlife 0 bob").unwrap();
    let fixed = realm.kinit_keytab("bob", &keytab, &[]).unwrap();
    let told = doctor(&realm.env_with(&fixed), &["kerberos"]);
    told.names("13", "DOC_NOT_RENEWABLE", "modprinc -maxrenewlife 7d krbtgt/ZK.TEST");
    let gone = format!("FILE:{}", realm.path("gone").display());
    doctor(&realm.env(), &["kerberos", "--ccache", &gone]).names("14", "DOC_NO_TICKET", "kinit");
}

/// Pain 20: replay caches that were switched off.
#[test]
fn a_replay_cache_that_is_off() {
    let realm = need!("doctor: replay cache", Realm::start("ZK.TEST"));
    let mut env = realm.env();
    doctor(&env, &["kerberos"]).without("DOC_REPLAY_OFF").healthy();
    env.push(("KRB5RCACHENAME".to_owned(), "none:".to_owned()));
    doctor(&env, &["kerberos"]).names("20", "DOC_REPLAY_OFF", "unset KRB5RCACHENAME");
}
