//! Settings of ACLs, authentication providers, SASL and Kerberos.
//!
//! # Invariants
//!
//! * Digests and passwords are [`Secret`]s.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::given::Given;
use super::super::jaas;
use super::super::secret::Secret;

/// `DigestAuthenticationProvider.digestAlg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DigestAlgorithm {
    /// `SHA1`, `SHA-1`.
    #[default]
    Sha1,
    /// `SHA-256`.
    Sha256,
    /// `SHA-512`.
    Sha512,
}

/// ACL switches, authentication providers, SASL and Kerberos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// `skipACL`: no ACL is ever checked.
    pub skip_acl: bool,
    /// `enableEagerACLCheck`: the entry server checks before it forwards.
    pub enable_eager_acl_check: bool,
    /// `DigestAuthenticationProvider.enabled`: the digest scheme exists.
    pub digest_enabled: bool,
    /// `DigestAuthenticationProvider.superDigest`: `user:base64`.
    pub super_digest: Option<Secret>,
    /// `DigestAuthenticationProvider.digestAlg`.
    pub digest_alg: DigestAlgorithm,
    /// `IPAuthenticationProvider.usexforwardedfor` (admin requests only).
    pub ip_use_x_forwarded_for: bool,
    /// `X509AuthenticationProvider.superUser`: exact X.500 name.
    pub x509_super_user: Option<String>,
    /// `superUser` and `superUser.*`: exact SASL ids.
    pub super_users: Vec<String>,
    /// `SASLAuthenticationProvider.superPassword`.
    pub sasl_super_password: Option<Secret>,
    /// `letAnySaslUserDoX`: every SASL user matches this ACL id.
    pub let_any_sasl_user_do_x: Option<String>,
    /// `ensembleAuthName`.
    pub ensemble_auth_names: Vec<String>,
    /// `authProvider.*`: suffix to class.
    pub auth_providers: BTreeMap<String, String>,
    /// `ssl.authProvider`: scheme that names TLS clients.
    pub ssl_auth_provider: String,
    /// `acl.compare.shortName` (FusionInsight MRS).
    pub compare_short_name: bool,
    /// `enforce.auth.enabled`.
    pub enforce_auth_enabled: bool,
    /// `enforce.auth.schemes`.
    pub enforce_auth_schemes: Vec<String>,
    /// `sessionRequireClientSASLAuth`.
    pub session_require_client_sasl_auth: bool,
    /// `allowSaslFailedClients`.
    pub allow_sasl_failed_clients: bool,
    /// `sasl.serverconfig`: JAAS section of the server.
    pub sasl_serverconfig: String,
    /// `java.security.auth.login.config`: the JAAS file.
    pub login_config: Option<PathBuf>,
    /// `java.security.krb5.conf`.
    pub krb5_conf: Option<PathBuf>,
    /// `kerberos.removeHostFromPrincipal`.
    pub kerberos_remove_host_from_principal: bool,
    /// `kerberos.removeRealmFromPrincipal`.
    pub kerberos_remove_realm_from_principal: bool,
    /// `kerberos.minReLoginTimeMs`.
    pub kerberos_min_re_login_time_ms: u64,
    /// `security.auth_to_local`: rules from principal to short name.
    pub auth_to_local: String,
    /// `kerberos.keytab`: keys of the server's own login, where there is no JAAS file.
    pub kerberos_keytab: Option<PathBuf>,
    /// `kerberos.principal`: the server's own principal, or its first component alone.
    pub kerberos_principal: Option<String>,
    /// `sessionsWithoutLogin.maxPerSource`.
    pub without_login_per_source: u32,
    /// `sessionsWithoutLogin.max`.
    pub without_login_max: u32,
    /// `sessionsWithoutLogin.timeoutMs`.
    pub without_login_timeout_ms: u32,
    /// `sessionsWithoutLogin.maxBytes`.
    pub without_login_bytes: u32,
    /// `kerberos.allowedRealms`: realms whose names are taken; empty: the default realm and those that rules name.
    pub kerberos_allowed_realms: Vec<String>,
    /// `fips-mode`, where it was written out: Java's default of true forbids nothing.
    pub fips_mode_written: Option<bool>,
    /// `requireKerberosConfig`.
    pub require_kerberos_config: bool,
}

impl Auth {
    pub(super) fn read(given: &Given) -> Self {
        let mut super_users: Vec<String> = given.text("superUser").into_iter().collect();
        super_users.extend(given.family("superUser.").map(|(_, id)| id.to_owned()));
        let providers = given.family("authProvider.");
        Auth {
            skip_acl: given.flag("skipACL"),
            enable_eager_acl_check: given.flag("enableEagerACLCheck"),
            digest_enabled: given.flag("DigestAuthenticationProvider.enabled"),
            super_digest: given.secret("DigestAuthenticationProvider.superDigest"),
            digest_alg: match given.word("DigestAuthenticationProvider.digestAlg").as_str() {
                "SHA-256" => DigestAlgorithm::Sha256,
                "SHA-512" => DigestAlgorithm::Sha512,
                _ => DigestAlgorithm::Sha1,
            },
            ip_use_x_forwarded_for: given.flag("IPAuthenticationProvider.usexforwardedfor"),
            x509_super_user: given.text("X509AuthenticationProvider.superUser"),
            super_users,
            sasl_super_password: given.secret("SASLAuthenticationProvider.superPassword"),
            let_any_sasl_user_do_x: given.text("letAnySaslUserDoX"),
            ensemble_auth_names: given.list("ensembleAuthName"),
            auth_providers: providers.map(|(n, c)| (n.to_owned(), c.to_owned())).collect(),
            ssl_auth_provider: given.word("ssl.authProvider"),
            compare_short_name: given.flag("acl.compare.shortName"),
            enforce_auth_enabled: given.flag("enforce.auth.enabled"),
            enforce_auth_schemes: given.list("enforce.auth.schemes"),
            session_require_client_sasl_auth: given.flag("sessionRequireClientSASLAuth"),
            allow_sasl_failed_clients: given.flag("allowSaslFailedClients"),
            sasl_serverconfig: given.word("sasl.serverconfig"),
            login_config: given.text("java.security.auth.login.config").map(|t| login_config(&t)),
            krb5_conf: given.path("java.security.krb5.conf"),
            kerberos_remove_host_from_principal: given.flag("kerberos.removeHostFromPrincipal"),
            kerberos_remove_realm_from_principal: given.flag("kerberos.removeRealmFromPrincipal"),
            kerberos_min_re_login_time_ms: given.long("kerberos.minReLoginTimeMs"),
            auth_to_local: given.word("security.auth_to_local"),
            kerberos_keytab: given.path("kerberos.keytab"),
            kerberos_principal: given.text("kerberos.principal"),
            without_login_per_source: given.number("sessionsWithoutLogin.maxPerSource"),
            without_login_max: given.number("sessionsWithoutLogin.max"),
            without_login_timeout_ms: given.number("sessionsWithoutLogin.timeoutMs"),
            without_login_bytes: given.number("sessionsWithoutLogin.maxBytes"),
            kerberos_allowed_realms: given.list("kerberos.allowedRealms"),
            fips_mode_written: given.has("fips-mode").then(|| given.flag("fips-mode")),
            require_kerberos_config: given.flag("requireKerberosConfig"),
        }
    }
}

/// The JAAS file: a path or `file:` URL; Java's `==` form leaves a `=` in front.
fn login_config(text: &str) -> PathBuf {
    jaas::path(text.trim_start_matches('='))
}
