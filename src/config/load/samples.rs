//! Tests of the loader on files of others: random ones that Java judged, and our samples.

use super::tests::{load_files, memory};
use super::*;

/// Random zoo.cfg files and what ZooKeeper 3.9.5 makes of them.
const JAVA: &str = include_str!("../../../tests/data/zoo-cfg-java.txt");

/// Settings in the words of [`JAVA`].
fn summary(s: &Settings) -> String {
    let (quorum, session) = (&s.quorum, &s.session);
    let voters = quorum.ensemble.voters();
    format!(
        "ok tick={} min={} max={} port={} retain={} dist={} voters={voters} obs={} cnx={} peer={}",
        session.tick_time,
        session.min_session_timeout,
        session.max_session_timeout,
        s.client.client_port.map_or("-".to_owned(), |port| port.to_string()),
        s.storage.snap_retain_count,
        quorum.is_distributed(),
        quorum.ensemble.members.len() - voters,
        s.client.max_client_cnxns.unwrap_or(0),
        quorum.peer_type.to_string().to_uppercase(),
    )
}

#[test]
fn files_are_taken_and_refused_as_zookeeper_does() {
    let mut cases = 0;
    for line in JAVA.lines().filter(|line| !line.starts_with('#')) {
        let (text, expected) = line.split_once('\t').unwrap();
        let text = text.replace("\\n", "\n");
        let loaded = load_files(&[("/c/zoo.cfg", &text), ("data/myid", "1\n")], &[], &[]);
        let read = loaded.settings.as_ref().map_or("refused".to_owned(), summary);
        assert_eq!(read, expected, "{text}");
        cases += 1;
    }
    assert!(cases >= 150);
}

/// The samples, where an installation would have them.
macro_rules! sample {
    ($name:literal) => {
        (concat!("/etc/zookeeper/conf/", $name), include_str!(concat!("../../../conf/", $name)))
    };
}

fn load_sample(name: &str, more: &[(&str, &str)]) -> Loaded {
    let mut files = vec![
        sample!("zoo.cfg.standalone"),
        sample!("zoo.cfg.three-servers"),
        sample!("zoo.cfg.kerberos"),
        sample!("zoo.cfg.tls"),
        sample!("zoo.cfg.mrs"),
        sample!("jaas.conf.kerberos"),
        sample!("jaas.conf.mrs"),
    ];
    files.extend_from_slice(more);
    load(&Request::file(format!("/etc/zookeeper/conf/{name}")), &memory(&files))
}

#[test]
fn the_samples_load_without_a_complaint() {
    for name in ["zoo.cfg.standalone", "zoo.cfg.kerberos", "zoo.cfg.mrs", "zoo.cfg.tls"] {
        let loaded = load_sample(name, &[]);
        assert_eq!(loaded.findings.0, [], "{name}");
        assert!(loaded.settings.is_some(), "{name}");
    }
    let three = load_sample("zoo.cfg.three-servers", &[("/var/lib/zookeeper/myid", "2")]);
    assert_eq!(three.findings.0, []);
    assert_eq!(three.settings.unwrap().quorum.ensemble.voters(), 3);
}

#[test]
fn what_packages_install_loads_without_a_complaint() {
    let files = [
        ("/etc/oxkeeper/zoo.cfg", include_str!("../../../packaging/etc/zoo.cfg")),
        ("/etc/oxkeeper/java.env", include_str!("../../../packaging/etc/java.env")),
    ];
    let loaded = load(&Request::file("/etc/oxkeeper/zoo.cfg"), &memory(&files));
    assert_eq!(loaded.findings.0, []);
    let settings = loaded.settings.unwrap();
    assert_eq!(settings.storage.data_dir, PathBuf::from("/var/lib/oxkeeper"));
    let jaas = include_str!("../../../packaging/etc/jaas.conf");
    assert_eq!(parse_jaas(jaas, &|_| None).unwrap().sections, []);
    let example: String = jaas.lines().filter_map(|l| l.strip_prefix("//")).skip(3).collect();
    assert!(parse_jaas(&example, &|_| None).unwrap().section("Server").is_some());
}

#[test]
fn the_samples_mean_what_they_say() {
    let kerberos = load_sample("zoo.cfg.kerberos", &[]);
    let auth = &kerberos.settings.as_ref().unwrap().auth;
    assert_eq!(auth.auth_to_local, r"RULE:[2:$1@$0](.*@EXAMPLE\.COM)s/@.*// DEFAULT");
    let sections = &kerberos.jaas.as_ref().unwrap().sections;
    let names: Vec<_> = sections.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["Server", "QuorumServer", "QuorumLearner", "Client", "ClientTickets"]);
    let mrs = load_sample("zoo.cfg.mrs", &[]);
    let modules = &mrs.jaas.as_ref().unwrap().sections;
    let kerberos: Vec<_> = modules.iter().map(|s| s.modules[0].kerberos().unwrap()).collect();
    assert!(kerberos.len() == 4 && kerberos.iter().all(|section| *section == kerberos[0]));
    let settings = mrs.settings.unwrap();
    assert!(settings.auth.compare_short_name && settings.audit.layout == "mrs");
    assert_eq!((settings.session.tick_time, settings.client.client_port), (4000, Some(24002)));
    assert_eq!(settings.quorum.sasl.service_principal, "zookeeper/hadoop.hadoop.com");
    let (_, env) = sample!("java.env");
    let env = load_sample("zoo.cfg.standalone", &[("/etc/zookeeper/conf/java.env", env)]);
    let settings = env.settings.unwrap();
    assert_eq!(settings.limits.jute_maxbuffer, 4 << 20);
    assert_eq!(settings.auth.krb5_conf, Some(PathBuf::from("/etc/zookeeper/conf/krb5.conf")));
    assert_eq!(env.ignored_flags[0].flag, "-Xmx1g");
    let digest = parse_jaas(sample!("jaas.conf.digest").1, &|_| None).unwrap();
    assert_eq!(digest.section("Server").unwrap().modules[0].digest_users().count(), 2);
    assert!(digest.section("Client").unwrap().modules[0].digest_login().is_some());
}
