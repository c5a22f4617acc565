//! What a reconfiguration writes: the dynamic configuration file, and zoo.cfg pointing to it
//! (`QuorumPeerConfig.writeDynamicConfig`, `editStaticConfig`).
//!
//! # Invariants
//!
//! * Pure: texts in, texts out.
//! * A rewritten zoo.cfg says what Java's says: the same keys and values. What Java drops beside
//!   (comments, the order of lines, doubled backslashes) stays.

use std::path::{Path, PathBuf};

use super::properties::{BadProperties, parse_properties};
use super::quorum::Ensemble;

/// Where a committed configuration is kept: `zoo.cfg.dynamic.100000000`.
pub fn dynamic_path(config: &Path, version: u64) -> PathBuf {
    beside(config, &format!(".dynamic.{version:x}"))
}

/// Where a proposed configuration is kept until it is committed: `zoo.cfg.dynamic.next`.
pub fn next_path(config: &Path) -> PathBuf {
    beside(config, ".dynamic.next")
}

/// Where the zoo.cfg of an ensemble is kept before its members move to a file of their own.
pub fn backup_path(config: &Path) -> PathBuf {
    beside(config, ".bak")
}

fn beside(config: &Path, suffix: &str) -> PathBuf {
    let mut name = config.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Contents of a dynamic configuration file: sorted lines without a line feed at the end. The
/// version stands in a proposed one; that of a committed one stands in its name.
pub fn dynamic_text(ensemble: &Ensemble, with_version: bool) -> String {
    let text = ensemble.to_string();
    let mut lines: Vec<&str> =
        text.lines().filter(|line| with_version || !line.starts_with("version")).collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// zoo.cfg without members, groups, weights and `peerType`, and with `dynamicConfigFile`. Without
/// the client port, too, where the member's own line names one (`own_client_port`).
///
/// # Errors
///
/// A text that is no properties file is not edited.
pub fn static_text(zoo_cfg: &[u8], dynamic: &str, own_client_port: bool) -> Result<Vec<u8>, BadProperties> {
    let dropped: Vec<(usize, usize)> = parse_properties(zoo_cfg)?
        .into_iter()
        .filter(|entry| moves(&entry.key, own_client_port))
        .map(|entry| (entry.line, entry.last_line))
        .collect();
    let gone = |number: usize| dropped.iter().any(|&(from, to)| (from..=to).contains(&number));
    let mut out = Vec::with_capacity(zoo_cfg.len() + dynamic.len() + 32);
    for (i, line) in lines(zoo_cfg).enumerate() {
        if !gone(i + 1) {
            out.extend_from_slice(line);
        }
    }
    if !matches!(out.last(), None | Some(b'\n' | b'\r')) {
        out.push(b'\n');
    }
    out.extend_from_slice(format!("dynamicConfigFile={}\n", dynamic.replace('\\', "\\\\")).as_bytes());
    Ok(out)
}

/// Does a key leave zoo.cfg? As in ZooKeeper by its first letters.
fn moves(key: &str, own_client_port: bool) -> bool {
    // Not a member, and needed.
    key != "server.realm"
        && (["server.", "group", "weight", "dynamicConfigFile", "peerType"]
            .iter()
            .any(|p| key.starts_with(p))
            || (own_client_port && key.starts_with("clientPort")))
}

/// Lines with their ends: LF, CR or CRLF, as properties files count them.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(|b| matches!(b, b'\n' | b'\r'));
        let end = match end {
            Some(at) if rest.get(at) == Some(&b'\r') && rest.get(at + 1) == Some(&b'\n') => at + 2,
            Some(at) => at + 1,
            None => rest.len(),
        };
        let (line, after) = rest.split_at(end);
        rest = after;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, own_client_port: bool) -> String {
        let bytes = static_text(text.as_bytes(), "/c/zoo.cfg.dynamic.5", own_client_port).expect("edited");
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn names_are_javas() {
        let cfg = Path::new("/c/zoo.cfg");
        assert_eq!(dynamic_path(cfg, 0x1_0000_0000), Path::new("/c/zoo.cfg.dynamic.100000000"));
        assert_eq!(next_path(cfg), Path::new("/c/zoo.cfg.dynamic.next"));
        assert_eq!(backup_path(cfg), Path::new("/c/zoo.cfg.bak"));
    }

    #[test]
    fn lines_of_the_dynamic_file_are_sorted_as_texts() {
        let text = "server.2=b:1:2\nserver.10=c:1:2:observer;2181\nserver.1=a:1:2\nversion=5";
        let ensemble = Ensemble::parse(text, false).expect("a configuration");
        let expected = "server.10=c:1:2:observer;0.0.0.0:2181\nserver.1=a:1:2:participant\n\
                        server.2=b:1:2:participant";
        assert_eq!(dynamic_text(&ensemble, false), expected);
        assert_eq!(dynamic_text(&ensemble, true), format!("{expected}\nversion=5"));
    }

    #[test]
    fn members_leave_zoo_cfg_and_the_rest_stays_as_it_was() {
        let text = "# mine\nclientPort=2181\r\nserver.1=a:1:2\n  server.2 = b:\\\n   1:2\npeerType=observer\n\
                    dataDir=/d\\\\e\nclientPortAddress=h\ngroup.1=1:2\nweight.1=2\n\nserver.realm=R\n\
                    dynamicConfigFile=/old";
        let kept = "# mine\nclientPort=2181\r\ndataDir=/d\\\\e\nclientPortAddress=h\n\nserver.realm=R\n\
                    dynamicConfigFile=/c/zoo.cfg.dynamic.5\n";
        assert_eq!(edited(text, false), kept);
        let without = kept.replace("clientPort=2181\r\n", "").replace("clientPortAddress=h\n", "");
        assert_eq!(edited(text, true), without);
    }

    #[test]
    fn a_last_line_without_an_end_gets_one() {
        assert_eq!(edited("a=1", false), "a=1\ndynamicConfigFile=/c/zoo.cfg.dynamic.5\n");
        assert_eq!(edited("", false), "dynamicConfigFile=/c/zoo.cfg.dynamic.5\n");
        assert_eq!(edited("server.1=a:1:2", false), "dynamicConfigFile=/c/zoo.cfg.dynamic.5\n");
    }

    #[test]
    fn a_broken_text_is_not_edited() {
        assert!(static_text(b"a=\\u12", "/d", false).is_err());
    }
}
