//! Rows: ACLs, authentication providers, SASL and Kerberos of clients.
//!
//! # Invariants
//!
//! * As for the whole table.

use super::row::*;

/// Classes an `authProvider.N` may name: the schemes that are built in.
const PROVIDERS: Kind = Kind::Class {
    known: &[
        "org.apache.zookeeper.server.auth.DigestAuthenticationProvider",
        "org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider",
        "org.apache.zookeeper.server.auth.IPAuthenticationProvider",
        "org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
        "org.apache.zookeeper.server.auth.X509AuthenticationProvider",
    ],
    strict: false,
};
const DIGESTS: Kind = word(&["SHA1", "SHA-1", "SHA", "SHA-256", "SHA-512"]);

table! {
    Area::Acl => {
        "skipACL" "zookeeper.skipACL" YES_NO, "no" "" WORKS, "With `yes` no ACL is checked: everybody may do everything.";
        "enforceQuota" "zookeeper.enforceQuota" BOOL, "false" "" WORKS, "Writes beyond a hard quota fail instead of being logged.";
        "enableEagerACLCheck" "zookeeper.enableEagerACLCheck" BOOL, "false" "" ENSEMBLE, "The server a client is connected to checks ACLs before it forwards a write.";
        "DigestAuthenticationProvider.enabled" "zookeeper.DigestAuthenticationProvider.enabled" BOOL, "true" "" WORKS, "Offer the digest scheme.";
        "DigestAuthenticationProvider.superDigest" "zookeeper.DigestAuthenticationProvider.superDigest" SECRET, "" "" WORKS, "`user:base64` of a digest identity that is also the super user.";
        "DigestAuthenticationProvider.digestAlg" "zookeeper.DigestAuthenticationProvider.digestAlg" DIGESTS, "SHA1" "" WORKS, "Hash of the digest scheme; the same on all servers.";
        "IPAuthenticationProvider.usexforwardedfor" "zookeeper.IPAuthenticationProvider.usexforwardedfor" BOOL, "false" "" none("the address of an admin request is that of its socket: headers that claim another are never consulted"), "Take the address of an admin request from X-Forwarded-For.";
        "X509AuthenticationProvider.superUser" "zookeeper.X509AuthenticationProvider.superUser" TEXT, "" "" WORKS, "X.500 name of a client certificate that is the super user.";
        "letAnySaslUserDoX" "zookeeper.letAnySaslUserDoX" TEXT, "" "" WORKS, "Every SASL user matches entries with this id; refused where a login is required.";
        "ensembleAuthName" "zookeeper.ensembleAuthName" LIST, "" "" WORKS, "Names a client may give with the ensemble scheme, if that provider is registered.";
        "authProvider.<n>" "zookeeper.authProvider.<n>" PROVIDERS, "" "" WORKS, "Register an authentication provider by its Java class; the built-in ones are known.";
        "acl.compare.shortName" "zookeeper.acl.compare.shortName" BOOL, "false" "" WORKS, "Compare SASL ids of ACLs by their first component only, within the default realm (a key of FusionInsight MRS).";
    }
    Area::SaslClient => {
        "superUser" "zookeeper.superUser" TEXT, "" "" WORKS, "The super user: the full principal of a Kerberos login, or a DIGEST-MD5 user. Names that rules make of principals play no part.";
        "superUser.<suffix>" "zookeeper.superUser.<suffix>" TEXT, "" "" WORKS, "Further super users, written as superUser is.";
        "SASLAuthenticationProvider.superPassword" "zookeeper.SASLAuthenticationProvider.superPassword" SECRET, "" "" WORKS, "DIGEST-MD5 password of the user super.";
        "sessionRequireClientSASLAuth" "zookeeper.sessionRequireClientSASLAuth" BOOL, "false" "" WORKS, "Answer no request before the session is authenticated by SASL.";
        "enforce.auth.enabled" "zookeeper.enforce.auth.enabled" BOOL, "false" "" WORKS, "Answer no request before the session is authenticated by one of enforce.auth.schemes.";
        "enforce.auth.schemes" "zookeeper.enforce.auth.schemes" LIST, "" "" WORKS, "Schemes that enforce.auth.enabled accepts.";
        "allowSaslFailedClients" "zookeeper.allowSaslFailedClients" BOOL, "false" "" WORKS, "Keep a connection open after its SASL exchange failed; refused where a login is required.";
        "sasl.serverconfig" "zookeeper.sasl.serverconfig" TEXT, "Server" "" WORKS, "JAAS section of the server.";
        "kerberos.removeHostFromPrincipal" "zookeeper.kerberos.removeHostFromPrincipal" BOOL, "false" "" WORKS, "Drop /host from the SASL id.";
        "kerberos.removeRealmFromPrincipal" "zookeeper.kerberos.removeRealmFromPrincipal" BOOL, "false" "" WORKS, "Drop @REALM from the SASL id.";
        "kerberos.minReLoginTimeMs" "zookeeper.kerberos.minReLoginTimeMs" long(0), "60000" "ms" SECURITY, "Shortest time between two log-ins at the KDC.";
        "security.auth_to_local" "zookeeper.security.auth_to_local" TEXT, "DEFAULT" "" WORKS, "Rules from a Kerberos principal to a short name, in the syntax of MIT and Hadoop; whoever no rule maps is refused.";
        "kerberos.keytab" "zookeeper.kerberos.keytab" PATH, "" "" WORKS, "Keytab of this server's own Kerberos login, instead of a JAAS file; it is read for each login of a client, so that a new one needs no restart.";
        "kerberos.principal" "zookeeper.kerberos.principal" TEXT, "zookeeper" "" WORKS, "This server's principal in kerberos.keytab: its first component alone (any key of that service is taken), or a full principal.";
        "sessionsWithoutLogin.maxPerSource" "zookeeper.sessionsWithoutLogin.maxPerSource" from(1), "64" "sessions" WORKS, "Where a login is required: sessions without one that an address may hold; its further connections are closed.";
        "sessionsWithoutLogin.max" "zookeeper.sessionsWithoutLogin.max" from(1), "1000" "sessions" WORKS, "Where a login is required: sessions without one of all addresses together.";
        "sessionsWithoutLogin.timeoutMs" "zookeeper.sessionsWithoutLogin.timeoutMs" from(100), "10000" "ms" WORKS, "Where a login is required: a connection that has not logged in after this time is closed.";
        "sessionsWithoutLogin.maxBytes" "zookeeper.sessionsWithoutLogin.maxBytes" int(1024, 1 << 20), "65536" "bytes" WORKS, "Where a login is required: most bytes that a connection may send before it is logged in.";
        "kerberos.allowedRealms" "zookeeper.kerberos.allowedRealms" LIST, "" "" WORKS, "Realms whose principals may log in, separated by commas; without it the default realm and those that the patterns of security.auth_to_local write out.";
        "requireKerberosConfig" "zookeeper.requireKerberosConfig" BOOL, "false" "" WORKS, "Fail when there is no Kerberos default realm.";
        "kinit" "zookeeper.kinit" PATH, "/usr/bin/kinit" "" none("tickets are renewed in the process, no command is run"), "Command with which Java renews a ticket cache.";
        "" "java.security.auth.login.config" PATH, "" "" WORKS, "The JAAS file. Java reads it only as -D flag; here zoo.cfg has it too.";
        "" "java.security.krb5.conf" PATH, "= the system's" "" WORKS, "The Kerberos configuration.";
    }
}
