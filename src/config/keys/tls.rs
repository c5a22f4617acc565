//! Rows: TLS of clients and between servers.
//!
//! # Invariants
//!
//! * Both sides have the same keys; only defaults differ.

use super::row::*;

const STORES: Kind = word(&["JKS", "PEM", "PKCS12", "BCFKS", ""]);
const CLIENT_AUTH: Kind = word(&["NONE", "WANT", "NEED", ""]);
const CONTEXT: Status = Status::Refused(
    "a Java class cannot be loaded; name the stores with ssl.keyStore.* and ssl.trustStore.*",
);
const PROTOCOLS: Kind = word(&["TLS", "TLSv1.1", "TLSv1.2", "TLSv1.3"]);

/// The keys both sides share, one after the other.
macro_rules! side {
    ($area:expr, $p:literal, $client_names:literal, $reverse:literal) => {
        [
            row!($area, $p, "protocol", PROTOCOLS, "= TLSv1.3", "", SECURITY, "Protocol of the TLS context."),
            row!(
                $area,
                $p,
                "enabledProtocols",
                LIST,
                "= protocol",
                "",
                SECURITY,
                "Protocols that are accepted."
            ),
            row!(
                $area,
                $p,
                "ciphersuites",
                LIST,
                "= built-in list",
                "",
                SECURITY,
                "Cipher suites that are accepted, by their Java names."
            ),
            row!(
                $area,
                $p,
                "keyStore.location",
                PATH,
                "",
                "",
                SECURITY,
                "File with the own key and certificates."
            ),
            row!($area, $p, "keyStore.password", SECRET, "", "", SECURITY, "Password of the key store."),
            row!(
                $area,
                $p,
                "keyStore.passwordPath",
                PATH,
                "",
                "",
                SECURITY,
                "File with the password of the key store; wins over keyStore.password."
            ),
            row!(
                $area,
                $p,
                "keyStore.type",
                STORES,
                "",
                "",
                SECURITY,
                "Format of the key store; by the file's extension when unset."
            ),
            row!(
                $area,
                $p,
                "trustStore.location",
                PATH,
                "",
                "",
                SECURITY,
                "File with the trusted certificates."
            ),
            row!($area, $p, "trustStore.password", SECRET, "", "", SECURITY, "Password of the trust store."),
            row!(
                $area,
                $p,
                "trustStore.passwordPath",
                PATH,
                "",
                "",
                SECURITY,
                "File with the password of the trust store; wins over trustStore.password."
            ),
            row!(
                $area,
                $p,
                "trustStore.type",
                STORES,
                "",
                "",
                SECURITY,
                "Format of the trust store; by the file's extension when unset."
            ),
            row!(
                $area,
                $p,
                "context.supplier.class",
                TEXT,
                "",
                "",
                CONTEXT,
                "Java class that makes the TLS context."
            ),
            row!(
                $area,
                $p,
                "hostnameVerification",
                BOOL,
                "true",
                "",
                SECURITY,
                "Check the name in the peer's certificate."
            ),
            row!(
                $area,
                $p,
                "clientHostnameVerification",
                BOOL,
                $client_names,
                "",
                SECURITY,
                "Check the name in the certificate of a connecting peer, too. Needs hostnameVerification."
            ),
            row!(
                $area,
                $p,
                "allowReverseDnsLookup",
                BOOL,
                $reverse,
                "",
                SECURITY,
                "A name found by reverse look-up may match the certificate."
            ),
            row!(
                $area,
                $p,
                "crl",
                BOOL,
                "false",
                "",
                SECURITY,
                "Check certificates against revocation lists."
            ),
            row!($area, $p, "ocsp", BOOL, "false", "", SECURITY, "Check certificates by OCSP."),
            row!(
                $area,
                $p,
                "clientAuth",
                CLIENT_AUTH,
                "NEED",
                "",
                SECURITY,
                "Whether a connecting peer has to show a certificate."
            ),
            row!(
                $area,
                $p,
                "handshakeDetectionTimeoutMillis",
                from(1),
                "5000",
                "ms",
                SECURITY,
                "How long the first bytes of a port with both TLS and plain text are waited for."
            ),
        ]
    };
}

macro_rules! row {
    ($area:expr, $p:literal, $name:literal, $kind:expr, $default:literal, $unit:literal, $status:expr, $doc:literal) => {
        Key {
            name: concat!($p, $name),
            property: concat!("zookeeper.", $p, $name),
            kind: $kind,
            default: $default,
            unit: $unit,
            area: $area,
            status: $status,
            doc: $doc,
        }
    };
}

const OF_CLIENTS: [Key; 19] = side!(Area::TlsClient, "ssl.", "false", "false");
const OF_SERVERS: [Key; 19] = side!(Area::TlsQuorum, "ssl.quorum.", "true", "true");

mod single {
    use super::super::row::*;

    table! {
        Area::TlsClient => {
            "secureClientPort" "" PORT, "" "port" SECURITY_STOP, "Port of TLS client connections.";
            "secureClientPortAddress" "" HOST, "" "" SECURITY, "Address the secure client port is bound to; unset is all addresses. Needs secureClientPort.";
            "client.portUnification" "zookeeper.client.portUnification" BOOL, "false" "" SECURITY_STOP, "The client port takes TLS and plain connections.";
            "client.certReload" "zookeeper.client.certReload" BOOL, "false" "" SECURITY, "Read key and trust store again when they change.";
            "netty.server.outstandingHandshake.limit" "zookeeper.netty.server.outstandingHandshake.limit" ANY_INT, "-1" "handshakes" SECURITY, "TLS handshakes under way beyond which new connections are closed; -1 is off.";
            "netty.server.earlyDropSecureConnectionHandshakes" "zookeeper.netty.server.earlyDropSecureConnectionHandshakes" BOOL, "false" "" SECURITY, "Drop TLS connections while the server does not serve.";
            "ssl.authProvider" "zookeeper.ssl.authProvider" TEXT, "x509" "" SECURITY, "Scheme that names clients with certificates.";
            "ssl.sslProvider" "zookeeper.ssl.sslProvider" word(&["JDK", "OPENSSL", "OPENSSL_REFCNT"]), "JDK" "" none("there is one TLS engine, built in"), "TLS engine of Java's Netty layer.";
            "fips-mode" "zookeeper.fips-mode" BOOL, "true" "" SECURITY, "Restrict algorithms; with true, DIGEST-MD5 between servers is not available.";
        }
        Area::TlsQuorum => {
            "sslQuorum" "" BOOL, "false" "" SECURITY, "TLS between servers.";
            "portUnification" "" BOOL, "false" "" SECURITY, "Ports between servers take TLS and plain connections.";
            "sslQuorumReloadCertFiles" "" BOOL, "false" "" SECURITY, "Read key and trust store between servers again when they change.";
        }
    }
}

const COUNT: usize = OF_CLIENTS.len() + OF_SERVERS.len() + single::KEYS.len();

const fn join() -> [Key; COUNT] {
    let mut all = [single::KEYS[0]; COUNT];
    let (mut i, single) = (0, single::KEYS.len());
    while i < COUNT {
        all[i] = if i < single {
            single::KEYS[i]
        } else if i < single + OF_CLIENTS.len() {
            OF_CLIENTS[i - single]
        } else {
            OF_SERVERS[i - single - OF_CLIENTS.len()]
        };
        i += 1;
    }
    all
}

pub(super) const KEYS: &[Key] = &join();
