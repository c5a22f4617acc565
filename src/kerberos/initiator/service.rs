//! Which service a login asks a ticket for.
//!
//! # Invariants
//!
//! * Pure: what the resolver says comes in as an argument.
//! * The rule is that of Java's client (`SaslServerPrincipal`, `SecurityUtils`): a principal that was
//!   configured, or user name and host, with the server's realm if one is set and the client's otherwise.

use std::net::IpAddr;

/// What was configured about the service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceRule {
    /// `zookeeper.server.principal`: the whole name, with or without realm.
    pub principal: Option<String>,
    /// `zookeeper.sasl.client.username`: its first part otherwise.
    pub username: String,
    /// `zookeeper.sasl.client.canonicalize.hostname`: ask the resolver for the host's canonical name.
    pub canonicalize: bool,
    /// `zookeeper.server.realm`.
    pub realm: Option<String>,
}

impl Default for ServiceRule {
    fn default() -> ServiceRule {
        ServiceRule { principal: None, username: "zookeeper".to_owned(), canonicalize: true, realm: None }
    }
}

/// What stands for the host's name in a principal between servers.
const HOST: &str = "_HOST";

impl ServiceRule {
    /// The rule between servers: `quorum.auth.kerberos.servicePrincipal`, whose `_HOST` is the lower-case name
    /// of the server that is connected to.
    pub fn between_servers(pattern: &str, host: &str, realm: Option<String>) -> ServiceRule {
        let principal = match pattern.split_once('/') {
            Some((name, HOST)) => format!("{name}/{}", host.to_lowercase()),
            Some((name, rest)) => match rest.strip_prefix(HOST).filter(|r| r.starts_with('@')) {
                Some(realm) => format!("{name}/{}{realm}", host.to_lowercase()),
                None => pattern.to_owned(),
            },
            None => pattern.to_owned(),
        };
        ServiceRule { principal: Some(principal), realm, ..ServiceRule::default() }
    }

    /// Does [`ServiceRule::name`] want the canonical name of the host?
    pub fn wants_canonical(&self) -> bool {
        self.principal.is_none() && self.canonicalize
    }

    /// The full principal. `canonical`: what the resolver said, if it was asked; an address is no name, and the
    /// host that was typed is taken instead. `client_realm`: the realm of who logs in.
    pub fn name(&self, host: &str, canonical: Option<&str>, client_realm: &str) -> String {
        let name = match &self.principal {
            Some(principal) => principal.clone(),
            None => {
                let canonical =
                    canonical.filter(|c| self.canonicalize && !c.is_empty() && c.parse::<IpAddr>().is_err());
                format!("{}/{}", self.username, canonical.unwrap_or(host))
            }
        };
        if name.contains('@') {
            return name;
        }
        let realm = self.realm.as_deref().unwrap_or(client_realm);
        format!("{name}@{realm}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_javas() {
        let plain = ServiceRule::default();
        let name = |rule: &ServiceRule, host, canonical| rule.name(host, canonical, "R");
        assert!(plain.wants_canonical());
        assert_eq!(name(&plain, "zk1", Some("zk1.example.com")), "zookeeper/zk1.example.com@R");
        assert_eq!(name(&plain, "zk1", None), "zookeeper/zk1@R");
        for address in ["10.0.0.1", "::1"] {
            assert_eq!(name(&plain, "zk1", Some(address)), "zookeeper/zk1@R");
        }
        assert_eq!(name(&plain, "10.0.0.1", Some("10.0.0.1")), "zookeeper/10.0.0.1@R");
        let typed = ServiceRule { canonicalize: false, ..ServiceRule::default() };
        assert!(!typed.wants_canonical());
        assert_eq!(name(&typed, "zk1", Some("other")), "zookeeper/zk1@R");
        let named = ServiceRule { username: "zk".into(), realm: Some("S".into()), ..ServiceRule::default() };
        assert_eq!(name(&named, "h", None), "zk/h@S");
    }

    #[test]
    fn a_configured_principal_wins() {
        let rule = |principal: &str, realm: Option<&str>| ServiceRule {
            principal: Some(principal.into()),
            realm: realm.map(Into::into),
            ..ServiceRule::default()
        };
        let mrs = rule("zookeeper/hadoop.hadoop.com", None);
        assert!(!mrs.wants_canonical());
        assert_eq!(mrs.name("10.1.1.1", None, "HADOOP.COM"), "zookeeper/hadoop.hadoop.com@HADOOP.COM");
        assert_eq!(rule("z/h@X", Some("Y")).name("a", None, "R"), "z/h@X");
        assert_eq!(rule("z/h", Some("Y")).name("a", None, "R"), "z/h@Y");
    }

    #[test]
    fn host_is_put_in_between_servers() {
        let of = |pattern: &str| {
            ServiceRule::between_servers(pattern, "ZK1.Example.com", None).name("", None, "R")
        };
        assert_eq!(of("zkquorum/_HOST"), "zkquorum/zk1.example.com@R");
        assert_eq!(of("zkquorum/_HOST@S"), "zkquorum/zk1.example.com@S");
        assert_eq!(of("zkquorum/localhost"), "zkquorum/localhost@R");
        assert_eq!(of("zkquorum/_HOSTS"), "zkquorum/_HOSTS@R");
        assert_eq!(of("zkquorum"), "zkquorum@R");
    }
}
