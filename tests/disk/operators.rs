//! What operators do with files and ACLs that lie elsewhere than usual: a log directory of its own, Kerberos names.

use crate::backup::{load, look, run, spec, text, well, zxid};
use crate::support::dirs::Dir;
use crate::support::ox;
use oxkeeper::client::{Blocking, ClientConfig};
use oxkeeper::types::{Acl, CreateMode, Id};
use std::fs;
use std::path::Path;

fn connect(address: &str) -> Blocking {
    Blocking::connect(ClientConfig::new(address).unwrap()).unwrap().0
}

/// Names of the files of a directory that begin so.
fn named(dir: &Path, start: &str) -> usize {
    let names = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(start)).count()
}

/// Snapshots and logs on two disks: both are put back, and what was on either is moved aside, not overwritten.
#[test]
fn a_restore_exchanges_data_and_log_directory_together() {
    let home = Dir::new("apart");
    let [data, log, backup] = ["data", "log", "backup"].map(|name| home.path().join(name));
    let serve = || ox::start(&spec(&data).cfg(&format!("dataLogDir={}", log.display()))).unwrap();
    let mut server = serve();
    let config = server.config().to_path_buf();
    let zk = connect(&server.address());
    zk.wait(zk.client().create("/load", None, &[Acl::open()], CreateMode::Persistent)).unwrap();
    load(&zk, 0..60);
    let (seen, point) = (look(&server.address()), zxid(&server));
    load(&zk, 60..80);
    well(&["backup", "--config", text(&config), "--to", text(&backup), "--all"]);
    let later = look(&server.address());
    let restore = |more: &[&str]| {
        run(&[&["restore", "--from", text(&backup), "--config", text(&config)], more].concat())
    };
    let (code, said) = restore(&["--force"]);
    assert!(code == 1 && said.contains("another process of oxkeeper uses"), "it runs: {said}");
    server.kill();
    let (code, said) = restore(&[]);
    assert!(code == 1 && said.contains("holds data"), "{said}");
    let (code, said) = restore(&["--at", &point, "--force"]);
    assert_eq!(code, 0, "{said}");
    for (dir, has, has_not) in [(&data, "snapshot.", "log."), (&log, "log.", "snapshot.")] {
        let now = dir.join("version-2");
        assert!(named(&now, has) > 0 && named(&now, has_not) == 0, "{}", now.display());
        assert!(named(&dir.join("version-2.before-restore-1"), has) > 0, "{} was kept", dir.display());
    }
    drop(server);
    let server = serve();
    assert_eq!(look(&server.address()), seen);
    drop(server);
    // What was moved aside is whole: moved back, it is what was there before.
    for dir in [&data, &log] {
        fs::rename(dir.join("version-2"), dir.join("version-2.restored")).unwrap();
        fs::rename(dir.join("version-2.before-restore-1"), dir.join("version-2")).unwrap();
    }
    fs::remove_dir_all(data.join("oxkeeper")).unwrap_or_default();
    let server = serve();
    assert_eq!(look(&server.address()), later);
}

/// Full principals, short names by rules, services with hosts: who may, who may not, and what is closed for whom.
#[test]
fn acls_of_kerberos_names_are_asked_audited_and_closed() {
    let home = Dir::new("kerberos-acls");
    let sasl = "authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider";
    let server = ox::start(&spec(&home.path().join("data")).cfg(sasl)).unwrap();
    let at = server.address();
    let zk = connect(&at);
    let create = |path: &str, acl: &[Acl]| {
        zk.wait(zk.client().create(path, None, acl, CreateMode::Persistent)).unwrap();
    };
    let of = |id: &str, perms: i32| Acl { perms, id: Id::new("sasl", id) };
    create("/hbase", &[of("hbase", 31), Acl::read_only()]);
    create("/hdfs", &[of("hdfs/nn.example.com@EXAMPLE.COM", 31), Acl::read_only()]);
    create("/open", &[Acl::open()]);
    // Rules let the principal in; what its id is shortened to, these keys say.
    let lines = [
        "dataDir=/nonexistent",
        "clientPort=1",
        "security.auth_to_local=RULE:[2:$1@$0](.*@EXAMPLE.COM)s/@.*// DEFAULT",
        "kerberos.allowedRealms=EXAMPLE.COM",
        "kerberos.removeHostFromPrincipal=true",
        "kerberos.removeRealmFromPrincipal=true",
    ];
    let file = |name: &str, lines: &[&str]| home.write(name, &(lines.join("\n") + "\n"));
    let (full, short) = (file("full.cfg", &lines[..4]), file("short.cfg", &lines));
    let can = |who: &str, what: &str, path: &str, shortened: bool| {
        let rules = if shortened { &short } else { &full };
        run(&["acl", "can", who, what, path, "--server", &at, "--rules", text(rules)])
    };
    for (who, what, path, shortened, wanted, why) in [
        ("hbase/h1.example.com@EXAMPLE.COM", "write", "/hbase", true, 0, "is sasl:hbase"),
        ("hbase/h1.example.com@EXAMPLE.COM", "write", "/hbase", false, 1, "no"),
        (
            "hdfs/nn.example.com@EXAMPLE.COM",
            "admin",
            "/hdfs",
            false,
            0,
            "by sasl:hdfs/nn.example.com@EXAMPLE.COM",
        ),
        ("hdfs/other.example.com@EXAMPLE.COM", "write", "/hdfs", false, 1, "no"),
        ("hdfs/other.example.com@EXAMPLE.COM", "read", "/hdfs", false, 0, "by world:anyone"),
        ("sasl:hbase", "cdrwa", "/hbase", false, 0, "by sasl:hbase"),
        ("anyone", "write", "/hbase", true, 1, "no"),
    ] {
        let (code, said) = can(who, what, path, shortened);
        assert!(code == wanted && said.contains(why), "{who} {what} {path}: {code}: {said}");
    }
    let audit = |more: &[&str]| run(&[&["acl", "audit", "/", "--server", &at], more].concat());
    let plan = home.path().join("plan");
    let (code, said) = audit(&["--plan", text(&plan), "--owner", "sasl:hbase"]);
    assert!(code == 1 && said.contains("/open") && said.contains("sasl:hbase"), "{said}");
    let undo = home.path().join("undo");
    let (code, said) = run(&["acl", "apply", text(&plan), "--server", &at, "--undo", text(&undo)]);
    assert_eq!(code, 0, "{said}");
    let now = zk.wait(zk.client().get_acl("/open")).unwrap().0;
    assert_eq!(now, [of("hbase", 31), Acl::read_only()]);
    let (code, _) = can("hbase/h1.example.com@EXAMPLE.COM", "write", "/open", true);
    assert_eq!(code, 0, "the owner keeps it");
    let (code, said) = can("hdfs/nn.example.com@EXAMPLE.COM", "write", "/open", true);
    assert_eq!(code, 1, "{said}");
}
