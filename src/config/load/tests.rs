//! Tests of the loader: precedence, findings, rules.

use proptest::prelude::*;

use super::super::finding::Severity;
use super::super::settings::Compression;
use super::*;

/// Files in memory.
#[derive(Default)]
pub(super) struct Memory(BTreeMap<PathBuf, Vec<u8>>);

impl Files for Memory {
    fn read(&self, path: &Path, _limit: usize) -> Result<Option<Vec<u8>>, String> {
        match self.0.get(path) {
            Some(bytes) if bytes == b"unreadable" => Err("permission denied".to_owned()),
            bytes => Ok(bytes.cloned()),
        }
    }
}

pub(super) fn memory(files: &[(&str, &str)]) -> Memory {
    let pairs = files.iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()));
    Memory(pairs.collect())
}

fn load_text(text: &str) -> Loaded {
    load(&Request::file("/c/zoo.cfg"), &memory(&[("/c/zoo.cfg", text)]))
}

pub(super) fn load_files(
    files: &[(&str, &str)],
    environment: &[(&str, &str)],
    properties: &[&str],
) -> Loaded {
    let mut request = Request::file("/c/zoo.cfg");
    request.environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    request.properties = properties.iter().map(|p| (*p).to_owned()).collect();
    load(&request, &memory(files))
}

fn texts(loaded: &Loaded, severity: Severity) -> Vec<String> {
    let wanted = loaded.findings.iter().filter(|f| f.severity == severity);
    wanted.map(ToString::to_string).collect()
}

fn errors(text: &str) -> Vec<String> {
    let loaded = load_text(text);
    assert_eq!(loaded.settings.is_some(), !loaded.findings.has_errors());
    texts(&loaded, Severity::Error)
}

const BASE: &str = "dataDir=/d\nclientPort=2181\n";

fn with(lines: &str) -> String {
    format!("{BASE}{lines}\n")
}

#[test]
fn a_plain_zoo_cfg_becomes_settings() {
    let loaded = load_text(&with(
        "tickTime=2000\ninitLimit=10\nsyncLimit=5\nmaxClientCnxns=0\nsnapshot.compression.method=GZ",
    ));
    assert_eq!(loaded.findings.0, []);
    let s = loaded.settings.unwrap();
    assert_eq!(s.storage.data_dir, PathBuf::from("/d"));
    assert_eq!(s.storage.data_log_dir, PathBuf::from("/d"));
    assert_eq!((s.client.client_port, s.client.max_client_cnxns), (Some(2181), None));
    assert_eq!((s.session.tick_time, s.session.min_session_timeout), (2000, 4000));
    assert_eq!(s.session.max_session_timeout, 40_000);
    assert_eq!(s.storage.snapshot_compression, Compression::Gzip);
    assert!(!s.quorum.is_distributed());
}

#[test]
fn the_command_line_beats_the_environment_beats_java_env_beats_the_file() {
    let files = [
        (
            "/c/zoo.cfg",
            "dataDir=/d\nclientPort=1\nsnapCount=10\npreAllocSize=10\nmaxCnxns=10\nflushDelay=10\n",
        ),
        (
            "/c/java.env",
            "SERVER_JVMFLAGS='-Dzookeeper.preAllocSize=20 -Dzookeeper.maxCnxns=20 -Xmx1g'\n\
             JVMFLAGS=-Dzookeeper.flushDelay=20",
        ),
    ];
    let environment = [
        ("SERVER_JVMFLAGS", "-Dzookeeper.maxCnxns=30 -Dzookeeper.flushDelay=30"),
        ("JVMFLAGS", "-Dzookeeper.flushDelay=31 -agentlib:jdwp=x"),
    ];
    let loaded = load_files(&files, &environment, &["-Dzookeeper.flushDelay=40"]);
    let s = loaded.settings.as_ref().unwrap();
    assert_eq!((s.storage.snap_count, s.storage.pre_alloc_size), (10, 20 << 10));
    assert_eq!((s.client.max_cnxns, s.storage.flush_delay), (Some(30), 40));
    assert_eq!(s.storage.max_write_queue_poll_time, 13);
    let ignored: Vec<_> = loaded.ignored_flags.iter().map(|f| (f.source.as_str(), f.flag.as_str())).collect();
    assert_eq!(ignored, [("/c/java.env:1", "-Xmx1g"), ("JVMFLAGS", "-agentlib:jdwp=...")]);
    assert_eq!(texts(&loaded, Severity::Warning), Vec::<String>::new());
    let note = "/c/zoo.cfg:6: flushDelay: overridden by command line".to_owned();
    assert!(texts(&loaded, Severity::Note).contains(&note));
}

#[test]
fn the_scripts_switch_against_creating_directories_is_understood() {
    let files = [("/c/zoo.cfg", BASE)];
    let on = load_files(&files, &[("ZOO_DATADIR_AUTOCREATE_DISABLE", "")], &[]);
    assert!(on.settings.unwrap().storage.datadir_autocreate);
    let off = load_files(&files, &[("ZOO_DATADIR_AUTOCREATE_DISABLE", "1")], &[]);
    assert!(!off.settings.unwrap().storage.datadir_autocreate);
}

#[test]
fn properties_without_a_file_form_are_taken_from_the_file_too() {
    let s = load_text(&with(
        "jute.maxbuffer=0x400000\nreadonlymode.enabled=true\nznode.container.maxPerMinute=5\n\
         java.security.krb5.conf=/k\nobserver.syncEnabled=false",
    ));
    let s = s.settings.unwrap();
    assert_eq!((s.limits.jute_maxbuffer, s.limits.jute_maxbuffer_extrasize), (4 << 20, 4 << 20));
    assert!(s.session.readonlymode_enabled && s.fourlw.allows("isro") && !s.quorum.sync_enabled);
    assert_eq!(s.tree.container_max_per_minute, 5);
    assert_eq!(s.auth.krb5_conf, Some(PathBuf::from("/k")));
}

#[test]
fn a_property_with_the_prefix_beats_its_fallback_wherever_they_stand() {
    let zoo = with("fsync.warningthresholdms=5");
    let loaded = load_files(&[("/c/zoo.cfg", &zoo)], &[], &["fsync.warningthresholdms=7"]);
    assert_eq!(loaded.settings.unwrap().storage.fsync_warning_threshold_ms, 5);
    let loaded = load_files(&[("/c/zoo.cfg", BASE)], &[], &["fsync.warningthresholdms=7"]);
    assert_eq!(loaded.settings.unwrap().storage.fsync_warning_threshold_ms, 7);
}

#[test]
fn a_wrong_value_is_named_with_line_key_and_cure() {
    assert_eq!(
        errors(&with("tickTime=fast")),
        ["/c/zoo.cfg:3: tickTime: \"fast\" is not a whole number (write a number such as 3000)"]
    );
    assert_eq!(
        errors(&with("skipACL=true")),
        ["/c/zoo.cfg:3: skipACL: \"true\" is not a known word (write one of: yes, no)"]
    );
    let loaded = load_files(&[("/c/zoo.cfg", BASE)], &[], &["zookeeper.snapCount=x"]);
    let what = "\"x\" is not a whole number (write a number such as 100000)";
    assert_eq!(texts(&loaded, Severity::Error), [format!("command line: zookeeper.snapCount: {what}")]);
}

#[test]
fn an_unknown_key_warns_once_names_its_neighbour_and_becomes_a_property() {
    let text = with("tickTme=1\nconnectionMaxTokens=5\nmy.own=hunter2\nzookeeper.snapCount=5\nweird");
    let loaded = load_text(&text);
    let s = loaded.settings.as_ref().unwrap();
    assert_eq!(s.properties["zookeeper.my.own"].reveal(), "hunter2");
    assert_eq!(s.storage.snap_count, 100_000);
    let unknown = |line, key: &str, cure: &str| {
        format!("/c/zoo.cfg:{line}: {key}: unknown key, it has no effect ({cure})")
    };
    assert_eq!(
        texts(&loaded, Severity::Warning),
        [
            unknown(3, "tickTme", "did you mean tickTime?"),
            unknown(4, "connectionMaxTokens", "did you mean connection_throttle_tokens?"),
            unknown(5, "my.own", "drop it"),
            unknown(6, "zookeeper.snapCount", "did you mean snapCount?"),
            unknown(7, "weird", "drop it"),
        ]
    );
    assert!(!format!("{loaded:?}").contains("hunter2"));
}

#[test]
fn an_unknown_property_is_told_from_one_of_java() {
    let properties = ["zookeeper.clientPort=1", "jute.maxbufer=1", "java.security.krb5.kdc=k", "a.b"];
    let loaded = load_files(&[("/c/zoo.cfg", BASE)], &[], &properties);
    let unknown = |key: &str, near: &str| {
        format!("command line: {key}: unknown key, it has no effect (did you mean {near}?)")
    };
    assert_eq!(
        texts(&loaded, Severity::Warning),
        [unknown("zookeeper.clientPort", "clientPort"), unknown("jute.maxbufer", "jute.maxbuffer")]
    );
    assert_eq!(loaded.ignored_flags, []);
}

#[test]
fn the_last_of_two_lines_counts_and_the_other_is_named() {
    let loaded = load_text(&with("tickTime=1000\ntickTime=2000"));
    assert_eq!(loaded.settings.as_ref().unwrap().session.tick_time, 2000);
    assert_eq!(
        texts(&loaded, Severity::Warning),
        ["/c/zoo.cfg:3: tickTime: overridden by /c/zoo.cfg:4 (keep one of them)"]
    );
}

#[test]
fn zookeepers_rules_are_errors() {
    let stops = |text: &str, expected: &str| {
        let found = errors(text);
        assert!(found.iter().any(|e| e.contains(expected)), "{text:?}: {found:?}");
    };
    stops("clientPort=2181", "dataDir: not set");
    stops(&with("tickTime=0"), "tickTime: \"0\" is out of range");
    stops(&with("minSessionTimeout=10\nmaxSessionTimeout=5"), "minSessionTimeout 10 is larger than");
    stops("dataDir=/d\nclientPortAddress=::1", "clientPortAddress: set, but clientPort is not");
    stops(&with("secureClientPortAddress=h"), "set, but secureClientPort is not");
    stops(&with("electionAlg=0"), "electionAlg: \"0\" is out of range");
    stops(&with("quorum.auth.serverRequireSasl=true"), "true, but quorum.auth.enableSasl is not");
    stops(&with("standaloneEnabled=false"), "there is no voting server");
    stops(&with("server.1=a:1:2:observer"), "observers without a quorum of voters");
    stops(&with("server.1=a:1:2\nserver.2=b:1:2\nsyncLimit=5"), "initLimit: not set");
    stops(&with("server.1=a:1:2\nserver.2=b:1:2"), "the myid file is missing");
    stops(&with("server.1=a:1"), "/c/zoo.cfg:3: server.1: a:1 is not a server address");
    stops(&with("dataLogDir=C:\\temp"), "a path with control characters");
    stops(&with("metricsProvider.className=a.B"), "cannot be loaded");
    stops(&with("test.allowDiscontinuousProposals=true"), "refused: for ZooKeeper's own tests only");
    stops(&with("enforce.auth.enabled=true"), "enforce.auth.schemes is not set");
    stops(
        &with("enforce.auth.enabled=true\nenforce.auth.schemes=digest,sasl"),
        "no provider for the scheme sasl",
    );
    stops(&with("sessionRequireClientSASLAuth=true"), "the server has no login");
    let required = "kerberos.keytab=/k\nenforce.auth.enabled=true\nenforce.auth.schemes=sasl\n";
    for contradiction in ["allowSaslFailedClients=true", "letAnySaslUserDoX=x"] {
        stops(&with(&format!("{required}{contradiction}")), "contradicts enforce.auth.enabled");
    }
    assert_eq!(errors(&with(required)), Vec::<String>::new());
    stops(&with("secureClientPort=2281"), "ssl.keyStore.location: not set, but TLS is on");
    stops(&with("a=\\u12"), "a broken \\u escape");
}

#[test]
fn doubtful_settings_are_warnings() {
    let warns = |text: &str, expected: &str| {
        let loaded = load_text(text);
        assert!(loaded.settings.is_some(), "{:?}", loaded.findings);
        let found = texts(&loaded, Severity::Warning);
        assert!(found.iter().any(|e| e.contains(expected)), "{text:?}: {found:?}");
    };
    warns("clientPort=1\ndataDir=d", "d is relative");
    warns("dataDir=/d", "no client can connect");
    warns("clientPort=1\ndataDir=C:\\data", "a backslash is an escape here");
    warns(&with("skipACL=yes"), "no ACL is checked");
    warns(&with("forceSync=no"), "a power failure loses");
    warns(&with("autopurge.snapRetainCount=1"), "1 is too small; 3 is used");
    warns(&with("authProvider.1=my.Own"), "cannot be loaded; it is left out");
    warns(&with("DigestAuthenticationProvider.superDigest=abc"), "not of the form user:base64");
}

#[test]
fn arguments_are_javas_other_form() {
    let run = |arguments: &[&str]| {
        let arguments = arguments.iter().map(|a| (*a).to_owned()).collect();
        let request = Request { invocation: Invocation::Arguments(arguments), ..Request::file("") };
        load(&request, &Memory::default())
    };
    let s = run(&["2181", "/d"]).settings.unwrap();
    assert_eq!((s.client.client_port, s.client.max_client_cnxns), (Some(2181), None));
    let full = run(&["2181", "/d", "2000", "5"]);
    assert!(full.findings.0.is_empty());
    let s = full.settings.unwrap();
    assert_eq!((s.session.tick_time, s.client.max_client_cnxns), (2000, Some(5)));
    for wrong in [&["2181"][..], &["a", "/d"], &["1", "/d", "0"], &["1", "/d", "1", "1", "1"]] {
        assert!(run(wrong).settings.is_none(), "{wrong:?}");
    }
}

#[test]
fn several_voters_are_read_in_full() {
    let text = "dataDir=/d\nclientPort=2182\ninitLimit=5\nsyncLimit=2\n\
                server.1=a:1:2;2182\nserver.2=b:1:2\nserver.3=c:1:2";
    let run = |my_id| load_files(&[("/c/zoo.cfg", text), ("/d/myid", my_id)], &[], &[]);
    let s = run("1\n").settings.unwrap();
    assert_eq!((s.quorum.my_id, s.quorum.ensemble.voters()), (Some(1), 3));
    assert_eq!(s.client.client_port, Some(2182));
    assert!(s.quorum.is_distributed());
    let what = "/d/myid: not the number of a server (write a number such as 1)";
    assert_eq!(texts(&run("one"), Severity::Error)[0], what);
    let single = load_files(&[("/c/zoo.cfg", BASE), ("/d/myid", "replace me")], &[], &[]);
    assert_eq!(texts(&single, Severity::Warning), [what]);
    assert_eq!(single.settings.unwrap().quorum.my_id, None);
}

#[test]
fn the_dynamic_file_holds_members_only() {
    let run = |more: &str, dynamic: &str| {
        let zoo = with(&format!("dynamicConfigFile=/c/zoo.cfg.dynamic.1f\n{more}"));
        let files = [
            ("/c/zoo.cfg", zoo.as_str()),
            ("/c/zoo.cfg.dynamic.1f", dynamic),
            ("/c/zoo.cfg.dynamic.next", "server.1=a:1:2\nversion=20"),
            ("/d/myid", "1"),
        ];
        load_files(&files, &[], &[])
    };
    let members = "server.1=a:1:2:participant;0.0.0.0:2181\nserver.2=b:1:2\nserver.3=c:1:2:observer";
    let quorum = run("initLimit=5\nsyncLimit=2", members).settings.unwrap().quorum;
    assert_eq!((quorum.ensemble.members.len(), quorum.ensemble.version), (3, 0x1f));
    assert_eq!(quorum.last_seen.unwrap().version, 0x20);
    let loaded = run("server.1=a:1:2", "version=1\nx=1");
    assert_eq!(
        texts(&loaded, Severity::Error),
        [
            "/c/zoo.cfg:4: server.1: must stand in the dynamic configuration file (move it to /c/zoo.cfg.dynamic.1f)",
            "/c/zoo.cfg.dynamic.1f:1: version: not allowed in this file (the version stands in the name of the file)",
            "/c/zoo.cfg.dynamic.1f:2: x: not allowed in this file (only server, group and weight lines stand in this file)",
        ]
    );
}

#[test]
fn the_own_server_line_decides_the_client_address() {
    let run = |text: &str| load_files(&[("/c/zoo.cfg", text), ("/d/myid", "1")], &[], &[]);
    let s = run("dataDir=/d\npeerType=observer\nserver.1=h:1:2;10.0.0.1:2182").settings.unwrap();
    assert_eq!(s.client.client_port, Some(2182));
    assert_eq!(s.client.client_port_address.as_deref(), Some("10.0.0.1"));
    assert_eq!(s.quorum.peer_type, super::super::quorum::Role::Participant);
    let loaded = run("dataDir=/d\nclientPort=2181\nserver.1=h:1:2;2182");
    assert!(texts(&loaded, Severity::Error)[0].contains("differs from 0.0.0.0:2182 in server.1"));
}

#[test]
fn the_jaas_file_is_read_and_checked() {
    let zoo = with("java.security.auth.login.config=/c/jaas.conf");
    let run = |jaas: &str| {
        load_files(&[("/c/zoo.cfg", &zoo), ("/c/jaas.conf", jaas)], &[], &["-Dkt=/etc/zk.keytab"])
    };
    let module = "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true";
    let loaded = run(&format!("Server {{ {module} keyTab=\"${{kt}}\" principal=\"zookeeper/h@R\"; }};"));
    assert_eq!(texts(&loaded, Severity::Warning), Vec::<String>::new());
    let server = &loaded.jaas.as_ref().unwrap().sections[0].modules[0];
    assert_eq!(server.kerberos().unwrap().keytab, Some(PathBuf::from("/etc/zk.keytab")));
    let warned = |jaas: &str| texts(&run(jaas), Severity::Warning).join("\n");
    assert!(warned("Client { a.B required; };").contains("no section Server"));
    assert!(warned("Server { a.B required; };").contains("not built in"));
    assert!(warned(&format!("Server {{ {module}; }};")).contains("no principal"));
    assert_eq!(
        warned(&format!("Server {{ {module} principal=\"zk\"; }};")),
        "",
        "a name without host is one, too"
    );
    let what = "/c/jaas.conf:1: expected a login module or } (correct the JAAS file)";
    assert_eq!(texts(&run("Server {"), Severity::Error), [what]);
    assert!(texts(&load_text(&zoo), Severity::Error)[0].contains("there is no file /c/jaas.conf"));
}

#[test]
fn what_cannot_be_read_is_said_in_one_sentence() {
    let missing = load(&Request::file("/c/zoo.cfg"), &Memory::default());
    let what = "/c/zoo.cfg: there is no such file (give the path of a configuration)";
    assert_eq!(texts(&missing, Severity::Error), [what]);
    let what = "/c/zoo.cfg: permission denied (make it readable for the user the server runs as)";
    assert_eq!(texts(&load_text("unreadable"), Severity::Error), [what]);
    assert_eq!(errors("").len(), 1);
}

#[test]
fn secrets_are_in_settings_and_nowhere_else() {
    let text = with(
        "DigestAuthenticationProvider.superDigest=super:hunter2\n\
         SASLAuthenticationProvider.superPassword=hunter2\nssl.keyStore.password=hunter2\n\
         ssl.quorum.trustStore.password=hunter2\nmetricsProvider.own=hunter2\nown=hunter2",
    );
    let java_env = "JVMFLAGS='-Dhunter3=hunter2 -javaagent:a=hunter2'";
    let files = [("/c/zoo.cfg", text.as_str()), ("/c/java.env", java_env)];
    let loaded = load_files(&files, &[], &["-Dzookeeper.ssl.trustStore.password=hunter2"]);
    let s = loaded.settings.as_ref().unwrap();
    assert_eq!(s.auth.super_digest.as_ref().unwrap().reveal(), "super:hunter2");
    assert_eq!(s.tls.client.key_store.password.reveal(), "hunter2");
    assert_eq!(s.tls.client.trust_store.password.reveal(), "hunter2");
    assert_eq!(s.metrics.other["own"].reveal(), "hunter2");
    let json = serde_json::to_string(&(&loaded.keys, &loaded.findings, &loaded.ignored_flags)).unwrap();
    let shown = format!("{loaded:?} {json}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn every_setting_is_reported_with_its_verdict() {
    let text =
        "nio.numWorkerThreads=4\nmessageTracker.Enabled=true\nnope=1\nsnapCount=x\ntickTime=1\ntickTime=2";
    let loaded = load_text(&with(text));
    let verdict = |k| serde_json::to_value(k).unwrap()["verdict"].as_str().unwrap().to_owned();
    let verdicts: Vec<String> = loaded.keys.iter().map(verdict).collect();
    assert_eq!(
        verdicts,
        ["works", "works", "no-meaning", "later", "unknown", "wrong", "overridden", "works"]
    );
}

#[test]
fn a_rule_between_keys_marks_the_line_it_is_about() {
    let loaded = load_text("dataDir=/d\nclientPortAddress=h\nserver.1=h:1");
    let wrong: Vec<_> = loaded.keys.iter().filter(|k| matches!(k.verdict, Verdict::Wrong { .. })).collect();
    assert_eq!(wrong.iter().map(|k| k.line).collect::<Vec<_>>(), [Some(2), Some(3)]);
}

proptest! {
    #[test]
    fn any_zoo_cfg_is_loaded_without_panic(
        lines in proptest::collection::vec(
            (0..keys::all().count(), "\\PC{0,20}|[0-9.:;|-]{0,12}|true|yes"),
            0..12,
        ),
        tail in "\\PC{0,60}",
    ) {
        let all: Vec<&Key> = keys::all().collect();
        let line = |(i, value): &(usize, String)| format!("{}={value}\n", all[*i].id().replace(['<', '>'], ""));
        let loaded = load_text(&(lines.iter().map(line).collect::<String>() + &tail));
        prop_assert_eq!(loaded.settings.is_some(), !loaded.findings.has_errors());
    }
}
