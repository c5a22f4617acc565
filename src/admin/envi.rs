//! The lines of `envi` (`Environment`).
//!
//! # Invariants
//!
//! * All keys of ZooKeeper are there, in its order; what only a Java machine
//!   has reads `<NA>`, as ZooKeeper prints what it does not know.

use crate::types::process::EnvironmentFacts;
use crate::types::version::FULL_VERSION;

/// What is printed for what is not known.
pub const NOT_AVAILABLE: &str = "<NA>";

/// The processor as Java names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "i386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// Keys and values of `envi`. `os.memory.max` is what the process may use,
/// `os.memory.total` what it holds: ZooKeeper prints those of the Java heap.
pub fn environment(facts: &EnvironmentFacts) -> Vec<(&'static str, String)> {
    let known = |fact: &Option<String>| fact.clone().unwrap_or_else(|| NOT_AVAILABLE.to_owned());
    let absent = || NOT_AVAILABLE.to_owned();
    let megabytes = |bytes: Option<u64>| match bytes {
        Some(bytes) => format!("{}MB", bytes / (1024 * 1024)),
        None => absent(),
    };
    vec![
        ("zookeeper.version", FULL_VERSION.to_owned()),
        ("host.name", known(&facts.host_name)),
        ("java.version", absent()),
        ("java.vendor", absent()),
        ("java.home", absent()),
        ("java.class.path", absent()),
        ("java.library.path", absent()),
        ("java.io.tmpdir", known(&facts.temp_dir)),
        ("java.compiler", absent()),
        ("os.name", "Linux".to_owned()),
        ("os.arch", architecture().to_owned()),
        ("os.version", known(&facts.os_version)),
        ("user.name", known(&facts.user_name)),
        ("user.home", known(&facts.user_home)),
        ("user.dir", known(&facts.user_dir)),
        ("os.memory.free", megabytes(facts.memory_free)),
        ("os.memory.max", megabytes(facts.memory_limit)),
        ("os.memory.total", megabytes(facts.resident)),
    ]
}
