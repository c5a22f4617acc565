//! The server in its cage: the unit's filter, no capability, a file system that is read-only but for three directories.
//!
//! systemd does not run where tests run, so bubblewrap builds the cage; the filter is the unit's ([`super::seccomp`]).
//!
//! # Invariants
//! * The cage is shown to be closed before the server is started in it.

use std::fs;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::Signal;

use crate::need;
use crate::pki::{PASSWORD, Pki};
use crate::support::dirs::Dir;
use crate::support::kdc::Realm;
use crate::support::process::{self, Process};
use crate::support::{fourlw, ox, ports};

const LIMIT: Duration = Duration::from_secs(60);

/// A cage with what is needed in it.
struct Cage {
    dir: Dir,
    filter: fs::File,
}

impl Cage {
    fn new() -> Result<Cage, String> {
        let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/oxkeeper.service");
        let unit = fs::read_to_string(unit).expect("the unit");
        let lines = unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter="));
        let filter = crate::seccomp::filter(&lines.map(str::to_owned).collect::<Vec<_>>())?;
        let dir = Dir::new("cage");
        for name in ["state", "logs", "run", "etc"] {
            fs::create_dir(dir.path().join(name)).expect("a directory");
        }
        fs::write(dir.path().join("filter"), filter).expect("written");
        let filter = fs::File::open(dir.path().join("filter")).expect("opened");
        let cage = Cage { dir, filter };
        let (status, said) = process::run(cage.command("true", &[])?, None, LIMIT)?;
        match status.success() {
            true => Ok(cage),
            false => Err(format!("bubblewrap cannot build a cage here: {said}")),
        }
    }

    /// `program` in the cage.
    fn command(&self, program: &str, args: &[&str]) -> Result<Command, String> {
        // bwrap reads the program from the start of the file.
        let filter = self.filter.try_clone().map_err(|e| e.to_string())?;
        rustix::fs::seek(&filter, rustix::fs::SeekFrom::Start(0)).map_err(|e| e.to_string())?;
        fcntl_setfd(&filter, FdFlags::empty()).map_err(|e| e.to_string())?;
        let number = filter.as_raw_fd().to_string();
        std::mem::forget(filter); // the child's, until this test's process ends
        let mut command = Command::new("bwrap");
        command.args([
            "--unshare-user",
            "--unshare-ipc",
            "--unshare-pid",
            "--unshare-uts",
            "--unshare-cgroup-try",
        ]);
        command.args([
            "--uid",
            "990",
            "--gid",
            "990",
            "--cap-drop",
            "ALL",
            "--die-with-parent",
            "--new-session",
        ]);
        command.args(["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/home"]);
        for name in ["state", "logs", "run"] {
            let path = self.path(name);
            command.arg("--bind").arg(&path).arg(&path);
        }
        command.args(["--seccomp", &number, "--", program]).args(args);
        Ok(command)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What a program in the cage says, and whether it succeeded.
    fn ask(&self, program: &str, args: &[&str]) -> (bool, String) {
        let command = self.command(program, args).expect("a command");
        let (status, said) = process::run(command, None, LIMIT).expect("an end");
        (status.success(), said)
    }
}

/// What the cage must refuse, each with something like it that works.
fn is_closed(cage: &Cage) {
    let inside = cage.path("state").join("x").display().to_string();
    let outside = cage.path("etc").join("x").display().to_string();
    assert!(cage.ask("touch", &[&inside]).0, "the state directory can be written");
    for (program, args) in [
        ("touch", vec![outside.as_str()]),
        ("touch", vec!["/usr/x"]),
        ("chmod", vec!["u+s", &inside]),
        ("unshare", vec!["--user", "true"]),
        ("mount", vec!["-t", "tmpfs", "none", "/mnt"]),
        ("nice", vec!["-n", "-5", "true"]),
    ] {
        let (done, said) = cage.ask(program, &args);
        // nice goes on where it may not: it says so.
        assert!(!done || said.contains("cannot set niceness"), "{program} {args:?} worked: {said}");
    }
    let (_, status) = cage.ask("cat", &["/proc/self/status"]);
    let of = |key: &str| status.lines().find_map(|l| l.strip_prefix(key)).map(str::trim).unwrap_or_default();
    assert_eq!((of("NoNewPrivs:"), of("Seccomp:")), ("1", "2"), "{status}");
    for set in ["CapEff:", "CapPrm:", "CapBnd:", "CapAmb:", "CapInh:"] {
        assert_eq!(of(set).trim_matches('0'), "", "{set} {status}");
    }
    let python = "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ|mmap.PROT_WRITE|mmap.PROT_EXEC)";
    assert!(!cage.ask("python3", &["-c", python]).0, "memory is never writable and executable");
    let python = "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)";
    assert!(!cage.ask("python3", &["-c", python]).0, "no other address family");
}

/// zoo.cfg, keytab, JAAS file and JKS stores where the unit's server would have them.
fn configuration(cage: &Cage, realm: &Realm, pki: &Pki, plain: u16, secure: u16) -> PathBuf {
    let etc = cage.path("etc");
    let keytab = realm.keytab(&["zookeeper/localhost", "alice"]).expect("a keytab");
    fs::copy(keytab, etc.join("zk.keytab")).expect("copied");
    for name in ["server.jks", "ca.jks"] {
        fs::copy(pki.path(name), etc.join(name)).expect("copied");
    }
    let etc = etc.display();
    let section = |name: &str, principal: &str| {
        format!(
            "{name} {{ com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true \
             keyTab=\"{etc}/zk.keytab\" principal=\"{principal}@{}\"; }};\n",
            realm.name()
        )
    };
    let jaas = section("Server", "zookeeper/localhost") + &section("Client", "alice");
    fs::write(cage.path("etc/jaas.conf"), jaas).expect("written");
    let zoo = format!(
        "dataDir={}\nclientPort={plain}\nclientPortAddress=127.0.0.1\nsecureClientPort={secure}\n\
         secureClientPortAddress=127.0.0.1\nssl.keyStore.location={etc}/server.jks\nssl.keyStore.password={PASSWORD}\n\
         ssl.trustStore.location={etc}/ca.jks\nssl.trustStore.password={PASSWORD}\nadmin.enableServer=false\n\
         authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider\n\
         sessionRequireClientSASLAuth=true\njava.security.auth.login.config={etc}/jaas.conf\n\
         java.security.krb5.conf={}\naudit.enable=true\naudit.file={}/audit.log\nrescue.socket={}/rescue\n\
         4lw.commands.whitelist=*\nautopurge.purgeInterval=1\n",
        cage.path("state").display(),
        realm.krb5_conf().display(),
        cage.path("logs").display(),
        cage.path("run").display(),
    );
    let path = cage.path("etc/zoo.cfg");
    fs::write(&path, zoo).expect("written");
    path
}

/// Runs the shell outside of the cage as alice.
fn shell(cage: &Cage, realm: &Realm, port: u16, line: &[&str]) -> (bool, String) {
    let jaas = format!("-Djava.security.auth.login.config={}", cage.path("etc/jaas.conf").display());
    let krb5 = format!("-Djava.security.krb5.conf={}", realm.krb5_conf().display());
    let server = format!("localhost:{port}");
    let mut command = ox::command(&["shell", &jaas, &krb5, "-server", &server]);
    command.args(line).envs(realm.env());
    let (status, said) = process::run(command, None, LIMIT).expect("an end");
    (status.success(), said)
}

fn wait(port: u16, server: &mut Process) {
    let deadline = Instant::now() + LIMIT;
    while !fourlw::serves(port) {
        assert!(
            server.ended().is_none() && Instant::now() < deadline,
            "it does not serve:\n{}",
            server.log()
        );
        sleep(Duration::from_millis(30));
    }
}

#[test]
fn the_server_does_all_its_work_in_the_cage_of_the_unit() {
    let cage = need!("the unit's sandbox", Cage::new());
    is_closed(&cage);
    let realm = need!("Kerberos in the sandbox", Realm::start("CAGE.TEST"));
    let pki = Pki::new();
    need!("JKS in the sandbox", pki.key_stores("server").and_then(|()| pki.trust_stores()));
    let (plain, secure) = (ports::free(), ports::free());
    let config = configuration(&cage, &realm, &pki, plain, secure);
    let binary = ox::binary().to_str().expect("a path");
    let args = ["serve", config.to_str().expect("a path")];
    for round in 0..2 {
        let mut command = cage.command(binary, &args).expect("a command");
        command.envs(realm.env());
        let mut server = Process::start(command, &cage.path("log")).expect("started");
        wait(plain, &mut server);
        let path = format!("/round{round}");
        let (done, said) = shell(&cage, &realm, plain, &["create", &path, "x", "sasl:alice@CAGE.TEST:cdrwa"]);
        assert!(done, "a Kerberos client writes: {said}\n{}", server.log());
        let (_, said) = shell(&cage, &realm, plain, &["ls", "/"]);
        assert!((0..=round).all(|n| said.contains(&format!("round{n}"))), "what was written stays: {said}");
        let mut handshake = Command::new("openssl");
        handshake.args(["s_client", "-brief", "-connect", &format!("127.0.0.1:{secure}")]);
        let (_, said) = process::run(handshake, None, LIMIT).expect("an end");
        assert!(said.contains("CONNECTION ESTABLISHED"), "TLS by JKS: {said}");
        // bwrap is the parent: the signals are for the server itself.
        let child = child_of(server.pid());
        signal(child, Signal::HUP);
        let deadline = Instant::now() + LIMIT;
        while !server.log().contains("reloaded") {
            assert!(Instant::now() < deadline, "{}", server.log());
            sleep(Duration::from_millis(20));
        }
        signal(child, Signal::TERM);
        assert_eq!(server.wait(LIMIT).and_then(|status| status.code()), Some(0), "{}", server.log());
        for refused in ["Operation not permitted", "EPERM", "Read-only file system", "os error 1)"] {
            assert!(
                !server.log().contains(refused),
                "something needed more than the cage allows:\n{}",
                server.log()
            );
        }
    }
    assert!(fs::metadata(cage.path("logs/audit.log")).is_ok_and(|meta| meta.len() > 0));
}

/// The server behind bwrap: the last of its descendants.
fn child_of(pid: u32) -> u32 {
    let children =
        |pid: u32| fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let mut last = pid;
    while let Some(child) = children(last).split_whitespace().next().and_then(|child| child.parse().ok()) {
        last = child;
    }
    last
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).expect("a process");
    rustix::process::kill_process(pid, signal).expect("sent");
}
