//! The version text that clients, scripts and dashboards read.
//!
//! # Invariants
//!
//! * The text begins with the release of ZooKeeper whose faces this server
//!   has, then `-<build>, built on <date>`, as in ZooKeeper: tools take the
//!   digits before the first `-`.

/// The release of Apache ZooKeeper whose faces this server has.
pub const COMPATIBLE_VERSION: &str = "3.9.5";

/// What `srvr`, `stat`, `envi`, `mntr` and the admin server print as the
/// version: ZooKeeper's form with our own build in the place of its revision.
pub const FULL_VERSION: &str =
    concat!("3.9.5-oxkeeper-", env!("CARGO_PKG_VERSION"), ", built on 2026-11-20 00:00 UTC");

/// What `oxkeeper --version` prints behind the name: our version, and the line of `zkServer.sh version`.
pub const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nApache ZooKeeper, version 3.9.5-oxkeeper-",
    env!("CARGO_PKG_VERSION"),
    " 2026-11-20 00:00 UTC"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_reads_like_zookeepers() {
        let line = LONG_VERSION.lines().nth(1);
        let of_srvr = FULL_VERSION.replace(", built on ", " ");
        assert_eq!(line, Some(format!("Apache ZooKeeper, version {of_srvr}").as_str()));
        let (release, rest) = FULL_VERSION.split_once('-').expect("a dash");
        assert_eq!(release, COMPATIBLE_VERSION);
        let (build, date) = rest.split_once(", built on ").expect("a date");
        assert!(build.starts_with("oxkeeper-"));
        assert_eq!(date.len(), "2026-11-20 00:00 UTC".len());
        assert!(date.ends_with(" UTC"));
    }
}
