//! Command lines of the Java peers: servers, zkCli, and any other class of their jars.
//!
//! # Invariants
//! * Only jars of the cache or of Debian's packages are used; nothing is fetched here.

use std::path::Path;
use std::process::Command;

use super::server::{Kind, Spec};
use super::{Server, cache};

/// Starts Apache ZooKeeper 3.9.5, the reference.
///
/// # Errors
/// Why the machine has no such server, or the log of one that did not come up.
pub fn start(spec: &Spec) -> Result<Server, String> {
    Server::start(Kind::Java395, spec)
}

/// The class path of a Java peer.
///
/// # Errors
/// Why the machine does not have it.
pub fn classpath(kind: Kind) -> Result<String, String> {
    let conf = cache::java_conf();
    let jars = match kind {
        Kind::Java395 => cache::jars("zookeeper-3.9.5")?.join("*"),
        Kind::Java386 => cache::jars("zookeeper-3.8.6")?.join("*"),
        Kind::Java372 => cache::jars("zookeeper-3.7.2")?.join("*"),
        Kind::Java364 => cache::jars("zookeeper-3.6.4")?.join("*"),
        Kind::Java3510 => cache::jars("zookeeper-3.5.10")?.join("*"),
        Kind::Client3412 => cache::jars("zookeeper-3.4.12")?.join("*"),
        Kind::Java3414 => cache::jars("zookeeper-3.4.14")?.join("*"),
        Kind::Debian380 => cache::debian_jar()?,
        Kind::Oxkeeper => return Err("Oxkeeper has no class path".to_owned()),
    };
    Ok(format!("{}:{}", conf.display(), jars.display()))
}

/// `java` with the class path of `kind`, a small heap and settings for a quick start.
///
/// # Errors
/// Why the machine does not have it.
pub fn java(kind: Kind) -> Result<Command, String> {
    let mut command = Command::new("java");
    command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx128m"]);
    command.args(["-Dfile.encoding=UTF-8", "-cp", &classpath(kind)?]);
    Ok(command)
}

/// zkCli of a Java peer, connected to `address`; its log is kept off
/// the transcript.
///
/// # Errors
/// Why the machine does not have it.
pub fn zkcli(kind: Kind, address: &str) -> Result<Command, String> {
    let mut command = java(kind)?;
    command.args(["-Doxkeeper.log=OFF", "org.apache.zookeeper.ZooKeeperMain", "-server", address]);
    Ok(command)
}

/// [`zkcli`] without its line editor, which would print prompts and echoes between the lines of other
/// threads: with input from a file, only results are printed.
///
/// # Errors
/// Why the machine does not have it.
pub fn zkcli_plain(kind: Kind, address: &str) -> Result<Command, String> {
    let set = classpath(kind)?;
    let (conf, jars) = set.split_once(':').unwrap_or(("", &set));
    let dir = Path::new(jars.strip_suffix("/*").unwrap_or(jars));
    let entries = std::fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut path = vec![conf.to_owned()];
    path.extend(entries.flatten().filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (!name.starts_with("jline")).then(|| entry.path().display().to_string())
    }));
    let command = zkcli(kind, address)?;
    let mut plain = Command::new(command.get_program());
    let args: Vec<_> = command.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
    plain.args(args.into_iter().map(|a| if a == set { path.join(":") } else { a }));
    Ok(plain)
}

/// The server of a Java peer.
///
/// # Errors
/// Why the machine does not have it.
pub fn serve_command(kind: Kind, spec: &Spec, config: &Path) -> Result<Command, String> {
    let heap = if spec.heap_mib == 0 { 256 } else { spec.heap_mib };
    let mut command = Command::new("java");
    command.arg(format!("-Xmx{heap}m"));
    if !spec.full_jit {
        command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]);
    }
    command.args(["-Dfile.encoding=UTF-8", "-Dzookeeper.admin.enableServer=false"]);
    command.args(&spec.flags).args(["-cp", &classpath(kind)?]);
    command.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain").arg(config);
    Ok(command)
}
