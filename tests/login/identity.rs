//! A Java client with a keytab: who it is on either server, and what ACLs make of it.

use std::time::Duration;

use crate::need;
use crate::site::{Site, logged, start};
use crate::support::dirs::Dir;
use crate::support::server::{Kind, Server, Spec};
use crate::support::{java, process};

const SCRIPT: &str = "whoami
create /mine data auth:ignored:cdrwa
getAcl /mine
create /yours data sasl:bob@ELSEWHERE:r,sasl:hdfs:cdrwa
getAcl /yours
get /yours
create /bare data sasl:bob:cdrwa
create /three data sasl:a/b/c@R:r
create /none data sasl::r
getAcl /none
quit
";

/// Lines of a client's session that depend on neither client nor server.
fn transcript(site: &Site, client: &str, server: &Server) -> Vec<String> {
    let dir = Dir::new("login-identity");
    let script = dir.write("script", SCRIPT);
    let mut command = java::zkcli_plain(Kind::Java395, &server.address()).expect("a client");
    command.env("JAVA_TOOL_OPTIONS", site.java_options(client));
    let (_, output) = process::run(command, Some(&script), Duration::from_secs(60)).expect("it ends");
    told(&output)
}

/// The lines of a session that depend on neither client nor server.
fn told(output: &str) -> Vec<String> {
    let told = |line: &&str| {
        [
            "sasl: ",
            "ip: ",
            "super: ",
            "'",
            ": ",
            "Created",
            "Insufficient",
            "KeeperError",
            "data",
            "Acl is not",
        ]
        .iter()
        .any(|start| line.starts_with(start))
            || line.contains("InvalidACL")
    };
    let mut lines: Vec<String> = output.lines().map(str::trim_end).filter(told).map(str::to_owned).collect();
    // Java keeps identities in a set: their order means nothing.
    let identities = lines.iter().take_while(|line| !line.starts_with("Created")).count();
    lines.get_mut(..identities).unwrap_or_default().sort();
    lines
}

fn same_on_both(realm: &str, client: &str, adjust: fn(Spec) -> Spec, expected: &str) {
    let site = need!("logins with a keytab", Site::new(realm, &[client]));
    let java = start(Kind::Java395, &adjust(site.spec()));
    let control = transcript(&site, client, &java);
    drop(java);
    let ours = start(Kind::Oxkeeper, &adjust(site.spec()));
    let got = transcript(&site, client, &ours);
    assert_eq!(got, control, "{}", ours.log());
    assert!(got.iter().any(|line| line.ends_with(expected)), "{expected} in {got:#?}");
    logged(&ours, "logged in");
}

#[test]
fn a_name_keeps_host_and_realm() {
    same_on_both("KEEP.TEST", "hdfs/hadoop.keep", |s| s, "hdfs/hadoop.keep@KEEP.TEST");
}

#[test]
fn host_and_realm_are_removed_when_asked() {
    let adjust = |spec: Spec| {
        spec.cfg("kerberos.removeHostFromPrincipal=true").cfg("kerberos.removeRealmFromPrincipal=true")
    };
    same_on_both("CUT.TEST", "hdfs/hadoop.cut", adjust, "'sasl,'hdfs");
}

#[test]
fn a_rule_maps_the_name_and_a_full_principal_is_super() {
    let adjust = |spec: Spec| {
        spec.flag(r"-Dzookeeper.security.auth_to_local=RULE:[2:$1@$0](nn@.*)s/.*/hdfs/")
            .flag("-Dzookeeper.superUser=hdfs/h@RULE.TEST")
            .flag("-Dzookeeper.superUser.two=nn/h@RULE.TEST")
    };
    same_on_both("RULE.TEST", "nn/h", adjust, "'sasl,'"); // a list that nobody but super may see
}

/// Users of the server's section, and a client that is one of them. Java's own client speaks DIGEST-MD5 only
/// where FIPS mode is switched off.
fn as_digest_user(user: &str, password: &str) -> Vec<String> {
    let dir = Dir::new("login-digest");
    let module = "org.apache.zookeeper.server.auth.DigestLoginModule required";
    let jaas = format!(
        "Server {{ {module} user_super=\"s3cret\" user_bob=\"b0b\"; }};\n\
         Client {{ {module} username=\"{user}\" password=\"{password}\"; }};\n"
    );
    let jaas = format!("-Djava.security.auth.login.config={}", dir.write("jaas.conf", &jaas).display());
    let both = [Kind::Java395, Kind::Oxkeeper].map(|kind| {
        let spec = Spec::new().cfg(crate::site::PROVIDER).flag(&jaas);
        let server = start(kind, &spec);
        let script = dir.write("script", SCRIPT);
        let mut command = java::zkcli_plain(Kind::Java395, &server.address()).expect("a client");
        command.env("JAVA_TOOL_OPTIONS", format!("{jaas} -Dzookeeper.fips-mode=false"));
        let (_, output) = process::run(command, Some(&script), Duration::from_secs(60)).expect("it ends");
        told(&output)
    });
    let [control, ours] = both;
    assert_eq!(ours, control);
    ours
}

#[test]
fn the_digest_user_super_keeps_its_rights_and_others_have_none() {
    need!("DIGEST-MD5 by a Java client", java::classpath(Kind::Java395));
    let seen = as_digest_user("super", "s3cret");
    assert!(seen.iter().any(|line| line == "sasl: super"), "{seen:#?}");
    assert!(!seen.iter().any(|line| line.contains("Insufficient")), "{seen:#?}");
    let seen = as_digest_user("bob", "b0b");
    assert!(seen.iter().any(|line| line == "sasl: bob"), "{seen:#?}");
    assert!(seen.iter().any(|line| line.contains("Insufficient permission : /yours")), "{seen:#?}");
}
