//! Sessions that outlive their tickets, and sessions of nobody in particular.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::need;
use crate::support::kdc::Realm;
use crate::support::{Spec, ox, skip};
use crate::told::{Told, doctor};

const SERVICE: &str = "zookeeper/localhost";
/// How long a state may take to come.
const LIMIT: Duration = Duration::from_secs(60);

/// A shell that waits for input, and so keeps its session.
struct Shell(Child);

impl Shell {
    fn start(env: &[(String, String)], args: &[&str]) -> Shell {
        let mut command: Command = ox::command(&["shell"]);
        command.args(args).envs(env.iter().map(|(n, v)| (n, v)));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Shell(command.spawn().expect("a shell"))
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended
        let _ = self.0.wait();
    }
}

/// Asks until the answer has this text.
fn until(env: &[(String, String)], args: &[&str], text: &str) -> Told {
    let deadline = Instant::now() + LIMIT;
    loop {
        let told = doctor(env, args);
        if told.text().contains(text) {
            return told;
        }
        assert!(Instant::now() < deadline, "{text:?} is never said:\n{}", told.text());
        sleep(Duration::from_millis(200));
    }
}

/// Pains 14 and 11, as the server sees them.
#[test]
fn sessions_that_outlive_their_tickets_and_sessions_without_a_login() {
    if !rustix::process::getuid().is_root() {
        return skip::not_run(
            "doctor: sessions",
            "the socket hears root alone, and this test is not run by root",
        );
    }
    let realm = need!("doctor: sessions", Realm::start("ZK.TEST"));
    let keytab = realm.keytab(&[SERVICE]).unwrap();
    let clients = realm.keytab(&["alice"]).unwrap();
    let socket = realm.path("rescue.sock");
    let spec = Spec::new()
        .cfg(&format!("kerberos.keytab={}", keytab.display()))
        .cfg(&format!("java.security.krb5.conf={}", realm.krb5_conf().display()))
        .cfg(&format!("rescue.socket={}", socket.display()));
    let server = ox::start(&spec).expect("a server");
    let (env, config, at) = (realm.env(), server.config().display().to_string(), server.address());
    let look = ["sessions", "--config", config.as_str()];
    doctor(&env, &look).healthy();

    let log_in = |cache: &std::path::Path| {
        let cache = format!("FILE:{}", cache.display());
        let args = ["-server", &at, "--ccache", &cache, "--server-principal", SERVICE];
        Shell::start(&env, &args)
    };
    let long = realm.kinit_keytab("alice", &clients, &[]).unwrap();
    let lives = log_in(&long);
    until(&env, &look, "alice@ZK.TEST").healthy();
    drop(lives);
    let short = realm.kinit_keytab("alice", &clients, &["-l", "10s", "-r", "10s"]).unwrap();
    let _outlives = log_in(&short);
    let told = until(&env, &look, "DOC_TICKET_ENDED");
    told.without("DOC_STRANGER").names("14", "DOC_TICKET_ENDED", "useKeyTab=true");
    assert!(told.text().contains("alice@ZK.TEST"), "{}", told.text());

    let _stranger = Shell::start(&env, &["-server", &at]);
    until(&env, &look, "DOC_STRANGER").names("11", "DOC_STRANGER", "doctor jaas");
    let nowhere = doctor(&env, &["sessions", "--socket", "/nonexistent/rescue.sock"]);
    nowhere.names("14", "DOC_SERVER_UNREACHABLE", "as root");
}
