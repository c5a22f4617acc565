//! How Kerberos names are written: `name/host@REALM`, with backslashes before what would mislead.
//!
//! # Invariants
//!
//! * [`text`] and [`join`] write a name as libkrb5 prints it, so that two different names never look alike.

use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;

/// Bytes of a name as text; bytes that are no UTF-8 are replaced.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// One component or realm, escaped as libkrb5 does.
fn escaped(component: &str, realm: bool) -> String {
    let mut out = String::with_capacity(component.len());
    for c in component.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\0' => out.push_str("\\0"),
            '/' if realm => out.push('/'),
            '/' | '@' | '\\' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// Components with slashes between them.
pub(super) fn join(components: &[String]) -> String {
    let parts: Vec<String> = components.iter().map(|c| escaped(c, false)).collect();
    parts.join("/")
}

/// The whole name.
pub(super) fn full(name: &str, realm: &str) -> String {
    format!("{name}@{}", escaped(realm, true))
}

/// The first component of a name as [`join`] wrote it.
pub(super) fn primary(name: &str) -> &str {
    name.split(['/', '@']).next().unwrap_or(name)
}

/// A proven name, if it has one of the shapes that an identity may have: `name@REALM` or `name/host@REALM`,
/// without anything that had to be escaped.
///
/// # Errors
///
/// [`Reason::NameShape`].
pub(super) fn identity(proven: &[u8]) -> Result<&str, Refusal> {
    let shape = |who: &str, what: &str| Err(Refusal::new(Reason::NameShape, what).of(who));
    let Ok(name) = std::str::from_utf8(proven) else {
        return shape(&text(proven), "the name is not UTF-8");
    };
    if name.contains('\\') || name.chars().any(char::is_control) {
        return shape(name, "the name has characters that need escaping");
    }
    let Some((local, realm)) = name.split_once('@') else {
        return shape(name, "the name has no realm");
    };
    if realm.is_empty() || realm.contains('@') {
        return shape(name, "the name has not exactly one realm");
    }
    if name.starts_with("WELLKNOWN/") {
        return shape(name, "an anonymous or otherwise reserved name");
    }
    let mut components = local.split('/');
    let fine = components.clone().count() <= 2 && components.all(|c| !c.is_empty());
    if fine { Ok(name) } else { shape(name, "the name has not one or two components") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_libkrb5_prints_them() {
        let joined = join(&["a/b".to_owned(), "c@d\\e\n".to_owned()]);
        assert_eq!(joined, "a\\/b/c\\@d\\\\e\\n");
        assert_eq!(full("alice", "R/S@T"), "alice@R/S\\@T");
        assert_eq!(primary("zookeeper/zk1@R"), "zookeeper");
        assert_eq!(primary("zookeeper"), "zookeeper");
    }

    #[test]
    fn an_identity_has_one_or_two_components_and_a_realm() {
        for good in ["alice@ZK.TEST", "zookeeper/hadoop.hadoop.com@HADOOP.COM", "a@72C0CF82_CD45"] {
            assert_eq!(identity(good.as_bytes()).unwrap(), good);
        }
        let bad =
            ["alice", "alice@", "@R", "a/b/c@R", "a//b@R", "/b@R", "a/@R", "a@R@S", "a\\/b@R", "a\\@b@R"];
        for bad in bad.into_iter().chain(["a\n@R", "WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS"]) {
            assert_eq!(identity(bad.as_bytes()).unwrap_err().reason, Reason::NameShape, "{bad:?}");
        }
        assert!(identity(b"\xff@R").is_err());
    }
}
