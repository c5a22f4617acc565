//! zkCli.sh and the C client at the secure ensemble: short sessions with a Kerberos login.

use std::process::Command;

use super::field::Field;
use crate::harness::site::{REALM, USER};
use crate::support::{Kind, cache, java, process, skip};
use crate::transcript::Transcript;

const SCRIPT: &str = "create /cli data\ngetAcl /\nsetAcl /cli auth::cdrwa\ngetAcl /cli\nwhoami\nls /\nset /cli more\n\
                      get /cli\ncreate -e -s /cli/e x\nls /cli\ndelete /cli\ndeleteall /cli\nget /cli\nquit\n";

/// All of it on one ensemble.
pub fn play(field: &mut Field<'_>) {
    let servers = field.group.addresses().join(",");
    zkcli(field, &servers);
    c_client(field, &servers);
}

fn zkcli(field: &mut Field<'_>, servers: &str) {
    let part = "zkCli at the secure ensemble";
    let mut command = match java::zkcli_plain(Kind::Java395, servers) {
        Ok(command) => command,
        Err(why) => return skip::not_run(part, &why),
    };
    let site = &field.group.site;
    let jaas = site.client_jaas().expect("clients log in");
    let mut flags = site.realm().expect("a realm").java_flags();
    flags.push(format!("-Djava.security.auth.login.config={}", jaas.display()));
    flags.push(format!("-Dzookeeper.server.principal=zookeeper/localhost@{REALM}"));
    command.env("JDK_JAVA_OPTIONS", flags.join(" ")).arg("-waitforconnection");
    let input = field.dir.write("script", SCRIPT);
    let (_, output) =
        process::run(command, Some(&input), super::actor::LIMIT).unwrap_or_else(|why| panic!("{why}"));
    let mut lines = Transcript::of_zkcli(&output, 0).lines;
    lines.retain(|line| !line.starts_with("NOTE: Picked up") && !line.starts_with("Connecting to "));
    for wanted in ["Created /cli", "sasl: alice", "'sasl,'alice", "more", "Node not empty: /cli"] {
        assert!(lines.iter().any(|line| line.contains(wanted)), "zkCli: {wanted:?}:\n{output}");
    }
    field.note("zkCli", &lines.join("\n  "));
}

fn c_client(field: &mut Field<'_>, servers: &str) {
    let login = match cache::c_sasl() {
        Ok(login) => login,
        Err(why) => return skip::not_run("C client at the secure ensemble", &why),
    };
    let site = &field.group.site;
    let (password, own) = (field.dir.write("no-password", "x"), field.dir.path().join("of-c-client"));
    let keytab = site.client_keytab().expect("clients log in");
    let run = |mechanism: &str, keytab: &std::path::Path| {
        let mut command = Command::new(&login);
        command.args([servers, mechanism, "zookeeper", "localhost", "-"]).arg(&password).envs(site.env());
        command.env("KRB5CCNAME", format!("FILE:{}", own.display()));
        command.env("KRB5_CLIENT_KTNAME", format!("FILE:{}", keytab.display()));
        let (_, output) =
            process::run(command, None, super::actor::LIMIT).unwrap_or_else(|why| panic!("{why}"));
        output.lines().last().unwrap_or_default().to_owned()
    };
    let (with, without) = (run("GSSAPI", &keytab), run("-", &keytab));
    assert_eq!(with, format!("in as {USER}"));
    assert!(without.starts_with("refused"), "{without}");
    field.note("C client with a login", &with);
    field.note("C client without a login", "refused");
}
