//! The other wrappers beside ZooKeeper's own classes: clean-up, toolkits, initialisation, shell.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::need;
use crate::support::dirs::Dir;
use crate::support::server::{Kind, Spec};
use crate::support::{java, ox};
use crate::wrappers::wrappers;

/// Exit code and both outputs.
type Told = (Option<i32>, String, String);

fn told(mut command: Command, hide: &[(&str, &str)]) -> Told {
    let done = command.output().expect("it runs");
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        hide.iter().fold(text, |text, (what, name)| text.replace(what, name))
    };
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

fn wrapper(name: &str, conf: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command.args(["60", "bash"]).arg(wrappers().join(name)).args(args);
    command.env("ZOOCFGDIR", conf).env("OXKEEPER", ox::binary()).env("TZ", "UTC").env_remove("ZOOCFG");
    command
}

fn class(name: &str, args: &[&str]) -> Result<Command, String> {
    let java = java::java(Kind::Java395)?;
    let mut command = Command::new("timeout");
    command.args(["60", "java"]).args(java.get_args()).args([
        "-Doxkeeper.log=OFF",
        "-Duser.timezone=UTC",
        name,
    ]);
    command.args(args);
    Ok(command)
}

/// A file that ZooKeeper 3.9.5 wrote, copied to where a test may write beside it.
fn javas(dir: &Dir, name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/disk/java-3.9.5").join(name);
    let path = dir.path().join(name);
    fs::copy(source, &path).expect("a copy");
    path
}

#[test]
fn arguments_are_refused_as_by_zookeepers_classes() {
    let home = Dir::new("tools");
    let here = home.path().to_str().expect("a path");
    home.write("conf/zoo.cfg", &format!("dataDir={here}\n"));
    let conf = home.path().join("conf");
    let purge = "org.apache.zookeeper.server.PurgeTxnLog";
    let formatter = "org.apache.zookeeper.server.SnapshotFormatter";
    let toolkit = "org.apache.zookeeper.server.persistence.TxnLogToolkit";
    let missing = home.path().join("missing").display().to_string();
    for (script, class_name, args, javas_args) in [
        ("zkCleanup.sh", purge, vec![], vec![here]),
        ("zkCleanup.sh", purge, vec!["-n", "2"], vec![here, "-n", "2"]),
        ("zkCleanup.sh", purge, vec!["-n", "many"], vec![here, "-n", "many"]),
        ("zkSnapShotToolkit.sh", formatter, vec![], vec![]),
        ("zkSnapShotToolkit.sh", formatter, vec![&missing], vec![&missing]),
        ("zkSnapShotToolkit.sh", formatter, vec![here], vec![here]),
        ("zkTxnLogToolkit.sh", toolkit, vec!["-d", &missing], vec!["-d", &missing]),
    ] {
        let javas = need!("arguments of ZooKeeper's tools", class(class_name, &javas_args));
        let expected = told(javas, &[]);
        assert_ne!(expected.0, Some(0), "the control is a refusal: {expected:?}");
        assert_eq!(told(wrapper(script, &conf, &args), &[]), expected, "{script} {args:?}");
    }
}

#[test]
fn a_broken_log_is_repaired_and_chopped_as_by_the_toolkit() {
    let toolkit = "org.apache.zookeeper.server.persistence.TxnLogToolkit";
    let mut results = Vec::new();
    for kind in [Kind::Java395, Kind::Oxkeeper] {
        let home = Dir::new("toolkit");
        let log = javas(&home, "log.1");
        let here = home.path().to_str().expect("a path");
        let path = log.to_str().expect("a path");
        let run = |args: &[&str]| match kind {
            Kind::Java395 => class(toolkit, args).map(|command| told(command, &[(here, "HOME")])),
            _ => Ok(told(wrapper("zkTxnLogToolkit.sh", home.path(), args), &[(here, "HOME")])),
        };
        let chopped = need!("ZooKeeper's TxnLogToolkit", run(&["-c", "-z", "0x3", path]));
        let mut bytes = fs::read(&log).expect("a log");
        bytes[20] ^= 1; // the checksum of the first record
        fs::write(&log, &bytes).expect("written");
        let repaired = run(&["-r", "-y", path]).expect("as before");
        let files = ["log.1.chopped3", "log.1.fixed"].map(|name| {
            let made = fs::read(home.path().join(name)).expect(name);
            // Java fills its copy up with zeros.
            let used = made.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
            made[..used].to_vec()
        });
        results.push((chopped, repaired, files));
    }
    let (ours, javas) = (results.pop().expect("ours"), results.pop().expect("Java's"));
    assert!(javas.1.1.contains("1 fixed CRC error"), "the control: {:?}", javas.1);
    assert_eq!(ours.0, javas.0, "chopped");
    assert_eq!(lines(&ours.1.1), lines(&javas.1.1), "repaired");
    assert_eq!(ours.2, javas.2, "files");
}

/// Lines without the dates, whose spaces are those of Java's locale data, and without blank ones.
fn lines(text: &str) -> Vec<String> {
    let at_session = |line: &str| match (line.strip_prefix("CRC FIXED - "), line.find(" session ")) {
        (Some(_), Some(at)) => format!("CRC FIXED -{}", &line[at..]),
        _ => line.to_owned(),
    };
    text.lines().map(at_session).filter(|line| !line.is_empty()).collect()
}

#[test]
fn a_snapshot_has_the_same_sizes_in_ncdus_form() {
    let home = Dir::new("formatter");
    let snapshot = javas(&home, "snapshot.1b");
    let path = snapshot.to_str().expect("a path");
    let javas = class("org.apache.zookeeper.server.SnapshotFormatter", &["-json", path]);
    let (_, expected, _) = told(need!("ZooKeeper's SnapshotFormatter", javas), &[]);
    let (code, ours, err) = told(wrapper("zkSnapShotToolkit.sh", home.path(), &["-json", path]), &[]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let sizes = |text: &str| {
        let list: serde_json::Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(list[2]["progname"], "SnapshotFormatter.java");
        let mut found = Vec::new();
        collect(&list[3], &mut found);
        found.sort();
        found
    };
    assert_eq!(sizes(&ours), sizes(&expected));
}

/// Names with sizes, whatever their order, which is that of a hash table on Java.
fn collect(value: &serde_json::Value, found: &mut Vec<(String, u64)>) {
    match value {
        serde_json::Value::Array(parts) => parts.iter().for_each(|part| collect(part, found)),
        node => found.push((node["name"].to_string(), node["asize"].as_u64().expect("a size"))),
    }
}

#[test]
fn directories_are_prepared_as_by_the_script() {
    let home = Dir::new("initialize");
    let here = home.path().to_str().expect("a path");
    home.write("conf/zoo.cfg", &format!("dataDir={here}/data\ndataLogDir={here}/log\n"));
    let conf = home.path().join("conf");
    let run = |args: &[&str]| {
        let (code, out, err) = told(wrapper("zkServer-initialize.sh", &conf, args), &[(here, "HOME")]);
        assert_eq!(err, "");
        (code, out)
    };
    assert_eq!(run(&["--myid=3"]), (Some(0), "Using myid of 3\n".to_owned()));
    assert_eq!(fs::read_to_string(home.path().join("data/myid")).expect("myid"), "3\n");
    assert!(home.path().join("log/version-2").is_dir());
    let (code, refused) = run(&[]);
    assert_eq!(code, Some(1));
    assert!(refused.starts_with("ZooKeeper data directory already exists at HOME/data"), "{refused}");
    let (code, forced) = run(&["--force", "--myid", "4"]);
    assert_eq!((code, forced.lines().count()), (Some(0), 2), "{forced}");
    let (code, unknown) = run(&["--mine"]);
    assert_eq!(code, Some(1));
    assert!(unknown.starts_with("Unknown option: --mine\nusage: "), "{unknown}");
    let (code, nothing) = run(&["--configfile=/nowhere/zoo.cfg"]);
    assert_eq!((code, nothing.as_str()), (Some(1), "Unable to find config file at /nowhere/zoo.cfg\n"));
}

#[test]
fn the_shell_answers_by_its_old_name() {
    let server = ox::start(&Spec::new()).expect("a server");
    let conf = server.home().to_path_buf();
    let (code, out, _) = told(wrapper("zkCli.sh", &conf, &["-server", &server.address(), "ls", "/"]), &[]);
    assert_eq!(code, Some(0));
    assert!(out.lines().any(|line| line == "[zookeeper]"), "{out}");
}
