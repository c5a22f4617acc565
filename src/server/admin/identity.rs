//! Who asks the admin server, and what he may do.
//!
//! # Invariants
//!
//! * An identity is proven by a ticket, a certificate or a password, never by an address or a header that names one.
//! * Passwords are taken over TLS and from this machine alone.
//! * Who is known and has no role may do nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::auth::reason::Reason;
use crate::auth::rules::AdminRole;
use crate::auth::sasl::Refusal;
use crate::auth::{AuthOutcome, Providers, all_of, x509_identities};
use crate::config::settings::AdminAuth;
use crate::kerberos::spnego::Spnego;
use crate::net::http::{Asked, header};
use crate::replica::Shared;
use crate::types::{Acl, Id, perms};

/// Somebody whose identity is proven.
#[derive(Debug, Clone)]
pub struct Known {
    /// As logs and pages name him.
    pub name: String,
    /// Everything that he has proven.
    pub ids: Vec<Id>,
    /// What he may do; `None` may do nothing.
    pub role: Option<AdminRole>,
    /// The token that proves who this server is, for the answer.
    pub token: Option<Vec<u8>>,
}

/// Proves identities.
#[derive(Debug)]
pub struct Gatekeeper {
    auth: AdminAuth,
    providers: Providers,
    spnego: Option<Spnego>,
    x509_super_user: Option<String>,
}

impl Gatekeeper {
    /// By the keys `admin.auth.*` and the schemes of clients.
    pub fn new(
        auth: &AdminAuth,
        providers: &Providers,
        spnego: Option<Spnego>,
        x509_super_user: Option<String>,
    ) -> Gatekeeper {
        Gatekeeper { auth: auth.clone(), providers: providers.clone(), spnego, x509_super_user }
    }

    /// What a client is told that has to show who it is: values of `WWW-Authenticate`.
    pub fn challenges(&self, asked: &Asked) -> Vec<&'static str> {
        let mut challenges = Vec::new();
        if self.spnego.is_some() {
            challenges.push("Negotiate");
        }
        if self.takes_passwords(asked) {
            challenges.push("Basic realm=\"Oxkeeper\", charset=\"UTF-8\"");
        }
        challenges
    }

    fn takes_passwords(&self, asked: &Asked) -> bool {
        let safe = asked.secure || asked.peer.ip().to_canonical().is_loopback();
        self.auth.digest && self.providers.digest.is_some() && safe
    }

    /// Who asks; `None` shows nothing. Computes: not for threads of the runtime.
    ///
    /// # Errors
    ///
    /// What he shows is wrong.
    pub fn identify(&self, asked: &Asked) -> Result<Option<Known>, Refusal> {
        let has_header = asked.headers.contains_key(header::AUTHORIZATION);
        let Some(text) = asked.header(header::AUTHORIZATION) else {
            if has_header {
                return Err(Refusal::new(
                    Reason::AuthRefused,
                    "several Authorization headers, or not plain text",
                ));
            }
            return Ok(self.by_certificate(asked));
        };
        let (scheme, data) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let data = data.trim();
        match scheme {
            // ZooKeeper's own form: the password as it is.
            "digest" => self.by_password(asked, Zeroizing::new(data.to_owned())).map(Some),
            "x509" => self
                .by_certificate(asked)
                .map(Some)
                .ok_or_else(|| Refusal::new(Reason::AuthRefused, "no client certificate on this connection")),
            _ if scheme.eq_ignore_ascii_case("Negotiate") => self.by_ticket(data).map(Some),
            _ if scheme.eq_ignore_ascii_case("Basic") => {
                let bytes = STANDARD.decode(data).map(Zeroizing::new).ok();
                let text = bytes.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok());
                let text =
                    text.ok_or_else(|| Refusal::new(Reason::AuthRefused, "malformed Basic credentials"))?;
                self.by_password(asked, Zeroizing::new(text.to_owned())).map(Some)
            }
            _ => Err(Refusal::new(
                Reason::AuthScheme,
                "the admin server takes Negotiate, Basic, digest and x509",
            )),
        }
    }

    fn by_ticket(&self, data: &str) -> Result<Known, Refusal> {
        let spnego = self.spnego.as_ref();
        let spnego =
            spnego.ok_or_else(|| Refusal::new(Reason::AuthScheme, "admin.auth.kerberos is not true"))?;
        let token = STANDARD.decode(data);
        let token = token.map_err(|_| Refusal::new(Reason::KrbBadToken, "a token that is not base64"))?;
        let (login, token) = spnego.accept(&token)?;
        let ids = self.providers.login_identities(&login);
        // Keys may name the full principal as well as what rules make of it.
        let principal = Id::new("sasl", login.principal.as_str());
        let role = self.role(ids.iter().chain([&principal]));
        Ok(Known { name: login.principal, ids, role, token })
    }

    fn by_certificate(&self, asked: &Asked) -> Option<Known> {
        let certificate = asked.certificate.as_ref()?;
        let ids = x509_identities(&certificate.name, self.x509_super_user.as_deref());
        let role = self.role(ids.iter());
        Some(Known { name: certificate.name.clone(), ids, role, token: None })
    }

    fn by_password(&self, asked: &Asked, user_password: Zeroizing<String>) -> Result<Known, Refusal> {
        if !self.takes_passwords(asked) {
            let why = "a password is taken over TLS or from this machine, where admin.auth.digest is true";
            return Err(Refusal::new(Reason::AuthScheme, why));
        }
        if !user_password.contains(':') {
            return Err(Refusal::new(Reason::AuthRefused, "credentials are user:password"));
        }
        let peer = asked.peer.ip();
        match self.providers.authenticate("digest", user_password.as_bytes(), peer, &[]) {
            AuthOutcome::Added(ids) => {
                let user = user_password.split(':').next().unwrap_or_default();
                let role = self.role(ids.iter());
                Ok(Known { name: user.to_owned(), ids, role, token: None })
            }
            AuthOutcome::Failed(refusal) | AuthOutcome::Closed(refusal) => Err(refusal),
        }
    }

    /// The highest role that one of these gives.
    fn role<'a>(&self, ids: impl Iterator<Item = &'a Id> + Clone) -> Option<AdminRole> {
        let named = |entries: &[String]| {
            ids.clone().any(|id| {
                entries
                    .iter()
                    .filter_map(|entry| entry.split_once(':'))
                    .any(|(scheme, wanted)| scheme == id.scheme && (wanted == "*" || wanted == id.id))
            })
        };
        let is_super = ids.clone().any(|id| id.scheme == "super");
        match () {
            () if is_super || named(&self.auth.restorers) => Some(AdminRole::Restore),
            () if named(&self.auth.operators) => Some(AdminRole::Operate),
            () if named(&self.auth.readers) => Some(AdminRole::Read),
            () => None,
        }
    }

    /// Does the ACL of `/` name him with every right? An ACL that is open to everybody names nobody: it must
    /// not hand the whole database to whoever makes up a password.
    pub fn rules_root(&self, known: &Known, shared: &Shared) -> bool {
        let list: Vec<Acl> = {
            let store = shared.store();
            let Some(root) = store.tree.get("/") else { return false };
            root.acl()
                .iter()
                .filter(|entry| entry.id.scheme != "world" && entry.id.scheme != "ip")
                .cloned()
                .collect()
        };
        let caller =
            crate::auth::Caller { providers: &self.providers, identities: &known.ids.clone().into() };
        !list.is_empty() && !self.providers.skip_acl && all_of(&list, perms::ALL, caller)
    }

    /// The schemes, for the tree browser.
    pub fn providers(&self) -> &Providers {
        &self.providers
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::auth::{DigestAlgorithm, generate_digest};
    use crate::config::Secret;
    use crate::net::http::{Body, HeaderMap, HeaderValue, Method};
    use crate::tls::X509Identity;

    fn asked(peer: &str, authorization: Option<&str>) -> Asked {
        let mut headers = HeaderMap::new();
        if let Some(text) = authorization {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(text).expect("a header"));
        }
        Asked {
            method: Method::GET,
            path: "/".to_owned(),
            query: Vec::new(),
            headers,
            body: Body::default(),
            peer: SocketAddr::new(peer.parse().expect("an address"), 1),
            secure: false,
            certificate: None,
        }
    }

    fn gatekeeper() -> Gatekeeper {
        let super_digest = generate_digest(DigestAlgorithm::Sha1, "root:pw");
        let providers = Providers {
            digest: Some(DigestAlgorithm::Sha1),
            super_digest: Some(Secret::new(&super_digest)),
            ..Providers::default()
        };
        let auth = AdminAuth {
            readers: vec![
                format!("digest:{}", generate_digest(DigestAlgorithm::Sha1, "bob:b")),
                "x509:*".to_owned(),
            ],
            operators: vec!["x509:CN=ops".to_owned()],
            ..AdminAuth::default()
        };
        Gatekeeper::new(&auth, &providers, None, Some("CN=root".to_owned()))
    }

    fn role_of(authorization: &str) -> Option<AdminRole> {
        let known = gatekeeper().identify(&asked("127.0.0.1", Some(authorization)));
        known.expect("taken").expect("somebody").role
    }

    #[test]
    fn passwords_give_the_roles_of_their_digests() {
        assert_eq!(role_of("digest root:pw"), Some(AdminRole::Restore));
        assert_eq!(role_of("Basic cm9vdDpwdw=="), Some(AdminRole::Restore));
        assert_eq!(role_of("digest bob:b"), Some(AdminRole::Read));
        assert_eq!(role_of("digest bob:wrong"), None);
        assert_eq!(role_of("digest anybody:x"), None);
    }

    #[test]
    fn passwords_over_plain_http_from_afar_are_not_taken() {
        let gatekeeper = gatekeeper();
        assert!(gatekeeper.identify(&asked("10.0.0.1", Some("digest root:pw"))).is_err());
        assert!(gatekeeper.challenges(&asked("10.0.0.1", None)).is_empty());
        let secure = Asked { secure: true, ..asked("10.0.0.1", Some("digest root:pw")) };
        assert!(gatekeeper.identify(&secure).is_ok());
    }

    #[test]
    fn certificates_are_known_by_their_subject() {
        let with = |name: &str| {
            let certificate =
                X509Identity { name: name.to_owned(), serial: "1".to_owned(), not_after: i64::MAX };
            let asked = Asked { certificate: Some(certificate), ..asked("10.0.0.1", None) };
            gatekeeper().identify(&asked).expect("taken").expect("somebody").role
        };
        assert_eq!(with("CN=anybody"), Some(AdminRole::Read));
        assert_eq!(with("CN=ops"), Some(AdminRole::Operate));
        assert_eq!(with("CN=root"), Some(AdminRole::Restore));
    }

    #[test]
    fn other_schemes_and_broken_headers_are_refused_not_ignored() {
        for text in [
            "ip",
            "ip 127.0.0.1",
            "x509",
            "Basic ###",
            "Basic eA==",
            "Negotiate abc",
            "Bearer x",
            "Digest a=b",
            "",
        ] {
            let known = gatekeeper().identify(&asked("127.0.0.1", Some(text)));
            assert!(known.is_err(), "{text:?} gave {known:?}");
        }
        let mut twice = asked("127.0.0.1", Some("digest root:pw"));
        twice.headers.append(header::AUTHORIZATION, HeaderValue::from_static("digest bob:b"));
        assert!(gatekeeper().identify(&twice).is_err());
        assert!(gatekeeper().identify(&asked("127.0.0.1", None)).is_ok_and(|known| known.is_none()));
    }
}
