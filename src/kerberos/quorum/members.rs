//! Who may join an ensemble by Kerberos.
//!
//! # Invariants
//!
//! * Names are compared whole and exactly; hosts without regard to case, as DNS does.

use std::collections::BTreeSet;

/// The principals that are let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Members {
    /// Exactly these, in full: `quorum.auth.allowedPrincipals`. For ensembles whose servers share a principal.
    Listed(BTreeSet<String>),
    /// `name/host@REALM` of our own name and realm, with the host of a server.
    OfServers {
        /// First part of our own principal.
        name: String,
        /// Our own realm.
        realm: String,
        /// Hosts of the `server.N` lines, lower case.
        hosts: BTreeSet<String>,
    },
}

impl Members {
    /// The servers of an ensemble, by our own principal.
    ///
    /// # Errors
    ///
    /// `own` is not `name/host@REALM` or `name@REALM`.
    pub fn of_servers<'a>(own: &str, hosts: impl IntoIterator<Item = &'a str>) -> Result<Members, String> {
        let wrong = || format!("{own:?} is no principal of a server: it reads name/host@REALM");
        let (name, realm) = own.rsplit_once('@').filter(|(_, realm)| !realm.is_empty()).ok_or_else(wrong)?;
        let name = name.split('/').next().filter(|n| !n.is_empty()).ok_or_else(wrong)?;
        let hosts = hosts.into_iter().map(str::to_lowercase).collect();
        Ok(Members::OfServers { name: name.to_owned(), realm: realm.to_owned(), hosts })
    }

    /// The host in a principal that was let in for its host; `None` where names are listed.
    pub fn host_of<'a>(&self, principal: &'a str) -> Option<&'a str> {
        match self {
            Members::Listed(_) => None,
            Members::OfServers { realm, .. } => split(principal, realm).map(|(_, host)| host),
        }
    }

    /// The same rule for other hosts: the ensemble has changed.
    #[must_use]
    pub fn with_hosts<'a>(&self, hosts: impl IntoIterator<Item = &'a str>) -> Members {
        match self {
            Members::Listed(list) => Members::Listed(list.clone()),
            Members::OfServers { name, realm, .. } => Members::OfServers {
                name: name.clone(),
                realm: realm.clone(),
                hosts: hosts.into_iter().map(str::to_lowercase).collect(),
            },
        }
    }

    /// May this full principal join?
    pub fn allow(&self, principal: &str) -> bool {
        match self {
            Members::Listed(list) => list.contains(principal),
            Members::OfServers { name, realm, hosts } => {
                let Some((theirs, host)) = split(principal, realm) else { return false };
                theirs == name && hosts.contains(&host.to_lowercase())
            }
        }
    }
}

/// Name and host of a principal of exactly these two parts in `realm`.
fn split<'a>(principal: &'a str, realm: &str) -> Option<(&'a str, &'a str)> {
    // A quoted character could stand for a separator: no server is named so.
    if principal.contains('\\') {
        return None;
    }
    let (name, theirs) = principal.split_once('@')?;
    let (name, host) = name.split_once('/')?;
    (theirs == realm && !host.is_empty() && !host.contains('/')).then_some((name, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_principal_counts() {
        let servers =
            Members::of_servers("zkquorum/zk1.example.com@R", ["zk1.example.com", "ZK2.example.com"])
                .unwrap();
        for good in ["zkquorum/zk1.example.com@R", "zkquorum/zk2.example.com@R", "zkquorum/ZK1.Example.com@R"]
        {
            assert!(servers.allow(good), "{good}");
        }
        for bad in [
            "zkquorum@R",
            "zkquorum/zk3.example.com@R",
            "zkquorum/zk1.example.com@S",
            "zkquorum/zk1.example.com",
            "HTTP/zk1.example.com@R",
            "eve/zk1.example.com@R",
            "zkquorum/zk1.example.com/x@R",
            "zkquorum/zk1.example.com@R@R",
            "zkquorum/zk1.example.com@S\\@R",
            "ZKQUORUM/zk1.example.com@R",
            "zkquorum/@R",
            "",
            "@",
            "/@R",
        ] {
            assert!(!servers.allow(bad), "{bad}");
        }
    }

    #[test]
    fn a_list_is_exact() {
        let list = Members::Listed(BTreeSet::from(["zookeeper/hadoop.hadoop.com@HADOOP.COM".to_owned()]));
        assert!(list.allow("zookeeper/hadoop.hadoop.com@HADOOP.COM"));
        assert!(!list.allow("zookeeper/hadoop.HADOOP.com@HADOOP.COM"));
        assert!(!list.allow("zookeeper/hadoop.hadoop.com@hadoop.com"));
    }

    #[test]
    fn hosts_change_with_the_ensemble() {
        let before = Members::of_servers("zk/a@R", ["a", "b"]).unwrap();
        let after = before.with_hosts(["B", "c"]);
        assert!(before.allow("zk/a@R") && !after.allow("zk/a@R") && after.allow("zk/c@R"));
        assert_eq!((after.host_of("zk/B@R"), after.host_of("zk@R")), (Some("B"), None));
        let listed = Members::Listed(BTreeSet::from(["zk/a@R".to_owned()]));
        assert_eq!((listed.host_of("zk/a@R"), listed.with_hosts([])), (None, listed.clone()));
    }

    #[test]
    fn our_own_name_must_be_one() {
        for wrong in ["", "a/b", "@R", "/h@R", "a@"] {
            assert!(Members::of_servers(wrong, []).is_err(), "{wrong}");
        }
        assert!(Members::of_servers("zk@R", ["h"]).unwrap().allow("zk/h@R"));
    }
}
