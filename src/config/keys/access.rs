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
        "IPAuthenticationProvider.usexforwardedfor" "zookeeper.IPAuthenticationProvider.usexforwardedfor" BOOL, "false" "" OPERATIONS, "Take the address of an admin request from X-Forwarded-For.";
        "X509AuthenticationProvider.superUser" "zookeeper.X509AuthenticationProvider.superUser" TEXT, "" "" SECURITY, "X.500 name of a client certificate that is the super user.";
        "letAnySaslUserDoX" "zookeeper.letAnySaslUserDoX" TEXT, "" "" SECURITY, "Every SASL user matches entries with this id.";
        "ensembleAuthName" "zookeeper.ensembleAuthName" LIST, "" "" SECURITY, "Names a client may give with the ensemble scheme, if that provider is registered.";
        "authProvider.<n>" "zookeeper.authProvider.<n>" PROVIDERS, "" "" WORKS, "Register an authentication provider by its Java class; the built-in ones are known.";
        "acl.compare.shortName" "zookeeper.acl.compare.shortName" BOOL, "false" "" SECURITY, "Compare SASL ids of ACLs by short user name only (a key of FusionInsight MRS).";
    }
    Area::SaslClient => {
        "superUser" "zookeeper.superUser" TEXT, "" "" SECURITY, "SASL id that is the super user.";
        "superUser.<suffix>" "zookeeper.superUser.<suffix>" TEXT, "" "" SECURITY, "Further SASL ids that are super users.";
        "SASLAuthenticationProvider.superPassword" "zookeeper.SASLAuthenticationProvider.superPassword" SECRET, "" "" SECURITY, "DIGEST-MD5 password of the user super.";
        "sessionRequireClientSASLAuth" "zookeeper.sessionRequireClientSASLAuth" BOOL, "false" "" SECURITY_STOP, "Answer no request before the session is authenticated by SASL.";
        "enforce.auth.enabled" "zookeeper.enforce.auth.enabled" BOOL, "false" "" WORKS, "Answer no request before the session is authenticated by one of enforce.auth.schemes.";
        "enforce.auth.schemes" "zookeeper.enforce.auth.schemes" LIST, "" "" WORKS, "Schemes that enforce.auth.enabled accepts.";
        "allowSaslFailedClients" "zookeeper.allowSaslFailedClients" BOOL, "false" "" SECURITY, "Keep a connection open after its SASL exchange failed.";
        "sasl.serverconfig" "zookeeper.sasl.serverconfig" TEXT, "Server" "" SECURITY, "JAAS section of the server.";
        "kerberos.removeHostFromPrincipal" "zookeeper.kerberos.removeHostFromPrincipal" BOOL, "false" "" SECURITY, "Drop /host from the SASL id.";
        "kerberos.removeRealmFromPrincipal" "zookeeper.kerberos.removeRealmFromPrincipal" BOOL, "false" "" SECURITY, "Drop @REALM from the SASL id.";
        "kerberos.minReLoginTimeMs" "zookeeper.kerberos.minReLoginTimeMs" long(0), "60000" "ms" SECURITY, "Shortest time between two log-ins at the KDC.";
        "security.auth_to_local" "zookeeper.security.auth_to_local" TEXT, "DEFAULT" "" SECURITY, "Rules from a Kerberos principal to a short name.";
        "requireKerberosConfig" "zookeeper.requireKerberosConfig" BOOL, "false" "" SECURITY, "Fail when there is no Kerberos default realm.";
        "kinit" "zookeeper.kinit" PATH, "/usr/bin/kinit" "" none("tickets are renewed in the process, no command is run"), "Command with which Java renews a ticket cache.";
        "" "java.security.auth.login.config" PATH, "" "" SECURITY, "The JAAS file. Java reads it only as -D flag; here zoo.cfg has it too.";
        "" "java.security.krb5.conf" PATH, "= the system's" "" SECURITY, "The Kerberos configuration.";
    }
}
