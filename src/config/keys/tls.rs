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
const OCSP: Status = Status::Refused(
    "the status of certificates is not asked over the network; name revocation lists with crlPath",
);
const NO_RESOLVER: Status = Status::NoMeaning(
    "no decision about a peer asks a resolver; list the names that are allowed with allowedNames",
);
const NO_DETECTION: Status = Status::NoMeaning(
    "a silent client ends by nio.sessionlessCnxnTimeout on every port, as on ZooKeeper's client ports",
);
const PROTOCOLS: Kind = word(&["TLS", "TLSv1.1", "TLSv1.2", "TLSv1.3"]);

/// The keys both sides share, one after the other.
macro_rules! side {
    ($area:expr, $p:literal, $status:expr, $detect:expr, $client_names:literal, $reverse:literal) => {
        [
            row!(
                $area,
                $p,
                "protocol",
                PROTOCOLS,
                "= TLSv1.3 and TLSv1.2",
                "",
                $status,
                "The one protocol version that is accepted, when enabledProtocols is not set."
            ),
            row!(
                $area,
                $p,
                "enabledProtocols",
                LIST,
                "= protocol, else TLSv1.3 and TLSv1.2",
                "",
                $status,
                "Protocol versions that are accepted: TLSv1.3, TLSv1.2."
            ),
            row!(
                $area,
                $p,
                "ciphersuites",
                LIST,
                "= built-in list",
                "",
                $status,
                "Cipher suites that are accepted, by their Java names, in the order of preference."
            ),
            row!(
                $area,
                $p,
                "keyStore.location",
                PATH,
                "",
                "",
                $status,
                "File with the own key and certificates."
            ),
            row!($area, $p, "keyStore.password", SECRET, "", "", $status, "Password of the key store."),
            row!(
                $area,
                $p,
                "keyStore.passwordPath",
                PATH,
                "",
                "",
                $status,
                "File with the password of the key store; wins over keyStore.password."
            ),
            row!(
                $area,
                $p,
                "keyStore.type",
                STORES,
                "",
                "",
                $status,
                "Format of the key store; by the file's extension when unset."
            ),
            row!(
                $area,
                $p,
                "trustStore.location",
                PATH,
                "",
                "",
                $status,
                "File with the trusted certificates."
            ),
            row!($area, $p, "trustStore.password", SECRET, "", "", $status, "Password of the trust store."),
            row!(
                $area,
                $p,
                "trustStore.passwordPath",
                PATH,
                "",
                "",
                $status,
                "File with the password of the trust store; wins over trustStore.password."
            ),
            row!(
                $area,
                $p,
                "trustStore.type",
                STORES,
                "",
                "",
                $status,
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
                $status,
                "Check the name in the peer's certificate."
            ),
            row!(
                $area,
                $p,
                "clientHostnameVerification",
                BOOL,
                $client_names,
                "",
                $status,
                "Check the name in the certificate of a connecting peer, too. Needs hostnameVerification."
            ),
            row!(
                $area,
                $p,
                "allowedNames",
                LIST,
                "",
                "",
                $status,
                "DNS names and addresses that certificates of connecting peers may be for (subject alternative names), where clientHostnameVerification is on."
            ),
            row!(
                $area,
                $p,
                "allowReverseDnsLookup",
                BOOL,
                $reverse,
                "",
                NO_RESOLVER,
                "A name found by reverse look-up may match the certificate."
            ),
            row!(
                $area,
                $p,
                "crl",
                BOOL,
                "false",
                "",
                $status,
                "Check certificates against the revocation lists of crlPath."
            ),
            row!(
                $area,
                $p,
                "crlPath",
                LIST,
                "",
                "",
                $status,
                "Files with revocation lists (PEM or DER), separated by commas; naming one switches the check on."
            ),
            row!($area, $p, "ocsp", BOOL, "false", "", OCSP, "Check certificates by OCSP."),
            row!(
                $area,
                $p,
                "clientAuth",
                CLIENT_AUTH,
                "NEED",
                "",
                $status,
                "Whether a connecting peer has to show a certificate."
            ),
            row!(
                $area,
                $p,
                "handshakeDetectionTimeoutMillis",
                from(1),
                "5000",
                "ms",
                $detect,
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

const OF_CLIENTS: [Key; 21] = side!(Area::TlsClient, "ssl.", WORKS, NO_DETECTION, "false", "false");
const OF_SERVERS: [Key; 21] = side!(Area::TlsQuorum, "ssl.quorum.", WORKS, WORKS, "true", "true");

mod single {
    use super::super::row::*;

    table! {
        Area::TlsClient => {
            "secureClientPort" "" PORT, "" "port" WORKS, "Port of TLS client connections.";
            "secureClientPortAddress" "" HOST, "" "" WORKS, "Address the secure client port is bound to; unset is all addresses. Needs secureClientPort.";
            "client.portUnification" "zookeeper.client.portUnification" BOOL, "false" "" WORKS, "The client port takes TLS and plain connections.";
            "client.certReload" "zookeeper.client.certReload" BOOL, "true" "" WORKS, "Read key store, trust store and revocation lists again when they change.";
            "netty.server.outstandingHandshake.limit" "zookeeper.netty.server.outstandingHandshake.limit" ANY_INT, "-1" "handshakes" WORKS, "TLS handshakes under way beyond which new connections are closed; -1 is the built-in bound.";
            "netty.server.earlyDropSecureConnectionHandshakes" "zookeeper.netty.server.earlyDropSecureConnectionHandshakes" BOOL, "false" "" WORKS, "Drop TLS connections while the server does not serve.";
            "ssl.authProvider" "zookeeper.ssl.authProvider" TEXT, "x509" "" WORKS, "Scheme that names clients with certificates.";
            "ssl.sslProvider" "zookeeper.ssl.sslProvider" word(&["JDK", "OPENSSL", "OPENSSL_REFCNT"]), "JDK" "" none("there is one TLS engine, built in"), "TLS engine of Java's Netty layer.";
            "fips-mode" "zookeeper.fips-mode" BOOL, "true" "" WORKS, "With true written out, DIGEST-MD5 is refused; the default forbids nothing.";
        }
        Area::TlsQuorum => {
            "sslQuorum" "" BOOL, "false" "" WORKS, "TLS between servers.";
            "portUnification" "" BOOL, "false" "" WORKS, "Ports between servers take TLS and plain connections.";
            "sslQuorumReloadCertFiles" "" BOOL, "true" "" WORKS, "Read key store, trust store and revocation lists between servers again when they change.";
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
