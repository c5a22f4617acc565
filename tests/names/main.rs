//! Names and rules against Java: the same names through ZooKeeper 3.9.5's own classes and through ours.
//!
//! # Invariants
//!
//! * Where both give an id it is the same text; what Java refuses is refused here.
//! * What Java takes and we refuse is named: shapes that are no names, and the id `super`.
#[path = "../support/mod.rs"]
mod support;

use oxkeeper::auth::names::{NamePolicy, Principal, SUPER};
use oxkeeper::auth::reason::Reason;
use oxkeeper::config::settings::Auth;
use std::path::Path;
use std::time::Duration;
use support::dirs::Dir;
use support::{Kind, java, process};

const REALM: &str = "EXAMPLE.COM";

/// Rules that both read.
const RULES: &[&str] = &[
    "DEFAULT",
    "",
    "  DEFAULT  DEFAULT ",
    r"RULE:[1:$1@$0](.*@EXAMPLE\.COM)s/@.*//",
    r"RULE:[2:$1@$0](nn@EXAMPLE.COM)s/.*/hdfs/ DEFAULT",
    r"RULE:[2:$1@$0]([nsd]n@.*EXAMPLE.COM)s/.*/hdfs/ RULE:[2:$1@$0](rm@.*)s/.*/yarn/ DEFAULT",
    r"RULE:[1:$1@$0](.*@OTHER\.REALM)s/@.*// DEFAULT",
    r"RULE:[1:$1] RULE:[2:$1]",
    r"RULE:[1:$0] RULE:[2:$0.$1.$2]",
    r"RULE:[2:$1.$2]s/\./-/g DEFAULT",
    r"RULE:[2:$1.$2]s/\./-/ DEFAULT",
    r"RULE:[2:$1;$2](^[a-z]+;host\d+\..*$)s/;.*$// DEFAULT",
    r"RULE:[1:$1]s/a*/X/g",
    r"RULE:[1:$1]s/x*/-/g",
    r"RULE:[1:$1]s/(.)(.)/$2$1/g DEFAULT",
    r"RULE:[1:$1]s/(.)/$1$11/ DEFAULT",
    r"RULE:[1:$1]s/b/\$\\/g DEFAULT",
    r"RULE:[1:$1@$0] DEFAULT",
    r"RULE:[1:$1/x] DEFAULT",
    r"RULE:[3:$1$9](x)s/y/z/ DEFAULT",
    r"RULE:[1:$1](\w+)s/_/./g RULE:[1:$1](\S+) DEFAULT",
    r"RULE:[1:$1]([^\d-]+) RULE:[1:$1]([\w.-]+)s/[.-]//g",
    r"RULE:[1:$1](bob|alice|hd.*)s/$/2/ DEFAULT",
    r"RULE:[1:$1](b{1,2}o?b+?)s/o/0/ DEFAULT",
    r"RULE:[1:$1](bob)RULE:[2:$2]DEFAULT",
    r"RULE:[1:$1]([]b\]o-]+) RULE:[1:$1]([a-c&~x]+.*)s/\bb/B/g DEFAULT",
    r"RULE:[1:$1](.*)s/.*/super/",
    r"RULE:[1:$1](.*)s/.*// DEFAULT",
    r"RULE:[001:$1](\x62ob) RULE:[1:$1](\u0061.*) DEFAULT",
    r"RULE:[1:pre$1post$1] DEFAULT",
];

/// Rules that neither reads.
const BAD: &[&str] = &[
    "RULE",
    "default",
    "RULE:[:$1]",
    "RULE:[1:$1",
    "RULE:[1:$1](a",
    "RULE:[1:$1]s/a/b",
    "DEFAULT x",
    "RULE:[99999999999:$1]",
    "RULE:[1:$1](a**)",
    "RULE:[1:$1]([a)",
    "RULE:[1:$1](*a)",
    r"RULE:[1:$1](\y)",
];

/// What Java's server is asked to map.
const NAMES: &[&str] = &[
    "bob@EXAMPLE.COM",
    "alice@EXAMPLE.COM",
    "aab@EXAMPLE.COM",
    "baaac@EXAMPLE.COM",
    "b_o.b-1@EXAMPLE.COM",
    "super@EXAMPLE.COM",
    "HDFS@EXAMPLE.COM",
    "ü@EXAMPLE.COM",
    "b b@EXAMPLE.COM",
    "nn/host1.example.com@EXAMPLE.COM",
    "sn/HOST2@EXAMPLE.COM",
    "rm/h@EXAMPLE.COM",
    "hdfs/hadoop.example.com@EXAMPLE.COM",
    "super/h@EXAMPLE.COM",
    "bob@OTHER.REALM",
    "nn/h@OTHER.REALM",
    "bob@example.com",
    "bob@72C0CF82_CD45",
    "a/b/c@EXAMPLE.COM",
    "a/b/c/d@EXAMPLE.COM",
    "bob@EXAMPLE.COM@OTHER.REALM",
    "bob@EXAMPLE.COM/x",
    "@EXAMPLE.COM",
    "bob@",
    "/h@EXAMPLE.COM",
    "bob/@EXAMPLE.COM",
    "@",
    r"b\/c@EXAMPLE.COM",
    r"b\@OTHER@EXAMPLE.COM",
    "bob$1@EXAMPLE.COM",
];

struct Case {
    rules: &'static str,
    host: bool,
    realm: bool,
    name: &'static str,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (r, rules) in RULES.iter().chain(BAD).enumerate() {
        for (n, name) in NAMES.iter().enumerate() {
            cases.push(Case { rules, host: (r + n) % 4 == 1, realm: (r + n) % 4 >= 2, name });
        }
    }
    cases
}

/// Java's answers, a line each.
fn java(cases: &[Case]) -> Result<Vec<String>, String> {
    let dir = Dir::new("names");
    let krb5 = dir.path().join("krb5.conf");
    std::fs::write(&krb5, format!("[libdefaults]\n default_realm = {REALM}\n")).map_err(|e| e.to_string())?;
    let mut command = java::java(Kind::Java395)?;
    command.arg(format!("-Djava.security.krb5.conf={}", krb5.display())).arg("-Doxkeeper.log=OFF");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/names/Names.java"));
    let lines = cases.iter().map(|c| format!("{}\t{}\t{}\t{}\n", c.rules, c.host, c.realm, c.name));
    let input = dir.path().join("cases");
    std::fs::write(&input, lines.collect::<String>()).map_err(|e| e.to_string())?;
    let (status, output) = process::run(command, Some(&input), Duration::from_secs(120))?;
    assert!(status.success(), "{output}");
    let is_answer = |line: &&str| matches!(line.split('\t').next(), Some("OK" | "FAIL" | "BADRULES"));
    Ok(output.lines().filter(is_answer).map(str::to_owned).collect())
}

/// Ours, in Java's words; the reason where it is refused.
fn ours(case: &Case) -> Result<String, Option<Reason>> {
    let realms = ["EXAMPLE.COM", "OTHER.REALM", "example.com", "72C0CF82_CD45"];
    let auth = Auth {
        auth_to_local: case.rules.to_owned(),
        kerberos_remove_host_from_principal: case.host,
        kerberos_remove_realm_from_principal: case.realm,
        kerberos_allowed_realms: realms.map(str::to_owned).to_vec(),
        ..Auth::default()
    };
    let policy = NamePolicy::new(&auth, Some(REALM)).map_err(|_| None)?;
    policy.id_of(case.name).map_err(|refusal| Some(refusal.reason))
}

#[test]
fn ids_are_javas_and_nothing_more_is_taken() {
    let cases = cases();
    assert!(cases.len() >= 200);
    let answers = need!("names against Java", java(&cases));
    assert_eq!(answers.len(), cases.len());
    let (mut same, mut stricter) = (0, 0);
    for (case, java) in cases.iter().zip(&answers) {
        let what = format!("{:?} {:?} -> Java: {java}", case.rules, case.name);
        match (java.split_once('\t'), ours(case)) {
            (Some((_, theirs)), Ok(id)) => {
                assert_eq!(id, theirs, "{what}");
                same += 1;
            }
            (None, Ok(id)) => panic!("{what}, ours: {id}"),
            (None, Err(reason)) => assert_eq!(java == "BADRULES", reason.is_none(), "{what}: {reason:?}"),
            (Some((_, theirs)), Err(reason)) => {
                let no_name = Principal::parse(case.name).is_err();
                let short = theirs.split(['/', '@']).next();
                assert!(no_name || theirs == SUPER || short == Some(""), "{what}, ours: {reason:?}");
                stricter += 1;
            }
        }
    }
    println!("{} cases: {same} ids the same, {stricter} refused beyond Java", cases.len());
    assert!(same > 200 && stricter > 0);
}

/// The suffixes of Hadoop and Kafka, which ZooKeeper does not know.
#[test]
fn letters_behind_a_rule_change_the_case() {
    let id = |rules: &str| {
        let auth = Auth { auth_to_local: rules.to_owned(), ..Auth::default() };
        NamePolicy::new(&auth, Some(REALM)).expect("rules").id_of("Bob@EXAMPLE.COM").expect("an id")
    };
    assert_eq!(id("RULE:[1:$1]/L"), "bob@EXAMPLE.COM");
    assert_eq!(id(r"RULE:[1:$1@$0](.*@EXAMPLE\.COM)s/@.*///L"), "bob@EXAMPLE.COM");
    assert_eq!(id("RULE:[1:$1]/U"), "BOB@EXAMPLE.COM");
}
