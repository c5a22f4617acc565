//! Where `packaging/setup.sh` put the real peers.
//!
//! # Invariants
//! * A path is returned only if what it names is there; the reason why it is not comes from the
//!   set-up script's own list.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The cache directory: `OXKEEPER_CACHE`, or `.cache/oxkeeper` in the home directory.
pub fn root() -> PathBuf {
    match env::var_os("OXKEEPER_CACHE") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache/oxkeeper"),
    }
}

/// Directory of a fetched set of jars, e.g. `zookeeper-3.9.5` or `curator-5.9.0`.
pub fn jars(set: &str) -> Result<PathBuf, String> {
    let dir = root().join("java").join(set);
    if dir.join(".complete").is_file() { Ok(dir) } else { Err(why_not(set)) }
}

/// Directory with the log settings of the Java peers (logback, log4j).
pub fn java_conf() -> PathBuf {
    root().join("java/conf")
}

/// Debian's ZooKeeper 3.8.0 jar, whose manifest names its dependencies.
pub fn debian_jar() -> Result<PathBuf, String> {
    existing("/usr/share/java/zookeeper.jar", "debian-zkcli")
}

/// Debian's `zkCli.sh`.
pub fn debian_zkcli() -> Result<PathBuf, String> {
    existing("/usr/share/zookeeper/bin/zkCli.sh", "debian-zkcli")
}

/// The C client's command line, `cli_mt`, from Debian's `zookeeper-bin`.
pub fn c_client() -> Result<PathBuf, String> {
    existing("/usr/lib/zookeeper/bin/cli_mt", "c-client")
}

/// A login of the C client, which is built with Cyrus SASL: `tests/clients/sasl/login.c`.
pub fn c_sasl() -> Result<PathBuf, String> {
    let login = root().join("c-sasl/login");
    if root().join("c-sasl/.complete").is_file() && login.exists() {
        Ok(login)
    } else {
        Err(why_not("c-sasl"))
    }
}

/// Python of the private environment with kazoo and what its tests need.
pub fn kazoo_python() -> Result<PathBuf, String> {
    let python = root().join("venv/bin/python");
    if root().join("venv/.complete").is_file() && python.exists() {
        Ok(python)
    } else {
        Err(why_not("kazoo"))
    }
}

/// kazoo's source distribution with its upstream tests.
pub fn kazoo_source() -> Result<PathBuf, String> {
    let entries = fs::read_dir(root()).map_err(|_| why_not("kazoo"))?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.join("kazoo/tests").is_dir())
        .ok_or_else(|| why_not("kazoo"))
}

/// `prometheus` or `promtool`: the machine's, or those of Debian's package in the cache.
pub fn prometheus(tool: &str) -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = env::split_paths(&path).chain([root().join("prometheus")]);
    dirs.map(|dir| dir.join(tool)).find(|file| file.is_file()).ok_or_else(|| why_not("prometheus"))
}

/// Why the set-up script could not get `what`.
pub fn why_not(what: &str) -> String {
    let listed = fs::read_to_string(root().join("not-had.txt")).unwrap_or_default();
    listed.lines().filter_map(|line| line.split_once('\t')).find(|(name, _)| *name == what).map_or_else(
        || format!("{what} is not in the cache; run packaging/setup.sh test"),
        |(name, reason)| format!("{name}: {reason}"),
    )
}

fn existing(path: &str, name: &str) -> Result<PathBuf, String> {
    let path = Path::new(path);
    if path.exists() { Ok(path.to_path_buf()) } else { Err(why_not(name)) }
}
