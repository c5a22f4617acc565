//! The ACL check, the fix-up of lists that clients send, and masking.
//!
//! # Invariants
//!
//! * An empty list on a znode allows everything (ZooKeeper's rule for trees older than ACLs).
//! * `super` passes every check of a znode's ACL, and nothing else.

use super::{Identities, Providers};
use crate::types::{Acl, Id, mutant};

/// Whose rights are asked about.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The server's schemes.
    pub providers: &'a Providers,
    /// What the connection has proven.
    pub identities: &'a Identities,
}

/// Does the list give the caller at least one of the bits of `perms`?
pub fn any_of(list: &[Acl], perms: i32, caller: Caller<'_>) -> bool {
    if caller.providers.skip_acl || list.is_empty() {
        return true;
    }
    // The common case first: a world-readable node decides without looking at identities.
    let granted = |a: &Acl| a.perms & perms != 0;
    if list.iter().any(|a| granted(a) && a.id.scheme == "world" && a.id.id == "anyone") {
        return true;
    }
    caller.identities.iter().any(|i| i.scheme == "super")
        || list.iter().filter(|a| granted(a)).any(|a| matched(a, caller))
}

/// Does the list give the caller each of the bits of `perms`, possibly from several entries?
pub fn all_of(list: &[Acl], perms: i32, caller: Caller<'_>) -> bool {
    (0..32).map(|bit| 1i32 << bit).filter(|bit| perms & bit != 0).all(|bit| any_of(list, bit, caller))
}

fn matched(entry: &Acl, caller: Caller<'_>) -> bool {
    caller.identities.iter().any(|held| {
        held.scheme == entry.id.scheme && caller.providers.matches(&held.scheme, &held.id, &entry.id.id)
    })
}

/// A client's list after fix-up, or the verdict INVALIDACL.
pub type Fixup = Result<Vec<Acl>, InvalidAcl>;

/// The list is empty, names an unknown scheme or an invalid id, or `auth` without an authenticated identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidAcl;

/// Expands and checks a list that a client sends (`PrepRequestProcessor.fixupACL`): exact
/// duplicates are removed, order is kept, `auth` becomes every authenticated identity.
pub fn fix_up(list: &[Acl], caller: Caller<'_>) -> Fixup {
    let mut seen: Vec<&Acl> = Vec::with_capacity(list.len());
    let mut fixed = Vec::with_capacity(list.len());
    for entry in list {
        if seen.contains(&entry) {
            continue;
        }
        seen.push(entry);
        match (entry.id.scheme.as_str(), entry.id.id.as_str()) {
            ("world", "anyone") => fixed.push(entry.clone()),
            ("auth", _) => expand_auth(entry.perms, caller, &mut fixed)?,
            (scheme, id) if caller.providers.valid(scheme, id) => fixed.push(entry.clone()),
            _ => return Err(InvalidAcl),
        }
    }
    if fixed.is_empty() { Err(InvalidAcl) } else { Ok(fixed) }
}

fn expand_auth(perms: i32, caller: Caller<'_>, out: &mut Vec<Acl>) -> Result<(), InvalidAcl> {
    let before = out.len();
    let proven = caller.identities.iter().filter(|i| caller.providers.authenticates(&i.scheme));
    out.extend(proven.map(|id| Acl { perms, id: id.clone() }));
    if out.len() == before && !mutant::on("auth-empty") { Err(InvalidAcl) } else { Ok(()) }
}

/// A list as a caller without ADMIN sees it: digest hashes are replaced by `x`.
pub fn masked(list: &[Acl]) -> Vec<Acl> {
    let mask = |a: &Acl| match a.id.id.split_once(':') {
        Some((user, _)) if a.id.scheme == "digest" => {
            Acl { perms: a.perms, id: Id::new("digest", format!("{user}:x")) }
        }
        _ => a.clone(),
    };
    list.iter().map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::super::DigestAlgorithm;
    use super::*;
    use crate::types::perms;

    fn acl(perms: i32, scheme: &str, id: &str) -> Acl {
        Acl { perms, id: Id::new(scheme, id) }
    }

    fn providers() -> Providers {
        Providers { digest: Some(DigestAlgorithm::Sha1), ..Default::default() }
    }

    fn with<R>(ids: &[(&str, &str)], f: impl FnOnce(Caller<'_>) -> R) -> R {
        let identities: Identities = ids.iter().map(|(s, i)| Id::new(*s, *i)).collect();
        f(Caller { providers: &providers(), identities: &identities })
    }

    #[test]
    fn any_of_and_all_of_differ() {
        let list = [acl(perms::READ, "digest", "a:x"), acl(perms::WRITE, "world", "anyone")];
        with(&[("digest", "a:x")], |c| {
            assert!(any_of(&list, perms::READ | perms::ADMIN, c));
            assert!(!all_of(&list, perms::READ | perms::ADMIN, c));
            assert!(all_of(&list, perms::READ | perms::WRITE, c));
        });
        with(&[("ip", "1.2.3.4")], |c| {
            assert!(!any_of(&list, perms::READ, c));
            assert!(any_of(&list, perms::WRITE, c));
        });
        with(&[("super", "")], |c| assert!(all_of(&list, perms::ALL, c)));
        with(&[], |c| assert!(any_of(&[], perms::ALL, c)));
    }

    #[test]
    fn fix_up_expands_auth_and_refuses_the_rest() {
        with(&[("ip", "1.2.3.4"), ("digest", "a:x"), ("super", "")], |c| {
            let fixed = fix_up(
                &[acl(31, "auth", "ignored"), acl(31, "auth", "ignored"), acl(1, "world", "anyone")],
                c,
            );
            assert_eq!(fixed, Ok(vec![acl(31, "digest", "a:x"), acl(1, "world", "anyone")]));
            assert_eq!(fix_up(&[acl(31, "world", "everyone")], c), Err(InvalidAcl));
            assert_eq!(fix_up(&[acl(31, "sasl", "a@R")], c), Err(InvalidAcl));
            assert_eq!(fix_up(&[acl(31, "digest", "nocolon")], c), Err(InvalidAcl));
            assert_eq!(fix_up(&[], c), Err(InvalidAcl));
            assert!(fix_up(&[acl(0, "ip", "10.0.0.0/8")], c).is_ok());
        });
        with(&[("ip", "1.2.3.4")], |c| assert_eq!(fix_up(&[acl(31, "auth", "")], c), Err(InvalidAcl)));
    }

    #[test]
    fn hashes_are_masked() {
        let list = [acl(31, "digest", "bob:abc:d"), acl(1, "ip", "::1")];
        assert_eq!(masked(&list), vec![acl(31, "digest", "bob:x"), acl(1, "ip", "::1")]);
    }
}
