//! The units: nothing that systemd 239 stumbles over, and the score of their cage.
//!
//! # Invariants
//! * Every directive is listed here with the version that brought it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::need;
use crate::support::dirs::Dir;
use crate::support::process;

/// The oldest systemd that the unit starts on (EL8).
const OLDEST: u32 = 239;

/// Directives and the version of systemd that brought them (its NEWS).
const DIRECTIVES: &[(&str, u32)] = &[
    ("After", 1),
    ("AmbientCapabilities", 229),
    ("CapabilityBoundingSet", 1),
    ("Conflicts", 1),
    ("Description", 1),
    ("DevicePolicy", 208),
    ("Documentation", 201),
    ("ExecReload", 1),
    ("ExecStart", 1),
    ("Group", 1),
    ("IPAddressAllow", 235),
    ("IPAddressDeny", 235),
    ("KeyringMode", 235),
    ("KillMode", 1),
    ("LimitCORE", 1),
    ("LimitNOFILE", 1),
    ("LockPersonality", 235),
    ("LogsDirectory", 235),
    ("LogsDirectoryMode", 235),
    ("MemoryDenyWriteExecute", 231),
    ("NoNewPrivileges", 187),
    ("NotifyAccess", 1),
    ("OOMScoreAdjust", 1),
    ("PrivateDevices", 209),
    ("PrivateMounts", 239),
    ("PrivateTmp", 1),
    ("PrivateUsers", 232),
    ("ProtectControlGroups", 232),
    ("ProtectHome", 214),
    ("ProtectKernelModules", 232),
    ("ProtectKernelTunables", 232),
    ("ProtectSystem", 214),
    ("ReadWritePaths", 231),
    ("RemoveIPC", 232),
    ("Restart", 1),
    ("RestartPreventExitStatus", 189),
    ("RestartSec", 1),
    ("RestrictAddressFamilies", 211),
    ("RestrictNamespaces", 233),
    ("RestrictRealtime", 231),
    ("RuntimeDirectory", 211),
    ("RuntimeDirectoryMode", 211),
    ("StartLimitBurst", 229),
    ("StartLimitIntervalSec", 230),
    ("StateDirectory", 235),
    ("StateDirectoryMode", 235),
    ("SystemCallArchitectures", 209),
    ("SystemCallErrorNumber", 209),
    ("SystemCallFilter", 187),
    ("TimeoutStartSec", 188),
    ("TimeoutStopSec", 188),
    ("Type", 1),
    ("UMask", 1),
    ("User", 1),
    ("WantedBy", 1),
    ("Wants", 1),
    ("WatchdogSec", 179),
];

/// Newer ones: an older systemd logs that it does not know them and starts the unit without. None of them does more
/// than to narrow the cage.
const LATER: &[(&str, u32)] = &[
    ("PrivateIPC", 248),
    ("ProcSubset", 247),
    ("ProtectClock", 245),
    ("ProtectHostname", 242),
    ("ProtectKernelLogs", 244),
    ("ProtectProc", 247),
    ("RestrictSUIDSGID", 242),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")
}

/// Directives of a file with their values, in order.
fn directives(name: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join(name)).expect(name);
    let lines = text.lines().filter(|line| !line.starts_with(['#', '[']) && !line.trim().is_empty());
    lines.map(|line| line.split_once('=').expect(line)).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

#[test]
fn no_directive_is_too_new_for_the_oldest_systemd() {
    let old: BTreeMap<_, _> = DIRECTIVES.iter().copied().collect();
    let later: BTreeMap<_, _> = LATER.iter().copied().collect();
    assert!(old.values().all(|since| *since <= OLDEST) && later.values().all(|since| *since > OLDEST));
    let told = fs::read_to_string(root().join("../docs/packages.md")).expect("docs/packages.md");
    for (directive, since) in LATER {
        let named = [format!("`{directive}` ({since})"), format!("`{directive}` (from {since} on)")];
        assert!(named.iter().any(|named| told.contains(named)), "{directive} is not told");
    }
    for file in ["oxkeeper.service", "oxkeeper@.service", "ip-allow.conf", "zookeeper.conf"] {
        for (directive, value) in directives(file) {
            let known = old.contains_key(directive.as_str()) || later.contains_key(directive.as_str());
            assert!(known, "{file}: {directive} has no version in the list of this test");
            // Values that 239 does not know would be dropped with the whole line.
            let groups =
                value.split_whitespace().filter_map(|word| word.trim_start_matches('~').strip_prefix('@'));
            for group in groups {
                assert!(["system-service", "privileged", "resources"].contains(&group), "{file}: @{group}");
            }
        }
    }
}

#[test]
fn the_template_is_the_unit_with_a_name() {
    let unit = directives("oxkeeper.service");
    let template: Vec<_> = directives("oxkeeper@.service")
        .into_iter()
        .map(|(key, value)| (key, value.replace(" %i (", " (").replace("/%i", "")))
        .collect();
    assert_eq!(template, unit);
}

#[test]
fn the_unit_says_what_the_server_does() {
    let unit: BTreeMap<_, _> = directives("oxkeeper.service").into_iter().collect();
    assert_eq!(unit["Type"], "notify");
    assert!(unit["ExecReload"].ends_with("kill -HUP $MAINPID"));
    let seconds = |key: &str| unit[key].parse::<u64>().expect(key);
    // The core wakes once a second even when there is nothing to do; two signs of life may be lost.
    assert!(
        seconds("WatchdogSec") >= 6 && seconds("TimeoutStopSec") * 1000 > oxkeeper::limits::LAST_RESORT_MS
    );
    let config = fs::read_to_string(root().join("../packaging/etc/zoo.cfg")).expect("zoo.cfg");
    for (key, directory) in [
        ("StateDirectory", "dataDir=/var/lib/"),
        ("LogsDirectory", "audit.file=/var/log/"),
        ("RuntimeDirectory", "rescue.socket=/run/"),
    ] {
        assert!(config.contains(&format!("{directory}{}", unit[key])), "{key}");
    }
}

/// A root with the unit and, if it is named, a drop-in; what `systemd-analyze security` says of its exposure.
fn exposure(drop_in: Option<&str>, threshold: &str) -> Result<(bool, String), String> {
    let home = Dir::new("units");
    for name in ["oxkeeper.service", "oxkeeper@.service"] {
        let text = fs::read_to_string(root().join(name)).expect(name);
        home.write(&format!("usr/lib/systemd/system/{name}"), &text);
    }
    if let Some(name) = drop_in {
        let text = fs::read_to_string(root().join(name)).expect(name);
        home.write(&format!("etc/systemd/system/oxkeeper.service.d/{name}"), &text);
    }
    let mut command = Command::new("systemd-analyze");
    command.arg("security").arg("--offline=true").arg(format!("--threshold={threshold}"));
    command.arg(format!("--root={}", home.path().display())).arg("--no-pager").arg("oxkeeper.service");
    let (status, text) = process::run(command, None, Duration::from_secs(60))?;
    let said = text.lines().find(|line| line.contains("Overall exposure level")).map(str::to_owned);
    said.map(|said| (status.success(), said)).ok_or(text)
}

#[test]
fn the_cage_is_as_small_as_is_said() {
    let (small, said) = need!("systemd-analyze security", exposure(None, "11"));
    eprintln!("{said}");
    assert!(small, "{said}");
    let (smaller, said) = exposure(Some("ip-allow.conf"), "10").expect("as before");
    eprintln!("with the allow-list: {said}");
    assert!(smaller, "{said}");
    // The control: the threshold is one.
    let (too_small, said) = exposure(None, "5").expect("as before");
    assert!(!too_small, "{said}");
}

#[test]
fn systemd_finds_nothing_wrong_in_the_units() {
    let home = Dir::new("verify");
    home.write("usr/bin/oxkeeper", "");
    home.write("bin/kill", "");
    for name in ["usr/bin/oxkeeper", "bin/kill"] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(home.path().join(name), mode).expect("executable");
    }
    home.write("etc/passwd", "oxkeeper:x:990:990::/:/bin/false\n");
    home.write("etc/group", "oxkeeper:x:990:\n");
    let mut command = Command::new("systemd-analyze");
    command
        .arg("verify")
        .arg("--man=no")
        .arg("--recursive-errors=no")
        .arg(format!("--root={}", home.path().display()));
    for name in ["oxkeeper.service", "oxkeeper@.service"] {
        let text = fs::read_to_string(root().join(name)).expect(name);
        home.write(&format!("usr/lib/systemd/system/{name}"), &text);
    }
    command.args(["oxkeeper.service", "oxkeeper@one.service"]);
    let (status, said) =
        need!("systemd-analyze verify", process::run(command, None, Duration::from_secs(60)));
    assert!(status.success() && !said.contains("oxkeeper"), "{status}: {said}");
}
