//! Faults of running servers: names that clients ask for, ACLs that do not fit, trees that stand open.

use std::path::Path;
use std::time::Duration;

use crate::need;
use crate::support::kdc::Realm;
use crate::support::{Server, Spec, ox, process};
use crate::told::doctor;

const SASL: &str = "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider";

/// Runs a command of the shell at a server.
fn shell(server: &Server, words: &[&str]) {
    let address = server.address();
    let command = ox::command(&[&["shell", "-server", &address], words].concat());
    let (status, said) = process::run(command, None, Duration::from_secs(30)).expect("the shell ends");
    assert!(status.success(), "{words:?}: {said}");
}

/// Pain 1.
#[test]
fn services_that_are_not_in_the_keytab() {
    let realm = need!("doctor: service names", Realm::start("ZK.TEST"));
    let keytab = realm.keytab(&["zookeeper/hadoop.zk.test"]).unwrap();
    let spec = Spec::new()
        .cfg(&format!("kerberos.keytab={}", keytab.display()))
        .cfg(&format!("java.security.krb5.conf={}", realm.krb5_conf().display()));
    let server = ox::start(&spec).expect("a server");
    let (config, address) = (server.config().display().to_string(), format!("localhost:{}", server.port()));
    let look = ["client", address.as_str(), "--config", &config];
    let told = doctor(&realm.env(), &look);
    told.names("1", "KRB_WRONG_SERVICE", "-Dzookeeper.server.principal=zookeeper/hadoop.zk.test@ZK.TEST");
    told.names("1", "KRB_WRONG_SERVICE", "hadoop.zk.test (in /etc/hosts");
    // Without the keytab at hand the KDC's own names lead to the same cure.
    let told = doctor(&realm.env(), &["client", &address]);
    told.names("1", "KRB_WRONG_SERVICE", "-Dzookeeper.server.principal=zookeeper/hadoop.zk.test@ZK.TEST");
    // With the names in the keytab that clients ask for here, all is well.
    for fact in told.json["facts"].as_array().unwrap() {
        let (name, value) = (fact["name"].as_str().unwrap(), fact["value"].as_str().unwrap());
        if name.starts_with(&address) {
            realm.principals(&[value]).unwrap();
            realm.export(value, &keytab).unwrap();
        }
    }
    doctor(&realm.env(), &look).healthy();
    drop(server);
    doctor(&realm.env(), &["client", &address]).names("1", "DOC_SERVER_UNREACHABLE", "firewall");
}

fn as_whom<'a>(server: &'a str, path: &'a str, who: &'a str) -> [&'a str; 6] {
    ["acl", path, "--as", who, "--server", server]
}

/// Pain 16.
#[test]
fn acls_with_another_form_of_the_name() {
    let realm = need!("doctor: ids", Realm::start("ZK.TEST"));
    let server = ox::start(&Spec::new().cfg(SASL)).expect("a server");
    let (env, at) = (realm.env(), server.address());
    shell(&server, &["create", "/hadoop-ha", "x", "sasl:hdfs@ZK.TEST:cdrwa,world:anyone:r"]);
    doctor(&env, &as_whom(&at, "/hadoop-ha", "hdfs@ZK.TEST")).healthy();
    let told = doctor(&env, &as_whom(&at, "/hadoop-ha", "hdfs/hadoop.zk.test@ZK.TEST"));
    told.names("16", "DOC_ID_SHAPE", "kerberos.removeHostFromPrincipal=true");
    told.names("16", "DOC_ID_SHAPE", "setAcl /hadoop-ha");
    assert!(told.text().contains("id sasl:hdfs@ZK.TEST"), "every form is listed: {}", told.text());
    // The setting that was told makes both forms one.
    let removed = ["-D", "zookeeper.kerberos.removeHostFromPrincipal=true"];
    let look = as_whom(&at, "/hadoop-ha", "hdfs/hadoop.zk.test@ZK.TEST");
    doctor(&env, &[&look[..], &removed].concat()).healthy();
    let told = doctor(&env, &as_whom(&at, "/hadoop-ha", "mallory@ZK.TEST"));
    told.names("16", "ACL_DENIED", "sasl:mallory@ZK.TEST:cdrwa");
    doctor(&env, &as_whom(&at, "/nowhere", "hdfs@ZK.TEST")).names("16", "DOC_NO_NODE", "chroot");
}

/// Pain 17.
#[test]
fn the_fence_of_a_resource_manager() {
    let realm = need!("doctor: fencing", Realm::start("ZK.TEST"));
    let server = ox::start(&Spec::new().cfg(SASL)).expect("a server");
    let (env, at) = (realm.env(), server.address());
    shell(&server, &["create", "/rmstore", "x"]);
    let path = "/rmstore/ZKRMStateRoot";
    shell(&server, &["create", path, "x", "sasl:rm@ZK.TEST:cdrwa,world:anyone:r"]);
    doctor(&env, &as_whom(&at, path, "rm@ZK.TEST")).healthy();
    let fenced = "sasl:rm@ZK.TEST:rwa,world:anyone:r,digest:rm1:VGhpcyBpcyBub2JvZHkncyBrZXk=:cd";
    shell(&server, &["create", "/rmstore/fenced", "x", fenced]);
    let told = doctor(&env, &as_whom(&at, "/rmstore/fenced", "rm@ZK.TEST"));
    told.names("17", "DOC_FENCING", "never deleteall without a dump");
}

/// Pain 22: the batch that is printed closes what is open.
#[test]
fn trees_that_anybody_may_change() {
    let realm = need!("doctor: open trees", Realm::start("ZK.TEST"));
    let server = ox::start(&Spec::new().cfg(SASL)).expect("a server");
    let (env, at) = (realm.env(), server.address());
    shell(&server, &["create", "/kafka", "x"]);
    shell(&server, &["create", "/kafka/brokers", "x"]);
    let told = doctor(&env, &["acl-audit", "--server", &at, "--owner", "sasl:admin@ZK.TEST"]);
    told.names("22", "DOC_WORLD_WRITABLE", "dry run");
    let lines: Vec<&str> = told.json["paste"].as_array().unwrap().iter().filter_map(|l| l.as_str()).collect();
    let batch: Vec<Vec<&str>> =
        lines.iter().filter(|l| l.contains(" setAcl ")).map(|l| l.split(' ').collect()).collect();
    assert!(batch.len() >= 3 && lines.iter().any(|l| l.contains(" getAcl /kafka")), "{lines:?}");
    for line in &batch {
        shell(&server, line.get(4..).unwrap());
    }
    doctor(&env, &["acl-audit", "--server", &at]).healthy();
}

/// Pain 23.
#[test]
fn trees_that_nobody_can_change_any_more() {
    let realm = need!("doctor: locked out", Realm::start("ZK.TEST"));
    let server = ox::start(&Spec::new().cfg(SASL).cfg("skipACL=yes")).expect("a server");
    let (env, at) = (realm.env(), server.address());
    shell(&server, &["create", "/locked", "x", "world:anyone:r"]);
    let told = doctor(&env, &as_whom(&at, "/locked", "alice@ZK.TEST"));
    told.names("23", "DOC_NO_ADMIN", "oxkeeper rescue").without("DOC_SUPER_SET");
    let config: &Path = server.config();
    let look = as_whom(&at, "/locked", "alice@ZK.TEST");
    let told = doctor(&env, &[&look[..], &["--config", config.to_str().unwrap()]].concat());
    told.names("23", "DOC_SUPER_SET", "remove it");
}
