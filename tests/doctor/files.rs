//! Faults of JAAS files and of name rules.

use std::path::PathBuf;

use crate::need;
use crate::support::kdc::Realm;
use crate::told::{Told, doctor};

const SUN: &str = "com.sun.security.auth.module.Krb5LoginModule required";

struct Files {
    realm: Realm,
    keytab: PathBuf,
}

impl Files {
    fn new() -> Result<Files, String> {
        let realm = Realm::start("ZK.TEST")?;
        let keytab = realm.keytab(&["alice", "zookeeper/localhost", "zookeeper"])?;
        Ok(Files { realm, keytab })
    }

    /// Writes a file with `KEYTAB` replaced, and looks at it.
    fn look(&self, text: &str, args: &[&str]) -> Told {
        let path = self.realm.path("jaas.conf");
        let text = text.replace("KEYTAB", &format!("useKeyTab=true keyTab=\"{}\"", self.keytab.display()));
        std::fs::write(&path, text).unwrap();
        doctor(&self.realm.env(), &[&["jaas", path.to_str().unwrap()], args].concat())
    }
}

/// Pain 11.
#[test]
fn a_section_that_is_missing_or_misnamed() {
    let files = need!("doctor: JAAS section", Files::new());
    let of = |name: &str| format!("{name} {{ {SUN} KEYTAB principal=\"alice@ZK.TEST\"; }};");
    files.look(&of("Client"), &[]).healthy();
    files.look(&of("client"), &[]).names("11", "DOC_JAAS_SECTION", "rename the section client to Client");
    files.look(&of("KafkaClient"), &[]).names("11", "DOC_JAAS_SECTION", "add the section Client");
    files.look(&of("Client"), &["--section", "ZKClient"]).names("11", "DOC_JAAS_SECTION", "ZKClient");
}

/// Pain 12.
#[test]
fn a_ticket_cache_that_java_renews_by_a_command() {
    let files = need!("doctor: ticket cache", Files::new());
    let text = format!("Client {{ {SUN} useTicketCache=true renewTGT=true principal=\"alice@ZK.TEST\"; }};");
    files.look(&text, &[]).names("12", "DOC_JAAS_KINIT", "useTicketCache=false useKeyTab=true");
}

/// Pain 15: server sections that leave the server without SASL.
#[test]
fn server_sections_that_do_not_serve() {
    let files = need!("doctor: server section", Files::new());
    let of = |options: &str| format!("Server {{ {SUN} storeKey=true {options}; }};");
    files.look(&of("KEYTAB principal=\"zookeeper/localhost@ZK.TEST\""), &[]).healthy();
    let told = files.look(&of("KEYTAB principal=\"zookeeper@ZK.TEST\""), &[]);
    told.names("15", "DOC_SERVER_NO_HOST", "addprinc -randkey zookeeper/<host>@ZK.TEST");
    let told = files.look(&of("useTicketCache=true principal=\"zookeeper/localhost@ZK.TEST\""), &[]);
    told.names("15", "DOC_JAAS_KEYTAB", "useKeyTab=true");
    let told = files.look(&of("KEYTAB"), &[]);
    told.names("15", "DOC_JAAS_PRINCIPAL", "principal=\"alice@ZK.TEST\"");
}

/// Pain 21, as Java says it: Unable to obtain password from user.
#[test]
fn sections_whose_keytab_has_another_principal() {
    let files = need!("doctor: keytab of a section", Files::new());
    let told = files.look(&format!("Client {{ {SUN} KEYTAB principal=\"allice@ZK.TEST\"; }};"), &[]);
    told.names("21", "KRB_KEYTAB", "use principal alice@ZK.TEST");
}

/// Pain 24.
#[test]
fn ibms_java_with_another_vendors_section() {
    let files = need!("doctor: IBM's Java", Files::new());
    let sun = format!("Client {{ {SUN} KEYTAB principal=\"alice@ZK.TEST\"; }};");
    files.look(&sun, &[]).healthy();
    let told = files.look(&sun, &["--vendor", "ibm"]);
    told.names("24", "DOC_JAAS_IBM", "section below");
    let section = told.json["paste"].to_string();
    for part in ["com.ibm.security.auth.module.Krb5LoginModule", "credsType=both", "alice@ZK.TEST"] {
        assert!(section.contains(part), "{section}");
    }
    let lines: Vec<&str> = told.json["paste"].as_array().unwrap().iter().filter_map(|l| l.as_str()).collect();
    files.look(&lines.join("\n"), &["--vendor", "ibm"]).healthy();
    files.look(&lines.join("\n"), &[]).names("24", "DOC_JAAS_SUN", "section below");
}

/// Pain 19.
#[test]
fn principals_that_no_rule_maps() {
    let realm = need!("doctor: rules", Realm::start("ZK.TEST"));
    let env = realm.env();
    doctor(&env, &["map", "hdfs/hadoop.zk.test@ZK.TEST"]).healthy();
    doctor(&env, &["map", "hdfs@OTHER.REALM"]).names("19", "NAME_REALM", "kerberos.allowedRealms");
    let allowed = ["map", "hdfs@OTHER.REALM", "-D", "zookeeper.kerberos.allowedRealms=ZK.TEST,OTHER.REALM"];
    let told = doctor(&env, &allowed);
    told.names("19", "NAME_NO_RULE", "RULE:[1:$1@$0](.*@OTHER\\.REALM)s/@.*//");
    // The cure that was told is one.
    let rule = "zookeeper.security.auth_to_local=RULE:[1:$1@$0](.*@OTHER\\.REALM)s/@.*// DEFAULT";
    let told = doctor(&env, &[&allowed[..], &["-D", rule]].concat());
    told.healthy();
    assert!(told.text().contains("sasl:hdfs@OTHER.REALM"), "{}", told.text());
    doctor(&env, &["map", "a/b/c@ZK.TEST"]).names("19", "NAME_SHAPE", "one or two components");
}
