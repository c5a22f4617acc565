//! Starts, refusals and ends.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::dirs::Dir;
use crate::support::server::{Kind, Server, Spec};
use crate::support::{fourlw, ox, ports, process};
use crate::wire::Wire;

fn start(spec: &Spec) -> Server {
    ox::start(spec).expect("a server that serves")
}

/// Runs `serve` with this zoo.cfg to its end: exit code and log.
fn refused(config: &str) -> (Option<i32>, String) {
    let home = Dir::new("refused");
    let path = home.write("zoo.cfg", config);
    let path = path.to_str().expect("a path in UTF-8");
    let command = ox::command(&["serve", path]);
    let (status, log) = process::run(command, None, Duration::from_secs(30)).expect("an end");
    (status.code(), log)
}

fn zoo_cfg(dir: &Path, lines: &str) -> String {
    let port = ports::free();
    format!("dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\n{lines}", dir.display())
}

#[test]
fn both_signals_end_a_server_with_zero_and_keep_what_was_written() {
    let home = Dir::new("data");
    for (round, signal) in [Signal::TERM, Signal::INT].into_iter().enumerate() {
        let mut server = start(&Spec::new().data_dir(home.path()));
        let mut client = Wire::connect(server.port(), 10_000).expect("a session");
        assert_eq!(client.create(&format!("/n{round}"), b"x", 0).expect("a reply"), 0);
        assert_eq!(client.children("/").expect("a reply").len(), round + 2);
        let begun = Instant::now();
        server.process().signal(signal);
        let status = server.process().wait(Duration::from_secs(10)).expect("ended within 10 s");
        assert_eq!(status.code(), Some(0), "{}", server.log());
        assert!(begun.elapsed() < Duration::from_secs(10));
        assert!(client.get("/").is_err(), "the connection is closed");
    }
}

#[test]
fn words_answer_while_the_server_serves() {
    let server = start(&Spec::new());
    assert_eq!(server.ask("ruok"), "imok");
    assert_eq!(fourlw::value(&server.ask("srvr"), "Mode"), Some("standalone"));
    let client = Wire::connect(server.port(), 10_000).expect("a session");
    let cons = server.ask("cons");
    assert!(cons.contains(&format!("sid=0x{:x}", client.session)), "{cons}");
    assert_eq!(fourlw::value(&server.ask("mntr"), "zk_num_alive_connections"), Some("2"));
    client.close().expect("a reply and the end");
    assert!(!server.ask("cons").contains("sid="));
}

#[test]
fn a_port_in_use_is_one_sentence_and_nothing_is_touched() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let home = Dir::new("data");
    let data = home.path().join("data");
    let config = zoo_cfg(&data, "").replace("clientPort=", "#");
    let (code, log) = refused(&format!("{config}clientPort={port}\n"));
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains(&format!("127.0.0.1:{port}")) && log.contains("another process listens"), "{log}");
    assert!(!data.exists());
}

#[test]
fn configurations_that_cannot_be_served_end_with_two() {
    let home = Dir::new("data");
    std::fs::write(home.path().join("myid"), "1\n").expect("written");
    for (lines, word) in
        [("tickTime=no\n", "tickTime"), ("secureClientPort=0\n", "ssl.keyStore.location: not set")]
    {
        let (code, log) = refused(&zoo_cfg(home.path(), lines));
        assert_eq!(code, Some(2), "{log}");
        assert!(log.contains(word), "{log}");
        assert!(!home.path().join("version-2").exists(), "{lines}");
    }
    let (status, log) = process::run(ox::command(&["serve"]), None, Duration::from_secs(30)).expect("an end");
    assert_eq!(status.code(), Some(2), "{log}");
}

#[test]
fn data_directories_that_cannot_be_used_end_with_three() {
    let home = Dir::new("data");
    let (code, log) = refused(&zoo_cfg(&home.path().join("missing"), "datadir.autocreate=false\n"));
    assert_eq!(code, Some(3), "{log}");
    let foreign = home.path().join("foreign");
    std::fs::create_dir(&foreign).expect("made");
    std::fs::write(foreign.join("version-2"), "no folder").expect("written");
    let (code, log) = refused(&zoo_cfg(&foreign, ""));
    assert_eq!(code, Some(3), "{log}");
    if !rustix::process::geteuid().is_root() {
        let closed = home.path().join("closed");
        std::fs::create_dir(&closed).expect("made");
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o500)).expect("set");
        let (code, log) = refused(&zoo_cfg(&closed, ""));
        assert_eq!(code, Some(3), "{log}");
    }
}

#[test]
fn a_damaged_log_is_named_and_stops_the_start() {
    let home = Dir::new("data");
    let mut server = start(&Spec::new().data_dir(home.path()));
    let mut client = Wire::connect(server.port(), 10_000).expect("a session");
    for i in 0..20 {
        assert_eq!(client.create(&format!("/n{i}"), &[b'x'; 100], 0).expect("a reply"), 0);
    }
    assert_eq!(server.stop().and_then(|s| s.code()), Some(0));
    let version = home.path().join("version-2");
    let log = std::fs::read_dir(&version).expect("a folder").flatten().map(|e| e.path());
    let log =
        log.into_iter().find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("log.")));
    let log = log.expect("a log");
    let mut bytes = std::fs::read(&log).expect("read");
    bytes[600] ^= 0x10;
    std::fs::write(&log, &bytes).expect("written");
    let (code, text) = refused(&zoo_cfg(home.path(), ""));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("offset") && text.contains(log.to_str().expect("UTF-8")), "{text}");
    assert_eq!(std::fs::read(&log).expect("read"), bytes, "a refusal changes nothing");
}

#[test]
fn properties_come_from_the_command_line_the_environment_and_java_env() {
    let server = start(
        &Spec::new().flag("-Dzookeeper.4lw.commands.whitelist=ruok").cfg("4lw.commands.whitelist=stat"),
    );
    assert_eq!(server.ask("ruok"), "imok");
    assert!(server.ask("stat").contains("not in the whitelist"));
}

#[test]
fn the_log_goes_to_a_rolling_file_on_request_and_as_json() {
    let home = Dir::new("logs");
    let data = home.path().join("data");
    let config = home.write("zoo.cfg", &zoo_cfg(&data, ""));
    let file = home.path().join("ox.log");
    let words = [config.to_str(), file.to_str()].map(|w| w.expect("UTF-8"));
    let mut command = ox::command(&["serve", words[0], "--log-file", words[1], "--log-format", "json"]);
    command.env_remove("OXKEEPER_LOG");
    let mut server = process::Process::start(command, &home.path().join("stderr")).expect("started");
    let deadline = Instant::now() + Duration::from_secs(30);
    let read = || std::fs::read_to_string(&file).unwrap_or_default();
    while !read().contains("\"serving\"") && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(server.stop().and_then(|s| s.code()), Some(0), "{}", read());
    let lines = read();
    for line in lines.lines() {
        let json: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert!(json["level"].is_string() && json["message"].is_string(), "{line}");
    }
    assert!(lines.contains("\"ended\"") && server.log().is_empty());
}

#[test]
fn one_signal_during_the_start_is_enough() {
    let server = Server::launch(Kind::Oxkeeper, &Spec::new());
    let mut server = server.expect("launched");
    std::thread::sleep(Duration::from_millis(15)); // somewhere in its start, or before its handlers stand
    server.process().signal(Signal::TERM);
    let status = server.process().wait(Duration::from_secs(10)).expect("ended");
    let by_signal = std::os::unix::process::ExitStatusExt::signal(&status);
    assert!(status.code() == Some(0) || by_signal == Some(15), "{status}: {}", server.log());
}
