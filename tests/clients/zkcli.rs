//! zkCli of 3.9.5 and Debian's zkCli.sh of 3.8.0: one script of every command, the same transcript.
//!
//! # Invariants
//! * Each transcript is taken from a fresh server, so that zxids are the same on both.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::need;
use crate::support::dirs::Dir;
use crate::support::process;
use crate::support::{Kind, Server, Spec, cache, java};
use crate::transcript::{Transcript, difference};

/// A script ends in seconds; a minute means that a command hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Which client runs the script.
#[derive(Clone, Copy)]
enum Client {
    /// 3.9.5's `org.apache.zookeeper.ZooKeeperMain`.
    Main395,
    /// Debian's `zkCli.sh` of 3.8.0, or 3.8.6's `ZooKeeperMain` where there is no Debian.
    ZkCli38,
    /// 3.4.12's `ZooKeeperMain`, the oldest client that is served.
    Main3412,
}

impl Client {
    fn command(self, address: &str) -> Result<Command, String> {
        let mut command = match self {
            Self::Main395 => java::zkcli_plain(Kind::Java395, address)?,
            Self::Main3412 => java::zkcli_plain(Kind::Client3412, address)?,
            Self::ZkCli38 => match cache::debian_zkcli() {
                Ok(script) => {
                    let mut command = Command::new(script);
                    command.env("CLIENT_JVMFLAGS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC");
                    command.args(["-server", address]);
                    command
                }
                Err(_) => java::zkcli_plain(Kind::Java386, address)?,
            },
        };
        command.env("LC_ALL", "C.UTF-8");
        // 3.4 does not know the option, and its commands wait for the connection anyway.
        if !matches!(self, Self::Main3412) {
            command.arg("-waitforconnection");
        }
        Ok(command)
    }
}

/// Extended types on, so that TTL nodes can be made.
fn plain() -> Spec {
    Spec::new().flag("-Dzookeeper.extendedTypesEnabled=true")
}

/// Quotas enforced, reconfiguration allowed, a super user, no extended types.
fn strict() -> Spec {
    Spec::new()
        .cfg("reconfigEnabled=true")
        .cfg("enforceQuota=true")
        .flag("-Dzookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=")
}

/// The transcript of a script against a fresh server.
fn session(kind: Kind, client: Client, spec: &Spec, script: &str) -> Result<Transcript, String> {
    let server = Server::start(kind, spec)?;
    let dir = Dir::new("zkcli");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/zkcli").join(script);
    let text = fs::read_to_string(&source).map_err(|e| format!("{}: {e}", source.display()))?;
    let input = dir.write(script, &text.replace("PORT", &server.port().to_string()));
    let (status, output) = process::run(client.command(&server.address())?, Some(&input), LIMIT)?;
    if !matches!(status.code(), Some(0 | 1 | 127)) {
        return Err(format!("zkCli ended with {status}:\n{output}"));
    }
    Ok(Transcript::of_zkcli(&output, server.port()))
}

/// Runs the script against both servers and compares; returns the control's transcript.
fn compare(client: Client, spec: &Spec, script: &str) -> Option<Transcript> {
    let control = match java::classpath(Kind::Java395).and_then(|_| client.command("127.0.0.1:1")) {
        Ok(_) => session(Kind::Java395, client, spec, script).expect("the control runs"),
        Err(why) => {
            crate::support::skip::not_run(&format!("zkCli transcript {script}"), &why);
            return None;
        }
    };
    let ours = session(crate::OURS, client, spec, script).expect("the script runs");
    if let Some(difference) = control.difference(&ours) {
        panic!("{script}: {difference}");
    }
    Some(control)
}

fn has(transcript: &Transcript, line: &str) -> bool {
    transcript.lines.iter().any(|l| l.contains(line))
}

#[test]
fn every_command_of_zkcli_395_prints_the_same() {
    let Some(control) = compare(Client::Main395, &plain(), "commands.txt") else { return };
    for line in ["Created /a/ttl", "Output quota for", "Sync is OK", "Insufficient permission", "Auth scheme"]
    {
        assert!(has(&control, line), "the script reaches {line:?}:\n{}", control.lines.join("\n"));
    }
    assert!(control.events.len() > 20, "the script fires watches: {:?}", control.events);
}

#[test]
fn every_command_of_debians_zkcli_prints_the_same() {
    compare(Client::ZkCli38, &plain(), "commands.txt");
}

#[test]
fn every_command_of_the_oldest_zkcli_prints_the_same() {
    let Some(control) = compare(Client::Main3412, &plain(), "oldest.txt") else { return };
    for line in ["Created /a/seq-0000000000", "Output quota for", "[zookeeper]"] {
        assert!(has(&control, line), "the script reaches {line:?}:\n{}", control.lines.join("\n"));
    }
}

#[test]
fn enforced_quotas_denials_and_the_super_user_print_the_same() {
    let Some(control) = compare(Client::Main395, &strict(), "strict.txt") else { return };
    for line in ["Quota has exceeded", "Insufficient permission", "super"] {
        assert!(has(&control, line), "the script reaches {line:?}:\n{}", control.lines.join("\n"));
    }
}

#[test]
fn one_shot_commands_print_and_exit_the_same() {
    let part = "zkCli one-shot commands";
    need!(part, java::classpath(Kind::Java395));
    let shots: [&[&str]; 5] = [
        &["ls", "/"],
        &["create", "/one", "shot"],
        &["get", "/nope"],
        &["bogus"],
        &["set", "-v", "9", "/one", "x"],
    ];
    let run = |kind: Kind| {
        let server = Server::start(kind, &plain()).expect("the server comes up");
        shots
            .iter()
            .flat_map(|args| {
                let mut command = Client::Main395.command(&server.address()).expect("checked above");
                command.args(*args);
                let (status, output) = process::run(command, None, LIMIT).expect("zkCli ends");
                let mut lines = Transcript::of_zkcli(&output, server.port()).lines;
                lines.push(format!("{args:?}: exit code {:?}", status.code()));
                lines
            })
            .collect::<Vec<_>>()
    };
    let (control, ours) = (run(Kind::Java395), run(crate::OURS));
    assert_eq!(difference(&control, &ours), None, "{}", difference(&control, &ours).unwrap_or_default());
}
