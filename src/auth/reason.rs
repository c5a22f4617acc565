//! Why somebody is refused: one stable code each, with its cause and its cure.
//!
//! The same code stands in the server's log line, in the audit record, in the label of a
//! metric and in what `oxkeeper doctor` prints, so that one leads to the others.
//!
//! # Invariants
//!
//! * A code, once released, keeps its name and its meaning.
//! * Cause and cure name no secret and nothing that a peer sent; the line that carries them does.

/// Why a login was refused, or a request without one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Reason {
    /// The clocks differ by more than Kerberos allows.
    KrbSkew,
    /// The same authenticator was seen before.
    KrbReplay,
    /// The ticket is encrypted with another key than the keytab's of that number.
    KrbWrongKey,
    /// The keytab has no key of the ticket's number or encryption type.
    KrbNoKey,
    /// The ticket is for a service that is not in the keytab.
    KrbWrongService,
    /// The ticket has ended.
    KrbTicketExpired,
    /// The ticket is not valid yet.
    KrbTicketEarly,
    /// No encryption type is allowed by everybody.
    KrbEnctype,
    /// The server's keytab cannot be read.
    KrbKeytab,
    /// The path of realms that the ticket came by is not trusted.
    KrbTransit,
    /// A GSSAPI token is malformed, or of another mechanism than Kerberos 5.
    KrbBadToken,
    /// Kerberos refused it for a reason without a code of its own.
    KrbOther,
    /// No login is configured for the mechanism that the client uses.
    SaslNotConfigured,
    /// The client chose a security layer that is not offered.
    SaslLayer,
    /// The client asked to act as somebody else.
    SaslAuthzid,
    /// A token came out of turn.
    SaslSequence,
    /// A token is longer than the limit.
    SaslTooLong,
    /// The server was too busy to look at the token.
    SaslBusy,
    /// Unknown user or wrong password: the two are not told apart.
    DigestRefused,
    /// A DIGEST-MD5 response is malformed, or answers another challenge.
    DigestMalformed,
    /// DIGEST-MD5 is forbidden by FIPS mode.
    DigestFips,
    /// The principal has not one of the shapes name, name/host, with a realm.
    NameShape,
    /// The principal's realm is not allowed here.
    NameRealm,
    /// No rule of auth_to_local maps the principal.
    NameNoRule,
    /// No certificate was presented where one is needed.
    TlsNoCertificate,
    /// The certificate is not signed by a trusted authority.
    TlsUnknownCa,
    /// The certificate has expired or is not valid yet.
    TlsExpired,
    /// The certificate is revoked.
    TlsRevoked,
    /// The certificate is for another host.
    TlsHost,
    /// Both sides have no protocol version or cipher in common.
    TlsProtocol,
    /// What came is no TLS where TLS is needed.
    TlsPlaintext,
    /// The certificate's name cannot be an identity, or there is more than one.
    TlsIdentity,
    /// Too many handshakes were under way.
    TlsBusy,
    /// The handshake failed otherwise.
    TlsHandshake,
    /// The scheme of an auth packet is not offered.
    AuthScheme,
    /// What an auth packet proves is not accepted.
    AuthRefused,
    /// A request came before the login that is required here.
    AuthRequired,
    /// The login took longer than allowed.
    AuthTimeout,
    /// Too many sessions without login, from this source or in all.
    AuthCap,
    /// Too many bytes before the login.
    AuthBudget,
    /// The ACL does not allow it.
    AclDenied,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 41] = [
        Reason::KrbSkew,
        Reason::KrbReplay,
        Reason::KrbWrongKey,
        Reason::KrbNoKey,
        Reason::KrbWrongService,
        Reason::KrbTicketExpired,
        Reason::KrbTicketEarly,
        Reason::KrbEnctype,
        Reason::KrbKeytab,
        Reason::KrbTransit,
        Reason::KrbBadToken,
        Reason::KrbOther,
        Reason::SaslNotConfigured,
        Reason::SaslLayer,
        Reason::SaslAuthzid,
        Reason::SaslSequence,
        Reason::SaslTooLong,
        Reason::SaslBusy,
        Reason::DigestRefused,
        Reason::DigestMalformed,
        Reason::DigestFips,
        Reason::NameShape,
        Reason::NameRealm,
        Reason::NameNoRule,
        Reason::TlsNoCertificate,
        Reason::TlsUnknownCa,
        Reason::TlsExpired,
        Reason::TlsRevoked,
        Reason::TlsHost,
        Reason::TlsProtocol,
        Reason::TlsPlaintext,
        Reason::TlsIdentity,
        Reason::TlsBusy,
        Reason::TlsHandshake,
        Reason::AuthScheme,
        Reason::AuthRefused,
        Reason::AuthRequired,
        Reason::AuthTimeout,
        Reason::AuthCap,
        Reason::AuthBudget,
        Reason::AclDenied,
    ];

    /// The stable code, as `reason=` in logs and audit and as a metric's label.
    pub const fn code(self) -> &'static str {
        self.text().0
    }

    /// What is the matter, one clause.
    pub const fn cause(self) -> &'static str {
        self.text().1
    }

    /// What to do about it, one sentence.
    pub const fn cure(self) -> &'static str {
        self.text().2
    }

    const fn text(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Reason::KrbSkew => (
                "KRB_SKEW",
                "the clocks of client and server differ too much",
                "synchronise both with the same time source (chronyc tracking), the limit is clockskew in krb5.conf",
            ),
            Reason::KrbReplay => (
                "KRB_REPLAY",
                "this login was presented before",
                "a client that retries must ask for a new ticket exchange; many of these from one source are an attack or a cloned machine",
            ),
            Reason::KrbWrongKey => (
                "KRB_WRONG_KEY",
                "the ticket is encrypted with another key than the keytab's",
                "export the keytab again from the KDC that issued the ticket, and compare key numbers with `oxkeeper doctor keytab`",
            ),
            Reason::KrbNoKey => (
                "KRB_NO_KEY",
                "the keytab has no key of the ticket's number and encryption type",
                "export the keytab again after the password change or with the missing encryption type; no restart is needed",
            ),
            Reason::KrbWrongService => (
                "KRB_WRONG_SERVICE",
                "the ticket is for a service that is not in the keytab",
                "set zookeeper.server.principal (Java) or the host name (C, kazoo) so that the client asks for a name in the keytab, or add that name to the keytab",
            ),
            Reason::KrbTicketExpired => (
                "KRB_TICKET_EXPIRED",
                "the client's ticket has ended",
                "log in again (kinit), or let the client use its keytab",
            ),
            Reason::KrbTicketEarly => (
                "KRB_TICKET_EARLY",
                "the client's ticket is not valid yet",
                "check the clocks of KDC and server, or whether the ticket was postdated",
            ),
            Reason::KrbEnctype => (
                "KRB_ENCTYPE",
                "client, KDC and service key share no allowed encryption type",
                "create AES keys for the service and export the keytab again; weak types are not the cure",
            ),
            Reason::KrbKeytab => (
                "KRB_KEYTAB",
                "the server's keytab cannot be used",
                "check that the file exists, is readable by the server's user and holds the service's principal: `oxkeeper doctor keytab`",
            ),
            Reason::KrbTransit => (
                "KRB_TRANSIT",
                "the path of realms of this ticket is not trusted",
                "add the realms to [capaths] of the server's krb5.conf, if they are to be trusted",
            ),
            Reason::KrbBadToken => (
                "KRB_BAD_TOKEN",
                "the token is no Kerberos 5 GSSAPI token",
                "the client must use GSSAPI with Kerberos 5, not SPNEGO or another mechanism",
            ),
            Reason::KrbOther => (
                "KRB_OTHER",
                "Kerberos refused the login",
                "read the text of the Kerberos library in this line",
            ),
            Reason::SaslNotConfigured => (
                "SASL_NOT_CONFIGURED",
                "this server has no login configured for the client's mechanism",
                "configure the Server section of the JAAS file (Krb5LoginModule for Kerberos, DigestLoginModule for DIGEST-MD5)",
            ),
            Reason::SaslLayer => (
                "SASL_LAYER",
                "the client chose a SASL security layer",
                "set the client's quality of protection to auth; encryption is TLS's task here",
            ),
            Reason::SaslAuthzid => (
                "SASL_AUTHZID",
                "the client asked to act as somebody else than it logged in as",
                "leave the client's authorization id empty, or equal to its own principal",
            ),
            Reason::SaslSequence => {
                ("SASL_SEQUENCE", "a SASL token came out of turn", "a defect of the client: update it")
            }
            Reason::SaslTooLong => (
                "SASL_TOO_LONG",
                "a SASL token is too long",
                "tickets with very large authorization data: lessen the groups of this principal",
            ),
            Reason::SaslBusy => (
                "SASL_BUSY",
                "too many logins at once",
                "the client will try again by itself; find the source of the login storm in the audit log",
            ),
            Reason::DigestRefused => (
                "DIGEST_REFUSED",
                "unknown user or wrong password",
                "compare user and password with the user_ entries of the server's JAAS section",
            ),
            Reason::DigestMalformed => (
                "DIGEST_MALFORMED",
                "the DIGEST-MD5 response does not fit the challenge",
                "a defect of the client, or a message that was changed on its way",
            ),
            Reason::DigestFips => (
                "DIGEST_FIPS",
                "DIGEST-MD5 is forbidden in FIPS mode",
                "use Kerberos, or remove fips-mode=true",
            ),
            Reason::NameShape => (
                "NAME_SHAPE",
                "the principal is not of the form name@REALM or name/host@REALM",
                "log in with a principal of one or two components",
            ),
            Reason::NameRealm => (
                "NAME_REALM",
                "the principal's realm is not allowed here",
                "add the realm to kerberos.allowedRealms if it is to be trusted",
            ),
            Reason::NameNoRule => (
                "NAME_NO_RULE",
                "no rule of security.auth_to_local maps this principal",
                "add a rule, and try it with `oxkeeper doctor map <principal>`",
            ),
            Reason::TlsNoCertificate => (
                "TLS_NO_CERTIFICATE",
                "no client certificate was presented",
                "give the client a key store, or set ssl.clientAuth=want",
            ),
            Reason::TlsUnknownCa => (
                "TLS_UNKNOWN_CA",
                "the certificate is not signed by a trusted authority",
                "add the issuer to the trust store, or issue the certificate by a trusted one",
            ),
            Reason::TlsExpired => (
                "TLS_EXPIRED",
                "the certificate has expired or is not valid yet",
                "renew it, and check both clocks",
            ),
            Reason::TlsRevoked => ("TLS_REVOKED", "the certificate is revoked", "issue a new one"),
            Reason::TlsHost => (
                "TLS_HOST",
                "the certificate is not for this host",
                "issue it with the host's DNS name or address as subject alternative name",
            ),
            Reason::TlsProtocol => (
                "TLS_PROTOCOL",
                "both sides share no TLS version or cipher suite",
                "allow TLS 1.2 or 1.3 with an AEAD cipher on both sides",
            ),
            Reason::TlsPlaintext => (
                "TLS_PLAINTEXT",
                "the peer does not speak TLS on a TLS port",
                "switch the client to TLS, or use the plain port",
            ),
            Reason::TlsIdentity => (
                "TLS_IDENTITY",
                "the certificate's subject cannot be used as an identity",
                "issue a certificate with one plain subject name",
            ),
            Reason::TlsBusy => (
                "TLS_BUSY",
                "too many TLS handshakes at once",
                "the client will try again by itself; find the source of the storm, or raise netty.server.outstandingHandshake.limit",
            ),
            Reason::TlsHandshake => {
                ("TLS_HANDSHAKE", "the TLS handshake failed", "read the text of the TLS library in this line")
            }
            Reason::AuthScheme => (
                "AUTH_SCHEME",
                "the scheme is not offered here",
                "use a scheme that authProvider.* registers",
            ),
            Reason::AuthRefused => {
                ("AUTH_REFUSED", "the proof was not accepted", "check the user and the scheme of the addauth")
            }
            Reason::AuthRequired => (
                "AUTH_REQUIRED",
                "a request came before the login that this server requires",
                "let the client log in first: a JAAS Client section, or addauth with an allowed scheme",
            ),
            Reason::AuthTimeout => (
                "AUTH_TIMEOUT",
                "no login within the time allowed",
                "look for a slow KDC or network on the client's side",
            ),
            Reason::AuthCap => (
                "AUTH_CAP",
                "too many sessions without a login",
                "find clients of this source that connect without credentials",
            ),
            Reason::AuthBudget => (
                "AUTH_BUDGET",
                "too many bytes before the login",
                "find what this client sends before it logs in",
            ),
            Reason::AclDenied => (
                "ACL_DENIED",
                "the znode's ACL does not allow it",
                "explain it with `oxkeeper doctor acl <path> --as <principal>`",
            ),
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;
    use std::collections::BTreeSet;

    #[test]
    fn codes_differ_and_every_reason_has_a_cure() {
        let codes: BTreeSet<_> = Reason::ALL.iter().map(|r| r.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert!(reason.cause().len() > 10 && reason.cure().len() > 10, "{reason}");
            assert!(reason.code().chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{reason}");
        }
    }
}
