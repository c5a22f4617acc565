//! The rescue socket: root gives a session super rights for some minutes.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use oxkeeper::error::Code;
use oxkeeper::proto::{CreateKind, OpCode};
use oxkeeper::types::{Acl, Id, perms};

use crate::audit_script::{create, expect, login, set};
use crate::support::server::{Server, Spec};
use crate::support::{fourlw, ox, process, skip};
use crate::wire::Wire;

/// Exit code and output of `oxkeeper rescue`, as another user if one is given.
fn rescue(socket: &Path, session: i64, minutes: &str, uid: Option<u32>) -> (Option<i32>, String) {
    let session = format!("0x{session:x}");
    let mut command = ox::command(&["rescue", "--session", &session, "--minutes", minutes, "--socket"]);
    command.arg(socket);
    if let Some(uid) = uid {
        command.uid(uid);
    }
    let (status, said) = process::run(command, None, Duration::from_secs(60)).expect("ran");
    (status.code(), said)
}

fn rescued(server: &Server) -> Option<u64> {
    fourlw::value(&server.ask("mntr"), "zk_oxkeeper_rescue_sessions").and_then(|n| n.parse().ok())
}

#[test]
fn root_gives_a_session_super_rights_for_a_time() {
    if !rustix::process::getuid().is_root() {
        return skip::not_run("rescue socket", "it hears root alone, and this test is not run by root");
    }
    let home = crate::support::dirs::Dir::new("rescue");
    let (socket, audit) = (home.path().join("rescue.sock"), home.path().join("audit.log"));
    let spec = Spec::new()
        .cfg(&format!("rescue.socket={}", socket.display()))
        .cfg("audit.enable=true")
        .cfg(&format!("audit.file={}", audit.display()));
    let mut server = ox::start(&spec).expect("a server");
    let mut owner = Wire::connect(server.port(), 30_000).expect("a session");
    login(&mut owner, "bob:secret");
    let mine = vec![Acl { perms: perms::ALL, id: Id::new("auth", "") }];
    expect(&mut owner, OpCode::Create, &create(CreateKind::Create, "/mine", 0, mine), Code::Ok);
    let mut other = Wire::connect(server.port(), 30_000).expect("a session");
    expect(&mut other, OpCode::SetData, &set("/mine", -1), Code::NoAuth);
    assert_eq!(rescue(&socket, other.session, "5", Some(65_534)).0, Some(2), "others cannot open the socket");
    assert_eq!(rescue(&socket, 77, "5", None).0, Some(1), "there is no such session");
    assert_eq!(rescue(&socket, other.session, "0", None).0, Some(1), "no time at all");
    assert_eq!(rescue(&socket, other.session, "61", None).0, Some(1), "too long");
    expect(&mut other, OpCode::SetData, &set("/mine", -1), Code::NoAuth);
    let (code, said) = rescue(&socket, other.session, "5", None);
    assert_eq!(code, Some(0), "{said}");
    expect(&mut other, OpCode::SetData, &set("/mine", -1), Code::Ok);
    assert_eq!(rescued(&server), Some(1));
    assert_eq!(rescue(&socket, other.session, "5", None).0, Some(1), "it has them already");
    other.close().expect("closed");
    let begun = Instant::now();
    while rescued(&server).is_some() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the rights outlive their connection");
        std::thread::sleep(Duration::from_millis(50));
    }
    let log = server.log();
    assert!(log.contains("has super rights for a time") && log.contains("have ended"), "{log}");
    server.stop();
    let records = std::fs::read_to_string(&audit).expect("a file");
    let steps: Vec<&str> = records.lines().filter(|l| l.contains("operation=rescue")).collect();
    assert_eq!(steps.iter().filter(|l| l.contains("step=begin\tminutes=5\tresult=success")).count(), 1);
    assert_eq!(steps.iter().filter(|l| l.contains("step=end")).count(), 1);
    assert_eq!(steps.iter().filter(|l| l.contains("result=failure")).count(), 4, "{steps:?}");
}
